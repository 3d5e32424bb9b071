"""Spans of time: instants, local dates, and the billing periods that tile them (semantics §4).

Every span is half-open: its start belongs to it, its end does not. What never ends, ends at
`FOREVER` (instants) or `LAST_DATE` (dates), so that spans compare and intersect without a None;
both stand for "no end" in memory only and are never stored or shown.
"""

import calendar
from collections.abc import Iterable, Iterator
from datetime import UTC, date, datetime, time, timedelta, tzinfo
from enum import StrEnum
from functools import lru_cache
from itertools import count, takewhile
from typing import Self

import msgspec

from tallystick.kernel.errors import Invalid, invariant

FOREVER = datetime(9999, 1, 1, tzinfo=UTC)
LAST_DATE = date(9999, 1, 1)
ONE_DAY = timedelta(days=1)
MONTHS_A_YEAR = 12
_UTC = timedelta(0)


class Period(msgspec.Struct, frozen=True):
    """From `start` up to, not including, `end`: aware UTC instants, `start` <= `end`."""

    start: datetime
    end: datetime

    def __post_init__(self) -> None:
        # Messages are written only when needed: a bill run makes millions of these.
        if self.start.utcoffset() != _UTC or self.end.utcoffset() != _UTC or self.start > self.end:
            for instant in (self.start, self.end):
                invariant(instant.utcoffset() == _UTC, f"{instant} is not in UTC")
            invariant(self.start <= self.end, f"a period ends at {self.end} before its start {self.start}")

    @classmethod
    def of(cls, start: datetime, end: datetime | None) -> Self:
        """Build from a start and an end that may be missing; an end before the start leaves it empty."""
        return cls(start, FOREVER if end is None else max(start, end))

    @property
    def is_empty(self) -> bool:
        """True when no instant is inside."""
        return self.start == self.end

    @property
    def is_endless(self) -> bool:
        """True when it stands for "no end"."""
        return self.end >= FOREVER

    def contains(self, instant: datetime) -> bool:
        """Tell whether `instant` is inside: the start is, the end is not."""
        return self.start <= instant < self.end

    def intersect(self, other: "Period") -> "Period":
        """Give the part inside both; empty, at the later start, when they do not meet."""
        start = max(self.start, other.start)
        return Period(start, max(start, min(self.end, other.end)))

    def outside(self, taken: "Iterable[Period]") -> "Iterator[Period]":
        """Give the parts of it that none of `taken` covers, in order."""
        start = self.start
        for each in sorted(taken, key=lambda period: period.start):
            if each.start > start:
                part = Period(start, min(each.start, self.end))
                if not part.is_empty:
                    yield part
            start = max(start, min(each.end, self.end))
        if start < self.end:
            yield Period(start, self.end)

    def local_dates(self, zone: tzinfo) -> "DateSpan":
        """Give the local days it holds: from the date of its start up to, not including, the date of its end.

        A day on which one span ends and the next starts belongs to the next, whole (semantics §4).
        """
        end = LAST_DATE if self.is_endless else local_date(self.end, zone)
        return DateSpan(local_date(self.start, zone), end)


class DateSpan(msgspec.Struct, frozen=True):
    """From `start` up to, not including, `end`: local dates, `start` <= `end`."""

    start: date
    end: date

    def __post_init__(self) -> None:
        if self.start > self.end:
            invariant(False, f"a span ends on {self.end} before its start {self.start}")  # noqa: FBT003 - a bug

    @classmethod
    def of(cls, start: date, end: date | None) -> Self:
        """Build from a start and an end that may be missing; an end before the start leaves it empty."""
        return cls(start, LAST_DATE if end is None else max(start, end))

    @property
    def days(self) -> int:
        """Count the calendar days inside."""
        return (self.end - self.start).days

    @property
    def is_empty(self) -> bool:
        """True when no day is inside."""
        return self.start == self.end

    @property
    def last_date(self) -> date:
        """Give the last day inside (inclusive). Not for an empty span."""
        invariant(not self.is_empty, "an empty span has no last day")
        return self.end - ONE_DAY

    def contains(self, day: date) -> bool:
        """Tell whether `day` is inside: the start is, the end is not."""
        return self.start <= day < self.end

    def intersect(self, other: "DateSpan") -> "DateSpan":
        """Give the days inside both; empty, at the later start, when they do not meet."""
        start = max(self.start, other.start)
        return DateSpan(start, max(start, min(self.end, other.end)))

    def instants(self, zone: tzinfo) -> Period:
        """Give the same span as instants, from local midnight to local midnight."""
        return Period(start_of_day(self.start, zone), start_of_day(self.end, zone))


def local_date(instant: datetime, zone: tzinfo) -> date:
    """Give the calendar date that `instant` falls on in `zone`."""
    return instant.astimezone(zone).date()


@lru_cache(maxsize=8192)
def start_of_day(day: date, zone: tzinfo) -> datetime:
    """Give the first instant of the local day, in UTC.

    Where clocks skip midnight it is the first instant after it; where midnight happens twice it
    is the first of them; a day that a zone left out starts, empty, where the next one does.
    """
    if day >= LAST_DATE:
        return FOREVER
    instant = datetime.combine(day, time(), zone).astimezone(UTC)  # fold 0: the earlier of two midnights
    minute = timedelta(minutes=1)
    while local_date(instant - minute, zone) >= day:  # only when clocks skip from before midnight to after it
        instant -= minute
    return instant


