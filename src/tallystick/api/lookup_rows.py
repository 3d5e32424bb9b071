"""Rows of lookup tables: read, upsert, copy, upload, download; and the links to their files."""

from collections.abc import Iterator
from datetime import datetime, timedelta
from typing import Annotated, Any, Final

import msgspec
from msgspec import Meta

from tallystick.api.lookup_tables import ADDITIONAL, forget_files
from tallystick.api.routes import (
    SIGNED,
    Call,
    FileAnswer,
    Permission,
    QueryParameter,
    Route,
    paging,
    verb_route,
)
from tallystick.catalogue.errors import LookupFileNotFound, UploadNotAwaited
from tallystick.catalogue.lookup_job import (
    ContentType,
    LookupJobStatus,
    LookupJobType,
    LookupTableJob,
    LookupTableJobAnswer,
)
from tallystick.catalogue.lookup_service import (
    LARGEST_FILE_BYTES,
    MOST_ITEMS,
    LookupTableRevisionCopyRequest,
    LookupTableRevisionCopyResponse,
    LookupTableRevisionData,
    LookupTableRevisionDataItemDeleteRequest,
    LookupTableRevisionDataItemUpsertRequest,
    LookupTableRevisionDataRequest,
    archive_file,
    archived,
    copy_revision,
    delete_item,
    delete_items,
    draft,
    get_item,
    get_items,
    get_job,
    get_revision,
    job_file,
    put_item,
    put_items,
    queue,
    start_job,
)
from tallystick.catalogue.lookup_table import LookupTableRevision
from tallystick.catalogue.lookup_worker import write_all
from tallystick.platform.files import Draft
from tallystick.platform.incoming import AnnouncedSize, IncomingFile
from tallystick.platform.resources import Page, resource_of
from tallystick.platform.resources.pages import whole_number
from tallystick.platform.resources.wire import parse, read

UPLOAD_LINK_LIFETIME: Final = timedelta(minutes=1)
DOWNLOAD_LINK_LIFETIME: Final = timedelta(hours=1)
"Rule: semantics §12."
LARGEST_JOBS_PAGE = 100
UPLOAD = "/uploads/{orgId}/lookuptables/{jobId}"
DOWNLOAD = "/downloads/{orgId}/lookuptables/{file}"
TAG = "LookupTableRevisionData"
_REVISION = resource_of(LookupTableRevision)
READ, UPDATE = (
    Permission(f"config:{action}", _REVISION.permission_object, "lookupTableRevisionId")
    for action in ("retrieve", "update")
)
_DATA = f"{_REVISION.path}/{{lookupTableRevisionId}}/data"
_MEDIA_TYPES = {content_type.ending: content_type.value for content_type in ContentType}


class LookupTableRevisionDataDeleteResponse(msgspec.Struct, kw_only=True):
    """What became of the rows."""

    result: str


class LookupTableDataFileRequest(msgspec.Struct, kw_only=True, rename="camel"):
    """The form that a file of rows is wanted in."""

    content_type: ContentType


class LookupTableDataArchivedResponse(msgspec.Struct, kw_only=True):
    """A link that needs no token, valid for an hour."""

    url: str
    expiry: datetime


class LookupTableDataUploadRequest(msgspec.Struct, kw_only=True, rename="camel"):
    """The file that will be uploaded. `version` is that of the rows, checked when it is given."""

    file_name: Annotated[str, Meta(min_length=1, max_length=100)]
    content_type: ContentType
    version: int | None = None
    content_length: Annotated[int, Meta(ge=1, le=LARGEST_FILE_BYTES)]


class LookupTableDataUploadResponse(msgspec.Struct, kw_only=True, rename="camel"):
    """Where to PUT the file, within a minute, and with which headers."""

    job_id: str
    url: str
    headers: dict[str, str]


class LookupTableDataDownloadJobResponse(msgspec.Struct, kw_only=True, rename="camel"):
    """The job that writes the file."""

    job_id: str


def lookup_row_routes() -> Iterator[Route]:
    """Make the routes."""
    name, limits = "LookupTableRevisionData", {"minimum": 1, "maximum": MOST_ITEMS, "default": MOST_ITEMS}
    rows: dict[str, Any] = {"answer": LookupTableRevisionData, "query": (ADDITIONAL,)}
    first: dict[str, Any] = rows | {"query": (QueryParameter("limit", int, limits), ADDITIONAL)}
    yield verb_route("GET", _DATA, READ, get_data, f"get{name}", TAG, **first)
    put: dict[str, Any] = rows | {"request": LookupTableRevisionDataRequest}
    yield verb_route("PUT", _DATA, UPDATE, put_data, f"upsert{name}", TAG, **put)
    gone: dict[str, Any] = {"answer": LookupTableRevisionDataDeleteResponse}
    yield verb_route("DELETE", _DATA, UPDATE, delete_data, f"delete{name}", TAG, **gone)
    one = f"{_DATA}/{{lookupKey}}"
    yield verb_route("GET", one, READ, get_row, f"get{name}Item", TAG, answer=LookupTableRevisionData)
    put = rows | {"request": LookupTableRevisionDataItemUpsertRequest}
    yield verb_route("PUT", one, UPDATE, put_row, f"upsert{name}Item", TAG, **put)
    gone = {"request": LookupTableRevisionDataItemDeleteRequest, "answer": LookupTableRevisionData}
    yield verb_route("DELETE", one, UPDATE, delete_row, f"delete{name}Item", TAG, **gone, reads_raw=True)
    yield from _job_routes(name)
    yield from _file_routes()


