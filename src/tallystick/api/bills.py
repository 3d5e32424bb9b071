"""Bills, their lines, and the jobs that make them."""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from datetime import date, datetime
from typing import Annotated, Any

import msgspec
from msgspec import Meta
from sqlalchemy import ColumnElement, Table

from tallystick.api.accounts import SEARCH_PARAMETERS
from tallystick.api.routes import (
    Call,
    Permission,
    QueryParameter,
    Route,
    filter_parameters,
    paging,
    verb_route,
)
from tallystick.billing import jobs, service
from tallystick.billing.bill import Bill, BillAnswer, BillStatus
from tallystick.billing.bill_config import BillConfig, get_bill_config
from tallystick.billing.bill_job import BillJob
from tallystick.billing.bill_lock import update_bill_config
from tallystick.billing.explain import LineExplanation
from tallystick.billing.failure import BillFailure, page_of_failures
from tallystick.billing.line_item import LineItem, LineItemType
from tallystick.billing.simulate import SimulateRequest, Simulation, simulate
from tallystick.billing.verify import Verification
from tallystick.kernel.periods import BillingFrequency
from tallystick.kernel.problems import Problem
from tallystick.platform.resources import By, Id, Page, resource_of
from tallystick.platform.resources.filters import Filter, Values
from tallystick.platform.resources.search import read_search, search
from tallystick.platform.resources.transaction import from_request
from tallystick.platform.resources.wire import InvalidBody, reader

LARGEST_PAGE = 100
BILLS, JOBS = "Bill", "BillJob"
BILL = resource_of(Bill).permission_object
JOB = resource_of(BillJob).permission_object
READ, UPDATE, DELETE = (Permission(f"config:{a}", BILL) for a in ("retrieve", "update", "delete"))
READ_MANY = Permission("config:retrieve", BILL, whole=True)
READ_LINES = Permission("config:retrieve", BILL, "billId")
UPDATE_MANY = Permission("config:update", BILL, whole=True)
READ_JOB, CREATE_JOB, UPDATE_JOB = (Permission(f"config:{a}", JOB) for a in ("retrieve", "create", "update"))
ADDITIONAL = QueryParameter("additional", list[str])
SEARCH_KEYS = {
    "accountId": "account_id",
    "locked": "locked",
    "billDate": "bill_date",
    "startDate": "start_date",
    "endDate": "end_date",
    "dueDate": "due_date",
    "billingFrequency": "billing_frequency",
    "id": "id",
    "createdBy": "created_by",
    "dtCreated": "dt_created",
    "lastModifiedBy": "last_modified_by",
    "ids": "id",
}


class ApproveBillsRequest(msgspec.Struct, kw_only=True, rename="camel"):
    """Which bills to approve."""

    bill_ids: Annotated[list[Id], Meta(min_length=1)]


class BillApproval(msgspec.Struct, kw_only=True):
    """How many bills were approved, in words."""

    message: str


class UpdateBillStatusRequest(msgspec.Struct, kw_only=True):
    """The status a bill is to have."""

    status: BillStatus


class BillJobRecalculateRequest(msgspec.Struct, kw_only=True, rename="camel"):
    """Which bills to make anew."""

    version: int | None = None
    bill_ids: Annotated[list[Id], Meta(min_length=1, max_length=100)]


@dataclass(frozen=True)
class DateRange:
    """Keep the rows whose date is on or after, or before, the given one (semantics §1)."""

    name: str
    column: str
    kind: Any = str

    def clauses(self, table: Table, values: Values, now: datetime) -> Iterator[ColumnElement[bool]]:
        """Compare the date: `…Start` is included, `…End` is not."""
        for given in values.get(self.name, [])[:1]:
            day = read_date(self.name, given)
            column = table.c[self.column]
            yield column >= day if self.name.endswith("Start") else column < day


FILTERS: tuple[Filter, ...] = (
    By("ids", "id", many=True),
    By("accountId", "account_id"),
    By("locked", "locked", item=bool),
    By("status", "status", item=BillStatus),
    By("billDate", "bill_date", item=date),
    DateRange("billDateStart", "bill_date"),
    DateRange("billDateEnd", "bill_date"),
    DateRange("externalInvoiceDateStart", "external_invoice_date"),
    DateRange("externalInvoiceDateEnd", "external_invoice_date"),
    By("billJobId", "bill_job_id"),
    By("billingFrequency", "billing_frequency", item=BillingFrequency, as_text=True),
)
LINE_FILTERS: tuple[Filter, ...] = (
    By("commitmentId", "commitment_id"),
    By("lineItemType", "line_item_type", item=LineItemType),
    By("billId", "bill_id"),
)


