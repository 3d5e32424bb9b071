"""Files of measurements: links to upload them, their jobs, and the files as they were uploaded."""

from collections.abc import Iterator
from datetime import timedelta
from typing import Any, Final

import msgspec

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
from tallystick.platform.incoming import IncomingFile
from tallystick.platform.resources import Page
from tallystick.usage.file_upload import (
    LARGEST_FILE_BYTES,
    FileUploadJob,
    GetUploadUrlRequest,
    ask_upload,
    open_upload,
    upload_clauses,
    uploaded,
)

UPLOAD_LIFETIME: Final = timedelta(minutes=1)
"Rule: semantics §6. The body may take longer, once it has begun."
DOWNLOAD_LIFETIME: Final = timedelta(hours=1)
LARGEST_PAGE: Final = 100
TAG: Final = "Measurements"
PATH: Final = "fileuploads/measurements"
MAY_UPLOAD = Permission("measurements:fileupload", "ingest:measurement")
MAY_RETRIEVE = Permission("measurements:retrieve", "ingest:measurement")
TO_UPLOAD = "/uploads/{orgId}/measurements/{id}"
TO_DOWNLOAD = "/downloads/{orgId}/measurements/{id}"


class UrlUploadResponse(msgspec.Struct, rename="camel"):
    """Where to put the file, once, within a minute, and the headers to send with it."""

    job_id: str
    url: str
    headers: dict[str, str]


class UrlDownloadResponse(msgspec.Struct, rename="camel"):
    """Where to get the file, within an hour."""

    job_id: str
    url: str
    headers: dict[str, str]


def file_upload_routes() -> Iterator[Route]:
    """Make the routes."""
    own: dict[str, Any] = {"request": GetUploadUrlRequest, "answer": UrlUploadResponse}
    yield verb_route(
        "POST", f"{PATH}/generateUploadUrl", MAY_UPLOAD, generate_link, "generateUploadUrl", TAG, **own
    )
    filters = ("dateCreatedStart", "dateCreatedEnd", "fileKey")
    query = (*paging(LARGEST_PAGE), *(QueryParameter(name) for name in filters))
    listed: dict[str, Any] = {"answer": Page[FileUploadJob], "query": query}
    yield verb_route("GET", f"{PATH}/jobs", MAY_RETRIEVE, list_jobs, "listFileUploadJobs", TAG, **listed)
    yield verb_route(
        "GET", f"{PATH}/jobs/{{id}}", MAY_RETRIEVE, get_job, "getFileUploadJob", TAG, answer=FileUploadJob
    )
    path = f"{PATH}/jobs/{{id}}/original"
    yield verb_route(
        "GET", path, MAY_RETRIEVE, link_original, "getFileUploadOriginal", TAG, answer=UrlDownloadResponse
    )
    yield Route(
        "PUT",
        TO_UPLOAD,
        None,
        receive,
        "uploadMeasurements",
        TAG,
        "Upload a file by a signed link",
        answer=FileUploadJob,
        query=SIGNED,
        body_limit=LARGEST_FILE_BYTES,
        streams=True,
    )
    yield Route(
        "GET",
        TO_DOWNLOAD,
        None,
        download,
        "downloadMeasurements",
        TAG,
        "Download an uploaded file by a signed link",
        query=SIGNED,
    )


def generate_link(call: Call) -> UrlUploadResponse:
    """Give a link to upload a file."""
    with call.writing() as tx:
        job = ask_upload(tx, call.body)
    path = TO_UPLOAD.format(orgId=call.org_id, id=job.id)
    url = call.link(path, UPLOAD_LIFETIME)
    return UrlUploadResponse(job.id, url, {"Content-Type": job.content_type})


def receive(call: Call) -> IncomingFile:
    """Take a file from whoever has a signed link. Raises what `open_upload` does, too."""
    call.check_link(TO_UPLOAD)
    org_id, job_id = call.path["orgId"], call.path["id"]
    length = call.headers.get("content-length")
    return open_upload(call.services.database, call.services.files, org_id, job_id, length)


def list_jobs(call: Call) -> Page[FileUploadJob]:
    """List the jobs of uploaded files."""
    page = call.page(LARGEST_PAGE)
    clauses = list(upload_clauses(call.query))
    with call.reading() as tx:
        return tx.page(FileUploadJob, page, clauses)


def get_job(call: Call) -> FileUploadJob:
    """Get the job of an uploaded file."""
    with call.reading() as tx:
        return tx.get(FileUploadJob, call.path["id"])


def link_original(call: Call) -> UrlDownloadResponse:
    """Get a link to an uploaded file."""
    with call.reading() as tx:
        job = uploaded(tx, call.path["id"])
    path = TO_DOWNLOAD.format(orgId=call.org_id, id=job.id)
    return UrlDownloadResponse(job.id, call.link(path, DOWNLOAD_LIFETIME), {})


def download(call: Call) -> FileAnswer:
    """Give an uploaded file to whoever has a signed link. Raises BadSignature, LinkExpired."""
    call.check_link(TO_DOWNLOAD)
    org_id, job_id = call.path["orgId"], call.path["id"]
    with call.services.database.reading(org_id) as tx:
        job = uploaded(tx, job_id)
    return FileAnswer(call.services.files.path(job.file_key), job.content_type, job.file_name)
