"""When a schedule runs. Pure; all in UTC (semantics §30)."""

from collections.abc import Iterator
from datetime import UTC, datetime, time, timedelta
from enum import StrEnum
from itertools import pairwise
from typing import Final

import msgspec
from croniter import croniter
from croniter.croniter import CroniterError

from tallystick.kernel.problems import Problem

SHORTEST: Final = timedelta(minutes=15)
LONGEST: Final = timedelta(days=3)
CRON_FIELDS: Final = 5
_CRON_RUNS_LOOKED_AT: Final = 200
_CRON_SINCE: Final = datetime(2024, 1, 1, tzinfo=UTC)


class ScheduleType(StrEnum):
    """The unit of a schedule's period; AD_HOC is a job that no schedule ordered."""

    HOUR = "HOUR"
    DAY = "DAY"
    MINUTE = "MINUTE"
    AD_HOC = "AD_HOC"


UNITS: Final = {
    ScheduleType.MINUTE: timedelta(minutes=1),
    ScheduleType.HOUR: timedelta(hours=1),
    ScheduleType.DAY: timedelta(days=1),
}
OFFSETS: Final = {
    ScheduleType.HOUR: (timedelta(minutes=1), 59, "minutes"),
    ScheduleType.DAY: (timedelta(hours=1), 23, "hours"),
}
"Of an offset: its unit, how many there may be, and what they are called."


class Timing(msgspec.Struct, frozen=True):
    """Every so often, or at the times of a cron expression."""

    schedule_type: ScheduleType | None = None
    period: int | None = None
    offset: int | None = None
    cron: str | None = None

    def problems(self) -> Iterator[Problem]:
        """Find what is wrong with it."""
        if self.cron is not None:
            yield from self._excluded()
            yield from _cron_problems(self.cron)
            return
        if self.schedule_type is None or self.period is None:
            message = "give scheduleType and period, or a cronExpression"
            yield Problem("scheduleType" if self.schedule_type is None else "period", "required", message)
        elif self.schedule_type is ScheduleType.AD_HOC:
            yield Problem("scheduleType", "unknown_value", "must be one of HOUR, DAY, MINUTE")
        elif not SHORTEST <= UNITS[self.schedule_type] * min(self.period, 10_000) <= LONGEST:
            yield Problem("period", "out_of_range", "must come to 15 minutes at least and 3 days at most")
        yield from self._offset_problems()

    def _excluded(self) -> Iterator[Problem]:
        given = {"scheduleType": self.schedule_type, "period": self.period, "offset": self.offset}
        for name, value in given.items():
            if value is not None:
                yield Problem(name, "excluded", "leave it out: the cronExpression says when")

    def _offset_problems(self) -> Iterator[Problem]:
        if self.offset is None or self.schedule_type in {None, ScheduleType.AD_HOC}:
            return
        if self.schedule_type is ScheduleType.MINUTE:
            yield Problem("offset", "not_applicable", "is only used with a scheduleType of HOUR or DAY")
            return
        _, most, words = OFFSETS[self.schedule_type]
        if not 1 <= self.offset <= most:
            yield Problem("offset", "out_of_range", f"must be 1 to {most} {words}")


def next_run(timing: Timing, anchor: datetime, after: datetime) -> datetime:
    """Give the first run later than `after`, of a timing without problems.

    anchor: when the schedule was made. The n-th run is n periods after the midnight before it, plus the
    offset, whatever ran before: a run that was late moves no other.
    """
    if timing.cron is not None:
        return _next_of_cron(timing.cron, after)
    kind = timing.schedule_type or ScheduleType.DAY
    step = UNITS[kind] * (timing.period or 1)
    unit = OFFSETS[kind][0] if kind in OFFSETS else timedelta()
    first = datetime.combine(anchor.astimezone(UTC).date(), time(), UTC) + unit * (timing.offset or 0)
    return first + step * ((after - first) // step + 1)


def runs_between(timing: Timing, anchor: datetime, first: datetime, until: datetime) -> list[datetime]:
    """List the runs from `first`, which is one, up to and with `until`."""
    runs: list[datetime] = []
    at = first
    while at <= until:
        runs.append(at)
        at = next_run(timing, anchor, at)
    return runs


def _next_of_cron(cron: str, after: datetime) -> datetime:
    found: datetime = croniter(cron, after).get_next(datetime)
    return found.astimezone(UTC)


def _cron_problems(cron: str) -> Iterator[Problem]:
    """Five fields, runs that come, and not too often."""
    name = "cronExpression"
    if len(cron.split()) != CRON_FIELDS or not croniter.is_valid(cron):
        message = "must have five fields: minute, hour, day of month, month, day of week; times are UTC"
        yield Problem(name, "wrong_format", message)
        return
    try:
        runs = [_CRON_SINCE]
        for _ in range(_CRON_RUNS_LOOKED_AT):
            runs.append(_next_of_cron(cron, runs[-1]))
    except CroniterError:
        yield Problem(name, "wrong_format", "names no day that ever comes")
        return
    if any(later - earlier < SHORTEST for earlier, later in pairwise(runs[1:])):
        yield Problem(name, "out_of_range", "runs more often than every 15 minutes")