def bill_routes() -> Iterator[Route]:
    """Make all routes of billing; getting and listing jobs are generic."""
    yield from _reading()
    yield from _lines()
    yield from _changing()
    yield from _jobs()
    yield from _config()


def _reading() -> Iterator[Route]:
    paged = (*paging(LARGEST_PAGE), ADDITIONAL)
    flags = (QueryParameter("excludeLineItems", bool), QueryParameter("includeBillTotal", bool))
    listed: Any = {"answer": Page[BillAnswer], "query": paged}
    one: Any = {"answer": BillAnswer, "query": (ADDITIONAL,)}
    query = (*paged, *filter_parameters(FILTERS), *flags)
    yield verb_route("GET", "bills", READ, list_bills, "listBills", BILLS, **(listed | {"query": query}))
    path = "bills/accountid/{accountId}"
    yield verb_route("GET", path, READ, list_of_account, "listAccountBills", BILLS, **listed)
    path = "bills/billingperiod/{lastDateInBillingPeriod}/{billingFrequency}"
    yield verb_route("GET", path, READ, list_of_period, "listPeriodBills", BILLS, **listed)
    yield verb_route("GET", "bills/latest/{accountId}", READ, latest_bill, "getLatestBill", BILLS, **one)
    found: Any = {"answer": Page[BillAnswer], "query": SEARCH_PARAMETERS}
    yield verb_route("GET", "bills/search", READ, search_bills, "searchBills", BILLS, **found)
    yield verb_route("GET", "bills/{id}", READ, get_bill, "getBill", BILLS, **one)


def _lines() -> Iterator[Route]:
    paged = (*paging(LARGEST_PAGE), ADDITIONAL)
    listed: Any = {"answer": Page[LineItem], "query": (*paged, *filter_parameters(LINE_FILTERS))}
    yield verb_route("GET", "lineitems", READ, list_lines, "listLineItems", "LineItem", **listed)
    path = "bills/{billId}/lineitems"
    listed = {"answer": Page[LineItem], "query": paged}
    yield verb_route("GET", path, READ_LINES, list_bill_lines, "listBillLineItems", BILLS, **listed)
    path = f"{path}/{{id}}"
    one: Any = {"answer": LineItem, "query": (ADDITIONAL,)}
    yield verb_route("GET", path, READ_LINES, get_line, "getBillLineItem", BILLS, **one)
    path = f"{path}/explanation"
    yield verb_route("GET", path, READ_LINES, explain, "explainBillLineItem", BILLS, answer=LineExplanation)


def _changing() -> Iterator[Route]:
    one: Any = {"answer": BillAnswer}
    status: Any = {"request": UpdateBillStatusRequest, **one}
    yield verb_route("PUT", "bills/{id}/status", UPDATE, set_status, "setBillStatus", BILLS, **status)
    yield verb_route("PUT", "bills/{id}/lock", UPDATE, lock_bill, "lockBill", BILLS, **one)
    yield verb_route("DELETE", "bills/{id}", DELETE, delete_bill, "deleteBill", BILLS, **one)
    # Ids are required, and with them the original ignores these filters (semantics §22).
    ignored = ("externalInvoiceDateStart", "externalInvoiceDateEnd", "accountIds")
    approved: Any = {"answer": BillApproval}
    asked: Any = {"request": ApproveBillsRequest, "query": tuple(QueryParameter(n) for n in ignored)}
    path = "bills/approve"
    yield verb_route("POST", path, UPDATE_MANY, approve_bills, "approveBills", BILLS, **asked, **approved)
    path = "bills/billingperiod/{lastDateInBillingPeriod}/{billingFrequency}/approve"
    yield verb_route("POST", path, UPDATE_MANY, approve_period, "approvePeriodBills", BILLS, **approved)
    compared: Any = {"answer": Verification, "repeatable": True}
    yield verb_route("POST", "bills/{id}/verify", READ, verify_bill, "verifyBill", BILLS, **compared)


