"""Read the audit log: by who, what and when."""

from collections.abc import Iterator
from datetime import datetime
from typing import Any

import msgspec
from sqlalchemy import ColumnElement, or_, select

from tallystick.organizations.audit import audit
from tallystick.platform.resources import Page, PageRequest, Transaction
from tallystick.platform.resources.pages import to_token


class AuditEntry(msgspec.Struct, kw_only=True, rename="camel"):
    """One change: who made it, when, of what, and what became of it.

    entity_ids: of what was changed together with one entry. changes: by field, `from` and `to`.
    sequence and hash: its place in the chain; None until it is sealed, which takes some seconds.
    """

    id: str
    at: datetime
    actor_id: str
    operation: str
    entity_type: str
    entity_id: str | None = None
    entity_ids: list[str] | None = None
    changes: dict[str, Any]
    sequence: int | None = None
    hash: str | None = None


class AuditQuery(msgspec.Struct, frozen=True, kw_only=True):
    """What to look for; None is everything. ends_at: exclusive."""

    actor_id: str | None = None
    entity_type: str | None = None
    entity_id: str | None = None
    operation: str | None = None
    starts_at: datetime | None = None
    ends_at: datetime | None = None

    def clauses(self) -> Iterator[ColumnElement[bool]]:
        """Give the conditions."""
        c = audit.c
        if self.actor_id is not None:
            yield c.actor == self.actor_id
        if self.entity_type is not None:
            yield c.entity == self.entity_type.lower()
        if self.entity_id is not None:
            yield or_(c.entity_id == self.entity_id, c.entity_ids.contains([self.entity_id]))
        if self.operation is not None:
            yield c.operation == self.operation.upper()
        if self.starts_at is not None:
            yield c.at >= self.starts_at
        if self.ends_at is not None:
            yield c.at < self.ends_at


def read_audit(tx: Transaction, wanted: AuditQuery, page: PageRequest) -> Page[AuditEntry]:
    """Give a page of entries, newest first."""
    c = audit.c
    statement = select(audit).where(c.org_id == tx.org_id, *wanted.clauses())
    if page.after is not None:
        statement = statement.where(c.id < page.after)
    rows = tx.execute(statement.order_by(c.id.desc()).limit(page.size + 1)).all()
    shown = rows[: page.size]
    data = [
        AuditEntry(
            id=row.id,
            at=row.at,
            actor_id=row.actor,
            operation=row.operation,
            entity_type=row.entity,
            entity_id=row.entity_id,
            entity_ids=row.entity_ids,
            changes=row.changes,
            sequence=row.sequence,
            hash=row.hash,
        )
        for row in shown
    ]
    return Page(data, to_token(shown[-1].id) if len(rows) > page.size else None)
