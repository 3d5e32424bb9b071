"""Which usage an export holds: a half-open span of `ts`. Pure; all in UTC (semantics §30)."""

from collections.abc import Iterator
from datetime import UTC, datetime, time

from tallystick.kernel.periods import ONE_DAY, Period
from tallystick.kernel.problems import Problem
from tallystick.kernel.time_periods import TimePeriod, resolve


def window_of(name: TimePeriod, at: datetime) -> Period:
    """Give the span that a schedule's run at `at` exports.

    As `resolve` has it, but nothing later than the run: what is to date, and today, ends there.
    """
    span = resolve(name, at)
    return Period(span.start, max(span.start, min(span.end, at)))


def ad_hoc_problems(start: datetime | None, end: datetime | None, now: datetime) -> Iterator[Problem]:
    """Find what is wrong with the dates of an ad hoc usage export.

    Both are needed, the end after the start, and no later than the coming midnight.
    """
    for name, given in {"startDate": start, "endDate": end}.items():
        if given is None:
            yield Problem(name, "required", "is required to export usage")
    if end is None:
        return
    if start is not None and end <= start:
        yield Problem("endDate", "ends_before_start", "must be after startDate; the end is exclusive")
    last = datetime.combine(now.astimezone(UTC).date() + ONE_DAY, time(), UTC)
    if end > last:
        message = f"must not be after the coming midnight, {last:%Y-%m-%dT%H:%M:%SZ}"
        yield Problem("endDate", "out_of_range", message)
