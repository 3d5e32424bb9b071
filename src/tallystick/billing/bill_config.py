"""The date up to which an organization's books are closed (semantics §22)."""

from datetime import date
from uuid import UUID, uuid5

from sqlalchemy.dialects.postgresql import insert as upsert

from tallystick.platform.resources import Entity, Transaction, resource, resource_of
from tallystick.platform.resources.rows import column_values


@resource("billconfig", event="billing.billconfig", singleton=True, verbs=())
class BillConfig(Entity, kw_only=True):
    """How bills are kept. Bills whose period ends on or before billLockDate are locked.

    The end of a period is exclusive: 2024-02-01 locks January. Nothing is locked without a date.
    """

    bill_lock_date: date | None = None


def get_bill_config(tx: Transaction) -> BillConfig:
    """Give the configuration; the first time it is asked for, it is made. tx: one that may write."""
    found = tx.find_one(BillConfig)
    if found is not None:
        return found
    now = tx.clock.now()
    made = BillConfig(
        id=str(uuid5(UUID(tx.org_id), "billconfig")),
        version=1,
        dt_created=now,
        dt_last_modified=now,
        created_by=tx.actor,
        last_modified_by=tx.actor,
    )
    row = upsert(resource_of(BillConfig).table).values(org_id=tx.org_id, **column_values(made))
    tx.execute(row.on_conflict_do_nothing())
    return tx.find(BillConfig)[0]


def lock_date(tx: Transaction) -> date:
    """Give the date up to which books are closed; the first of all days where they never were."""
    config = tx.find_one(BillConfig)
    return (config and config.bill_lock_date) or date.min
