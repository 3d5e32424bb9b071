"""A job makes each file once, whatever happens to it on the way (semantics §30)."""

import csv
import gzip
import io
from datetime import timedelta
from decimal import Decimal

import pytest
from sqlalchemy import select

from tallystick.events.record import events
from tallystick.exports.content import Content, OperationalDataType, SourceType
from tallystick.exports.errors import DestinationUnavailable
from tallystick.exports.job import JobStatus
from tallystick.exports.layout import FileFormat
from tallystick.exports.runner import MOST_ATTEMPTS
from tallystick.exports.usage import accounts_at_a_time
from tallystick.kernel.periods import Period
from tallystick.platform.jobs import JobInterrupted
from tallystick.usage.query.request import (
    DataExplorerAggregation,
    DataExplorerGroup,
    FieldType,
    Function,
    GroupType,
)
from tallystick.usage.store.exploring import Bucket
from tests.unit.exports.conftest import MAY, Desk

TYPES = [OperationalDataType.ACCOUNTS, OperationalDataType.METERS]


class Killed(BaseException):
    """The process ends here."""


def operational(*destination_ids: str) -> Content:
    return Content(
        source_type=SourceType.OPERATIONAL,
        operational_data_types=TYPES,
        destination_ids=list(destination_ids),
    )


def rows_of(body: bytes) -> list[dict[str, str]]:
    return list(csv.DictReader(io.StringIO(gzip.decompress(body).decode(), newline="")))


@pytest.mark.parametrize("puts", range(4))
def test_a_job_that_is_killed_while_it_sends_goes_on(desk: Desk, puts: int) -> None:
    desk.account("acme")
    both = [desk.destination("one"), desk.destination("two")]
    job = desk.order(operational(*(each.id for each in both)))

    def kill(key: str) -> None:
        if len(desk.targets.puts) == puts:
            raise Killed(key)

    desk.targets.before = kill
    with pytest.raises(Killed):
        desk.runner().run(desk.org_id, job.id)
    assert desk.job(job.id).status is JobStatus.RUNNING
    desk.targets.before = lambda _key: None
    desk.runner().run(desk.org_id, job.id)
    assert desk.job(job.id).status is JobStatus.SUCCEEDED
    files = desk.targets.files()
    assert len(files) == 4, "two files in each of two buckets"
    assert len(desk.targets.puts) == 4, "what was sent is not sent again"
    desk.runner().run(desk.org_id, job.id)
    assert desk.targets.files() == files


def test_a_destination_out_of_reach_is_tried_again_and_then_given_up(desk: Desk) -> None:
    job = desk.order(operational(desk.destination("one").id))

    def fail(key: str) -> None:
        raise DestinationUnavailable(f"no way to {key}")

    desk.targets.before = fail
    for _ in range(MOST_ATTEMPTS - 1):
        with pytest.raises(DestinationUnavailable):
            desk.runner().run(desk.org_id, job.id)
    desk.runner().run(desk.org_id, job.id)
    failed = desk.job(job.id)
    assert failed.status is JobStatus.FAILED
    assert "no way to orgId=" in str(failed.failure_reason)
    with desk.database.reading(desk.org_id) as tx:
        told = select(events.c.event_data).where(
            events.c.org_id == desk.org_id, events.c.event_name == "dataexport.job.failure"
        )
        assert [each["id"] for each in tx.execute(told).scalars()] == [job.id]


def test_a_worker_that_stops_leaves_no_half_file(desk: Desk) -> None:
    desk.account("acme")
    job = desk.order(operational())
    with pytest.raises(JobInterrupted):
        desk.runner(is_stopping=lambda: True).run(desk.org_id, job.id)
    assert desk.job(job.id).files == []
    desk.runner().run(desk.org_id, job.id)
    assert desk.job(job.id).status is JobStatus.SUCCEEDED


@pytest.mark.parametrize("rows", [0, 1, 10, 35])
def test_pages_neither_lose_nor_repeat_a_row(desk: Desk, rows: int) -> None:
    """Pages have 10 rows: none, one, a full one, and several."""
    meter, accounts = desk.meter(), [desk.account(code) for code in ("a", "b", "c")]
    if rows:
        desk.use(meter, accounts, rows)
    ends = MAY + timedelta(seconds=max(rows - 1, 1))  # half-open: the last row is outside
    content = Content(source_type=SourceType.USAGE, start_date=MAY, end_date=ends, meter_ids=[meter.id])
    job = desk.order(content)
    desk.runner().run(desk.org_id, job.id)
    done = desk.job(job.id)
    found = rows_of(desk.files.path(f"exports/{job.id}/{done.download}").read_bytes())
    assert sorted(int(row["uid"]) for row in found) == list(range(rows - 1 if rows > 1 else rows))
    assert sum(Decimal(row["measure.n"]) for row in found) == sum(range(max(rows - 1, 0)))
    assert [(row["accountId"], row["ts"]) for row in found] == sorted(
        (r["accountId"], r["ts"]) for r in found
    ) or rows
    assert done.files[0].rows == len(found)


@pytest.mark.parametrize("file_format", FileFormat)
def test_groups_of_many_accounts_are_asked_a_few_at_a_time(
    desk: Desk, file_format: FileFormat, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("tallystick.exports.usage.GROUPS_AT_A_TIME", 3)
    meter, accounts = desk.meter(), [desk.account(f"a{i}") for i in range(7)]
    desk.use(meter, accounts, 70)
    figure = DataExplorerAggregation(
        meter_id=meter.id, field_code="n", field_type=FieldType.MEASURE, function=Function.SUM
    )
    groups = [DataExplorerGroup(group_type=GroupType.ACCOUNT)]
    groups.append(DataExplorerGroup(group_type=GroupType.TIME, frequency=Bucket.DAY))
    content = Content(
        source_type=SourceType.USAGE,
        export_file_format=file_format,
        start_date=MAY,
        end_date=MAY + timedelta(days=1),
        aggregations=[figure],
        groups=groups,
    )
    job = desk.order(content)
    desk.runner().run(desk.org_id, job.id)
    done = desk.job(job.id)
    assert (done.status, done.files[0].rows) == (JobStatus.SUCCEEDED, 7)
    if file_format is FileFormat.CSV:
        found = rows_of(desk.files.path(f"exports/{job.id}/{done.download}").read_bytes())
        assert sum(Decimal(row["m.n.SUM"]) for row in found) == sum(range(70))


def test_how_many_accounts_are_asked_at_a_time() -> None:
    month = Period(MAY, MAY + timedelta(days=31))
    assert accounts_at_a_time(month, None) == 10_000
    assert accounts_at_a_time(month, Bucket.HOUR) == 100_000 // 745
    assert accounts_at_a_time(Period(MAY, MAY.replace(year=2125)), Bucket.HOUR) == 1
