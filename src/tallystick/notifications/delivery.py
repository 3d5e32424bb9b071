"""Deliveries: what is to reach a webhook, how far it has come, and the log of its attempts."""

import re
from datetime import datetime, timedelta
from enum import StrEnum
from typing import Any, Final

import msgspec
from sqlalchemy import (
    BigInteger,
    Column,
    ColumnElement,
    DateTime,
    Index,
    PrimaryKeyConstraint,
    Row,
    Table,
    Text,
    delete,
    select,
)
from sqlalchemy.dialects.postgresql import JSONB

from tallystick.kernel.clock import Clock
from tallystick.kernel.errors import NotFound
from tallystick.platform.database import EVERY_ORGANIZATION, Database
from tallystick.platform.jobs import Jobs
from tallystick.platform.resources import Page, PageRequest, Transaction
from tallystick.platform.resources.fields import UUID_PATTERN
from tallystick.platform.resources.pages import to_token
from tallystick.platform.resources.tables import UUID, metadata

KEPT: Final = timedelta(days=28)
"As long as events."
HOURLY: Final = "23 * * * *"
TRIED_FOR: Final = timedelta(hours=24)
WAITS_S: Final = (5, 30, 120, 600, 1800, 3600, 7200, 14_400, 21_600, 28_800)
"How long to wait after the first failed attempt, after the second, …: 21 hours and 43 minutes together."
_UUID = re.compile(UUID_PATTERN)


class DeliveryStatus(StrEnum):
    """How far a delivery has come. A test that fails is FAILED at once."""

    PENDING = "PENDING"
    DELIVERED = "DELIVERED"
    FAILED = "FAILED"


class DeliveryNotFound(NotFound):
    """No delivery of this id at this webhook."""

    code = "delivery_not_found"


deliveries = Table(
    "webhook_deliveries",
    metadata,
    Column("org_id", UUID, nullable=False),
    Column("id", UUID, nullable=False),
    Column("destination_id", UUID, nullable=False),
    Column("message_id", UUID, nullable=False),
    Column("type", Text, nullable=False),
    Column("entity_id", UUID, nullable=False),
    Column("body", Text, nullable=False),
    Column("status", Text, nullable=False),
    Column("attempts", BigInteger, nullable=False),
    Column("dt_created", DateTime(timezone=True), nullable=False),
    Column("next_attempt_at", DateTime(timezone=True), nullable=False),
    Column("expires_at", DateTime(timezone=True), nullable=False),
    Column("claimed_until", DateTime(timezone=True)),
    PrimaryKeyConstraint("org_id", "id", name="pk_webhook_deliveries"),
)
"entity_id: deliveries of the same one go in order, one after the other."
_pending = deliveries.c.status == DeliveryStatus.PENDING.value
_of = (deliveries.c.org_id, deliveries.c.destination_id)
Index("ix_webhook_deliveries_due", *_of, deliveries.c.next_attempt_at, postgresql_where=_pending)
Index("ix_webhook_deliveries_turn", *_of, deliveries.c.entity_id, deliveries.c.id, postgresql_where=_pending)
Index("ix_webhook_deliveries_destination", *_of, deliveries.c.id)
Index("ix_webhook_deliveries_message", deliveries.c.org_id, deliveries.c.message_id)
_under_way = deliveries.c.claimed_until.is_not(None)
Index("ix_webhook_deliveries_under_way", *_of, deliveries.c.claimed_until, postgresql_where=_under_way)
Index("ix_webhook_deliveries_expiry", deliveries.c.expires_at, postgresql_where=_pending)

attempts = Table(
    "webhook_attempts",
    metadata,
    Column("org_id", UUID, nullable=False),
    Column("delivery_id", UUID, nullable=False),
    Column("number", BigInteger, nullable=False),
    Column("url", Text, nullable=False),
    Column("dt_started", DateTime(timezone=True), nullable=False),
    Column("duration_ms", BigInteger, nullable=False),
    Column("request_headers", JSONB, nullable=False),
    Column("status_code", BigInteger),
    Column("response_headers", JSONB(none_as_null=True)),
    Column("response_body", Text),
    Column("error", Text),
    PrimaryKeyConstraint("org_id", "delivery_id", "number", name="pk_webhook_attempts"),
)


