"""Counters: recurring charges for a number of things held, such as seats (semantics §16).

A counter's value is a number of things, so a value of 0 is nothing held and costs nothing, also
where the first band has a fixed price. Amounts are signed as their bill line is, exact.
"""

from collections.abc import Iterable, Sequence
from datetime import date
from decimal import Decimal

import msgspec

from tallystick.kernel.errors import Invalid, invariant
from tallystick.kernel.periods import BillingCycle, DateSpan
from tallystick.rating.bands import Band, BandCharge, amount_of, difference, rate
from tallystick.rating.proration import WHOLE, DayShare, day_shares, prorate


class NegativeCounter(Invalid):
    """A counter was set below zero."""

    code = "negative_counter"


class CounterTerms(msgspec.Struct, frozen=True):
    """The part of a counter pricing that decides amounts."""

    bands: tuple[Band, ...]
    cumulative: bool = False
    prorate_running_total: bool = True
    prorate_debit: bool = True
    prorate_credit: bool = True


class CounterStep(msgspec.Struct, frozen=True):
    """A change of the counter's value on a local date, from `old` to `new`."""

    day: date
    old: Decimal
    new: Decimal

    @property
    def is_increase(self) -> bool:
        """True for COUNTER_ADJUSTMENT_DEBIT, False for COUNTER_ADJUSTMENT_CREDIT."""
        return self.new > self.old


class CounterCharge(msgspec.Struct, frozen=True):
    """One counter line: full-period charges by band, the days charged, and the amount they come to."""

    units: Decimal
    charges: tuple[BandCharge, ...]
    shares: tuple[DayShare, ...]
    amount: Decimal


def counter_steps(carried: Decimal, adjustments: Iterable[tuple[date, Decimal]]) -> list[CounterStep]:
    """Give each real change of a period, in order of date.

    carried: the value at the period's start, 0 for a new counter. adjustments: date and new absolute
    value, at most one a day, in any order. Raises NegativeCounter.
    """
    steps: list[CounterStep] = []
    value, last = carried, date.min
    for day, new in sorted(adjustments):
        invariant(day > last or not steps, f"two adjustments of one counter on {day}")
        if new < 0:
            raise NegativeCounter(f"a counter cannot be below zero, got {new}")
        steps.append(CounterStep(day, value, new))
        value, last = new, day
    return [step for step in steps if step.new != step.old]


def running_total(
    value: Decimal, terms: CounterTerms, active: DateSpan, cycle: BillingCycle
) -> CounterCharge:
    """Give the COUNTER_RUNNING_TOTAL_CHARGE for the value carried into a period.

    active: the local days of the period on which the plan and the pricing are active.
    """
    shares = tuple(day_shares(active, cycle)) if terms.prorate_running_total else WHOLE
    return _charge(value, _held(value, terms), shares)


def adjustment(
    step: CounterStep, terms: CounterTerms, active: DateSpan, cycle: BillingCycle
) -> CounterCharge:
    """Give the COUNTER_ADJUSTMENT_DEBIT or _CREDIT of one change: price(new) - price(old), by days left.

    The day of the change counts: June 15 of 30 leaves 16/30. active: as for `running_total`; the
    change falls inside it. A credit is negative; under volume bands that get cheaper, so may a debit be.
    Rule: semantics §16.
    """
    invariant(active.contains(step.day), f"the change of {step.day} is outside its period")
    prorated = terms.prorate_debit if step.is_increase else terms.prorate_credit
    shares = tuple(day_shares(DateSpan(step.day, active.end), cycle)) if prorated else WHOLE
    return _charge(step.new - step.old, difference(_held(step.new, terms), _held(step.old, terms)), shares)


def _held(value: Decimal, terms: CounterTerms) -> list[BandCharge]:
    return rate(value, terms.bands, cumulative=terms.cumulative) if value else []


def _charge(units: Decimal, charges: Sequence[BandCharge], shares: tuple[DayShare, ...]) -> CounterCharge:
    return CounterCharge(units, tuple(charges), shares, prorate(amount_of(charges), shares))
