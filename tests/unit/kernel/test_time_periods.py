"""Named spans, by the calendar."""

from datetime import UTC, datetime, timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tallystick.kernel.time_periods import TimePeriod, resolve

NOW = "2024-05-15T10:20:30"  # a Wednesday


def instant(text: str) -> datetime:
    return datetime.fromisoformat(text).replace(tzinfo=UTC)


@pytest.mark.parametrize(
    ("name", "now", "start", "end"),
    [
        ("TODAY", NOW, "2024-05-15", "2024-05-16"),
        ("TODAY", "2024-05-15T00:00:00", "2024-05-15", "2024-05-16"),
        ("YESTERDAY", "2024-03-01T10:00:00", "2024-02-29", "2024-03-01"),
        ("WEEK_TO_DATE", "2024-10-16T10:00:00", "2024-10-14", "2024-10-17"),
        ("WEEK_TO_DATE", "2024-10-14T00:00:00", "2024-10-14", "2024-10-15"),
        ("MONTH_TO_DATE", "2024-04-08T10:00:00", "2024-04-01", "2024-04-09"),  # semantics §31
        ("YEAR_TO_DATE", NOW, "2024-01-01", "2024-05-16"),
        ("PREVIOUS_WEEK", "2024-06-12T10:00:00", "2024-06-03", "2024-06-10"),  # semantics §30
        ("PREVIOUS_WEEK", "2024-06-16T23:59:59", "2024-06-03", "2024-06-10"),
        ("PREVIOUS_MONTH", "2024-03-31T10:00:00", "2024-02-01", "2024-03-01"),
        ("PREVIOUS_MONTH", "2024-01-01T00:00:00", "2023-12-01", "2024-01-01"),
        ("PREVIOUS_QUARTER", NOW, "2024-01-01", "2024-04-01"),
        ("PREVIOUS_QUARTER", "2024-03-31T10:00:00", "2023-10-01", "2024-01-01"),
        ("PREVIOUS_YEAR", NOW, "2023-01-01", "2024-01-01"),
        ("LAST_12_HOURS", NOW, "2024-05-14T22:00:00", "2024-05-15T10:00:00"),
        ("LAST_7_DAYS", NOW, "2024-05-08", "2024-05-15"),
        ("LAST_30_DAYS", "2024-06-15T10:00:00", "2024-05-16", "2024-06-15"),  # semantics §30
        ("LAST_35_DAYS", NOW, "2024-04-10", "2024-05-15"),
        ("LAST_90_DAYS", NOW, "2024-02-15", "2024-05-15"),
        ("LAST_120_DAYS", NOW, "2024-01-16", "2024-05-15"),
        ("LAST_YEAR", NOW, "2023-05-15", "2024-05-15"),
        ("LAST_YEAR", "2024-02-29T10:00:00", "2023-02-28", "2024-02-29"),
    ],
)
def test_resolve(name: str, now: str, start: str, end: str) -> None:
    period = resolve(TimePeriod(name), instant(now))
    assert (period.start, period.end) == (instant(start), instant(end))


@given(name=st.sampled_from(TimePeriod), minutes=st.integers(0, 100 * 366 * 24 * 60))
def test_each_resolves_at_any_moment(name: TimePeriod, minutes: int) -> None:
    now = datetime(1971, 1, 1, tzinfo=UTC) + timedelta(minutes=minutes)
    period = resolve(name, now)
    assert timedelta(hours=12) <= period.end - period.start <= timedelta(days=366)
    assert period.start <= now
