"""Take an uploaded file in: row by row, in batches, from wherever an earlier run was ended."""

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, replace
from itertools import islice
from typing import Any, Final
from uuid import UUID, uuid5

import msgspec
from sqlalchemy import update

from tallystick.kernel.errors import Unavailable
from tallystick.platform.database import NOBODY, Database
from tallystick.platform.files import Files
from tallystick.platform.jobs import JobInterrupted, Jobs
from tallystick.platform.resources import Transaction, resource_of
from tallystick.usage.envelope import Measurement, read_each
from tallystick.usage.failures import Failure, record_failures
from tallystick.usage.file_upload import TASK, FileUploadJob, UploadStatus
from tallystick.usage.json_rows import NotAJsonArray, count_rows, json_rows
from tallystick.usage.rules import FailureType
from tallystick.usage.service import Ingest, Taken

BATCH_ROWS: Final = 1000
BATCH_BYTES: Final = 8_000_000


@dataclass(frozen=True)
class UploadRunner:
    """What a run works with. is_stopping: asked between batches."""

    database: Database
    files: Files
    ingest: Ingest
    batch_rows: int = BATCH_ROWS
    is_stopping: Callable[[], bool] = lambda: False

    def register(self, jobs: Jobs) -> None:
        """Let a worker take files in, until it stops."""
        jobs.task(TASK, replace(self, is_stopping=jobs.is_stopping).run)

    def run(self, org_id: str, job_id: str) -> None:
        """Take a file in to its end, from wherever it is; harmless to repeat. Raises Unavailable: try again.

        A file that is no JSON array fails before anything of it is stored. A bug fails the rest of it.
        """
        with self.database.reading(org_id) as tx:
            job = tx.get(FileUploadJob, job_id)
        try:
            if job.status is UploadStatus.RUNNING:
                self._run(org_id, job)
        except NotAJsonArray as error:
            self._end(org_id, job_id, UploadStatus.FAILED, error.message)
        except Unavailable:
            raise
        except Exception:
            self._end(org_id, job_id, UploadStatus.FAILED, "Something went wrong on our side; see the log.")
            raise

    def _run(self, org_id: str, job: FileUploadJob) -> None:
        begun_before = job.total_rows is not None
        if not begun_before:
            with self.files.path(job.file_key).open("rb") as file:
                total = count_rows(file)
            with self.database.transaction(org_id) as tx:
                _move(tx, job, total_rows=total, processed_rows=0, failed_rows=0)
            job = msgspec.structs.replace(job, total_rows=total, processed_rows=0, failed_rows=0)
        with self.files.path(job.file_key).open("rb") as file:
            rows = islice(json_rows(file), job.processed_rows or 0, None)
            for batch in batches(rows, self.batch_rows):
                if self.is_stopping():
                    raise JobInterrupted
                job = self._take(org_id, job, batch, again=begun_before)
                begun_before = False
        self._end(org_id, job.id, UploadStatus.SUCCEEDED)

    def _take(self, org_id: str, job: FileUploadJob, batch: Sequence[bytes], *, again: bool) -> FileUploadJob:
        """Store a batch; then, in one transaction, keep what failed and move on.

        again: an earlier run may have stored some of it, and was ended before it could say so.
        """
        done = job.processed_rows or 0
        read = read_each(batch)
        unread = [
            Failure(
                FailureType.INVALID_MEASUREMENT, f"row {done + i + 1}: {each.message}", msgspec.Raw(batch[i])
            )
            for i, each in enumerate(read)
            if not isinstance(each, Measurement)
        ]
        rows = [
            each if each.uid else msgspec.structs.replace(each, uid=uid_of_row(job.id, done + i))
            for i, each in enumerate(read)
            if isinstance(each, Measurement)
        ]
        actor = job.created_by or NOBODY
        taken = self.ingest.take(org_id, actor, rows, again=again) if rows else Taken(0, [])
        failures = [*unread, *taken.failures]
        failed = (job.failed_rows or 0) + len(unread) + taken.rejected
        with self.database.transaction(org_id, actor) as tx:
            if failures:
                record_failures(tx, failures, taken.stored)
            _move(tx, job, processed_rows=done + len(batch), failed_rows=failed)
        return msgspec.structs.replace(job, processed_rows=done + len(batch), failed_rows=failed)

    def _end(self, org_id: str, job_id: str, status: UploadStatus, message: str | None = None) -> None:
        with self.database.transaction(org_id) as tx:
            job = tx.get(FileUploadJob, job_id, lock=True)
            tx.update(job, msgspec.structs.replace(job, status=status, message=message))


def uid_of_row(job_id: str, row: int) -> str:
    """Give the uid of a row that brings none: the same in every run. row: from 0."""
    return str(uuid5(UUID(job_id), str(row)))


def batches(rows: Iterator[bytes], most: int) -> Iterator[list[bytes]]:
    """Gather rows into batches, of at most so many rows, and of few bytes."""
    batch: list[bytes] = []
    size = 0
    for row in rows:
        batch.append(row)
        size += len(row)
        if len(batch) >= most or size >= BATCH_BYTES:
            yield batch
            batch, size = [], 0
    if batch:
        yield batch


def _move(tx: Transaction, job: FileUploadJob, **counts: int) -> None:
    """Tell how far a run is, without an event; its end is one."""
    values: dict[str, Any] = dict(counts)
    table = resource_of(FileUploadJob).table
    tx.execute(update(table).where(table.c.org_id == tx.org_id, table.c.id == job.id).values(**values))
