"""Starting runs: when a bill is approved, a notification's rule is met, or it is time."""

from collections.abc import Iterable, Mapping, Sequence
from datetime import datetime, timedelta
from typing import Any, Final

import msgspec
from sqlalchemy import exists, select, update

from tallystick.accounts.account import Account
from tallystick.billing.bill import Bill, BillStatus
from tallystick.billing.save import bill_followers
from tallystick.integrations.account_filter import account_facts, read_account_filter
from tallystick.integrations.config import IntegrationConfig, TriggerType
from tallystick.integrations.run import IntegrationRun, RunStatus
from tallystick.platform.cron import next_time
from tallystick.platform.database import Database
from tallystick.platform.jobs import defer
from tallystick.platform.resources import Change, Transaction, resource_of
from tallystick.platform.resources.wire import answer

TASK: Final = "integrations.run"
BILL: Final = "Bill"
NOTIFICATION: Final = "Notification"
CHUNK: Final = 500
_configs, _runs, _bills = (resource_of(each).table for each in (IntegrationConfig, IntegrationRun, Bill))


def queue_run(tx: Transaction, run: IntegrationRun) -> None:
    """Queue a stored run. Runs of one configuration go one after the other."""
    defer(tx, TASK, {"org_id": tx.org_id, "run_id": run.id}, lock=f"{TASK}.{run.config_id}")


def start_runs(
    tx: Transaction,
    config: IntegrationConfig,
    entity_ids: Sequence[str],
    facts: Mapping[str, Any] | None = None,
    parents: Mapping[str, str] | None = None,
) -> list[IntegrationRun]:
    """Store and queue a run for each entity, with its cause. parents: the run that each repeats."""
    wanted = [
        IntegrationRun(
            entity_type=config.entity_type,
            entity_id=entity_id,
            destination=config.destination,
            destination_id=config.destination_id,
            config_id=config.id,
            facts=dict(facts) if facts is not None else None,
            parent_integration_run_id=(parents or {}).get(entity_id),
        )
        for entity_id in entity_ids
    ]
    made = tx.create_all(wanted) if wanted else []
    for run in made:
        queue_run(tx, run)
    return made


# --- bills --------------------------------------------------------------------------------------


def follow_bills(tx: Transaction, changed: Iterable[tuple[Bill | None, Bill]]) -> None:
    """Start the runs of bills that have just been approved, in the transaction that approves them."""
    approved = [new for old, new in changed if _is_approved_by(old, new)]
    if not approved:
        return
    configs = tx.find(IntegrationConfig, entity_type=BILL, enabled=True, trigger_type=TriggerType.EVENT.value)
    for config in configs:
        start_runs(tx, config, _meant(tx, config, approved))


def note_changes(tx: Transaction, /, *changes: Change) -> None:
    """Follow the bills among recorded changes."""
    bills = [(c.old, c.new) for c in changes if isinstance(c.new, Bill)]
    follow_bills(tx, [(old if isinstance(old, Bill) else None, new) for old, new in bills])


def _is_approved_by(old: Bill | None, new: Bill) -> bool:
    return new.status is BillStatus.APPROVED and (old is None or old.status is not BillStatus.APPROVED)


def _meant(tx: Transaction, config: IntegrationConfig, bills: Sequence[Bill]) -> list[str]:
    """Give the bills that a configuration is for: by its entityId, and by its account filter."""
    meant = [bill for bill in bills if config.entity_id in {None, bill.id}]
    if config.account_filter is None or not meant:
        return [bill.id for bill in meant]
    test = read_account_filter(config.account_filter)
    accounts = tx.find(Account, id=sorted({bill.account_id for bill in meant}))
    passing = {account.id for account in accounts if test(account_facts(answer(account)))}
    return [bill.id for bill in meant if bill.account_id in passing]


bill_followers.append(follow_bills)


# --- notifications ------------------------------------------------------------------------------


