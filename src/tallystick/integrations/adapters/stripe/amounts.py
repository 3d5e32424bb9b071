"""Amounts as Stripe counts them: whole numbers of the smallest unit. Pure, exact or refused."""

from decimal import Decimal
from typing import Final

from tallystick.integrations.errors import EntityRefused

WITHOUT_DECIMALS: Final = frozenset(
    ("BIF", "CLP", "DJF", "GNF", "JPY", "KMF", "KRW", "MGA", "PYG", "RWF", "VND", "VUV", "XAF", "XOF", "XPF")
)
"Amounts of these are whole units."
THREE_DECIMALS: Final = frozenset(("BHD", "JOD", "KWD", "OMR", "TND"))
"Amounts of these are thousandths, of which the last digit has to be 0."
WHOLE_IN_HUNDREDTHS: Final = frozenset(("ISK", "UGX"))
"These have no decimals any more, and are still counted in hundredths, which have to be 00."
TWO: Final = 2
DIGITS: Final = 99_999_999_999
"The most that Stripe takes."


def minor_units(amount: Decimal, currency: str) -> int:
    """Give an amount in Stripe's units. Raises EntityRefused when it cannot be said in them to the digit.

    An amount that is rounded once more would make the invoice's total another one than the bill's.
    """
    code = currency.upper()
    places = 0 if code in WITHOUT_DECIMALS else 3 if code in THREE_DECIMALS else TWO
    scaled = amount.scaleb(places)
    whole = int(scaled)
    multiple = {**dict.fromkeys(THREE_DECIMALS, 10), **dict.fromkeys(WHOLE_IN_HUNDREDTHS, 100)}.get(code, 1)
    if whole != scaled or whole % multiple:
        message = (
            f"{amount:f} {code} cannot be said in Stripe's units of {code}: give the currency as many "
            "decimal places as Stripe has."
        )
        raise EntityRefused(message)
    if abs(whole) > DIGITS:
        raise EntityRefused(f"{amount:f} {code} is more than Stripe takes.")
    return whole
