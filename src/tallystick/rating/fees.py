"""Commitment fees: how what is owed spreads over bills (semantics §18)."""

from decimal import Decimal

from tallystick.kernel.decimals import ONE, allocate


def spread_fees(outstanding: Decimal, count: int, places: int, first: Decimal | None = None) -> list[Decimal]:
    """Spread an amount evenly over fee bills; they sum to it.

    outstanding: the commitment less what was paid before. first: on the first bill; the rest then spreads
    over the others. places: of the commitment's currency; an amount with more keeps them.
    Rule: semantics §18 — $15,000 over 12 bills: $1,250 each.
    """
    if count == 0:
        return []
    places = max(places, *(_places(amount) for amount in (outstanding, first) if amount is not None))
    if first is None or count == 1:
        return allocate(outstanding, [ONE] * count, places)
    return [first, *allocate(outstanding - first, [ONE] * (count - 1), places)]


def _places(amount: Decimal) -> int:
    exponent = amount.as_tuple().exponent
    return max(0, -exponent) if isinstance(exponent, int) else 0
