"""The organization's time zone, from the forms people write it in."""

import re
from datetime import UTC, timedelta, timezone, tzinfo
from functools import lru_cache
from zoneinfo import ZoneInfo

from tallystick.kernel.errors import Invalid

OFFSET = re.compile(r"(?:UTC|GMT)?(?P<sign>[+-])(?P<hours>\d{1,2})(?::(?P<minutes>[0-5]\d))?", re.ASCII)
NAME = re.compile(r"[A-Za-z][\w+-]*(?:/[A-Za-z][\w+-]*)*", re.ASCII)
WEST, EAST = timedelta(hours=-12), timedelta(hours=14)  # no place on earth is further from UTC
NOT_A_PLACE = frozenset({"localtime", "posixrules", "Factory"})  # differ by machine, or mean nothing


class UnknownTimezone(Invalid):
    """A time zone was named that is neither an offset nor in the tz database."""

    code = "unknown_timezone"

    def __init__(self, name: str) -> None:
        super().__init__(
            f"{name!r} is not a time zone: write a name, like Europe/Berlin, or an offset, like UTC+1:00.",
            timezone=name,
        )


@lru_cache(maxsize=1024)
def parse_zone(name: str) -> tzinfo:
    """Give the zone meant by `UTC`, `Europe/Berlin`, `UTC+1:00`, `GMT+1`, `+1:00` or `+1`.

    `UTC+1` is one hour east (ahead) of UTC, as people mean it; only the tz database's own
    `Etc/GMT+1` counts the other way round. Raises UnknownTimezone. Rule: semantics §3.
    """
    if name in ("UTC", "GMT", "Z"):
        return UTC
    if offset := OFFSET.fullmatch(name):
        return _fixed(name, offset)
    if not NAME.fullmatch(name) or name in NOT_A_PLACE or name.startswith(("posix/", "right/")):
        raise UnknownTimezone(name)
    try:
        return ZoneInfo(name)
    except (LookupError, ValueError, OSError) as error:  # no such name, not a zone file, a folder
        raise UnknownTimezone(name) from error


def _fixed(name: str, offset: re.Match[str]) -> tzinfo:
    ahead = timedelta(hours=int(offset["hours"]), minutes=int(offset["minutes"] or 0))
    ahead = -ahead if offset["sign"] == "-" else ahead
    if not WEST <= ahead <= EAST:
        raise UnknownTimezone(name)
    return timezone(ahead) if ahead else UTC
