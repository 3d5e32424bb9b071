"""Answers kept under the caller's key, so that a request that is sent again is not carried out again.

The answer is stored in the transaction of the work it tells of: after a crash both are there, or neither.
"""

import hashlib
import re
from dataclasses import dataclass
from datetime import timedelta
from typing import Final

from sqlalchemy import Column, DateTime, LargeBinary, PrimaryKeyConstraint, Table, Text, delete, select, text
from sqlalchemy.dialects.postgresql import insert

from tallystick.kernel.errors import Conflict, Invalid
from tallystick.platform.resources import Transaction
from tallystick.platform.resources.tables import UUID, metadata

KEPT: Final = timedelta(hours=24)
LONGEST_KEY: Final = 255
RETRY_AFTER_S: Final = 1
_KEY = re.compile(rf"[\x21-\x7e]{{1,{LONGEST_KEY}}}")
_LOCK = text("SELECT pg_try_advisory_xact_lock(hashtextextended(:name, 0))")

idempotency_keys = Table(
    "idempotency_keys",
    metadata,
    Column("org_id", UUID, nullable=False),
    Column("operation", Text, nullable=False),
    Column("key", Text, nullable=False),
    Column("fingerprint", LargeBinary, nullable=False),
    Column("answer", LargeBinary, nullable=False),
    Column("created_at", DateTime(timezone=True), nullable=False),
    PrimaryKeyConstraint("org_id", "operation", "key", name="pk_idempotency_keys"),
)


class BadIdempotencyKey(Invalid):
    """The key is not what a key can be."""

    code = "bad_idempotency_key"


class IdempotencyKeyReused(Conflict):
    """The key has been used for another request."""

    code = "idempotency_key_reused"


class IdempotencyKeyInUse(Conflict):
    """The first request with the key is still being carried out."""

    code = "idempotency_key_in_use"


@dataclass(frozen=True)
class KeyedRequest:
    """A request under a key. `fingerprint` is the same for the same request only."""

    operation: str
    key: str
    fingerprint: bytes


def keyed_request(operation: str, key: str, *parts: bytes) -> KeyedRequest:
    """Make it of everything that tells two requests of an operation apart. Raises BadIdempotencyKey."""
    if not _KEY.fullmatch(key):
        message = f"Send an Idempotency-Key of 1 to {LONGEST_KEY} visible ASCII characters, such as a UUID."
        raise BadIdempotencyKey(message)
    digest = hashlib.sha256()
    for part in parts:
        digest.update(len(part).to_bytes(8, "big") + part)
    return KeyedRequest(operation, key, digest.digest())


def kept_answer(tx: Transaction, request: KeyedRequest) -> bytes | None:
    """Give the answer of the same request, None if it has to be carried out now.

    Until the transaction ends, nobody else gets past this with the same key.
    Raises IdempotencyKeyInUse, IdempotencyKeyReused.
    """
    if not tx.execute(_LOCK, {"name": f"{tx.org_id} {request.operation} {request.key}"}).scalar_one():
        message = "A request with this Idempotency-Key is being carried out. Wait, then send it again."
        raise IdempotencyKeyInUse(message, retry_after_s=RETRY_AFTER_S)
    table = idempotency_keys
    own = (
        table.c.org_id == tx.org_id,
        table.c.operation == request.operation,
        table.c.key == request.key,
        table.c.created_at > tx.clock.now() - KEPT,
    )
    row = tx.execute(select(table.c.fingerprint, table.c.answer).where(*own)).one_or_none()
    if row is None:
        return None
    if bytes(row.fingerprint) != request.fingerprint:
        raise IdempotencyKeyReused("This Idempotency-Key was used for another request. Take a new key.")
    return bytes(row.answer)


def keep_answer(tx: Transaction, request: KeyedRequest, answer: bytes) -> None:
    """Keep the answer for 24 hours, in place of one that is older."""
    values = {"fingerprint": request.fingerprint, "answer": answer, "created_at": tx.clock.now()}
    named = {"org_id": tx.org_id, "operation": request.operation, "key": request.key}
    statement = insert(idempotency_keys).values(**named, **values)
    tx.execute(statement.on_conflict_do_update(index_elements=list(named), set_=values))


def forget_answers(tx: Transaction) -> int:
    """Delete the answers that are older than 24 hours. Gives how many there were."""
    table = idempotency_keys
    return tx.execute(delete(table).where(table.c.created_at <= tx.clock.now() - KEPT)).rowcount
