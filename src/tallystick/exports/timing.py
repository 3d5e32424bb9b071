"""When a schedule runs: decides only; all in UTC (semantics §30)."""

from collections.abc import Iterator
from datetime import UTC, datetime, time, timedelta
from enum import StrEnum
from typing import Final

import msgspec

from tallystick.kernel.problems import Problem
from tallystick.platform.cron import SHORTEST, cron_fault, next_time

LONGEST: Final = timedelta(days=3)


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
            fault = cron_fault(self.cron)
            if fault is not None:
                yield Problem("cronExpression", *fault)
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
        return next_time(timing.cron, after)
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
