"""Verbs of statements: one public function each. Making the files is in `runner`."""

from collections.abc import Collection, Sequence

import msgspec
from sqlalchemy import and_, func, select

from tallystick.billing.bill import Bill
from tallystick.billing.line_item import LineItem
from tallystick.platform.jobs import defer
from tallystick.platform.resources import Transaction, resource_of
from tallystick.platform.resources.rows import among
from tallystick.statements.errors import StatementJobEnded, StatementNotFound
from tallystick.statements.job import (
    StatementJob,
    StatementJobAnswer,
    StatementJobStatus,
    StatementsBatchJobRequest,
    StatementStatus,
)

TASK = "statements.make_statements"
AT_ONCE = 100
"So many statements are one task of the queue: each is its own transaction."


def create_job(tx: Transaction, job: StatementJob) -> StatementJob:
    """Store a job and queue it, both or neither. Raises InvalidBody."""
    created = tx.create(job)
    _queue(tx, [created])
    return created


def create_batch(tx: Transaction, request: StatementsBatchJobRequest) -> list[StatementJob]:
    """Store and queue a job for each bill, all or none; one for a bill named twice. Raises InvalidBody."""
    bills = list(dict.fromkeys(bill_id.lower() for bill_id in request.bill_ids))
    asked = {"include_csv_format": request.include_csv_format, "filters": request.filters}
    return create_jobs(tx, [msgspec.structs.replace(StatementJob(bill_id=each), **asked) for each in bills])


def create_jobs(tx: Transaction, jobs: Sequence[StatementJob]) -> list[StatementJob]:
    """Store and queue jobs. Raises InvalidBody."""
    created = tx.create_all(jobs)
    _queue(tx, created)
    return created


def _queue(tx: Transaction, jobs: Sequence[StatementJob]) -> None:
    for first in range(0, len(jobs), AT_ONCE):
        ids = [job.id for job in jobs[first : first + AT_ONCE]]
        defer(tx, TASK, {"org_id": tx.org_id, "job_ids": ids})


def cancel_job(tx: Transaction, job_id: str) -> StatementJob:
    """End a job; what it has made by then is dropped. Raises ResourceNotFound, StatementJobEnded."""
    job = tx.get(StatementJob, job_id, lock=True)
    if not job.is_active:
        raise StatementJobEnded(job.statement_job_status)
    return tx.update(job, msgspec.structs.replace(job, statement_job_status=StatementJobStatus.CANCELLED))


def latest_statement(tx: Transaction, bill_id: str, *, csv: bool) -> StatementJob:
    """Give the newest job that made a bill's whole statement, in CSV if asked.

    Raises ResourceNotFound, StatementNotFound.
    """
    tx.get(Bill, bill_id)
    complete = tx.find(StatementJob, bill_id=bill_id, statement_job_status=StatementJobStatus.COMPLETE.value)
    found = next((job for job in complete if not job.meter_ids and (job.include_csv_format or not csv)), None)
    if found is None:
        kind = "CSV" if csv else "JSON"
        raise StatementNotFound(f"This bill has no {kind} statement yet: create a statement job for it.")
    return found


def finished_statement(tx: Transaction, job_id: str) -> StatementJob:
    """Give a job whose files are there. Raises ResourceNotFound, StatementNotFound."""
    job = tx.get(StatementJob, job_id)
    if job.statement_job_status is not StatementJobStatus.COMPLETE:
        raise StatementNotFound(f"This statement is not there: its job is {job.statement_job_status}.")
    return job


def check_bill_is_there(tx: Transaction, job: StatementJob) -> None:
    """Refuse the statement of a bill that was deleted. Raises StatementNotFound."""
    if tx.find_one(Bill, id=job.bill_id) is None:
        raise StatementNotFound("The bill of this statement was deleted, and the statement with it.")


def job_answers(tx: Transaction, jobs: Sequence[StatementJob]) -> list[StatementJobAnswer]:
    """Give jobs as they are answered, but for the links."""
    marks = bill_marks(tx, {job.bill_id for job in jobs})
    return [_answer(tx.org_id, job, marks.get(job.bill_id)) for job in jobs]


def _answer(org_id: str, job: StatementJob, mark: str | None) -> StatementJobAnswer:
    status = None
    if job.statement_job_status is StatementJobStatus.COMPLETE:
        changed = StatementStatus.STALE if mark is not None else StatementStatus.INVALIDATED
        status = StatementStatus.LATEST if mark == job.bill_mark else changed
    return StatementJobAnswer(
        **msgspec.structs.asdict(job),
        org_id=org_id,
        json_statement_status=status,
        csv_statement_status=status if job.include_csv_format else None,
    )


def bill_marks(tx: Transaction, bill_ids: Collection[str]) -> dict[str, str]:
    """Give the state of each bill that exists, as a text that is another one once its lines changed."""
    if not bill_ids:
        return {}
    bills, lines = resource_of(Bill).table.c, resource_of(LineItem).table.c
    same = and_(lines.org_id == bills.org_id, lines.bill_id == bills.id)
    marks = (
        select(bills.id, bills.bill_total, func.count(lines.id), func.sum(lines.version))
        .add_columns(func.max(lines.dt_last_modified))
        .select_from(resource_of(Bill).table.outerjoin(resource_of(LineItem).table, same))
        .where(bills.org_id == tx.org_id, among(bills.id, bill_ids))
        .group_by(bills.id, bills.bill_total)
    )
    return {row[0]: " ".join(map(str, row[1:])) for row in tx.execute(marks)}