def _jobs() -> Iterator[Route]:
    body = resource_of(BillJob).request_type
    debug = (QueryParameter("debug", bool),)
    shown: Any = {"request": body, "answer": BillAnswer, "query": debug, "repeatable": True}
    yield verb_route("POST", "bills/preview", CREATE_JOB, preview_bill, "previewBill", BILLS, **shown)
    rated: Any = {"request": SimulateRequest, "answer": Simulation, "query": paging(LARGEST_PAGE)}
    path = "bills/simulate"
    yield verb_route(
        "POST", path, CREATE_JOB, simulate_bills, "simulateBills", BILLS, **rated, repeatable=True
    )
    made: Any = {"answer": BillJob}
    yield verb_route("POST", "billjobs", CREATE_JOB, create_job, "createBillJob", JOBS, request=body, **made)
    anew: Any = {"request": BillJobRecalculateRequest, **made}
    path = "billjobs/recalculate"
    yield verb_route("POST", path, CREATE_JOB, recalculate, "createRecalculationJob", JOBS, **anew)
    failed: Any = {"answer": Page[BillFailure], "query": paging(LARGEST_PAGE)}
    path = "billjobs/{id}/failures"
    yield verb_route("GET", path, READ_JOB, list_failures, "listBillJobFailures", JOBS, **failed)
    yield verb_route("POST", "billjobs/{id}/cancel", UPDATE_JOB, cancel_job, "cancelBillJob", JOBS, **made)


def _config() -> Iterator[Route]:
    declared = resource_of(BillConfig)
    path, tag, on = declared.path, "BillConfig", declared.permission_object
    read, update = Permission("config:retrieve", on), Permission("config:update", on)
    yield verb_route("GET", path, read, get_config, "getBillConfig", tag, answer=BillConfig)
    body: Any = {"request": declared.request_type, "answer": BillConfig}
    yield verb_route("PUT", path, update, update_config, "updateBillConfig", tag, **body)


# --- handlers -----------------------------------------------------------------------------------


def list_bills(call: Call) -> Any:
    """List bills by the filters; with their lines unless excluded."""
    with call.reading() as tx:
        clauses = call.clauses(FILTERS, resource_of(Bill).table)
        return service.page_of_bills(
            tx, call.page(LARGEST_PAGE), clauses, lines=not call.flag("excludeLineItems")
        )


def list_of_account(call: Call) -> Any:
    """List an account's bills, newest first."""
    wanted = By("accountId", "account_id")
    table = resource_of(Bill).table
    clauses = wanted.clauses(table, {"accountId": [call.path["accountId"]]}, call.now())
    with call.reading() as tx:
        return service.page_of_bills(tx, call.page(LARGEST_PAGE), clauses)


def list_of_period(call: Call) -> Any:
    """List the bills of the period that ends with a day."""
    with call.reading() as tx:
        return service.page_of_bills(tx, call.page(LARGEST_PAGE), service.period_clauses(*_period(call.path)))


def latest_bill(call: Call) -> Any:
    """Get the latest bill of an account."""
    with call.reading() as tx:
        return service.latest_bill(tx, _path_id(call, "accountId"))


def search_bills(call: Call) -> Any:
    """Search bills. Rule: semantics §1."""
    wanted = read_search(call.query)
    with call.reading() as tx:
        found = search(tx, Bill, SEARCH_KEYS, wanted)
        return Page(service.with_lines(tx, found.data), found.next_token)


def get_bill(call: Call) -> Any:
    """Get a bill with its lines."""
    with call.reading() as tx:
        return service.get_bill(tx, call.path["id"])


def list_lines(call: Call) -> Any:
    """List lines of all bills, those of the newest bills first."""
    table = resource_of(LineItem).table
    with call.reading() as tx:
        clauses = [*call.clauses(LINE_FILTERS, table), *tx.visible(Bill, table.c.bill_id)]
        return tx.page(LineItem, call.page(LARGEST_PAGE), clauses)


def list_bill_lines(call: Call) -> Any:
    """List a bill's lines in their order."""
    with call.reading() as tx:
        return service.page_of_lines(tx, call.path["billId"], call.page(LARGEST_PAGE))


