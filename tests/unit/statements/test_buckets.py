"""Spans of local days (semantics §26)."""

import itertools
from datetime import UTC, datetime, timedelta
from zoneinfo import ZoneInfo

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tallystick.kernel.periods import Period, local_date
from tallystick.statements.buckets import buckets
from tallystick.statements.definition import AggregationFrequency as F

BERLIN = ZoneInfo("Europe/Berlin")
SAMOA = ZoneInfo("Pacific/Apia")  # had no December 30, 2011
BEIRUT = ZoneInfo("Asia/Beirut")  # changes its clocks at midnight


def at(local: str, zone: ZoneInfo = BERLIN) -> datetime:
    return datetime.fromisoformat(local).replace(tzinfo=zone).astimezone(UTC)


@pytest.mark.parametrize(
    ("frequency", "start", "end", "starts"),
    [
        pytest.param(
            F.WEEK,
            "2024-05-01",
            "2024-05-20",
            ["2024-05-01", "2024-05-06", "2024-05-13"],
            id="weeks start on Monday; the first is part of one",
        ),
        pytest.param(
            F.MONTH, "2024-01-31", "2024-03-02", ["2024-01-31", "2024-02-01", "2024-03-01"], id="months"
        ),
        pytest.param(
            F.QUARTER, "2023-11-15", "2024-04-02", ["2023-11-15", "2024-01-01", "2024-04-01"], id="quarters"
        ),
        pytest.param(F.YEAR, "2023-12-31", "2024-12-31", ["2023-12-31", "2024-01-01"], id="years"),
        pytest.param(F.WHOLE_PERIOD, "2023-12-31", "2024-12-31", ["2023-12-31"], id="whole period"),
        pytest.param(F.DAY, "2024-05-01", "2024-05-01", ["2024-05-01"], id="an instant has its place"),
    ],
)
def test_buckets(frequency: F, start: str, end: str, starts: list[str]) -> None:
    found = buckets(frequency, Period(at(start), at(end)), BERLIN)
    assert [local_date(each.start, BERLIN).isoformat() for each in found] == starts


def test_days_are_local_and_as_long_as_they_are() -> None:
    # March 31, 2024 has 23 hours in Berlin, October 27 has 25.
    for month, lengths in (("2024-03-30", [24, 23, 24]), ("2024-10-26", [24, 25, 24])):
        day = datetime.fromisoformat(month)
        span = Period(at(month), at((day + timedelta(days=3)).date().isoformat()))
        found = buckets(F.DAY, span, BERLIN)
        assert [(each.end - each.start) // timedelta(hours=1) for each in found] == lengths


@pytest.mark.parametrize(
    ("zone", "start", "end", "days"),
    [
        pytest.param(SAMOA, "2011-12-29", "2012-01-01", ["29", "31"], id="a day that was left out"),
        pytest.param(BEIRUT, "2021-03-27", "2021-03-30", ["27", "28", "29"], id="a day without midnight"),
    ],
)
def test_odd_days(zone: ZoneInfo, start: str, end: str, days: list[str]) -> None:
    found = buckets(F.DAY, Period(at(start, zone), at(end, zone)), zone)
    assert [f"{local_date(each.start, zone):%d}" for each in found] == days


instants = st.datetimes(datetime(2000, 1, 1), datetime(2030, 1, 1), timezones=st.just(UTC))  # noqa: DTZ001 - gets UTC


@given(instants, st.timedeltas(timedelta(0), timedelta(days=400)), st.sampled_from(F))
def test_buckets_tile_the_period(start: datetime, length: timedelta, frequency: F) -> None:
    found = buckets(frequency, Period(start, start + length), BEIRUT)
    assert (found[0].start, found[-1].end) == (start, start + length)
    assert all(one.end == two.start for one, two in itertools.pairwise(found))
    assert not any(each.is_empty for each in found) or length == timedelta(0)
