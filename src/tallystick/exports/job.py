"""One run of an export."""

from collections.abc import Iterator
from datetime import datetime, timedelta
from enum import StrEnum
from typing import Annotated, Final

import msgspec
from sqlalchemy import ColumnElement, Index

from tallystick.events.declared import domain_event
from tallystick.events.record import append_event
from tallystick.exports.content import Content, SourceType
from tallystick.exports.errors import ExportExpired, ExportNotReady
from tallystick.platform.resources import Entity, Hidden, Transaction, resource, resource_of
from tallystick.platform.resources.filters import By, Values, instant

KEPT: Final = timedelta(hours=24)
"A job's files can be downloaded so long (semantics §30)."


class JobStatus(StrEnum):
    """Where a job is."""

    PENDING = "PENDING"
    RUNNING = "RUNNING"
    SUCCEEDED = "SUCCEEDED"
    FAILED = "FAILED"


class MadeFile(msgspec.Struct, kw_only=True):
    """A file of a job. sent: ids of the destinations that have it."""

    part: str
    name: str
    rows: int
    sent: list[str] = []


class ExportFailed(msgspec.Struct, kw_only=True, rename="camel"):
    """What the event about a failed job tells."""

    id: str
    schedule_id: str | None = None
    source_type: SourceType
    failure_reason: str


FAILURE: Final = domain_event("dataexport.job.failure", ExportFailed)


@resource(
    "dataexports/jobs",
    event="dataexport.job",
    unique=(("schedule_id", "ordered_for"),),
    verbs=(),
    table="exportjobs",
)
class ExportJob(Entity, kw_only=True):
    """One run of an export, ad hoc or of a schedule. It names its files alike however often it starts anew.

    ordered_for: the instant that the run is for; names folders and, of a schedule, the usage.
    keep_until: until when its files are kept here; None when they are gone.
    """

    schedule_id: str | None = None
    started_at: datetime | None = None
    date_created: datetime
    source_type: SourceType
    status: JobStatus = JobStatus.PENDING
    failure_reason: str | None = None
    content: Annotated[Content, Hidden()]
    ordered_for: Annotated[datetime, Hidden()]
    files: Annotated[list[MadeFile], Hidden()] = []
    download: Annotated[str | None, Hidden()] = None
    attempts: Annotated[int, Hidden()] = 0
    keep_until: Annotated[datetime | None, Hidden()] = None

    def file_to_download(self, now: datetime) -> str:
        """Give the name of the file to download. Raises ExportNotReady, ExportExpired."""
        if self.status is not JobStatus.SUCCEEDED or self.download is None:
            raise ExportNotReady(f"This export is {self.status}; a file can be had once it is SUCCEEDED.")
        if self.keep_until is None or now >= self.keep_until:
            raise ExportExpired("Files of exports are kept for 24 hours. Export again, or use a destination.")
        return self.download


_table = resource_of(ExportJob).table
Index("ix_exportjobs_keep_until", _table.c.org_id, _table.c.keep_until)
FILTERS: Final = (
    By("ids", "id", many=True),
    By("scheduleId", "schedule_id"),
    By("status", "status", item=JobStatus),
)


def job_clauses(values: Values, now: datetime) -> Iterator[ColumnElement[bool]]:
    """Read the filters of the list; `dateCreatedEnd` is not included. Raises InvalidBody."""
    for each in FILTERS:
        yield from each.clauses(_table, values, now)
    for given in values.get("dateCreatedStart", [])[:1]:
        yield _table.c.date_created >= instant("dateCreatedStart", given)
    for given in values.get("dateCreatedEnd", [])[:1]:
        yield _table.c.date_created < instant("dateCreatedEnd", given)


def tell_failure(tx: Transaction, job: ExportJob) -> None:
    """Append the event about a failed job."""
    reason = job.failure_reason or ""
    told = ExportFailed(
        id=job.id, schedule_id=job.schedule_id, source_type=job.source_type, failure_reason=reason
    )
    append_event(tx, FAILURE, msgspec.to_builtins(told), job.id)