def get_line(call: Call) -> Any:
    """Get a line of a bill."""
    with call.reading() as tx:
        return service.get_line(tx, call.path["billId"], call.path["id"])


def explain(call: Call) -> Any:
    """Explain a line of a bill: its derivation, as values and as text."""
    with call.reading() as tx:
        return service.explain_line(tx, call.path["billId"], call.path["id"])


def set_status(call: Call) -> Any:
    """Approve a bill, or take its approval back."""
    with call.writing() as tx:
        return service.set_status(tx, call.path["id"], call.body.status)


def lock_bill(call: Call) -> Any:
    """Lock a bill for good."""
    with call.writing() as tx:
        return service.lock_bill(tx, call.path["id"])


def delete_bill(call: Call) -> Any:
    """Delete a bill that is not locked."""
    with call.writing() as tx:
        return service.delete_bill(tx, call.path["id"])


def approve_bills(call: Call) -> Any:
    """Approve the named bills, all or none."""
    with call.writing() as tx:
        return _approved(service.approve_bills(tx, call.body.bill_ids))


def approve_period(call: Call) -> Any:
    """Approve all pending bills of a period."""
    with call.writing() as tx:
        return _approved(service.approve_period(tx, *_period(call.path)))


def verify_bill(call: Call) -> Any:
    """Recompute a bill from stored usage and compare."""
    with call.services.database.snapshot(call.org_id) as tx:
        return service.verify_bill(tx, call.services.usage, call.path["id"])


def preview_bill(call: Call) -> Any:
    """Calculate one bill and store nothing."""
    with call.services.database.snapshot(call.org_id) as tx:
        return service.preview_bill(tx, call.services.usage, from_request(BillJob, call.body))


def simulate_bills(call: Call) -> Any:
    """Rate a period under other prices and store nothing."""
    with call.services.database.snapshot(call.org_id) as tx:
        return simulate(tx, call.services.usage, call.body, call.page(LARGEST_PAGE))


def create_job(call: Call) -> Any:
    """Order the bills of a period."""
    with call.writing() as tx:
        return jobs.create_job(tx, from_request(BillJob, call.body))


def recalculate(call: Call) -> Any:
    """Order some bills anew."""
    with call.writing() as tx:
        return jobs.recalculate_job(tx, call.body.bill_ids)


def get_config(call: Call) -> Any:
    """Get the bill configuration."""
    with call.writing() as tx:
        return get_bill_config(tx)


def update_config(call: Call) -> Any:
    """Close the books up to a date, or open them again.

    Bills up to the date are locked; those that only a later date held are unlocked.
    """
    with call.writing() as tx:
        return update_bill_config(tx, call.body)


def list_failures(call: Call) -> Any:
    """List the accounts whose bills a job could not make, and why."""
    with call.reading() as tx:
        job = tx.get(BillJob, call.path["id"])
        return page_of_failures(tx, job.id, call.page(LARGEST_PAGE))


def cancel_job(call: Call) -> Any:
    """End a job after the chunk it is at."""
    with call.writing() as tx:
        return jobs.cancel_job(tx, call.path["id"])


# --- reading requests ---------------------------------------------------------------------------


def _period(path: Mapping[str, str]) -> tuple[date, BillingFrequency]:
    last_date = read_date("lastDateInBillingPeriod", path["lastDateInBillingPeriod"])
    problems: list[Problem] = []
    frequency = reader(BillingFrequency)(path["billingFrequency"], "billingFrequency", problems)
    if problems:
        raise InvalidBody(problems)
    return last_date, frequency


def _path_id(call: Call, name: str) -> str:
    problems: list[Problem] = []
    value: str = reader(Id)(call.path[name], name, problems)
    if problems:
        raise InvalidBody(problems)
    return value


def read_date(name: str, given: str) -> date:
    """Read a date; of a date-time its day counts. Raises InvalidBody."""
    try:
        return date.fromisoformat(given[: len("2024-01-31")])
    except ValueError as error:
        fault = Problem(name, "wrong_format", "must be a date, such as 2024-01-31")
        raise InvalidBody([fault]) from error


def _approved(count: int) -> BillApproval:
    return BillApproval(message=f"{count} bill{'' if count == 1 else 's'} approved")
