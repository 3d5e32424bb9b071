"""Runs jobs on the rows of lookup tables: copy, upload, download, archive."""

import dataclasses
from dataclasses import dataclass
from itertools import islice

import msgspec
import structlog

from tallystick.catalogue.lookup_files import LookupFiles, read_rows
from tallystick.catalogue.lookup_job import ContentType, LookupJobStatus, LookupJobType, LookupTableJob
from tallystick.catalogue.lookup_rows import schema_of
from tallystick.catalogue.lookup_service import (
    TASK,
    archive_file,
    job_file,
    note_rows_changed,
    require_draft,
)
from tallystick.catalogue.lookup_store import BATCH, copy_rows, each_row, upsert_rows
from tallystick.catalogue.lookup_table import LookupTableRevision
from tallystick.kernel.errors import TallystickError, Unavailable, invariant
from tallystick.platform.database import Database
from tallystick.platform.jobs import Jobs
from tallystick.platform.resources import Transaction

_log = structlog.get_logger(__name__)


@dataclass(frozen=True)
class LookupWorker:
    """What the jobs work with."""

    database: Database
    files: LookupFiles

    def register(self, jobs: Jobs) -> None:
        """Let a worker run these jobs."""
        jobs.task(TASK, self.run)

    def run(self, org_id: str, job_id: str) -> None:
        """Run a job to its end, all or nothing; harmless to repeat. Raises Unavailable: try again."""
        try:
            with self.database.transaction(org_id) as tx:
                job = tx.find_one(LookupTableJob, id=job_id, lock=True)
                if job is None or job.status is not LookupJobStatus.PENDING:
                    return
                self._do(dataclasses.replace(tx, actor=job.created_by or tx.actor), job)
                tx.update(job, msgspec.structs.replace(job, status=LookupJobStatus.SUCCEEDED))
        except Unavailable:
            raise
        except TallystickError as error:
            job = self._fail(org_id, job_id, error.message)
        except Exception:
            self._fail(org_id, job_id, "An error on our side; the server's log has it.")
            raise
        name = job_file(job) if job and job.type is LookupJobType.UPLOAD else None
        if name:
            self.files.delete(org_id, name)

    def _do(self, tx: Transaction, job: LookupTableJob) -> None:
        """Do the work of a job. Each locks the revision whose rows it reads or writes."""
        {
            LookupJobType.COPY: self._copy,
            LookupJobType.UPLOAD: self._upload,
            LookupJobType.DOWNLOAD: self._download,
            LookupJobType.ARCHIVE: self._archive,
        }[job.type](tx, job)

    def _copy(self, tx: Transaction, job: LookupTableJob) -> None:
        source_id, target_id = job.lookup_table_revision_id, job.destination_lookup_table_revision_id or ""
        for revision_id in sorted((source_id, target_id)):  # in one order, so that two copies cannot deadlock
            tx.get(LookupTableRevision, revision_id, lock=True)
        target = tx.get(LookupTableRevision, target_id)
        require_draft(target)
        copy_rows(tx, source_id, target_id)
        note_rows_changed(tx, target)

    def _upload(self, tx: Transaction, job: LookupTableJob) -> None:
        revision = tx.get(LookupTableRevision, job.lookup_table_revision_id, lock=True)
        require_draft(revision)
        path = self.files.path(tx.org_id, job_file(job) or "")
        rows = read_rows(path, job.content_type or ContentType.JSONL, schema_of(revision))
        while batch := dict(islice(rows, BATCH)):
            upsert_rows(tx, revision.id, batch)
        note_rows_changed(tx, revision)

    def _download(self, tx: Transaction, job: LookupTableJob) -> None:
        revision = tx.get(LookupTableRevision, job.lookup_table_revision_id, lock=True)
        invariant(job.content_type is not None, "a download job knows its form")
        write_all(tx, self.files, revision, job_file(job) or "")

    def _archive(self, tx: Transaction, job: LookupTableJob) -> None:
        revision = tx.get(LookupTableRevision, job.lookup_table_revision_id, lock=True)
        for content_type in ContentType:
            write_all(tx, self.files, revision, archive_file(revision, content_type))

    def _fail(self, org_id: str, job_id: str, reason: str) -> LookupTableJob | None:
        _log.info("lookup_job_failed", org_id=org_id, job_id=job_id, reason=reason)
        with self.database.transaction(org_id) as tx:
            job = tx.find_one(LookupTableJob, id=job_id, lock=True)
            if job is None or job.status is not LookupJobStatus.PENDING:
                return job
            failed = msgspec.structs.replace(job, status=LookupJobStatus.FAILED, failure_reason=reason)
            return tx.update(job, failed)


def write_all(tx: Transaction, files: LookupFiles, revision: LookupTableRevision, name: str) -> None:
    """Write all rows of a revision to a file."""
    rows = (item for _, item in each_row(tx, revision.id))
    files.write(tx.org_id, name, schema_of(revision), rows)
