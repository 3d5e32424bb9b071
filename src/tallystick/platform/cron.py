"""Times by a cron expression of five fields, in UTC."""

from datetime import UTC, datetime, timedelta
from itertools import pairwise
from typing import Final

from croniter import croniter
from croniter.croniter import CroniterError

SHORTEST: Final = timedelta(minutes=15)
_FIELDS: Final = 5
_LOOKED_AT: Final = 200
_SINCE: Final = datetime(2024, 1, 1, tzinfo=UTC)


def cron_fault(cron: str) -> tuple[str, str] | None:
    """Say what is wrong with an expression: a problem's code and words; None when nothing is.

    It has five fields, times that come, and 15 minutes between any two of them.
    """
    if len(cron.split()) != _FIELDS or not croniter.is_valid(cron):
        message = "must have five fields: minute, hour, day of month, month, day of week; times are UTC"
        return "wrong_format", message
    try:
        times = [_SINCE]
        for _ in range(_LOOKED_AT):
            times.append(next_time(cron, times[-1]))
    except CroniterError:
        return "wrong_format", "names no day that ever comes"
    if any(later - earlier < SHORTEST for earlier, later in pairwise(times[1:])):
        return "out_of_range", "comes more often than every 15 minutes"
    return None


def next_time(cron: str, after: datetime) -> datetime:
    """Give the first time later than `after`, of an expression without a fault."""
    found: datetime = croniter(cron, after.astimezone(UTC)).get_next(datetime)
    return found.astimezone(UTC)
