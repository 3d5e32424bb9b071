"""When schedules run (semantics §30)."""

from datetime import UTC, datetime, timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tallystick.exports.timing import UNITS, ScheduleType, Timing, next_run, runs_between

MADE = "2024-05-15T10:20:30"  # a Wednesday


def instant(text: str) -> datetime:
    return datetime.fromisoformat(text).replace(tzinfo=UTC)


def every(period: int, unit: str, offset: int | None = None) -> Timing:
    return Timing(ScheduleType(unit), period, offset)


@pytest.mark.parametrize(
    ("timing", "after", "at"),
    [
        pytest.param(every(15, "MINUTE"), MADE, "2024-05-15T10:30", id="quarters of an hour"),
        pytest.param(every(15, "MINUTE"), "2024-05-15T10:30", "2024-05-15T10:45", id="later than after"),
        pytest.param(every(1, "HOUR", 15), MADE, "2024-05-15T11:15", id="offset of an hour in minutes"),
        pytest.param(every(1, "HOUR", 30), MADE, "2024-05-15T10:30", id="first one within the hour"),
        pytest.param(every(2, "HOUR"), MADE, "2024-05-15T12:00", id="even hours"),
        pytest.param(every(7, "HOUR"), "2024-05-15T21:00", "2024-05-16T04:00", id="goes on over midnight"),
        pytest.param(every(1, "DAY", 2), MADE, "2024-05-16T02:00", id="offset of a day in hours"),
        pytest.param(every(3, "DAY"), MADE, "2024-05-18T00:00", id="three days from the midnight before"),
        pytest.param(every(3, "DAY"), "2024-06-01T09:00", "2024-06-02T00:00", id="15 May + 6 * 3 days"),
        pytest.param(Timing(cron="30 6 * * 1"), MADE, "2024-05-20T06:30", id="cron, Mondays"),
        pytest.param(Timing(cron="0 0 1 * *"), "2024-06-01T00:00", "2024-07-01T00:00", id="cron, months"),
    ],
)
def test_next_run(timing: Timing, after: str, at: str) -> None:
    assert list(timing.problems()) == []
    assert next_run(timing, instant(MADE), instant(after)) == instant(at)


@pytest.mark.parametrize(
    ("timing", "problems"),
    [
        (every(14, "MINUTE"), {"period": "out_of_range"}),
        (every(4321, "MINUTE"), {"period": "out_of_range"}),
        (every(73, "HOUR"), {"period": "out_of_range"}),
        (every(4, "DAY"), {"period": "out_of_range"}),
        (every(15, "MINUTE", 1), {"offset": "not_applicable"}),
        (every(1, "HOUR", 60), {"offset": "out_of_range"}),
        (every(1, "DAY", 24), {"offset": "out_of_range"}),
        (every(1, "AD_HOC"), {"scheduleType": "unknown_value"}),
        (Timing(), {"scheduleType": "required"}),
        (Timing(ScheduleType.DAY), {"period": "required"}),
        (
            Timing(ScheduleType.DAY, 1, 1, "0 0 * * *"),
            dict.fromkeys(("scheduleType", "period", "offset"), "excluded"),
        ),
        (Timing(cron="*/10 * * * *"), {"cronExpression": "out_of_range"}),
        (Timing(cron="0,5 3 * * *"), {"cronExpression": "out_of_range"}),
        (Timing(cron="0 0 30 2 *"), {"cronExpression": "wrong_format"}),
        (Timing(cron="@daily"), {"cronExpression": "wrong_format"}),
        (Timing(cron="0 0 0 * * *"), {"cronExpression": "wrong_format"}),
        (Timing(cron="61 * * * *"), {"cronExpression": "wrong_format"}),
    ],
)
def test_refusals(timing: Timing, problems: dict[str, str]) -> None:
    assert {each.field: each.code for each in timing.problems()} == problems


@given(minutes=st.integers(15, 3 * 24 * 60), late=st.integers(0, 10**6), made=st.integers(0, 10**6))
def test_whenever_it_is_asked_the_runs_are_the_same(minutes: int, late: int, made: int) -> None:
    """The n-th run is computed from the anchor: what ran late moves nothing."""
    anchor = instant("2024-01-01") + timedelta(minutes=made)
    timing = every(minutes, "MINUTE")
    after = anchor + timedelta(seconds=late)
    run = next_run(timing, anchor, after)
    midnight = anchor.replace(hour=0, minute=0)
    assert after < run <= after + timedelta(minutes=minutes)
    assert (run - midnight) % (UNITS[ScheduleType.MINUTE] * minutes) == timedelta()


def test_missed_runs_are_listed_each() -> None:
    runs = runs_between(every(1, "DAY"), instant(MADE), instant("2024-05-16"), instant("2024-05-18T12:00"))
    assert runs == [instant("2024-05-16"), instant("2024-05-17"), instant("2024-05-18")]
