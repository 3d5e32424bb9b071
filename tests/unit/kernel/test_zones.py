"""Time zones in every form that people write them in (semantics §3)."""

from contextlib import suppress
from datetime import UTC, datetime, timedelta
from zoneinfo import available_timezones

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tallystick.kernel.errors import Invalid
from tallystick.kernel.zones import NOT_A_PLACE, UnknownTimezone, parse_zone

JANUARY = datetime(2024, 1, 15, 12, tzinfo=UTC)


def offset_h(name: str) -> float:
    offset = parse_zone(name).utcoffset(JANUARY)
    assert offset is not None
    return offset / timedelta(hours=1)


@pytest.mark.parametrize(
    ("name", "hours"),
    [
        ("UTC", 0),
        ("GMT", 0),
        ("Z", 0),
        ("UTC+1:00", 1),
        ("GMT+1:00", 1),
        ("GMT+1", 1),
        ("+1:00", 1),
        ("+1", 1),
        ("UTC-05:00", -5),
        ("-3:30", -3.5),
        ("+05:45", 5.75),
        ("+0", 0),
        ("UTC-0:00", 0),
        ("+14:00", 14),
        ("-12", -12),
        ("Europe/Berlin", 1),
        ("America/Argentina/Buenos_Aires", -3),
        ("Etc/GMT+1", -1),
    ],
)
def test_parse_zone(name: str, hours: float) -> None:
    assert offset_h(name) == hours


def test_a_place_has_summer_time_and_an_offset_has_not() -> None:
    july = datetime(2024, 7, 1, tzinfo=UTC)
    assert july.astimezone(parse_zone("Europe/Berlin")).hour == 2
    assert july.astimezone(parse_zone("UTC+1")).hour == 1


@pytest.mark.parametrize(
    "name",
    [
        "",
        " ",
        "UTC ",
        "Europe/berlin2",
        "Europe",  # a folder of the database, not a zone
        "tzdata.zi",
        "../etc/passwd",
        "/etc/localtime",
        "localtime",
        "posix/Europe/Berlin",
        "right/UTC",
        "+14:01",
        "-12:30",
        "+99",
        "+1:60",
        "+1:5",
        "UTC+",
        "1",
        "UTC++1",
        "+1:00:00",
        "+١",  # noqa: RUF001 - an Arabic digit one
        "Europe/Berlin\n",
        "Europe/Berlin\x00",
    ],
)
def test_what_is_no_zone_is_refused(name: str) -> None:
    with pytest.raises(UnknownTimezone) as caught:
        parse_zone(name)
    assert isinstance(caught.value, Invalid)
    assert (caught.value.code, caught.value.facts) == ("unknown_timezone", {"timezone": name})


def test_every_name_of_the_database_is_accepted() -> None:
    for name in available_timezones() - NOT_A_PLACE:
        assert parse_zone(name) is not None


@given(name=st.text(max_size=20))
def test_any_text_is_a_zone_or_refused(name: str) -> None:
    with suppress(UnknownTimezone):
        assert JANUARY.astimezone(parse_zone(name)) == JANUARY
