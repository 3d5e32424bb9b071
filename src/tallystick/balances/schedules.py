"""Run balance schedules: each run that is due, in the order of time, once."""

from dataclasses import dataclass
from datetime import datetime, tzinfo

import msgspec
from sqlalchemy import func, select

from tallystick.balances.balance import Balance
from tallystick.balances.balance_transaction import BalanceTransaction
from tallystick.balances.charge import Charge
from tallystick.balances.charge_schedule import BalanceChargeSchedule
from tallystick.balances.ledger import amend_and_tell, post_transaction
from tallystick.balances.runs import run_beside
from tallystick.balances.transaction_schedule import BalanceTransactionSchedule
from tallystick.events.declared import domain_event
from tallystick.events.record import append_event
from tallystick.kernel.errors import Invalid
from tallystick.organizations.organization_config import organization_zone
from tallystick.platform.database import Database
from tallystick.platform.resources import Transaction, resource_of
from tallystick.platform.resources.wire import answer

Schedule = BalanceTransactionSchedule | BalanceChargeSchedule
_KINDS: tuple[type[Schedule], ...] = (BalanceTransactionSchedule, BalanceChargeSchedule)


class FailedRun(msgspec.Struct, frozen=True, kw_only=True, rename="camel"):
    """A run of a schedule that could not be made, and why."""

    schedule_id: str
    at: datetime
    code: str
    message: str


FAILED = domain_event("billing.schedulerun.failed", FailedRun)


@dataclass(frozen=True)
class BalanceSchedules:
    """What falls due: the runs of all balance schedules."""

    database: Database

    def next_due(self, tx: Transaction) -> datetime | None:
        """Give the earliest instant at which a schedule of this organization is to run, if one ever is."""
        found = [_earliest(tx, kind) for kind in _KINDS]
        return min((at for at in found if at is not None), default=None)

    def run_due(self, org_id: str, now: datetime) -> None:
        """Make every run that is due by `now`, each in a transaction of its own; harmless to repeat."""
        for kind in _KINDS:
            is_left = True
            while is_left:
                with self.database.transaction(org_id) as tx:
                    is_left = _run_next(tx, kind, now)


def _earliest(tx: Transaction, kind: type[Schedule]) -> datetime | None:
    table = resource_of(kind).table
    at: datetime | None = tx.execute(
        select(func.min(table.c.next_run)).where(table.c.org_id == tx.org_id)
    ).scalar_one()
    return at


def _run_next(tx: Transaction, kind: type[Schedule], now: datetime) -> bool:
    """Make the earliest run that is due; tells whether there was one."""
    table = resource_of(kind).table
    due = tx.select(kind, table.c.next_run <= now).order_by(None).order_by(table.c.next_run, table.c.id)
    found = tx.load(kind, due.limit(1).with_for_update())
    for schedule in found:
        zone = organization_zone(tx)
        due_at = schedule.next_run
        if due_at is None:  # only for the type: what is due has one
            continue
        at, following = run_beside(schedule.instants(zone), due_at)
        try:
            if at is not None:
                _make(tx, schedule, at, zone)
        except Invalid as error:
            # It would fail again and again: the run is passed over, and told of.
            failed = FailedRun(schedule_id=schedule.id, at=due_at, code=error.code, message=error.message)
            append_event(tx, FAILED, {"newDto": answer(failed)}, schedule.id)
        amend_and_tell(tx, schedule, previous_run=at or due_at, next_run=following)
    return bool(found)


def _make(tx: Transaction, schedule: Schedule, at: datetime, zone: tzinfo) -> None:
    """Make what the run at an instant makes, unless it is there."""
    if isinstance(schedule, BalanceTransactionSchedule):
        transaction = schedule.transaction(at)
        if tx.find_one(BalanceTransaction, id=transaction.id) is None:
            post_transaction(tx, schedule.balance_id, transaction)
        return
    run = next(each for each in schedule.runs(zone) if each.at == at)
    charge = schedule.charge(tx.get(Balance, schedule.balance_id), run)
    if tx.find_one(Charge, id=charge.id) is None:
        tx.create(charge)