def _job_routes(name: str) -> Iterator[Route]:
    answer: Any = LookupTableRevisionCopyResponse
    copied: dict[str, Any] = {"request": LookupTableRevisionCopyRequest, "answer": answer, "reads_raw": True}
    yield verb_route("POST", f"{_DATA}/copy", UPDATE, copy, f"copy{name}", TAG, **copied)
    answer, form = LookupTableDataArchivedResponse, LookupTableDataFileRequest
    kept: dict[str, Any] = {"request": form, "answer": answer, "repeatable": True}
    yield verb_route("POST", f"{_DATA}/archived", READ, link_archive, f"getArchived{name}", TAG, **kept)
    sent: dict[str, Any] = {"request": LookupTableDataUploadRequest, "answer": LookupTableDataUploadResponse}
    path = f"{_DATA}/generateuploadurl"
    yield verb_route("POST", path, UPDATE, link_upload, f"generate{name}UploadUrl", TAG, **sent)
    path, jobs = f"{_DATA}/jobs/download", f"{_DATA}/jobs"
    written: dict[str, Any] = {"request": form, "answer": LookupTableDataDownloadJobResponse}
    yield verb_route("POST", path, READ, start_download, f"create{name}DownloadJob", TAG, **written)
    listed: dict[str, Any] = {"answer": Page[LookupTableJobAnswer], "query": paging(LARGEST_JOBS_PAGE)}
    yield verb_route("GET", jobs, READ, list_jobs, f"list{name}Jobs", TAG, **listed)
    one: dict[str, Any] = {"answer": LookupTableJobAnswer}
    yield verb_route("GET", f"{jobs}/{{id}}", READ, get_one_job, f"get{name}Job", TAG, **one)
    yield verb_route("DELETE", f"{jobs}/{{id}}", UPDATE, delete_job, f"delete{name}Job", TAG, **one)


def _file_routes() -> Iterator[Route]:
    yield Route(
        "PUT",
        UPLOAD,
        None,
        receive,
        "uploadLookupTableRows",
        TAG,
        "Upload a file of rows by a signed link",
        request=bytes,
        answer=LookupTableDataDownloadJobResponse,
        query=SIGNED,
        body_limit=LARGEST_FILE_BYTES,
        media_types=(*_MEDIA_TYPES.values(),),
        streams=True,
    )
    summary = "Download a file of rows by a signed link"
    yield Route("GET", DOWNLOAD, None, download, "downloadLookupTableRows", TAG, summary, query=SIGNED)


# --- rows ---------------------------------------------------------------------------------------


def get_data(call: Call) -> Any:
    """Get the first rows of a revision, ordered by key."""
    limit = whole_number("limit", call.one("limit") or str(MOST_ITEMS), MOST_ITEMS)
    with call.reading() as tx:
        return get_items(tx, *_ids(call), limit)


def put_data(call: Call) -> Any:
    """Store rows in a draft."""
    with call.writing() as tx:
        return put_items(tx, *_ids(call), call.body)


def delete_data(call: Call) -> Any:
    """Delete all rows of a draft."""
    with call.writing() as tx:
        deleted = delete_items(tx, *_ids(call))
    return LookupTableRevisionDataDeleteResponse(result=f"{deleted} rows deleted")


def get_row(call: Call) -> Any:
    """Get a row of a revision."""
    with call.reading() as tx:
        return get_item(tx, *_ids(call), call.path["lookupKey"])


def put_row(call: Call) -> Any:
    """Store a row in a draft."""
    with call.writing() as tx:
        return put_item(tx, *_ids(call), call.path["lookupKey"], call.body)


def delete_row(call: Call) -> Any:
    """Delete a row of a draft. Clients may send no body."""
    body = _optional(call, LookupTableRevisionDataItemDeleteRequest)
    with call.writing() as tx:
        return delete_item(tx, *_ids(call), call.path["lookupKey"], body.version)


# --- jobs ---------------------------------------------------------------------------------------


def copy(call: Call) -> Any:
    """Copy a revision's rows to another one. Clients may send no body."""
    body = _optional(call, LookupTableRevisionCopyRequest)
    with call.writing() as tx:
        return copy_revision(tx, *_ids(call), body)


def link_archive(call: Call) -> Any:
    """Get a link to the rows of an archived revision.

    The file is made here if its job has not got there yet.
    """
    files = call.services.lookup_files
    with call.reading() as tx:
        revision = archived(tx, *_ids(call))
        name = archive_file(revision, call.body.content_type)
        try:
            files.path(call.org_id, name)
        except LookupFileNotFound:
            write_all(tx, files, revision, name)
    url = call.link(DOWNLOAD.format(orgId=call.org_id, file=name), DOWNLOAD_LINK_LIFETIME)
    return LookupTableDataArchivedResponse(url=url, expiry=_expiry(call))


