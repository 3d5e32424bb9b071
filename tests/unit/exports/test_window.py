"""Which usage an export holds, and what its files are called (semantics §30)."""

from datetime import UTC, datetime
from typing import Any

import pytest

from tallystick.exports.layout import FileFormat, PartitionOrder, file_name, object_key
from tallystick.exports.window import ad_hoc_problems, window_of
from tallystick.kernel.time_periods import TimePeriod

ORG, JOB = "0192c3a0-0000-7000-8000-000000000001", "0192c3a0-0000-7000-8000-000000000002"
WEDNESDAY = "2024-10-16T10:00"


def instant(text: str) -> datetime:
    return datetime.fromisoformat(text).replace(tzinfo=UTC)


@pytest.mark.parametrize(
    ("name", "at", "start", "end"),
    [
        ("PREVIOUS_WEEK", "2024-06-12T10:00", "2024-06-03", "2024-06-10"),  # semantics §30
        ("WEEK_TO_DATE", WEDNESDAY, "2024-10-14", WEDNESDAY),  # semantics §30
        ("LAST_30_DAYS", "2024-06-15T10:00", "2024-05-16", "2024-06-15"),  # semantics §30
        ("LAST_12_HOURS", "2024-10-16T10:59", "2024-10-15T22:00", "2024-10-16T10:00"),  # semantics §30
        ("TODAY", WEDNESDAY, "2024-10-16", WEDNESDAY),
        ("TODAY", "2024-10-16", "2024-10-16", "2024-10-16"),
        ("YESTERDAY", WEDNESDAY, "2024-10-15", "2024-10-16"),
        ("YESTERDAY", "2024-10-16", "2024-10-15", "2024-10-16"),
        ("MONTH_TO_DATE", WEDNESDAY, "2024-10-01", WEDNESDAY),
        ("YEAR_TO_DATE", WEDNESDAY, "2024-01-01", WEDNESDAY),
        ("PREVIOUS_MONTH", "2024-03-31T23:59", "2024-02-01", "2024-03-01"),
        ("PREVIOUS_QUARTER", WEDNESDAY, "2024-07-01", "2024-10-01"),
        ("PREVIOUS_YEAR", WEDNESDAY, "2023-01-01", "2024-01-01"),
        ("LAST_7_DAYS", WEDNESDAY, "2024-10-09", "2024-10-16"),
        ("LAST_35_DAYS", WEDNESDAY, "2024-09-11", "2024-10-16"),
        ("LAST_90_DAYS", WEDNESDAY, "2024-07-18", "2024-10-16"),
        ("LAST_120_DAYS", WEDNESDAY, "2024-06-18", "2024-10-16"),
        ("LAST_YEAR", WEDNESDAY, "2023-10-16", "2024-10-16"),
    ],
)
def test_window(name: str, at: str, start: str, end: str) -> None:
    window = window_of(TimePeriod(name), instant(at))
    assert (window.start, window.end) == (instant(start), instant(end))


@pytest.mark.parametrize("name", TimePeriod)
def test_no_window_reaches_past_its_run(name: TimePeriod) -> None:
    at = instant(WEDNESDAY)
    assert window_of(name, at).end <= at


@pytest.mark.parametrize(
    ("start", "end", "fields"),
    [
        ("2025-05-01", "2025-05-21", []),  # semantics §30: on May 20 the coming midnight is the last
        ("2025-05-01", "2025-05-21T00:00:01", ["endDate"]),
        ("2025-05-02", "2025-05-02", ["endDate"]),
        (None, "2025-05-02", ["startDate"]),
        (None, None, ["startDate", "endDate"]),
    ],
)
def test_dates_of_an_ad_hoc_export(start: str | None, end: str | None, fields: list[str]) -> None:
    given = [None if each is None else instant(each) for each in (start, end)]
    assert [each.field for each in ad_hoc_problems(*given, instant("2025-05-20T17:00"))] == fields


NAME = file_name(JOB, "measurements", FileFormat.CSV)


@pytest.mark.parametrize(
    ("changes", "folders"),
    [
        ({}, "date=2024-10-16/hour=09/type=measurements"),
        ({"order": PartitionOrder.TYPE_FIRST}, "type=measurements/date=2024-10-16/hour=09"),
    ],
)
@pytest.mark.parametrize(("prefix", "before"), [(None, ""), ("", ""), ("/exports/a/", "exports/a/")])
def test_layout(changes: Any, folders: str, prefix: str | None, before: str) -> None:
    given: Any = {"order": PartitionOrder.TIME_FIRST, "org_id": ORG, "at": instant("2024-10-16T09:59")}
    key = object_key(**{**given, **changes}, prefix=prefix, part="measurements", name=NAME)
    assert key == f"{before}orgId={ORG}/{folders}/{NAME}"


def test_a_file_has_the_same_name_in_every_run() -> None:
    assert file_name(JOB, "measurements", FileFormat.CSV) == NAME
    assert NAME.endswith("_measurements.csv.gz")
    assert file_name(JOB, "bills", FileFormat.JSONL).endswith("_bills.jsonl.gz")
    assert len({file_name(JOB, part, FileFormat.CSV)[:36] for part in ("bills", "plans")}) == 2