def notify(tx: Transaction, notification_id: str, facts: Mapping[str, Any]) -> int:
    """Start the runs of a notification whose rule was met. facts: what is told. Gives how many there are."""
    configs = tx.find(IntegrationConfig, entity_type=NOTIFICATION, enabled=True)
    mine = [config for config in configs if config.entity_id in {None, notification_id}]
    for config in mine:
        start_runs(tx, config, [notification_id], facts)
    return len(mine)


# --- by time ------------------------------------------------------------------------------------


class IntegrationsDue:
    """What integrations have to do at a time: retries, and configurations that send by a schedule."""

    def __init__(self, database: Database) -> None:
        self._database = database

    def next_due(self, tx: Transaction) -> datetime | None:
        """Give the earliest instant at which something is due."""
        found = []
        for table, column in ((_runs, _runs.c.again_at), (_configs, _configs.c.next_run_at)):
            mine = (table.c.org_id == tx.org_id, column.is_not(None))
            found.append(tx.execute(select(column).where(*mine).order_by(column).limit(1)).scalar())
        return min((each for each in found if each is not None), default=None)

    def run_due(self, org_id: str, now: datetime) -> None:
        """Queue the retries and start the scheduled runs that are due; harmless to repeat."""
        with self._database.transaction(org_id) as tx:
            due = tx.select(IntegrationRun, _runs.c.again_at <= now).with_for_update()
            for run in tx.load(IntegrationRun, due):
                mine = (_runs.c.org_id == tx.org_id, _runs.c.id == run.id)
                tx.execute(update(_runs).where(*mine).values(again_at=None))
                queue_run(tx, run)
        with self._database.transaction(org_id) as tx:
            scheduled = tx.select(IntegrationConfig, _configs.c.next_run_at <= now).with_for_update()
            for config in tx.load(IntegrationConfig, scheduled):
                run_scheduled(tx, config, now)


def run_scheduled(tx: Transaction, config: IntegrationConfig, now: datetime) -> None:
    """Start a run for each approved bill that has none of this configuration yet, and set the next time."""
    if config.enabled:
        ran = exists().where(
            _runs.c.org_id == tx.org_id,
            _runs.c.config_id == config.id,
            _runs.c.entity_id == _bills.c.id.cast(_runs.c.entity_id.type),
        )
        approved = (_bills.c.status == BillStatus.APPROVED.value, ~ran)
        for bills in _chunks(tx.load(Bill, tx.select(Bill, *approved).order_by(None).order_by(_bills.c.id))):
            start_runs(tx, config, _meant(tx, config, bills))
    set_next_run(tx, config, now)


def set_next_run(tx: Transaction, config: IntegrationConfig, now: datetime) -> None:
    """Set when a configuration sends next, without an event."""
    at = next_time(config.cron, now) if config.cron and config.trigger_type is TriggerType.SCHEDULE else None
    mine = (_configs.c.org_id == tx.org_id, _configs.c.id == config.id)
    tx.execute(update(_configs).where(*mine).values(next_run_at=at))


def _chunks(bills: Sequence[Bill]) -> Iterable[Sequence[Bill]]:
    for first in range(0, len(bills), CHUNK):
        yield bills[first : first + CHUNK]


def ended(run: IntegrationRun, status: RunStatus, now: datetime, **values: Any) -> IntegrationRun:
    """Give a run that has come to its end."""
    return msgspec.structs.replace(run, status=status, dt_completed=now, again_at=None, **values)


BACK_OFF_S: Final = (30, 120, 480, 1920, 7200, 21600, 21600)
"How long to wait after the first, the second … attempt that did not get through."


def again_after(attempts: int) -> timedelta | None:
    """Give how long to wait before the next attempt; None when there is none. attempts: so far, from 1."""
    return timedelta(seconds=BACK_OFF_S[attempts - 1]) if attempts <= len(BACK_OFF_S) else None
