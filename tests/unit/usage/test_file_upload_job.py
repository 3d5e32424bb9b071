"""A job takes a file in (semantics §6) from wherever an earlier run was ended, and counts nothing twice."""

import json
from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import msgspec
import pytest

from tallystick.kernel.errors import Unavailable
from tallystick.platform.files import FileNotKept, Folder
from tallystick.platform.jobs import JobInterrupted
from tallystick.usage.envelope import Measurement
from tallystick.usage.failures import EVENT
from tallystick.usage.file_upload import (
    FileAlreadyUploaded,
    FileUploadJob,
    GetUploadUrlRequest,
    UploadStatus,
    ask_upload,
    open_upload,
)
from tallystick.usage.file_upload_job import UploadRunner, batches, uid_of_row
from tallystick.usage.service import Ingest, Taken
from tests.unit.usage.conftest import Desk


class Killed(BaseException):
    """Stands for the end of the process."""


@dataclass
class Dying:
    """Takes batches in, and dies right after storing one: before anything else is written."""

    ingest: Ingest
    after: int

    def take(self, org_id: str, actor: str, rows: Sequence[Measurement], *, again: bool = False) -> Taken:
        taken = self.ingest.take(org_id, actor, rows, again=again)
        self.after -= 1
        if self.after == 0:
            raise Killed
        return taken


def row(number: int, **more: Any) -> dict[str, Any]:
    measure = {"distance": number, "delay": 0}
    where, metadata = {"destination": "ORD"}, {"tail": "N1"}
    fixed = {"meter": "flights", "account": "acme", "ts": "2025-05-01T00:00:00Z"}
    return {**fixed, "measure": measure, "where": where, "metadata": metadata, **more}


def upload(desk: Desk, files: Folder, rows: Any) -> str:
    body = rows if isinstance(rows, bytes) else json.dumps(rows).encode()
    wanted = GetUploadUrlRequest(file_name="a", content_type="application/json", content_length=len(body))
    with desk.database.transaction(desk.org_id, desk.actor) as tx:
        job = ask_upload(tx, wanted)
    sink = open_upload(desk.database, files, desk.org_id, job.id, None)
    sink.write(body)
    sink.finish()
    return job.id


def job_of(desk: Desk, job_id: str) -> FileUploadJob:
    with desk.database.reading(desk.org_id) as tx:
        return tx.get(FileUploadJob, job_id)


def counts(desk: Desk, job_id: str) -> tuple[str, int | None, int | None, int | None]:
    job = job_of(desk, job_id)
    return job.status.value, job.total_rows, job.processed_rows, job.failed_rows


@pytest.fixture
def files(tmp_path: Path) -> Folder:
    return Folder(tmp_path / "files")


@pytest.fixture
def runner(desk: Desk, files: Folder) -> UploadRunner:
    return UploadRunner(desk.database, files, desk.ingest, batch_rows=2)


@pytest.mark.parametrize("uid", [True, False], ids=["with uids", "without"])
@pytest.mark.parametrize("batch", [1, 2, 3])
def test_a_run_that_was_killed_goes_on_and_counts_nothing_twice(
    desk: Desk, files: Folder, runner: UploadRunner, batch: int, *, uid: bool
) -> None:
    meter = desk.meter()
    job_id = upload(desk, files, [row(n, **({"uid": f"u{n}"} if uid else {})) for n in range(5)])
    with pytest.raises(Killed):
        replace(runner, ingest=Dying(desk.ingest, batch)).run(desk.org_id, job_id)  # type: ignore[arg-type]
    assert counts(desk, job_id) == ("running", 5, 2 * (batch - 1), 0)
    runner.run(desk.org_id, job_id)
    assert counts(desk, job_id) == ("succeeded", 5, 5, 0)
    assert sorted(int(r[meter.slots["distance"]]) for r in desk.stored(meter)) == [0, 1, 2, 3, 4]
    assert desk.events(EVENT) == []
    runner.run(desk.org_id, job_id)
    assert len(desk.stored(meter)) == 5


def test_a_uid_that_stands_twice_fails_in_a_second_run_too(
    desk: Desk, files: Folder, runner: UploadRunner
) -> None:
    desk.meter()
    job_id = upload(desk, files, [row(1, uid="a"), row(2, uid="a"), row(3, uid="a")])
    with pytest.raises(Killed):
        replace(runner, ingest=Dying(desk.ingest, 1)).run(desk.org_id, job_id)  # type: ignore[arg-type]
    runner.run(desk.org_id, job_id)
    assert counts(desk, job_id) == ("succeeded", 3, 3, 2)


def test_a_worker_that_stops_ends_between_batches(desk: Desk, files: Folder, runner: UploadRunner) -> None:
    meter = desk.meter()
    job_id = upload(desk, files, [row(n) for n in range(5)])
    answers = iter([False, True])
    with pytest.raises(JobInterrupted):
        replace(runner, is_stopping=lambda: next(answers)).run(desk.org_id, job_id)
    assert counts(desk, job_id) == ("running", 5, 2, 0)
    runner.run(desk.org_id, job_id)
    assert len(desk.stored(meter)) == 5


def test_a_bug_ends_the_job(desk: Desk, files: Folder, runner: UploadRunner) -> None:
    class Broken:
        def take(self, *_: Any, **__: Any) -> Taken:
            raise ZeroDivisionError

    desk.meter()
    job_id = upload(desk, files, [row(1)])
    with pytest.raises(ZeroDivisionError):
        replace(runner, ingest=Broken()).run(desk.org_id, job_id)  # type: ignore[arg-type]
    job = job_of(desk, job_id)
    assert (job.status, job.message) == (
        UploadStatus.FAILED,
        "Something went wrong on our side; see the log.",
    )


def test_a_file_that_is_elsewhere_is_tried_again(desk: Desk, files: Folder, runner: UploadRunner) -> None:
    job_id = upload(desk, files, [row(1)])
    files.delete(f"uploads/{job_id}")
    with pytest.raises(FileNotKept) as missing:
        runner.run(desk.org_id, job_id)
    assert isinstance(missing.value, Unavailable)
    assert counts(desk, job_id)[0] == "running"


def test_of_two_files_for_one_link_the_first_is_kept(desk: Desk, files: Folder) -> None:
    wanted = GetUploadUrlRequest(file_name="a", content_type="application/json", content_length=2)
    with desk.database.transaction(desk.org_id, desk.actor) as tx:
        job = ask_upload(tx, wanted)
    first, second = (open_upload(desk.database, files, desk.org_id, job.id, "2") for _ in range(2))
    first.write(b"[]")
    second.write(b"{}")
    first.finish()
    with pytest.raises(FileAlreadyUploaded):
        second.finish()
    second.abandon()
    assert files.path(job.file_key).read_bytes() == b"[]"


def test_rows_are_gathered_by_number_and_by_size() -> None:
    assert [len(b) for b in batches(iter([b"x"] * 5), 2)] == [2, 2, 1]
    assert [len(b) for b in batches(iter([b"x" * 5_000_000] * 3), 1000)] == [2, 1]
    assert list(batches(iter([]), 2)) == []


def test_the_uid_of_a_row_is_the_same_in_every_run() -> None:
    job_id = "01939c1e-0000-7000-8000-000000000000"
    assert uid_of_row(job_id, 1) == uid_of_row(job_id, 1) != uid_of_row(job_id, 2)
    assert len(uid_of_row(job_id, 1)) <= 50
    assert msgspec.json.encode(uid_of_row(job_id, 10**9))
