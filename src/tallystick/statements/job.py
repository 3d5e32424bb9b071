"""Statement jobs: orders to make the statement of a bill, and the files they made."""

from collections.abc import Iterator
from datetime import datetime
from enum import StrEnum
from typing import Annotated, Any, Self

import msgspec
from msgspec import Meta
from sqlalchemy import ColumnElement, Index

from tallystick.billing.bill import Bill
from tallystick.catalogue.meter import Meter
from tallystick.kernel.problems import Problem
from tallystick.platform.resources import By, Computed, Entity, Hidden, Id, Transaction, resource, resource_of
from tallystick.platform.resources.checks import no_repeats
from tallystick.platform.resources.filters import Values
from tallystick.platform.resources.wire import InvalidBody

MOST_METERS = 10


class StatementJobStatus(StrEnum):
    """Where a job is (semantics §26)."""

    PENDING = "PENDING"
    RUNNING = "RUNNING"
    COMPLETE = "COMPLETE"
    CANCELLED = "CANCELLED"
    FAILED = "FAILED"


class StatementStatus(StrEnum):
    """Whether a file still says what its bill does: STALE once the bill changed, INVALIDATED without it."""

    LATEST = "LATEST"
    STALE = "STALE"
    INVALIDATED = "INVALIDATED"


ACTIVE = (StatementJobStatus.PENDING, StatementJobStatus.RUNNING)


class StatementJobFilters(msgspec.Struct, kw_only=True, rename="camel"):
    """Which lines the statement shows: only those of these meters."""

    meter_ids: Annotated[list[Id], Meta(max_length=MOST_METERS)] | None = None


@resource("statementjobs", event="billing.statementjob", verbs=())
class StatementJob(Entity, kw_only=True):
    """An order to make the statement of a bill: in JSON always, in CSV if asked (semantics §26).

    bill_mark: the state of the bill that the files were made from.
    """

    bill_id: Id
    include_csv_format: bool = False
    filters: StatementJobFilters | None = None
    statement_job_status: Annotated[StatementJobStatus, Computed()] = StatementJobStatus.PENDING
    failure_reason: Annotated[str | None, Computed()] = None
    bill_mark: Annotated[str | None, Hidden()] = None

    @property
    def is_active(self) -> bool:
        """Tell whether the job has not ended."""
        return self.statement_job_status in ACTIVE

    @property
    def meter_ids(self) -> list[str] | None:
        """The meters whose lines are shown; None is every line."""
        return (self.filters.meter_ids if self.filters else None) or None

    def file_key(self, kind: str) -> str:
        """Give the key of a file. kind: `json` or `csv`. Ids are never given twice, so it needs no more."""
        return f"statements/{self.id}.{kind}"

    def settle(self, tx: Transaction, old: Self | None) -> Self:
        """Write the bill's id as bills have it."""
        return msgspec.structs.replace(self, bill_id=self.bill_id.lower())

    def check(self) -> Iterator[Problem]:
        """No meter stands twice."""
        yield from no_repeats("filters.meterIds[{i}]", self.meter_ids or [], "{value} stands twice")

    def check_stored(self, tx: Transaction, old: Entity | None) -> Iterator[Problem]:
        """The bill and the meters exist. Not a reference: the bill can be deleted, and its files with it."""
        if old is not None:
            return
        if tx.find_one(Bill, id=self.bill_id) is None:
            yield Problem("billId", "unknown_reference", f"{self.bill_id} is not the id of any bill")
        wanted = self.meter_ids or []
        found = {meter.id for meter in tx.find(Meter, id=wanted)} if wanted else set()
        for i, each in enumerate(wanted):
            if each.lower() not in found:
                message = f"{each} is not the id of any meter"
                yield Problem(f"filters.meterIds[{i}]", "unknown_reference", message)


_table = resource_of(StatementJob).table
Index("ix_statementjobs_bill_id", _table.c.org_id, _table.c.bill_id)


class StatementJobAnswer(StatementJob, kw_only=True):
    """A job as it is answered: with links to its files, each good for an hour."""

    org_id: str
    presigned_json_statement_url: str | None = None
    json_statement_status: StatementStatus | None = None
    presigned_csv_statement_url: str | None = None
    csv_statement_status: StatementStatus | None = None

    @property
    def has_files(self) -> bool:
        """Tell whether its files can be downloaded: they are made, and their bill is still there."""
        return self.json_statement_status in {StatementStatus.LATEST, StatementStatus.STALE}


class StatementsBatchJobRequest(msgspec.Struct, kw_only=True, rename="camel"):
    """The bills whose statements are to be made, one job for each."""

    version: int | None = None
    bill_ids: Annotated[list[Id], Meta(min_length=1, max_length=10)]
    include_csv_format: bool = False
    filters: StatementJobFilters | None = None


def job_clauses(values: Values, now: datetime) -> list[ColumnElement[bool]]:
    """Read the filters of the list: one of active, status and billId (semantics §1). Raises InvalidBody."""
    given = [name for name in ("active", "status", "billId") if any(values.get(name, ()))]
    if len(given) > 1:
        message = f"give only one of active, status and billId, not {' and '.join(given)}"
        raise InvalidBody([Problem(given[1], "exactly_one", message)])
    if given == ["active"]:
        return _active(values["active"][0])
    by: dict[str, Any] = {
        "status": By("status", "statement_job_status", item=StatementJobStatus),
        "billId": By("billId", "bill_id"),
    }
    return [clause for name in given for clause in by[name].clauses(_table, values, now)]


def _active(asked: str) -> list[ColumnElement[bool]]:
    """Keep the jobs that have not ended; `false` keeps them all, as the original does."""
    if asked.lower() not in {"true", "false"}:
        raise InvalidBody([Problem("active", "wrong_type", "must be true or false")])
    states = [status.value for status in ACTIVE]
    return [_table.c.statement_job_status.in_(states)] if asked.lower() == "true" else []
