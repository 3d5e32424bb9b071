"""When an organization's scheduled billing runs, and when bills are approved by themselves. Pure."""

from collections.abc import Iterator
from datetime import UTC, date, datetime, time, timedelta, tzinfo

import msgspec

from tallystick.kernel.periods import local_date, start_of_day
from tallystick.kernel.zones import parse_zone
from tallystick.organizations.organization_config import ONCE_A_DAY, OrganizationConfig, TimePeriodUnit

CATCH_UP = timedelta(hours=24)
"How long after the run that closed a period late usage is still looked for (semantics §6)."
_UNITS = {
    TimePeriodUnit.MINUTES: timedelta(minutes=1),
    TimePeriodUnit.HOURS: timedelta(hours=1),
    TimePeriodUnit.DAYS: timedelta(days=1),
}


class Slots(msgspec.Struct, frozen=True):
    """The instants of scheduled runs: every so many minutes from local midnight on, or at one local hour.

    every: None is once a day, at the hour `offset`.
    """

    zone: tzinfo
    every: timedelta | None
    offset: int = 0

    def after(self, instant: datetime) -> datetime:
        """Give the first slot after an instant."""
        day = local_date(instant, self.zone)
        return next(slot for slot in self._from(day) if slot > instant)

    def latest(self, instant: datetime) -> datetime:
        """Give the last slot at or before an instant."""
        day = local_date(instant, self.zone)
        past = [s for back in (1, 0) for s in self._of(day - timedelta(days=back)) if s <= instant]
        return past[-1]

    def closing(self, end: datetime) -> datetime:
        """Give the run that closes a period: the first at or after its end."""
        return self.after(end - timedelta(microseconds=1))

    def _from(self, day: date) -> Iterator[datetime]:
        while True:
            yield from self._of(day)
            day += timedelta(days=1)

    def _of(self, day: date) -> list[datetime]:
        if self.every is None:
            return [datetime.combine(day, time(self.offset), self.zone).astimezone(UTC)]
        start, end = start_of_day(day, self.zone), start_of_day(day + timedelta(days=1), self.zone)
        count = (end - start) // self.every
        return [slot for n in range(count + 1) if (slot := start + n * self.every) < end]


def slots_of(config: OrganizationConfig) -> Slots | None:
    """Give an organization's slots; None where nothing is scheduled (semantics §3)."""
    interval = config.scheduled_bill_interval
    if not interval:
        return None
    zone = parse_zone(config.timezone)
    if interval == ONCE_A_DAY:
        return Slots(zone, None, config.scheduled_bill_offset or 0)
    return Slots(zone, timedelta(minutes=int(interval * 60)))


def grace_of(config: OrganizationConfig) -> timedelta | None:
    """Give how long after its date a bill is approved by itself; None where none is (semantics §3)."""
    period, unit = config.auto_approve_bills_grace_period, config.auto_approve_bills_grace_period_unit
    return period * _UNITS[unit] if period and unit else None


def approved_at(bill_date: date, zone: tzinfo, grace: timedelta) -> datetime:
    """Give the instant at which a bill of a date is approved: so long after the date's first instant."""
    return start_of_day(bill_date, zone) + grace