def link_upload(call: Call) -> Any:
    """Get a link to upload a file of rows, and record the job that waits for it."""
    request: LookupTableDataUploadRequest = call.body
    with call.writing() as tx:
        job = start_job(
            tx,
            draft(tx, *_ids(call), request.version),
            LookupJobType.UPLOAD,
            queued=False,
            file_name=request.file_name,
            content_type=request.content_type,
            content_length=request.content_length,
        )
    url = call.link(UPLOAD.format(orgId=call.org_id, jobId=job.id), UPLOAD_LINK_LIFETIME)
    headers = {"Content-Type": request.content_type.value}
    return LookupTableDataUploadResponse(job_id=job.id, url=url, headers=headers)


def start_download(call: Call) -> Any:
    """Order a file of a revision's rows."""
    content_type: ContentType = call.body.content_type
    with call.writing() as tx:
        revision = get_revision(tx, *_ids(call))
        name = f"{revision.name[:80]}.{content_type.ending}"
        job = start_job(tx, revision, LookupJobType.DOWNLOAD, content_type=content_type, file_name=name)
    return LookupTableDataDownloadJobResponse(job_id=job.id)


def list_jobs(call: Call) -> Any:
    """List the jobs of a revision, newest first."""
    page = call.page(LARGEST_JOBS_PAGE)
    with call.reading() as tx:
        revision = get_revision(tx, *_ids(call))
        own = resource_of(LookupTableJob).table.c.lookup_table_revision_id == revision.id
        found = tx.page(LookupTableJob, page, [own])
    return Page([_answer(call, job) for job in found.data], found.next_token)


def get_one_job(call: Call) -> Any:
    """Get a job, with a link to its file if it made one."""
    with call.reading() as tx:
        return _answer(call, get_job(tx, *_ids(call), call.path["id"]))


def delete_job(call: Call) -> Any:
    """Delete a job and its file. One that has not run yet never will."""
    with call.writing() as tx:
        job = get_job(tx, *_ids(call), call.path["id"])
        tx.delete(LookupTableJob, job.id)
    forget_files(call.services.lookup_files, call.org_id, [job])
    return job


def _answer(call: Call, job: LookupTableJob) -> LookupTableJobAnswer:
    answer = LookupTableJobAnswer(**msgspec.structs.asdict(job))
    name = job_file(job)
    if job.type is LookupJobType.DOWNLOAD and job.status is LookupJobStatus.SUCCEEDED and name is not None:
        path = DOWNLOAD.format(orgId=call.org_id, file=name)
        answer.download_url = call.link(path, DOWNLOAD_LINK_LIFETIME)
        answer.download_url_expiry = _expiry(call)
    return answer


# --- files --------------------------------------------------------------------------------------


def receive(call: Call) -> IncomingFile:
    """Take the file of an upload job, whose signed link is the permission.

    Raises BadSignature, LinkExpired, ResourceNotFound, UploadNotAwaited.
    """
    org_id, job_id = call.path["orgId"], call.path["jobId"]
    call.check_link(UPLOAD)
    database = call.services.database
    with database.reading(org_id) as tx:
        job = _awaited(tx.get(LookupTableJob, job_id))

    def keep(draft: Draft) -> LookupTableDataDownloadJobResponse:
        with database.transaction(org_id, job.created_by or "") as tx:
            current = _awaited(tx.get(LookupTableJob, job_id, lock=True))
            draft.keep()
            queue(tx, tx.update(current, msgspec.structs.replace(current, received=True)))
        return LookupTableDataDownloadJobResponse(job_id=job_id)

    into = call.services.lookup_files.draft(org_id, job_file(job) or "")
    return IncomingFile(AnnouncedSize(job.content_length or 0), into, keep)


def download(call: Call) -> FileAnswer:
    """Give a file of rows for a signed link. Raises BadSignature, LinkExpired, LookupFileNotFound."""
    org_id, name = call.path["orgId"], call.path["file"]
    call.check_link(DOWNLOAD)
    path = call.services.lookup_files.path(org_id, name)
    return FileAnswer(path, _MEDIA_TYPES[path.suffix[1:]], name)


def _awaited(job: LookupTableJob) -> LookupTableJob:
    if job.status is not LookupJobStatus.PENDING or job.received:
        raise UploadNotAwaited("This link has had its file; ask for another one.")
    return job


def _expiry(call: Call) -> datetime:
    return call.services.clock.now() + DOWNLOAD_LINK_LIFETIME


def _ids(call: Call) -> tuple[str, str]:
    return call.path["lookupTableId"], call.path["lookupTableRevisionId"]


def _optional(call: Call, kind: type[Any]) -> Any:
    """Read a body that may be missing."""
    return read(parse(call.raw) if call.raw.strip() else {}, kind)
