"""Proration: the part of an amount that the active local days earn (semantics §15, §4).

Days are counted on the organization's calendar, never in hours, so a day of 23 or 25 hours is a day.
"""

from collections.abc import Iterable
from decimal import Decimal
from fractions import Fraction
from functools import lru_cache

import msgspec

from tallystick.kernel.decimals import divide
from tallystick.kernel.errors import invariant
from tallystick.kernel.periods import BillingCycle, DateSpan


class DayShare(msgspec.Struct, frozen=True):
    """`days` of the `of` days of one period: an exact fraction, 0 <= days <= of, of > 0."""

    days: int
    of: int

    def __post_init__(self) -> None:
        invariant(0 <= self.days <= self.of > 0, f"{self.days}/{self.of} days is no share of a period")


WHOLE = (DayShare(1, 1),)  # for amounts that are not prorated


def day_share(active: DateSpan, period: DateSpan) -> DayShare:
    """Give the share of `period`, not empty, that `active` covers."""
    return DayShare(active.intersect(period).days, period.days)


def day_shares(active: DateSpan, cycle: BillingCycle) -> list[DayShare]:
    """Give the share of each nominal period of `cycle` that `active` covers, in order.

    One for an ordinary bill, also for a stub; a first bill that starts before the epoch can hold
    several, and then owes more than one full amount. Empty for an empty span.
    Rule: semantics §15, first period of §4.
    """
    return [*_shares(active, cycle)]


@lru_cache(maxsize=1024)
def _shares(active: DateSpan, cycle: BillingCycle) -> tuple[DayShare, ...]:
    """Remember the last ones: the accounts of a bill run nearly all share them."""
    return tuple(day_share(active, nominal) for nominal in cycle.nominal_periods(active))


def prorate(amount: Decimal, shares: Iterable[DayShare]) -> Decimal:
    """Give what `amount`, owed for one whole period, comes to for `shares` of periods, added up.

    Divides once, at the end, so it is as exact as one division is; the bill rounds, not this.
    """
    periods = sum((Fraction(share.days, share.of) for share in shares), Fraction(0))
    return divide(amount * periods.numerator, Decimal(periods.denominator))
