"""Bill jobs: queued with their cause, run in chunks, resumed where they were, cancelled between chunks.

Each chunk is one transaction that writes whole bills and moves the job's cursor, so a run that is killed
goes on after its last whole chunk and never bills twice.
"""

from collections.abc import Callable, Sequence
from concurrent.futures import Executor, ThreadPoolExecutor
from dataclasses import dataclass, replace
from datetime import date

import msgspec
from sqlalchemy import CompoundSelect, exists, func, select, text, union, update

from tallystick.accounts.account import Account
from tallystick.accounts.account_plan import AccountPlan, ChildBillingMode
from tallystick.balances.charge import Charge
from tallystick.balances.commitment import Commitment
from tallystick.billing.bill import Bill
from tallystick.billing.bill_job import ACTIVE, BillJob, BillJobStatus, BillJobType, JobCause
from tallystick.billing.calculate import BillInputs, Draft, calculate_bill
from tallystick.billing.diff import Stamp
from tallystick.billing.errors import MAX_RUNNING_JOBS, BillJobEnded, TooManyBillJobs
from tallystick.billing.load import load_anew, load_bills
from tallystick.billing.save import Failure, save_bills
from tallystick.billing.selection import selection_of, zone_of
from tallystick.billing.usage import UsageQueries
from tallystick.kernel.errors import Invalid, Unavailable
from tallystick.kernel.periods import local_date
from tallystick.organizations.organization_config import config_of
from tallystick.platform.database import Database
from tallystick.platform.jobs import JobInterrupted, Jobs, defer
from tallystick.platform.resources import Transaction, resource_of

TASK = "billing.run_bill_job"
CHUNK = 500
NEVER = "00000000-0000-0000-0000-000000000000"


@dataclass(frozen=True)
class Chunk:
    """Some accounts' bills (or bills made anew), ready to be saved. after: the cursor it follows."""

    after: str | None
    work: list[str]
    drafts: list[Draft]
    failures: list[Failure]
    is_last: bool


@dataclass(frozen=True)
class BillRunner:
    """What a run works with.

    chunk: accounts, or bills, a transaction. is_stopping: asked between chunks.
    """

    database: Database
    usage: UsageQueries
    chunk: int = CHUNK
    is_stopping: Callable[[], bool] = lambda: False

    def register(self, jobs: Jobs) -> None:
        """Let a worker run bill jobs, until it stops."""
        jobs.task(TASK, replace(self, is_stopping=jobs.is_stopping).run)

    def run(self, org_id: str, job_id: str) -> None:
        """Run a job to its end, from wherever it is; harmless to repeat. Raises Unavailable: try again.

        A bug ends the job as CANCELLED, with the failure noted, so that it does not run forever.
        """
        try:
            with ThreadPoolExecutor(1, thread_name_prefix="billing") as ahead:
                self._go_on(org_id, self._start(org_id, job_id), ahead)
        except Unavailable:
            raise
        except Exception as error:
            self._give_up(org_id, job_id, error)
            raise

    def _go_on(self, org_id: str, job: BillJob, ahead: Executor) -> None:
        """Do chunk after chunk; while one is saved, the next is loaded and calculated already.

        Raises JobInterrupted when the worker is stopping.
        """
        chunk: Chunk | None = None
        while job.is_active:
            if self.is_stopping():
                raise JobInterrupted
            if chunk is None or chunk.after != job.cursor:
                chunk = self._prepare(org_id, job, job.cursor)
            following = None if chunk.is_last else ahead.submit(self._prepare, org_id, job, chunk.work[-1])
            job = self._save(org_id, job, chunk)
            chunk = following.result() if following else None

    def _start(self, org_id: str, job_id: str) -> BillJob:
        """Count what is to be done, once, and fix the billing date."""
        with self.database.transaction(org_id) as tx:
            job = tx.get(BillJob, job_id, lock=True)
            if job.status is not BillJobStatus.PENDING:
                return job
            config = config_of(tx)
            today = local_date(tx.clock.now(), zone_of(job, config))
            total = len(job.bill_ids or []) if job.type is BillJobType.RECALCULATE else _count(tx, job)
            running = msgspec.structs.replace(
                job, status=BillJobStatus.RUNNING, total=total, pending=total, today=today
            )
            return tx.update(job, running)

    def _prepare(self, org_id: str, job: BillJob, after: str | None) -> Chunk:
        """Load and calculate the chunk that follows a cursor, from one snapshot."""
        with self.database.snapshot(org_id) as tx:
            work = _next(tx, job, after, self.chunk)
            loaded = _load(tx, self.usage, job, work)
        drafts, failures = calculate_all(loaded)
        return Chunk(after, work, drafts, failures, is_last=len(work) < self.chunk)

    def _save(self, org_id: str, job: BillJob, chunk: Chunk) -> BillJob:
        """Save a chunk and move the cursor, in one transaction. The last chunk completes the job."""
        with self.database.transaction(org_id, job.created_by or NEVER) as tx:
            current = tx.get(BillJob, job.id, lock=True)
            if not current.is_active or current.cursor != chunk.after:
                return current  # cancelled, or another worker did this chunk: what was calculated is dropped
            save_bills(tx, chunk.drafts, chunk.failures, _stamp(tx, current))
            return _advance(tx, current, chunk)

    def _give_up(self, org_id: str, job_id: str, error: Exception) -> None:
        with self.database.transaction(org_id) as tx:
            job = tx.get(BillJob, job_id, lock=True)
            if job.is_active:
                failure = f"{type(error).__name__}: {error}"[:2000]
                tx.update(job, msgspec.structs.replace(job, status=BillJobStatus.CANCELLED, failure=failure))