class Attempt(msgspec.Struct, kw_only=True, rename="camel"):
    """One request and what came of it: an answer, or an error. Headers and body are cut off where long."""

    number: int
    url: str
    dt_started: datetime
    duration_ms: int
    request_headers: dict[str, str]
    status_code: int | None = None
    response_headers: dict[str, str] | None = None
    response_body: str | None = None
    error: str | None = None

    @property
    def got_through(self) -> bool:
        """Tell whether the receiver took it: any status of 200 to 299."""
        return self.status_code is not None and 200 <= self.status_code <= 299  # noqa: PLR2004 - HTTP's own


class Delivery(msgspec.Struct, kw_only=True, rename="camel"):
    """A message to a webhook. messageId: the same when it is delivered again, by which receivers know it."""

    id: str
    destination_id: str
    message_id: str
    type: str
    entity_id: str
    status: DeliveryStatus
    attempts: int
    dt_created: datetime
    next_attempt_at: datetime | None = None
    body: str | None = None
    log: list[Attempt] | None = None


def get_delivery(tx: Transaction, destination_id: str, delivery_id: str) -> Delivery:
    """Load a delivery with its body and the log of its attempts. Raises DeliveryNotFound."""
    mine = _select(tx, destination_id).where(deliveries.c.id == delivery_id)
    row = tx.execute(mine).one_or_none() if _UUID.fullmatch(delivery_id) else None
    if row is None:
        raise DeliveryNotFound(f"There is no delivery with id {delivery_id[:60]!r} at this webhook.")
    columns = [attempts.c[name] for name in Attempt.__struct_fields__]
    own = (attempts.c.org_id == tx.org_id, attempts.c.delivery_id == row.id)
    rows = tx.execute(select(*columns).where(*own).order_by(attempts.c.number)).mappings()
    return msgspec.structs.replace(_delivery(row), body=row.body, log=[Attempt(**each) for each in rows])


def page_of_deliveries(
    tx: Transaction, destination_id: str, page: PageRequest, clauses: list[ColumnElement[bool]]
) -> Page[Delivery]:
    """Load one page of a webhook's deliveries, newest first."""
    statement = _select(tx, destination_id).where(*clauses).order_by(deliveries.c.id.desc())
    if page.after is not None:
        statement = statement.where(deliveries.c.id < page.after)
    found = [_delivery(row) for row in tx.execute(statement.limit(page.size + 1))]
    more = len(found) > page.size
    return Page(found[: page.size], to_token(found[page.size - 1].id) if more else None)


def forget_deliveries(tx: Transaction, now: datetime) -> int:
    """Delete the deliveries that are older than events get, and their attempts. Gives how many there were."""
    tx.execute(delete(attempts).where(attempts.c.dt_started < now - KEPT))
    old = (deliveries.c.dt_created < now - KEPT, deliveries.c.status != DeliveryStatus.PENDING.value)
    return tx.execute(delete(deliveries).where(*old)).rowcount


def register_forgetting_deliveries(jobs: Jobs, database: Database, clock: Clock) -> None:
    """Let workers forget, once an hour among all of them."""

    def forget() -> None:
        with database.transaction(EVERY_ORGANIZATION) as tx:
            forget_deliveries(tx, clock.now())

    jobs.every(HOURLY, "notifications.forget_deliveries", forget)


def _select(tx: Transaction, destination_id: str) -> Any:
    own = (deliveries.c.org_id == tx.org_id, deliveries.c.destination_id == destination_id)
    return select(deliveries).where(*own)


def _delivery(row: Row[Any]) -> Delivery:
    pending = row.status == DeliveryStatus.PENDING.value
    return Delivery(
        id=row.id,
        destination_id=row.destination_id,
        message_id=row.message_id,
        type=row.type,
        entity_id=row.entity_id,
        status=DeliveryStatus(row.status),
        attempts=row.attempts,
        dt_created=row.dt_created,
        next_attempt_at=row.next_attempt_at if pending else None,
    )
