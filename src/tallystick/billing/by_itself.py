"""What bills do by themselves: scheduled runs, runs for late usage, approval (semantics §3, §6)."""

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import datetime, timedelta

from sqlalchemy import ColumnElement, select

from tallystick.billing.bill import Bill, BillStatus
from tallystick.billing.bill_job import ACTIVE, BillJob, BillJobType, JobCause
from tallystick.billing.elsewhere import has_other
from tallystick.billing.errors import TooManyBillJobs
from tallystick.billing.jobs import create_job
from tallystick.billing.late import bills_changed, closed_periods
from tallystick.billing.schedule_state import ScheduleState, keep_state, schedule_state
from tallystick.billing.service import approve
from tallystick.billing.slots import Slots, approved_at, grace_of, slots_of
from tallystick.billing.store import lock_bills
from tallystick.billing.usage import UsageQueries
from tallystick.kernel.clock import Clock
from tallystick.kernel.periods import local_date
from tallystick.kernel.zones import parse_zone
from tallystick.organizations.organization_config import OrganizationConfig, config_of
from tallystick.platform.database import Database
from tallystick.platform.resources import Transaction, resource_of

APPROVED_AT_ONCE = 1000
MARGIN = timedelta(seconds=10)
"What is received so short before it is looked for may not be seen yet: it is looked for once more."
_bills = resource_of(Bill).table


@dataclass(frozen=True)
class BillingSchedule:
    """Scheduled runs, and in the day after each the runs for late usage.

    server_clock: usage is received by it, also where the organization has a test clock.
    """

    database: Database
    usage: UsageQueries
    server_clock: Clock

    def next_due(self, tx: Transaction) -> datetime | None:
        """Give the next slot, or the next look for late usage if that comes first."""
        slots, state = _slots(tx), schedule_state(tx)
        if slots is None:
            return None
        if state is None:
            return slots.after(config_of(tx).dt_last_modified or tx.clock.now())
        looks = (
            c.next_look(state.looked_at) for c in closed_periods(tx, slots, state.looked_at, state.ran_at)
        )
        return min((slots.after(state.ran_at), *(look for look in looks if look is not None)))

    def run_due(self, org_id: str, now: datetime) -> None:
        """Look for late usage and queue its run; where a slot has come, queue the scheduled runs.

        Where too many jobs run already, nothing is done, and it stays due.
        """
        try:
            with self.database.transaction(org_id) as tx:
                due = self.next_due(tx)
                slots = _slots(tx)
                if slots is not None and due is not None and due <= now:
                    self._run(tx, slots, now)
        except TooManyBillJobs:
            return

    def _run(self, tx: Transaction, slots: Slots, now: datetime) -> None:
        state = schedule_state(tx, lock=True)
        server_now = self.server_clock.now()
        if state is not None:
            closed = closed_periods(tx, slots, state.looked_at, state.ran_at)
            if late := bills_changed(tx, self.usage, closed, state.received_until):
                create_job(tx, BillJob(type=BillJobType.RECALCULATE, bill_ids=late, cause=JobCause.LATE))
        slot = slots.latest(now)
        if state is None or slot > state.ran_at:
            for cause in (JobCause.CLOSED, JobCause.CURRENT):
                if not any(job.cause is cause for job in _active_jobs(tx)):
                    create_job(tx, BillJob(cause=cause))
        keep_state(tx, ScheduleState(ran_at=slot, looked_at=now, received_until=server_now - MARGIN))


@dataclass(frozen=True)
class AutoApproval:
    """Approval of bills so long after their date, once each."""

    database: Database

    def next_due(self, tx: Transaction) -> datetime | None:
        """Give when the earliest pending bill is approved; None while a run of the schedule is under way."""
        config = config_of(tx)
        grace = grace_of(config)
        if grace is None:
            return None
        first = select(_bills.c.bill_date).where(*_pending(tx)).order_by(_bills.c.bill_date).limit(1)
        earliest = tx.execute(first).scalar_one_or_none()
        if earliest is None or any(job.cause is not JobCause.REQUEST for job in _active_jobs(tx)):
            return None
        return approved_at(earliest, parse_zone(config.timezone), grace)

    def run_due(self, org_id: str, now: datetime) -> None:
        """Approve what is due, in portions; a statement that follows approval is ordered with it."""
        count = APPROVED_AT_ONCE
        while count == APPROVED_AT_ONCE:
            with self.database.transaction(org_id) as tx:
                lock_bills(tx)
                due, config = self.next_due(tx), config_of(tx)
                grace = grace_of(config)
                if grace is None or due is None or due > now:  # a run may have been queued meanwhile
                    return
                latest = local_date(now - grace, parse_zone(config.timezone))
                found = tx.select(Bill, *_pending(tx), _bills.c.bill_date <= latest)
                count = approve(tx, tx.load(Bill, found.limit(APPROVED_AT_ONCE).with_for_update()))


def _slots(tx: Transaction) -> Slots | None:
    config = tx.find_one(OrganizationConfig)
    return slots_of(config) if config else None


def _active_jobs(tx: Transaction) -> list[BillJob]:
    return tx.find(BillJob, status=[status.value for status in ACTIVE])


def _pending(tx: Transaction) -> Iterator[ColumnElement[bool]]:
    """Ask for bills that may be approved by themselves; the words of the index `ix_bills_pending`."""
    yield _bills.c.org_id == tx.org_id
    yield _bills.c.status == BillStatus.PENDING.value
    yield ~_bills.c.locked
    yield ~_bills.c.approved_once
    yield ~has_other()  # which of the two holds, a person has to say