def create_job(tx: Transaction, job: BillJob) -> BillJob:
    """Store a job and queue it, both or neither. Raises InvalidBody, TooManyBillJobs."""
    tx.execute(_LOCK, {"name": f"tallystick.billjobs.{tx.org_id}"})
    table = resource_of(BillJob).table
    active = select(func.count()).where(
        table.c.org_id == tx.org_id, table.c.status.in_([s.value for s in ACTIVE])
    )
    if tx.execute(active).scalar_one() >= MAX_RUNNING_JOBS:
        raise TooManyBillJobs
    created = tx.create(job)
    # One run at a time for each organization: two would only wait for each other's bills.
    defer(tx, TASK, {"org_id": tx.org_id, "job_id": created.id}, lock=f"billing.{tx.org_id}")
    return created


_LOCK = text("SELECT pg_advisory_xact_lock(hashtextextended(:name, 0))")


def recalculate_job(tx: Transaction, bill_ids: list[str]) -> BillJob:
    """Store and queue a job that makes these bills anew. Raises InvalidBody, TooManyBillJobs."""
    wanted = sorted({bill_id.lower() for bill_id in bill_ids})
    return create_job(tx, BillJob(type=BillJobType.RECALCULATE, bill_ids=wanted))


def cancel_job(tx: Transaction, job_id: str) -> BillJob:
    """End a job after the chunk it is at; whole bills stay. Raises ResourceNotFound, BillJobEnded."""
    job = tx.get(BillJob, job_id, lock=True)
    if not job.is_active:
        raise BillJobEnded(job.status)
    return tx.update(job, msgspec.structs.replace(job, status=BillJobStatus.CANCELLED))


def calculate_all(loaded: Sequence[BillInputs]) -> tuple[list[Draft], list[Failure]]:
    """Calculate a chunk; a refusal fails the account's bill, and no other."""
    drafts: list[Draft] = []
    failures: list[Failure] = []
    for inputs in loaded:
        try:
            drafts.append(calculate_bill(inputs))
        except Invalid as error:
            failures.append(Failure(inputs.account, error))
    return drafts, failures


def _count(tx: Transaction, job: BillJob) -> int:
    if job.account_ids is not None:
        return len(job.account_ids)
    counted = select(func.count()).select_from(billed_accounts(tx, NEVER, None).subquery())
    return int(tx.execute(counted).scalar_one())


