"""Seal the audit log into a chain of hashes, and check the chain."""

import hashlib
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any, Final

import msgspec
from sqlalchemy import Row, Select, Text, cast, exists, func, select, text

from tallystick.organizations.audit import audit
from tallystick.platform.database import Database
from tallystick.platform.org_clocks import ClockStatus, NoTestClock, clock_of
from tallystick.platform.resources import Transaction

FIRST: Final = "0" * 64
"The hash before the first entry."
CHUNK: Final = 1000
LONG_AGO: Final = datetime(1970, 1, 1, tzinfo=UTC)
_LOCK = text("SELECT pg_advisory_xact_lock(hashtextextended('audit ' || :org_id, 0))")
_SEAL = text(
    "UPDATE audit SET sequence = s.sequence, hash = s.hash"
    " FROM unnest(CAST(:ids AS uuid[]), CAST(:sequences AS bigint[]), CAST(:hashes AS text[]))"
    " AS s (id, sequence, hash)"
    " WHERE audit.org_id = CAST(:org_id AS uuid) AND audit.id = s.id"
)


class Head(msgspec.Struct, frozen=True, rename="camel"):
    """The end of an organization's chain. Kept elsewhere, it proves that nothing before it was cut off."""

    sequence: int
    hash: str


class Verified(msgspec.Struct, frozen=True, rename="camel"):
    """What checking a chain found. fault: where it breaks and how; None is whole."""

    org_id: str
    entries: int
    unsealed: int
    head: Head
    fault: str | None = None


@dataclass(frozen=True)
class AuditSealing:
    """Seals what is committed and not sealed yet, a moment later and outside of any change's way."""

    database: Database

    def next_due(self, tx: Transaction) -> datetime | None:
        """Say that there is something to seal; a test clock on its way is not held up by it."""
        mine = (audit.c.org_id == tx.org_id, audit.c.sequence.is_(None))
        if not tx.execute(select(exists().where(*mine))).scalar():
            return None
        try:
            moving = clock_of(tx).status is ClockStatus.ADVANCING
        except NoTestClock:
            moving = False
        return None if moving else LONG_AGO

    def run_due(self, org_id: str, now: datetime) -> None:
        """Seal all that is committed by now, in parts, each in its own transaction."""
        while seal(self.database, org_id) == CHUNK:
            pass


def seal(database: Database, org_id: str) -> int:
    """Seal the oldest committed entries that are not, CHUNK at most. Gives how many.

    Only sealing waits for sealing: a change never does.
    """
    with database.transaction(org_id) as tx:
        tx.execute(_LOCK, {"org_id": org_id})
        head = head_of(tx)
        waiting = _entries().where(audit.c.org_id == org_id, audit.c.sequence.is_(None))
        rows = tx.execute(waiting.order_by(audit.c.id).limit(CHUNK)).all()
        ids, sequences, hashes = [], [], []
        for row in rows:
            head = Head(head.sequence + 1, link(head, row))
            ids.append(row.id)
            sequences.append(head.sequence)
            hashes.append(head.hash)
        if rows:
            values = {"org_id": org_id, "ids": ids, "sequences": sequences, "hashes": hashes}
            tx.execute(_SEAL, values)
    return len(rows)


def head_of(tx: Transaction) -> Head:
    """Give the end of the organization's chain."""
    sealed = select(audit.c.sequence, audit.c.hash).where(
        audit.c.org_id == tx.org_id, audit.c.sequence.is_not(None)
    )
    found = tx.execute(sealed.order_by(audit.c.sequence.desc()).limit(1)).one_or_none()
    return Head(found.sequence, found.hash) if found else Head(0, FIRST)


def link(before: Head, row: Row[Any]) -> str:
    """Hash an entry together with its number and the hash before it: SHA-256 of a JSON array."""
    content = [
        before.hash,
        before.sequence + 1,
        row.org_id,
        row.id,
        row.at.astimezone(UTC).isoformat(timespec="microseconds"),
        row.actor,
        row.operation,
        row.entity,
        row.entity_id,
        row.entity_ids,
        row.changes_text,
    ]
    return hashlib.sha256(msgspec.json.encode(content)).hexdigest()


def verify(tx: Transaction, org_id: str, expected: Head | None = None) -> Verified:
    """Compute an organization's chain again and compare. tx: one snapshot of the database.

    expected: a head that was noted before; it has to be in the chain as it was.
    """
    head, entries, fault = Head(0, FIRST), 0, None
    noted = expected is None
    for row in _sealed(tx, org_id):
        entries += 1
        if row.sequence != head.sequence + 1:
            fault = f"entries {head.sequence + 1} to {row.sequence - 1} are missing"
        elif row.hash != link(head, row):
            fault = f"entry {row.sequence} ({row.id}) is not what was sealed"
        if fault is not None:
            break
        head = Head(row.sequence, row.hash)
        noted = noted or head == expected
    if fault is None and not noted and expected is not None:
        fault = f"entry {expected.sequence} with hash {expected.hash} is not in the chain"
    waiting = (audit.c.org_id == org_id, audit.c.sequence.is_(None))
    unsealed = tx.execute(select(func.count()).select_from(audit).where(*waiting)).scalar_one()
    return Verified(org_id, entries, unsealed, head, fault)


def _sealed(tx: Transaction, org_id: str) -> Iterator[Row[Any]]:
    after = 0
    while True:
        sealed = _entries().where(audit.c.org_id == org_id, audit.c.sequence > after)
        rows = tx.execute(sealed.order_by(audit.c.sequence).limit(CHUNK)).all()
        yield from rows
        if len(rows) < CHUNK:
            return
        after = rows[-1].sequence


def _entries() -> Select[Any]:
    c = audit.c
    shown = (c.org_id, c.id, c.at, c.actor, c.operation, c.entity, c.entity_id, c.entity_ids)
    return select(*shown, c.sequence, c.hash, cast(c.changes, Text).label("changes_text"))
