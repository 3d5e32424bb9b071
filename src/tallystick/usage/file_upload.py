"""Files of measurements: an upload is asked for, its body is put to a signed link, and a job takes it in."""

import re
from collections.abc import Iterator
from datetime import datetime
from enum import StrEnum
from typing import Annotated, Any, Literal

import msgspec
from msgspec import Meta
from sqlalchemy import ColumnElement, or_

from tallystick.kernel.errors import Conflict, Invalid, TooLarge
from tallystick.platform.database import Database
from tallystick.platform.files import Draft, Files
from tallystick.platform.incoming import AnnouncedSize, IncomingFile
from tallystick.platform.jobs import defer
from tallystick.platform.resources import Computed, Entity, Hidden, Transaction, resource, resource_of
from tallystick.platform.resources.fields import UUID_PATTERN
from tallystick.platform.resources.filters import Values, instant

TASK = "usage.take_file_in"
LARGEST_FILE_BYTES = 1_073_741_824
_ID = re.compile(UUID_PATTERN)


class UploadStatus(StrEnum):
    """Where an upload is (semantics §6)."""

    NOT_UPLOADED = "notUploaded"
    RUNNING = "running"
    FAILED = "failed"
    SUCCEEDED = "succeeded"


class FileAlreadyUploaded(Conflict):
    """A link takes one file."""

    code = "file_already_uploaded"


class FileNotUploaded(Invalid):
    """There is no file yet."""

    code = "file_not_uploaded"


class UploadTooLong(TooLarge):
    """The body has more bytes than were announced."""

    code = "upload_too_long"


class UploadTooShort(Invalid):
    """The body has fewer bytes than were announced."""

    code = "upload_too_short"


class GetUploadUrlRequest(msgspec.Struct, kw_only=True, rename="camel"):
    """What file will be uploaded. contentLength: its exact size in bytes."""

    file_name: Annotated[str, Meta(min_length=1, max_length=100)]
    content_type: Annotated[
        Literal["application/json", "text/json"], Meta(extra_json_schema={"minLength": 1, "maxLength": 20})
    ]
    content_length: Annotated[int, Meta(ge=1, le=LARGEST_FILE_BYTES)]


@resource("fileuploadjobs", event="ingest.fileuploadjob", verbs=())
class FileUploadJob(Entity, kw_only=True):
    """One file of measurements. Rows are counted once the whole file is seen to be a JSON array.

    processedRows: rows that were dealt with, among them failedRows, which are kept with their reason.
    uploadDate: when the whole body was there. message: why the file as a whole failed.
    """

    file_name: str
    content_type: Annotated[str, Hidden()]
    content_length: int
    upload_date: datetime | None = None
    status: UploadStatus = UploadStatus.NOT_UPLOADED
    total_rows: Annotated[int | None, Computed()] = None
    processed_rows: Annotated[int | None, Computed()] = None
    failed_rows: Annotated[int | None, Computed()] = None
    message: Annotated[str | None, Computed()] = None

    @property
    def file_key(self) -> str:
        """Where the file is kept."""
        return file_key(self.id)


def file_key(job_id: str) -> str:
    """Give the key of an upload's file. Ids are never given twice, so the organization need not be in it."""
    return f"uploads/{job_id.lower()}"


def ask_upload(tx: Transaction, wanted: GetUploadUrlRequest) -> FileUploadJob:
    """Announce a file."""
    return tx.create(
        FileUploadJob(
            file_name=wanted.file_name,
            content_type=wanted.content_type,
            content_length=wanted.content_length,
        )
    )


def open_upload(
    database: Database, files: Files, org_id: str, job_id: str, length: str | None
) -> IncomingFile:
    """Begin to take a file; when it is whole, a job is ordered. length: the Content-Length, if it is told.

    Raises ResourceNotFound, FileAlreadyUploaded, UploadTooLong, UploadTooShort.
    """
    with database.reading(org_id) as tx:
        job = _awaited(tx.get(FileUploadJob, job_id))
    announced = AnnouncedSize(job.content_length, UploadTooLong, UploadTooShort)
    if length is not None and length.isdigit():
        announced.check(int(length), is_whole=True)

    def keep(draft: Draft) -> FileUploadJob:
        with database.transaction(org_id, job.created_by or "") as tx:
            current = _awaited(tx.get(FileUploadJob, job_id, lock=True))
            draft.keep()
            now = tx.clock.now()
            running = msgspec.structs.replace(current, status=UploadStatus.RUNNING, upload_date=now)
            defer(tx, TASK, {"org_id": tx.org_id, "job_id": job_id})
            return tx.update(current, running)

    return IncomingFile(announced, files.draft(job.file_key), keep)


def _awaited(job: FileUploadJob) -> FileUploadJob:
    if job.status is not UploadStatus.NOT_UPLOADED:
        raise FileAlreadyUploaded("This link has taken its file already. Ask for another link.")
    return job


def uploaded(tx: Transaction, job_id: str) -> FileUploadJob:
    """Load a job whose file is there. Raises ResourceNotFound, FileNotUploaded."""
    job = tx.get(FileUploadJob, job_id)
    if job.status is UploadStatus.NOT_UPLOADED:
        raise FileNotUploaded("Nothing was uploaded for this job yet.")
    return job


def upload_clauses(values: Values) -> Iterator[ColumnElement[bool]]:
    """Read the filters of the list: by creation, start included and end not, and by key or name of the file.

    Raises InvalidBody.
    """
    table = resource_of(FileUploadJob).table

    def given(name: str) -> str | None:
        return next((value for value in values.get(name, ()) if value), None)

    start, end, key = map(given, ("dateCreatedStart", "dateCreatedEnd", "fileKey"))
    if start is not None:
        yield table.c.dt_created >= instant("dateCreatedStart", start)
    if end is not None:
        yield table.c.dt_created < instant("dateCreatedEnd", end)
    if key is not None:
        own: list[Any] = [table.c.file_name == key]
        job_id = key.rpartition("/")[2]
        if _ID.fullmatch(job_id) and key in {job_id, file_key(job_id)}:
            own.append(table.c.id == job_id)
        yield or_(*own)
