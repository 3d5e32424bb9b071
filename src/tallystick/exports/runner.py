"""Run export jobs: make the files, send them, keep them for a day. Killed and run again, a job goes on.

A file is whole here before it is sent, and has the same name in every run: whoever looks at a bucket never
sees half of one, or two of one.
"""

import zipfile
from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any, Final

import msgspec
from sqlalchemy import update

from tallystick.exports.content import Content, OperationalDataType, SourceType
from tallystick.exports.destination import ExportDestination
from tallystick.exports.errors import DestinationRefused
from tallystick.exports.formats import Unseekable, open_writer
from tallystick.exports.job import KEPT, ExportJob, JobStatus, MadeFile, tell_failure
from tallystick.exports.layout import MEASUREMENTS, PartitionOrder, file_key, file_name, object_key
from tallystick.exports.operational import read_operational
from tallystick.exports.targets import Targets
from tallystick.exports.usage import Listed, UsageRows
from tallystick.kernel.errors import Invalid, Unavailable
from tallystick.platform.database import Database
from tallystick.platform.files import Files
from tallystick.platform.jobs import JobInterrupted, Jobs
from tallystick.platform.resources import Transaction, resource_of

TASK: Final = "exports.run_job"
MOST_ATTEMPTS: Final = 8
"Fewer than the queue's own, so that a job that is given up says so."
ARCHIVE: Final = "export.zip"


