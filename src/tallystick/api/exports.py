"""Data exports: ad hoc ones, schedules, jobs and their files. Destinations have generic routes."""

from collections.abc import Iterator
from dataclasses import replace
from datetime import datetime, timedelta
from typing import Final

import msgspec

from tallystick.api.crud import crud_route
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
from tallystick.billing.bill import Bill
from tallystick.billing.line_item import LineItem
from tallystick.exports.content import Content, SourceType, content_of
from tallystick.exports.job import ExportJob, JobStatus, job_clauses
from tallystick.exports.layout import file_key
from tallystick.exports.operational import declared_as
from tallystick.exports.schedule import ExportSchedule
from tallystick.exports.service import order_ad_hoc
from tallystick.organizations.principal import Principal, require_all
from tallystick.platform.resources import Page, resource_of
from tallystick.platform.resources.transaction import from_request, replace_versioned

LINK_LIFETIME: Final = timedelta(minutes=15)
"Rule: semantics §30."
LARGEST_PAGE: Final = 100
TO_DOWNLOAD: Final = "/downloads/{orgId}/dataexports/{id}"
TAG: Final = "ExportJob"
PATH: Final = "dataexports"
_JOB: Final = resource_of(ExportJob).permission_object
CREATE, READ = Permission("config:create", _JOB), Permission("config:retrieve", _JOB)
DOWNLOAD = Permission("exports:download", _JOB, "jobId")
_SCHEDULE: Final = resource_of(ExportSchedule)
_READ_WITH: Final = {resource_of(LineItem).permission_object: resource_of(Bill).permission_object}
"What is allowed and denied together with something else: lines are their bill's."
_MEDIA_TYPES: Final = {
    "gz": "application/gzip",
    "zip": "application/zip",
    "parquet": "application/vnd.apache.parquet",
}


class AdHocExportRequest(Content, kw_only=True):
    """One export. USAGE: startDate and endDate; OPERATIONAL: what changed since startDate, or all."""

    version: int | None = None


class AdHocResponse(msgspec.Struct, kw_only=True, rename="camel"):
    """The job that exports."""

    job_id: str


class ExportDownloadUrl(msgspec.Struct, kw_only=True, rename="camel"):
    """Where to get the file, until expirationTime."""

    url: str
    expiration_time: datetime


def export_routes() -> Iterator[Route]:
    """Make the routes."""
    yield replace(crud_route(_SCHEDULE, "create"), handler=create_schedule)
    yield replace(crud_route(_SCHEDULE, "update"), handler=update_schedule)
    yield verb_route(
        "POST",
        f"{PATH}/adhoc",
        CREATE,
        order,
        "createAdHocExport",
        TAG,
        request=AdHocExportRequest,
        answer=AdHocResponse,
    )
    filters = (
        QueryParameter("ids", list[str]),
        QueryParameter("scheduleId"),
        QueryParameter("status", JobStatus),
        QueryParameter("dateCreatedStart"),
        QueryParameter("dateCreatedEnd"),
    )
    query = (*paging(LARGEST_PAGE), *filters)
    yield verb_route(
        "GET", f"{PATH}/jobs", READ, list_jobs, "listExportJobs", TAG, answer=Page[ExportJob], query=query
    )
    yield verb_route("GET", f"{PATH}/jobs/{{id}}", READ, get_job, "getExportJob", TAG, answer=ExportJob)
    path = f"{PATH}/jobs/{{jobId}}/getdownloadurl"
    yield verb_route("GET", path, DOWNLOAD, link, "getExportDownloadUrl", TAG, answer=ExportDownloadUrl)
    yield Route(
        "GET",
        TO_DOWNLOAD,
        None,
        download,
        "downloadExport",
        TAG,
        "Download an export by a signed link",
        query=SIGNED,
    )


def order(call: Call) -> AdHocResponse:
    """Export usage or operational data once."""
    is_usage = call.body.source_type is SourceType.USAGE
    content = content_of(call.body, call.body.start_date, call.body.end_date if is_usage else None)
    require_to_see(call.principal, content)
    with call.writing() as tx:
        return AdHocResponse(job_id=order_ad_hoc(tx, content).id)


def create_schedule(call: Call) -> ExportSchedule:
    """Export again and again."""
    require_to_see(call.principal, content_of(call.body))
    with call.writing() as tx:
        return tx.create(from_request(ExportSchedule, call.body))


def update_schedule(call: Call) -> ExportSchedule:
    """Change what is exported again and again. Raises ResourceNotFound, StaleVersion, InvalidBody."""
    require_to_see(call.principal, content_of(call.body))
    with call.writing() as tx:
        return replace_versioned(tx, tx.get(ExportSchedule, call.path["id"], lock=True), call.body)


def require_to_see(caller: Principal, content: Content) -> None:
    """Let somebody export what they may read and export, all of it: a file leaves nothing out.

    Raises PermissionDenied.
    """
    if content.source_type is SourceType.USAGE:
        kinds = [("measurements", "ingest:measurement")]
    else:
        declared = [declared_as(each).permission_object for each in content.operational_data_types]
        kinds = [("config", _READ_WITH.get(each, each)) for each in declared]
    for service, kind in kinds:
        for verb in ("retrieve", "export"):
            require_all(caller, f"{service}:{verb}", f"{kind}/*")


def list_jobs(call: Call) -> Page[ExportJob]:
    """List export jobs, newest first."""
    page = call.page(LARGEST_PAGE)
    clauses = list(job_clauses(call.query, call.now()))
    with call.reading() as tx:
        return tx.page(ExportJob, page, clauses)


def get_job(call: Call) -> ExportJob:
    """Get an export job."""
    with call.reading() as tx:
        return tx.get(ExportJob, call.path["id"])


def link(call: Call) -> ExportDownloadUrl:
    """Get a link to the file of a job of the last 24 hours. Raises ExportNotReady, ExportExpired."""
    with call.reading() as tx:
        job = tx.get(ExportJob, call.path["jobId"])
    job.file_to_download(call.now())
    path = TO_DOWNLOAD.format(orgId=call.org_id, id=job.id)
    expires = (
        call.services.clock.now() + LINK_LIFETIME
    )  # links go by the server's clock, whatever is rehearsed
    return ExportDownloadUrl(url=call.link(path, LINK_LIFETIME), expiration_time=expires)


def download(call: Call) -> FileAnswer:
    """Give the file of a job to whoever has a signed link. Raises BadSignature, LinkExpired."""
    call.check_link(TO_DOWNLOAD)
    services = call.services
    with services.database.reading(call.path["orgId"]) as tx:
        job = tx.get(ExportJob, call.path["id"])
        name = job.file_to_download(tx.clock.now())
    return FileAnswer(
        services.files.path(file_key(job.id, name)), _MEDIA_TYPES[name.rpartition(".")[2]], name
    )