class BillingFrequency(StrEnum):
    """How often a plan is billed. AD_HOC and MIXED have no periods of their own."""

    DAILY = "DAILY"
    WEEKLY = "WEEKLY"
    MONTHLY = "MONTHLY"
    ANNUALLY = "ANNUALLY"
    AD_HOC = "AD_HOC"
    MIXED = "MIXED"


DAYS = {BillingFrequency.DAILY: 1, BillingFrequency.WEEKLY: 7}
MONTHS = {BillingFrequency.MONTHLY: 1, BillingFrequency.ANNUALLY: MONTHS_A_YEAR}
MAX_INTERVAL = 365


class FrequencyWithoutPeriods(Invalid):
    """Billing periods were asked of a frequency that has none."""

    code = "frequency_without_periods"


class IntervalOutOfRange(Invalid):
    """A billing interval was not 1 to 365."""

    code = "interval_out_of_range"


class BillingCycle(msgspec.Struct, frozen=True):
    """The dates on which bills fall: every `interval` days, weeks, months or years, counted from `epoch`.

    Boundary n is computed from the epoch itself, never from boundary n-1, so a month end is clamped
    each time: January 31, February 28, March 31. Raises FrequencyWithoutPeriods, IntervalOutOfRange.
    """

    epoch: date
    frequency: BillingFrequency
    interval: int = 1

    def __post_init__(self) -> None:
        if self.frequency not in DAYS and self.frequency not in MONTHS:
            raise FrequencyWithoutPeriods(f"{self.frequency} billing has no periods of its own.")
        if not 1 <= self.interval <= MAX_INTERVAL:
            raise IntervalOutOfRange(f"A billing interval is 1 to {MAX_INTERVAL}, not {self.interval}.")

    def boundary(self, number: int) -> date:
        """Give the n-th boundary; 0 is the epoch, negative ones lie before it. Held inside the calendar."""
        if self.frequency in DAYS:
            ordinal = self.epoch.toordinal() + number * self.interval * DAYS[self.frequency]
            return date.fromordinal(min(max(ordinal, 1), LAST_DATE.toordinal()))
        months = self.epoch.month - 1 + number * self.interval * MONTHS[self.frequency]
        years, month = divmod(months, MONTHS_A_YEAR)
        year = self.epoch.year + years
        if year < date.min.year:
            return date.min
        if year >= LAST_DATE.year:
            return LAST_DATE
        return date(year, month + 1, min(self.epoch.day, calendar.monthrange(year, month + 1)[1]))

    def number_at(self, day: date) -> int:
        """Give the number of the last boundary on or before `day`."""
        if self.frequency in DAYS:
            return (day - self.epoch).days // (self.interval * DAYS[self.frequency])
        months = (day.year - self.epoch.year) * MONTHS_A_YEAR + day.month - self.epoch.month
        number = months // (self.interval * MONTHS[self.frequency])
        return number if self.boundary(number) <= day else number - 1

    def nominal_periods(self, span: DateSpan) -> Iterator[DateSpan]:
        """Give the whole periods, boundary to boundary, that `span` touches, also those before the epoch.

        They are what proration divides by (semantics §15): a first bill may hold part of one, or
        more than one. An empty span touches none.
        """
        if span.is_empty:
            return iter(())
        numbers = count(self.number_at(span.start))
        periods = (DateSpan(self.boundary(n), self.boundary(n + 1)) for n in numbers)
        return takewhile(lambda nominal: nominal.start < span.end, periods)


class BillingPeriod(msgspec.Struct, frozen=True):
    """One bill's span of local dates, and its number: 0 is the first bill."""

    number: int
    dates: DateSpan

    @property
    def last_date(self) -> date:
        """Give the last day inside, by which a bill job addresses the period (semantics §4)."""
        return self.dates.last_date


def billing_period(cycle: BillingCycle, starting: date, number: int) -> BillingPeriod:
    """Give the number-th billing period of what starts on `starting`.

    Bills never fall before the epoch, so the first period runs from `starting` to the first boundary
    after it that is not before the epoch: a stub when it starts mid-period, longer than a period
    when it starts before the epoch. Rule: semantics §4.
    """
    invariant(number >= 0, "billing periods are numbered from 0")
    first_end = max(0, cycle.number_at(starting) + 1)
    start = starting if number == 0 else cycle.boundary(first_end + number - 1)
    return BillingPeriod(number, DateSpan(start, cycle.boundary(first_end + number)))


def billing_periods(cycle: BillingCycle, starting: date, until: date) -> Iterator[BillingPeriod]:
    """Give, in order, the billing periods that start before `until`; the last may reach beyond it."""
    periods = (billing_period(cycle, starting, number) for number in count())
    return takewhile(lambda period: period.dates.start < until, periods)


def period_containing(cycle: BillingCycle, starting: date, day: date) -> BillingPeriod | None:
    """Give the billing period that `day` falls in; None before `starting`."""
    if day < starting:
        return None
    first_end = max(0, cycle.number_at(starting) + 1)
    return billing_period(cycle, starting, max(0, cycle.number_at(day) - first_end + 1))


def period_ending(cycle: BillingCycle, starting: date, last_date: date) -> BillingPeriod | None:
    """Give the billing period whose last day is `last_date` (lastDateInBillingPeriod), or None."""
    period = period_containing(cycle, starting, last_date)
    return period if period is not None and period.last_date == last_date else None


def latest_period_closed_by(cycle: BillingCycle, starting: date, bill_date: date) -> BillingPeriod | None:
    """Give the last billing period that has ended by the start of `bill_date`; None when none has."""
    running = period_containing(cycle, starting, bill_date)
    if running is None or running.number == 0:
        return None
    return billing_period(cycle, starting, running.number - 1)
