"""Tiers that span the plan: bands fill up from the account plan's start, not from each bill's (§14)."""

from collections.abc import Sequence
from decimal import Decimal

from tallystick.kernel.errors import invariant
from tallystick.rating.bands import Band, BandCharge, difference, rate


def rate_spanning(
    before: Decimal | None, units: Decimal, bands: Sequence[Band], *, cumulative: bool
) -> list[BandCharge]:
    """Price this period's units on top of those already rated: price(to date) - price(before).

    before: units rated in earlier periods of the account plan, >= 0; None when none was ever rated,
    so that the first band's fixed price is still owed. units: this period's; negative ones cost nothing.
    A band's fixed price is charged once, in the period that first reaches it. Volume bands can make
    the increment negative: the units before are priced again at the band now reached.
    Rule: semantics §14, tiersSpanPlan.
    """
    if before is None:
        return rate(units, bands, cumulative=cumulative)
    invariant(before >= 0, "units rated earlier cannot be negative")
    if units < 0:
        return []
    to_date = rate(before + units, bands, cumulative=cumulative)
    return difference(to_date, rate(before, bands, cumulative=cumulative))