def billed_accounts(tx: Transaction, after: str, most: int | None) -> CompoundSelect[tuple[str]]:
    """Select the accounts that have plans, charges to be billed or commitments, and children billed alone.

    most: of either kind, the first so many after the cursor; so a chunk does not sort all accounts.
    """
    plans, accounts = resource_of(AccountPlan).table, resource_of(Account).table
    of_own = (plans.c.org_id == tx.org_id, plans.c.account_id > after)
    own = select(plans.c.account_id).distinct().where(*of_own).order_by(plans.c.account_id).limit(most)
    lends = exists().where(
        plans.c.org_id == tx.org_id,
        plans.c.account_id == accounts.c.parent_account_id,
        plans.c.child_billing_mode == ChildBillingMode.CHILD.value,
    )
    mine = (accounts.c.org_id == tx.org_id, accounts.c.parent_account_id.is_not(None), accounts.c.id > after)
    lent = select(accounts.c.id.label("account_id")).where(*mine, lends)
    lent = lent.order_by(accounts.c.id).limit(most)
    charges, commitments = resource_of(Charge).table, resource_of(Commitment).table
    waiting = (charges.c.org_id == tx.org_id, charges.c.account_id > after, charges.c.bill_id.is_(None))
    charged = (
        select(charges.c.account_id).distinct().where(*waiting).order_by(charges.c.account_id).limit(most)
    )
    promised = (commitments.c.org_id == tx.org_id, commitments.c.account_id > after)
    owing = select(commitments.c.account_id).distinct().where(*promised)
    owing = owing.order_by(commitments.c.account_id).limit(most)
    return union(*(select(each.subquery()) for each in (own, lent, charged, owing)))


def _next(tx: Transaction, job: BillJob, after: str | None, chunk: int) -> list[str]:
    """Give the next ids after the cursor: of accounts with plans, or of bills to make anew."""
    cursor = after or NEVER
    if job.type is BillJobType.RECALCULATE:
        return [b for b in sorted(job.bill_ids or []) if b > cursor][:chunk]
    if job.account_ids is not None:
        return [a for a in sorted(i.lower() for i in job.account_ids) if a > cursor][:chunk]
    accounts = billed_accounts(tx, cursor, chunk).order_by("account_id").limit(chunk)
    return [row[0] for row in tx.execute(accounts)]


def _load(tx: Transaction, usage: UsageQueries, job: BillJob, work: Sequence[str]) -> list[BillInputs]:
    if not work:
        return []
    config = config_of(tx)
    if job.type is BillJobType.RECALCULATE:
        return load_anew(tx, usage, [b for b in tx.find(Bill, id=list(work)) if not b.locked], config)
    return load_bills(tx, usage, selection_of(job, config, job.today or date.max), work)


def _stamp(tx: Transaction, job: BillJob) -> Stamp:
    given = (job.bill_date, job.due_date, job.external_invoice_date)
    makes_anew = job.type is BillJobType.RECALCULATE
    return Stamp(
        at=tx.clock.now(),
        by=job.created_by or NEVER,
        job_id=job.id,
        makes_anew=makes_anew,
        reopens=makes_anew and job.cause is not JobCause.LATE,
        sets_dates=any(given),
        keeps_approved=job.cause in {JobCause.CLOSED, JobCause.CURRENT},
    )


def _advance(tx: Transaction, job: BillJob, chunk: Chunk) -> BillJob:
    """Move the cursor without an event; the end of the job is one."""
    pending = 0 if chunk.is_last else max(0, job.pending - len(chunk.work))
    cursor = chunk.work[-1] if chunk.work else job.cursor
    moved = msgspec.structs.replace(job, cursor=cursor, pending=pending)
    if chunk.is_last:
        return tx.update(job, msgspec.structs.replace(moved, status=BillJobStatus.COMPLETE))
    table = resource_of(BillJob).table
    own = (table.c.org_id == tx.org_id, table.c.id == job.id)
    tx.execute(update(table).where(*own).values(cursor=cursor, pending=pending))
    return moved