@dataclass(frozen=True)
class ExportRunner:
    """What a run works with. is_stopping: asked between pieces."""

    database: Database
    usage: UsageRows
    files: Files
    targets: Targets
    is_stopping: Callable[[], bool] = lambda: False

    def register(self, jobs: Jobs) -> None:
        """Let a worker run exports, until it stops."""
        jobs.task(TASK, replace(self, is_stopping=jobs.is_stopping).run)

    def run(self, org_id: str, job_id: str) -> None:
        """Run a job to its end, from wherever it is; harmless to repeat. Raises Unavailable: try again.

        A refusal fails it, as does the last of many attempts, and a bug.
        """
        job = self._start(org_id, job_id)
        if job.status is not JobStatus.RUNNING:
            return
        try:
            self._run(org_id, job)
        except JobInterrupted:
            raise
        except Unavailable as error:
            if self._note_attempt(org_id, job_id) < MOST_ATTEMPTS:
                raise
            self._fail(org_id, job_id, error.message)
        except Invalid as error:
            self._fail(org_id, job_id, error.message)
        except Exception:
            self._fail(org_id, job_id, "Something went wrong on our side; see the log.")
            raise

    # --- the steps ------------------------------------------------------------------------------

    def _run(self, org_id: str, job: ExportJob) -> None:
        for part in parts(job.content):
            if part not in {made.part for made in job.files}:
                job = self._note_files(org_id, job, [*job.files, self._make(org_id, job, part)])
        for destination in self._destinations(org_id, job):
            for made in job.files:
                if destination.id not in made.sent:
                    job = self._send(org_id, job, destination, made)
        self._end(org_id, job.id, status=JobStatus.SUCCEEDED, download=self._bundle(job))

    def _make(self, org_id: str, job: ExportJob, part: str) -> MadeFile:
        """Write one file, whole or not at all."""
        listed = self._read(org_id, job.content, part)
        name = file_name(job.id, part, job.content.export_file_format)
        draft = self.files.draft(file_key(job.id, name))
        rows = 0
        try:
            writer = open_writer(job.content.export_file_format, draft, listed.columns)
            for piece in listed.pieces:
                self._go_on()
                writer.write(piece)
                rows += len(piece)
            writer.close()
            draft.keep()
        finally:
            draft.drop()
        return MadeFile(part=part, name=name, rows=rows)

    def _read(self, org_id: str, content: Content, part: str) -> Listed:
        if content.source_type is SourceType.USAGE:
            return self.usage.read(org_id, content.query())
        data_type = OperationalDataType(part.upper())
        return read_operational(self.database, org_id, data_type, content.start_date)

    def _send(self, org_id: str, job: ExportJob, destination: ExportDestination, made: MadeFile) -> ExportJob:
        self._go_on()
        key = object_key(
            prefix=destination.prefix,
            order=destination.partition_order or PartitionOrder.TIME_FIRST,
            org_id=org_id,
            at=job.ordered_for,
            part=made.part,
            name=made.name,
        )
        self.targets.put(org_id, destination, key, self._path(job, made.name))
        sent = msgspec.structs.replace(made, sent=[*made.sent, destination.id])
        return self._note_files(org_id, job, [sent if each.name == made.name else each for each in job.files])

    def _bundle(self, job: ExportJob) -> str:
        """Give the file to download: the only one, or an archive that takes the place of several."""
        if len(job.files) == 1:
            return job.files[0].name
        draft = self.files.draft(file_key(job.id, ARCHIVE))
        forward: Any = Unseekable(draft)
        try:
            with zipfile.ZipFile(forward, "w") as archive:
                for made in job.files:
                    archive.write(self._path(job, made.name), made.name)
            draft.keep()
        finally:
            draft.drop()
        return ARCHIVE

    def _path(self, job: ExportJob, name: str) -> Path:
        return self.files.path(file_key(job.id, name))

    def _go_on(self) -> None:
        if self.is_stopping():
            raise JobInterrupted

    # --- what is stored -------------------------------------------------------------------------

    def _start(self, org_id: str, job_id: str) -> ExportJob:
        with self.database.transaction(org_id) as tx:
            job = tx.get(ExportJob, job_id, lock=True)
            if job.status is not JobStatus.PENDING:
                return job
            running = msgspec.structs.replace(job, status=JobStatus.RUNNING, started_at=tx.clock.now())
            return tx.update(job, running)

    def _destinations(self, org_id: str, job: ExportJob) -> Iterator[ExportDestination]:
        with self.database.reading(org_id) as tx:
            found = tx.by_id(ExportDestination, job.content.destination_ids)
        for destination_id in job.content.destination_ids:
            if destination_id.lower() not in found:
                raise DestinationRefused(
                    f"The destination {destination_id} was deleted before the export was sent."
                )
            yield found[destination_id.lower()]

    def _note_files(self, org_id: str, job: ExportJob, files: list[MadeFile]) -> ExportJob:
        with self.database.transaction(org_id) as tx:
            _move(tx, job.id, files=msgspec.to_builtins(files))
        return msgspec.structs.replace(job, files=files)

    def _note_attempt(self, org_id: str, job_id: str) -> int:
        with self.database.transaction(org_id) as tx:
            attempts = tx.get(ExportJob, job_id, lock=True).attempts + 1
            _move(tx, job_id, attempts=attempts)
        return attempts

    def _fail(self, org_id: str, job_id: str, reason: str) -> None:
        self._end(org_id, job_id, status=JobStatus.FAILED, failure_reason=reason[:2000])

    def _end(self, org_id: str, job_id: str, **values: Any) -> None:
        with self.database.transaction(org_id) as tx:
            job = tx.get(ExportJob, job_id, lock=True)
            ended = msgspec.structs.replace(job, keep_until=job.date_created + KEPT, **values)
            tx.update(job, ended)
            if ended.status is JobStatus.FAILED:
                tell_failure(tx, ended)


def parts(content: Content) -> list[str]:
    """Name the files of a job: one of measurements, or one for each type of operational data."""
    if content.source_type is SourceType.USAGE:
        return [MEASUREMENTS]
    return [each.value.lower() for each in content.operational_data_types]


def forget_files(files: Files, job: ExportJob) -> None:
    """Delete what is kept of a job."""
    for name in {ARCHIVE, *(made.name for made in job.files)}:
        files.delete(file_key(job.id, name))


def _move(tx: Transaction, job_id: str, **values: Any) -> None:
    """Tell how far a run is, without an event; its end is one."""
    table = resource_of(ExportJob).table
    tx.execute(update(table).where(table.c.org_id == tx.org_id, table.c.id == job_id).values(**values))
