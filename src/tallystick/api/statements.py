"""Statement jobs, and the statements of bills: who may not read a bill gets none of it."""

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
from tallystick.billing.bill import Bill
from tallystick.platform.resources import Page, resource_of
from tallystick.platform.resources.transaction import from_request
from tallystick.statements import service
from tallystick.statements.errors import StatementFailed, StatementNotFound
from tallystick.statements.job import (
    StatementJob,
    StatementJobAnswer,
    StatementJobStatus,
    StatementsBatchJobRequest,
    job_clauses,
)
from tallystick.statements.runner import CSV, JSON

LARGEST_PAGE: Final = 100
TAG: Final = "StatementJob"
LIFETIME: Final = timedelta(hours=1)
TO_DOWNLOAD: Final = "/downloads/{orgId}/statements/{id}/{kind}"
MEDIA: Final = {JSON: "application/json", CSV: "text/csv"}
_BILL, _JOB = (resource_of(cls).permission_object for cls in (Bill, StatementJob))
READ_BILL = Permission("config:retrieve", _BILL)
READ, CREATE, UPDATE = (Permission(f"config:{a}", _JOB) for a in ("retrieve", "create", "update"))


class ObjectUrl(msgspec.Struct, kw_only=True, rename="camel"):
    """Where to get a file, within an hour."""

    download_url: str


def statement_routes() -> Iterator[Route]:
    """Make the routes."""
    one, many = StatementJobAnswer, Page[StatementJobAnswer]
    body = resource_of(StatementJob).request_type
    jobs = "statementjobs"
    yield verb_route("POST", jobs, CREATE, create, "createStatementJob", TAG, request=body, answer=one)
    batch: Any = {"request": StatementsBatchJobRequest, "answer": list[StatementJobAnswer]}
    yield verb_route("POST", f"{jobs}/batch", CREATE, create_batch, "createStatementJobBatch", TAG, **batch)
    filters = tuple(QueryParameter(name) for name in ("active", "status", "billId"))
    listed: Any = {"answer": many, "query": (*paging(LARGEST_PAGE), *filters)}
    yield verb_route("GET", jobs, READ, list_jobs, "listStatementJobs", TAG, **listed)
    yield verb_route("GET", f"{jobs}/{{id}}", READ, get_job, "getStatementJob", TAG, answer=one)
    yield verb_route("POST", f"{jobs}/{{id}}/cancel", UPDATE, cancel, "cancelStatementJob", TAG, answer=one)
    path, link = "bills/{id}/statement", ObjectUrl
    yield verb_route("GET", f"{path}/json", READ_BILL, link_json, "getBillJsonStatement", "Bill", answer=link)
    yield verb_route("GET", f"{path}/csv", READ_BILL, link_csv, "getBillCsvStatement", "Bill", answer=link)
    made: dict[str, Any] = {"answer": link, "repeatable": True}
    yield verb_route("POST", f"{path}/csv", CREATE, make_csv, "createBillCsvStatement", "Bill", **made)
    yield Route(
        "GET",
        TO_DOWNLOAD,
        None,
        download,
        "downloadStatement",
        TAG,
        "Download a statement by a signed link",
        query=SIGNED,
    )


def create(call: Call) -> StatementJobAnswer:
    """Order the statement of a bill."""
    call.require(READ_BILL, call.body.bill_id)
    with call.writing() as tx:
        job = service.create_job(tx, from_request(StatementJob, call.body))
        return _answers(call, service.job_answers(tx, [job]))[0]


def create_batch(call: Call) -> list[StatementJobAnswer]:
    """Order the statements of up to ten bills."""
    for bill_id in call.body.bill_ids:
        call.require(READ_BILL, bill_id)
    with call.writing() as tx:
        return _answers(call, service.job_answers(tx, service.create_batch(tx, call.body)))


def list_jobs(call: Call) -> Page[StatementJobAnswer]:
    """List statement jobs, by one of the filters."""
    page = call.page(LARGEST_PAGE)
    clauses = job_clauses(call.query, call.services.clock.now())
    with call.reading() as tx:
        of_bills = tx.visible(Bill, resource_of(StatementJob).table.c.bill_id)
        found = tx.page(StatementJob, page, [*clauses, *of_bills])
        return Page(_answers(call, service.job_answers(tx, found.data)), found.next_token)


def get_job(call: Call) -> StatementJobAnswer:
    """Get a statement job, with links to its files once they are there."""
    with call.reading() as tx:
        job = tx.get(StatementJob, call.path["id"])
        call.require(READ_BILL, job.bill_id)
        return _answers(call, service.job_answers(tx, [job]))[0]


def cancel(call: Call) -> StatementJobAnswer:
    """Cancel a statement job that has not ended."""
    with call.writing() as tx:
        call.require(READ_BILL, tx.get(StatementJob, call.path["id"]).bill_id)
        job = service.cancel_job(tx, call.path["id"])
        return _answers(call, service.job_answers(tx, [job]))[0]


def link_json(call: Call) -> ObjectUrl:
    """Get a link to a bill's statement in JSON."""
    return _latest(call, JSON)


def link_csv(call: Call) -> ObjectUrl:
    """Get a link to a bill's statement in CSV."""
    return _latest(call, CSV)


def make_csv(call: Call) -> ObjectUrl:
    """Make a bill's statement in CSV now, and get a link to it."""
    call.require(READ_BILL, call.path["id"])
    with call.writing() as tx:
        job = service.create_job(tx, StatementJob(bill_id=call.path["id"].lower(), include_csv_format=True))
    # The queue has it too, should this process end here; whoever comes second finds it made.
    made = call.services.statements.make(call.org_id, job.id)
    if made.statement_job_status is not StatementJobStatus.COMPLETE:
        raise StatementFailed(made.failure_reason or f"The statement's job is {made.statement_job_status}.")
    return ObjectUrl(download_url=_link(call, job.id, CSV))


def download(call: Call) -> FileAnswer:
    """Give a statement's file to whoever has a signed link. Raises BadSignature, LinkExpired."""
    call.check_link(TO_DOWNLOAD)
    kind = call.path["kind"]
    with call.services.database.reading(call.path["orgId"]) as tx:
        job = service.finished_statement(tx, call.path["id"])
        service.check_bill_is_there(tx, job)
    if kind not in MEDIA:
        raise StatementNotFound(f"A statement is json or csv, not {kind[:20]}.")
    path = call.services.files.path(job.file_key(kind))
    return FileAnswer(path, MEDIA[kind], f"statement-{job.bill_id}.{kind}")


def _latest(call: Call, kind: str) -> ObjectUrl:
    with call.reading() as tx:
        job = service.latest_statement(tx, call.path["id"], csv=kind == CSV)
    return ObjectUrl(download_url=_link(call, job.id, kind))


def _answers(call: Call, jobs: list[StatementJobAnswer]) -> list[StatementJobAnswer]:
    """Put links to the files that are there, and whose bill is."""
    for job in jobs:
        if job.has_files:
            job.presigned_json_statement_url = _link(call, job.id, JSON)
            if job.include_csv_format:
                job.presigned_csv_statement_url = _link(call, job.id, CSV)
    return jobs


def _link(call: Call, job_id: str, kind: str) -> str:
    return call.link(TO_DOWNLOAD.format(orgId=call.org_id, id=job_id, kind=kind), LIFETIME)
