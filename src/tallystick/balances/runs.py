"""When schedules run, and what for: computed from their start, never from the run before. Pure."""

from collections.abc import Iterable, Iterator
from datetime import UTC, date, datetime, timedelta, tzinfo
from enum import StrEnum
from itertools import count
from uuid import UUID, uuid5

import msgspec

from tallystick.kernel.periods import (
    LAST_DATE,
    BillingCycle,
    BillingFrequency,
    DateSpan,
    Period,
    billing_periods,
    local_date,
    start_of_day,
)

_UNIX_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)


class ScheduleFrequency(StrEnum):
    """How often a schedule runs."""

    DAILY = "DAILY"
    WEEKLY = "WEEKLY"
    MONTHLY = "MONTHLY"
    ANNUALLY = "ANNUALLY"

    def cycle(self, epoch: date, interval: int) -> BillingCycle:
        """Give the cycle of every so many days, weeks, months or years from a date."""
        return BillingCycle(epoch, BillingFrequency(self.value), interval)


class ChargeRun(msgspec.Struct, frozen=True):
    """One charge of a schedule: made at an instant, billed on a date, for a span of service."""

    at: datetime
    bill_date: date
    service: Period


def instants(start: datetime, end: datetime, cycle: BillingCycle, zone: tzinfo) -> Iterator[datetime]:
    """Give the instants of a schedule from `start` up to, not including, `end`.

    cycle: of the start's local date. The time of day is the start's, in the organization's zone.
    """
    clock = start.astimezone(zone).time()
    for number in count():
        day = cycle.boundary(number)
        at = start if number == 0 else datetime.combine(day, clock, zone).astimezone(start.tzinfo)
        if at >= end or day >= LAST_DATE:
            return
        yield at


def charge_runs(
    service: Period, cycle: BillingCycle, zone: tzinfo, *, in_advance: bool
) -> Iterator[ChargeRun]:
    """Give the charges of a service period, one a billing period: at its start in advance, else at its end.

    A first or last period that is cut by the service period is charged like any other (semantics §19).
    """
    days = DateSpan.of(local_date(service.start, zone), local_date(service.end, zone))
    until = (
        days.end
        if start_of_day(days.end, zone) == service.end
        else date.fromordinal(days.end.toordinal() + 1)
    )
    for period in billing_periods(cycle, days.start, until):
        part = period.dates.instants(zone).intersect(service)
        if part.is_empty:
            continue
        day = local_date(part.start, zone) if in_advance else period.dates.end
        at = part.start if in_advance else start_of_day(period.dates.end, zone)
        if not in_advance and part.end < at:
            day, at = local_date(part.end, zone), part.end
        yield ChargeRun(at, day, part)


def run_beside(instants_: Iterable[datetime], at: datetime) -> tuple[datetime | None, datetime | None]:
    """Give the run that is nearest to an instant, and the one after it. instants_: of all runs, in order.

    A run is where it was computed, unless the organization's zone has changed since: then all are a little
    earlier or later, and the one beside it is the same one.
    """
    found: datetime | None = None
    for run in instants_:
        if found is not None and abs(found - at) <= abs(run - at):
            return found, run
        found = run
    return found, None


def run_id(schedule_id: str, at: datetime) -> str:
    """Make the id of what a run makes: the same however often it is run, and in lists where it was due."""
    milliseconds = f"{max(0, (at - _UNIX_EPOCH) // timedelta(milliseconds=1)):012x}"
    return f"{milliseconds[:8]}-{milliseconds[8:]}{str(uuid5(UUID(schedule_id), at.isoformat()))[13:]}"
