"""The audit log: who changed what, from what to what; nothing in it is ever changed or deleted.

An entry is written in the transaction of its change, so that there are both or neither. A moment later it is
sealed: numbered, and hashed together with the hash before it, so that whoever alters the past breaks the
chain for all that follows (decision 0022). The database refuses everything but adding and sealing.
"""

import re
from collections.abc import Mapping, Sequence
from decimal import Decimal
from typing import Any, Final

import msgspec
from sqlalchemy import (
    BigInteger,
    Column,
    DateTime,
    Index,
    PrimaryKeyConstraint,
    Table,
    Text,
    func,
    insert,
)
from sqlalchemy.dialects.postgresql import ARRAY, JSONB

from tallystick.platform.ids import new_id
from tallystick.platform.resources import Change, Entity, Resource, Transaction
from tallystick.platform.resources.tables import UUID, metadata

MASK: Final = "********"
"What a secret looks like in the log: that it changed is told, what it is is not."
SECRET: Final = re.compile(
    r"secret|password|(?<!next)token|credential|private_?key|api_?key|authorization", re.IGNORECASE
)
"Names whose values are secrets, at any depth."
_KEPT_BY_ITSELF: Final = frozenset(
    {"id", "version", "dt_created", "dt_last_modified", "created_by", "last_modified_by"}
)
"Fields that every change sets: the entry says as much."
_EXACT = (Decimal,)

audit = Table(
    "audit",
    metadata,
    Column("org_id", UUID, nullable=False),
    Column("id", UUID, nullable=False),
    Column("at", DateTime(timezone=True), nullable=False),
    Column("actor", UUID, nullable=False),
    Column("operation", Text, nullable=False),
    Column("entity", Text, nullable=False),
    Column("entity_id", UUID),
    Column("entity_ids", ARRAY(UUID)),
    Column("changes", JSONB(none_as_null=True), nullable=False),
    Column("sequence", BigInteger),
    Column("hash", Text),
    PrimaryKeyConstraint("org_id", "id", name="pk_audit"),
)
Index("ix_audit_entity_id", audit.c.org_id, audit.c.entity_id, audit.c.id)
Index("ix_audit_entity_ids", audit.c.entity_ids, postgresql_using="gin")
Index("ix_audit_actor", audit.c.org_id, audit.c.actor, audit.c.id)
Index("ix_audit_unsealed", audit.c.org_id, postgresql_where=audit.c.sequence.is_(None))
_SEQUENCE = (audit.c.org_id, audit.c.sequence)
Index("uq_audit_sequence", *_SEQUENCE, unique=True, postgresql_where=audit.c.sequence.is_not(None))

_APPEND = insert(audit).values(at=func.clock_timestamp())


def record_audit(tx: Transaction, /, *changes: Change) -> None:
    """Append what changed, in its transaction: a `Recorder` beside the others.

    Entities that were made together, as an upload makes accounts, are one entry that names them all.
    """
    if not changes:
        return
    first = changes[0]
    if len(changes) == 1:
        entity = first.new or first.old
        _append(tx, first.kind, type_of(first.resource), entity.id if entity else None, differences(first))
        return
    ids = [entity.id for change in changes if (entity := change.new or change.old)]
    append_many(tx, first.kind, type_of(first.resource), ids)


def append_audit(
    tx: Transaction, operation: str, entity: str, entity_id: str | None, facts: Mapping[str, Any]
) -> None:
    """Append what somebody did that is no change of an entity, such as logging in.

    operation: a word in the past, such as `logged_in`. facts: of the entry; secrets are masked.
    """
    _append(tx, operation, entity, entity_id, masked(facts))


def append_many(
    tx: Transaction, operation: str, entity: str, ids: Sequence[str], facts: Mapping[str, Any] | None = None
) -> None:
    """Append one entry for the same done to many entities at once, however many."""
    if ids:
        changes = {"count": len(ids), **masked(facts or {})}
        tx.execute(_APPEND, {**_who(tx, operation, entity), "entity_ids": list(ids), "changes": changes})


def _append(
    tx: Transaction, operation: str, entity: str, entity_id: str | None, changes: Mapping[str, Any]
) -> None:
    tx.execute(_APPEND, {**_who(tx, operation, entity), "entity_id": entity_id, "changes": changes})


def _who(tx: Transaction, operation: str, entity: str) -> dict[str, Any]:
    return {
        "org_id": tx.org_id,
        "id": new_id(),
        "actor": tx.actor,
        "operation": operation.upper(),
        "entity": entity,
    }


def type_of(declared: Resource) -> str:
    """Name the type of an entity as permissions do: `accountplan`."""
    return declared.permission_object.removeprefix("config:")


def differences(change: Change) -> dict[str, Any]:
    """Give the fields that a change gave another value: `{"name": {"from": "a", "to": "b"}}`.

    A created entity has only `to`, a deleted one only `from`. Hidden fields and secrets are masked.
    """
    found: dict[str, Any] = {}
    for field in change.resource.fields:
        if field.name in _KEPT_BY_ITSELF:
            continue
        old, new = _value(change.old, field.name), _value(change.new, field.name)
        if old == new:
            continue
        told = {"from": old, "to": new}
        secret = field.hidden or SECRET.search(field.wire_name) is not None
        found[field.wire_name] = {
            side: MASK if secret else masked(_plain(value))
            for side, value in told.items()
            if value is not None
        }
    return found


def masked(value: Any) -> Any:
    """Mask what is a secret by its name, however deep."""
    if isinstance(value, dict):
        return {k: MASK if SECRET.search(k) and v is not None else masked(v) for k, v in value.items()}
    if isinstance(value, list):
        return [masked(each) for each in value]
    return value


def _value(entity: Entity | None, name: str) -> Any:
    value = getattr(entity, name) if entity is not None else None
    return None if value in ([], {}) else value


def _plain(value: Any) -> Any:
    return msgspec.to_builtins(value, builtin_types=_EXACT)
