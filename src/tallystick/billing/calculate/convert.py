"""Step: convert each line to the billing currency and round it there."""

from decimal import Decimal

import msgspec

from tallystick.billing.calculate.draft import Draft, DraftLine
from tallystick.billing.calculate.inputs import BillInputs
from tallystick.billing.derivation import ConversionFrom
from tallystick.kernel.decimals import round_to


def convert_lines(draft: Draft) -> Draft:
    """Multiply each line by its rate and round it once, by the billing currency's places and mode.

    Lines that are converted already stay. Bands stay exact.
    Raises NoConversionRate, UnknownCurrency, RoundingNecessary. Rule: semantics §25.
    """
    return draft.with_lines(
        line if line.derivation.conversion else converted(draft.inputs, line) for line in draft.lines
    )


def converted(inputs: BillInputs, line: DraftLine) -> DraftLine:
    """Give a line with its rate and its rounded amount in the billing currency."""
    return converted_to(inputs, line, billed(inputs, line.subtotal, line.currency))


def billed(inputs: BillInputs, amount: Decimal, currency: str) -> Decimal:
    """Give an amount of a pricing currency as it is billed: in billing currency, rounded."""
    rate, rule = inputs.rate_from(currency), inputs.rounding
    return round_to(amount * rate, rule.places, rule.mode)


def converted_to(inputs: BillInputs, line: DraftLine, amount: Decimal) -> DraftLine:
    """Give a line that is billed as `amount`, in billing currency and of its places."""
    rate, rule = inputs.rate_from(line.currency), inputs.rounding
    why = ConversionFrom(
        exact=line.subtotal,
        from_currency=line.currency,
        to_currency=inputs.currency,
        rate=rate,
        places=rule.places,
        mode=rule.mode,
        converted=amount,
    )
    derivation = msgspec.structs.replace(line.derivation, conversion=why)
    return msgspec.structs.replace(line, conversion_rate=rate, converted=amount, derivation=derivation)
