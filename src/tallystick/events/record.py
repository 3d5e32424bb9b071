"""Append events in the caller's transaction, so that an event exists exactly when its cause does."""

from collections.abc import Mapping
from typing import Any

from sqlalchemy import BigInteger, Column, DateTime, Index, PrimaryKeyConstraint, Table, Text, insert, text
from sqlalchemy.dialects.postgresql import JSONB

from tallystick.platform.ids import new_id
from tallystick.platform.resources import Change, Transaction
from tallystick.platform.resources.tables import UUID, metadata
from tallystick.platform.resources.wire import answer

events = Table(
    "events",
    metadata,
    Column("org_id", UUID, nullable=False),
    Column("id", UUID, nullable=False),
    Column("event_name", Text, nullable=False),
    Column("event_time", DateTime(timezone=True), nullable=False),
    Column("entity_id", UUID),
    Column("event_data", JSONB(none_as_null=True), nullable=False),
    Column("dt_actioned", DateTime(timezone=True)),
    # The number of the writing transaction: what readers tell by which events can no longer be followed by
    # earlier ones (`feed`). The database fills it in, so nobody who writes events has to think of it.
    Column(
        "written_in",
        BigInteger,
        nullable=False,
        server_default=text("((pg_current_xact_id())::text)::bigint"),
    ),
    PrimaryKeyConstraint("org_id", "id", name="pk_events"),
    Index("ix_events_event_name", "org_id", "event_name", "id"),
    Index("ix_events_written_in", "org_id", "written_in", "id"),
)

_APPEND = insert(events)


def record_change(tx: Transaction, /, *changes: Change) -> None:
    """Append `<stem>.created|updated|deleted` with the new and the old state (semantics §28)."""
    if changes:
        tx.execute(_APPEND, [_told(tx, change) for change in changes])


def append_event(tx: Transaction, name: str, data: Mapping[str, Any], entity_id: str | None = None) -> str:
    """Append one event about an entity, if it is about one. Gives the event's id."""
    values = _event(tx, name, data, entity_id)
    tx.execute(_APPEND, values)
    return str(values["id"])


def _told(tx: Transaction, change: Change) -> dict[str, Any]:
    entity = change.new or change.old
    states = {"newDto": change.new, "oldDto": change.old}
    data = {name: answer(state) for name, state in states.items() if state is not None}
    return _event(tx, f"{change.resource.event}.{change.kind}", data, entity.id if entity else None)


def _event(tx: Transaction, name: str, data: Mapping[str, Any], entity_id: str | None) -> dict[str, Any]:
    return {
        "org_id": tx.org_id,
        "id": new_id(),
        "event_name": name,
        "event_time": tx.clock.now(),
        "entity_id": entity_id,
        "event_data": data,
    }
