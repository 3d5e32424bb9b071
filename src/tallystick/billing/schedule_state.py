"""How far an organization's scheduled billing has come, one row an organization."""

from datetime import datetime

import msgspec
from sqlalchemy import Column, DateTime, PrimaryKeyConstraint, Table, select
from sqlalchemy.dialects.postgresql import insert as upsert

from tallystick.platform.resources import Transaction
from tallystick.platform.resources.tables import UUID, metadata

billing_schedules = Table(
    "billing_schedules",
    metadata,
    Column("org_id", UUID, nullable=False),
    Column("ran_at", DateTime(timezone=True), nullable=False),
    Column("looked_at", DateTime(timezone=True), nullable=False),
    Column("received_until", DateTime(timezone=True), nullable=False),
    PrimaryKeyConstraint("org_id", name="pk_billing_schedules"),
)


class ScheduleState(msgspec.Struct, frozen=True, kw_only=True):
    """ran_at: the slot of the last run. looked_at: when late usage was last looked for.

    received_until: by the server's clock, as usage is received; what came before is known about.
    """

    ran_at: datetime
    looked_at: datetime
    received_until: datetime


def schedule_state(tx: Transaction, *, lock: bool = False) -> ScheduleState | None:
    """Load the state; None before the first run."""
    columns = (billing_schedules.c[name] for name in ScheduleState.__struct_fields__)
    statement = select(*columns).where(billing_schedules.c.org_id == tx.org_id)
    row = tx.execute(statement.with_for_update() if lock else statement).first()
    return ScheduleState(**row._mapping) if row else None  # noqa: SLF001 - SQLAlchemy's public name


def keep_state(tx: Transaction, state: ScheduleState) -> None:
    """Store the state."""
    values = msgspec.structs.asdict(state)
    row = upsert(billing_schedules).values(org_id=tx.org_id, **values)
    tx.execute(row.on_conflict_do_update(index_elements=["org_id"], set_=values))
