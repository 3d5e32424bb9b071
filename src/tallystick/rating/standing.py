"""Standing charges: a fixed amount on every so many bills (semantics §15)."""

from collections.abc import Iterable
from decimal import Decimal

from tallystick.kernel.errors import Invalid
from tallystick.rating.proration import DayShare, prorate


class StandingChargeOffBounds(Invalid):
    """A standing charge was set to fall on no possible bill."""

    code = "standing_charge_off_bounds"


def standing_charge_falls(bill_number: int, interval: int, offset: int) -> bool:
    """Tell whether the standing charge is applied for this bill's period.

    bill_number: 0 for the first bill of the account plan. interval: in bills, 1 or more.
    offset: bills to let pass first, 0 or more. Raises StandingChargeOffBounds.
    Rule: semantics §15 — interval 2: offset 0 is bills 1, 3, 5 …, offset 1 is bills 2, 4, 6 …
    """
    if interval < 1 or offset < 0:
        message = f"the interval must be 1 or more and the offset 0 or more, got {interval} and {offset}"
        raise StandingChargeOffBounds(message)
    return bill_number >= offset and (bill_number - offset) % interval == 0


def standing_charge(amount: Decimal, shares: Iterable[DayShare]) -> Decimal:
    """Give one application of the standing charge, in full for a whole period, else by active days.

    shares: the account plan's days in the bill's period (`proration.day_shares`).
    Rule: semantics §15 — each application is the full amount, however many bills lie between two.
    """
    return prorate(amount, shares)
