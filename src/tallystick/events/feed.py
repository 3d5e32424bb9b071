"""Read the event record from where one read to last, missing none and taking none twice.

Ids and times of events are made before their transaction commits, so the newest one that can be seen may
still be followed by an earlier one. Transaction numbers tell: what was written by transactions below the
oldest one that still runs will never grow. Readers go up to there, so an event is read shortly after its
transaction, and whoever writes events pays nothing for being read.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any, Final

import msgspec
from sqlalchemy import (
    BigInteger,
    Column,
    ColumnElement,
    PrimaryKeyConstraint,
    Row,
    Table,
    Text,
    and_,
    exists,
    literal,
    literal_column,
    or_,
    select,
    tuple_,
    update,
)
from sqlalchemy.dialects.postgresql import insert

from tallystick.events.record import events
from tallystick.platform.resources import Transaction
from tallystick.platform.resources.tables import UUID, metadata

MOST: Final = 1000
"So many events are read in one transaction."
_FIRST = "00000000-0000-0000-0000-000000000000"
_LAST = "ffffffff-ffff-ffff-ffff-ffffffffffff"
_SETTLED = literal_column("((pg_snapshot_xmin(pg_current_snapshot()))::text)::bigint", BigInteger())
_NEXT_NUMBER = literal_column("((pg_snapshot_xmax(pg_current_snapshot()))::text)::bigint", BigInteger())

readers = Table(
    "event_readers",
    metadata,
    Column("org_id", UUID, nullable=False),
    Column("name", Text, nullable=False),
    Column("written_in", BigInteger, nullable=False),
    Column("event_id", UUID, nullable=False),
    Column("newest_id", UUID, nullable=False),
    PrimaryKeyConstraint("org_id", "name", name="pk_event_readers"),
)


class Happened(msgspec.Struct, frozen=True):
    """An event as a reader sees it. facts: by state, `newDto` and `oldDto`, or without states."""

    id: str
    name: str
    at: datetime
    entity_id: str | None
    facts: dict[str, Any]

    @property
    def states(self) -> dict[str, Any]:
        """The facts as rules name them: `new` and `old`, each with its fields."""
        if "newDto" in self.facts or "oldDto" in self.facts:
            return {"new": self.facts.get("newDto") or {}, "old": self.facts.get("oldDto") or {}}
        return {"new": self.facts}


@dataclass(frozen=True)
class Feed:
    """The events of an organization, for one reader. name: the reader's, never changed."""

    name: str

    def has_more(self, tx: Transaction) -> bool:
        """Tell whether there is an event that this reader has not passed. One look into an index."""
        own = (readers.c.org_id == tx.org_id, readers.c.name == self.name)
        row = tx.execute(select(readers.c.written_in, readers.c.event_id).where(*own)).one_or_none()
        number, last = (row.written_in, row.event_id) if row else (0, _LAST)
        moved = select(literal(number, BigInteger()) >= _NEXT_NUMBER).scalar_subquery()
        return bool(tx.execute(select(or_(exists().where(_unread(tx, number, last)), moved))).scalar())

    def read(self, tx: Transaction, *wanted: ColumnElement[bool], most: int = MOST) -> list[Happened]:
        """Give the next events, and pass them: what is done with them belongs in the same transaction.

        wanted: conditions on the table of events; others are passed unseen. [] is none left for now, or
        another process is reading. At most `most`, in the order of their ids.
        """
        place = self._lock(tx)
        if place is None:
            return []
        settled = int(tx.execute(select(_SETTLED)).scalar_one())
        columns = (
            *(events.c.id, events.c.event_name, events.c.event_time),
            *(events.c.entity_id, events.c.event_data, events.c.written_in),
        )
        unread = (_unread(tx, place.written_in, place.event_id), events.c.written_in < settled)
        next_ones = select(*columns).where(*unread, *wanted)
        found = tx.execute(next_ones.order_by(events.c.written_in, events.c.id).limit(most)).all()
        whole = len(found) < most
        number, last = (settled - 1, _LAST) if whole else (found[-1].written_in, found[-1].id)
        self._pass(tx, max(number, place.written_in), last, _newest(found, place.newest_id))
        told = [
            Happened(row.id, row.event_name, row.event_time, row.entity_id, row.event_data) for row in found
        ]
        return sorted(told, key=lambda event: event.id)

    def _lock(self, tx: Transaction) -> Row[Any] | None:
        """Load where the reader is, locked; None when another process holds it. A new one is at the start."""
        first = {"written_in": 0, "event_id": _LAST, "newest_id": _FIRST}
        made = insert(readers).values(org_id=tx.org_id, name=self.name, **first).on_conflict_do_nothing()
        own = (readers.c.org_id == tx.org_id, readers.c.name == self.name)
        locked = select(readers).where(*own).with_for_update(skip_locked=True)
        row = tx.execute(locked).one_or_none()
        # Asked first: an insert would wait for the process that reads.
        if row is None and not tx.execute(select(exists().where(*own))).scalar():
            tx.execute(made)
            row = tx.execute(locked).one_or_none()
        if row is not None and row.written_in >= tx.execute(select(_NEXT_NUMBER)).scalar_one():
            self._renumber(tx, row.newest_id)
            row = tx.execute(locked).one_or_none()
        return row

    def _pass(self, tx: Transaction, number: int, last: str, newest: str) -> None:
        own = (readers.c.org_id == tx.org_id, readers.c.name == self.name)
        place = {"written_in": number, "event_id": last, "newest_id": newest}
        tx.execute(update(readers).where(*own).values(**place))

    def _renumber(self, tx: Transaction, newest: str) -> None:
        """Begin anew in a database whose transactions are counted from the start again: it was restored.

        What was read gets a number below all others; so does what comes after it, which then goes by id.
        """
        beyond = or_(events.c.id <= newest, events.c.written_in >= _NEXT_NUMBER)
        stale = and_(events.c.org_id == tx.org_id, events.c.written_in > 1, beyond)
        tx.execute(update(events).where(stale).values(written_in=1))
        self._pass(tx, 1, newest, newest)


def _unread(tx: Transaction, number: int, last: str) -> ColumnElement[bool]:
    """Give the condition of events after a place that no running transaction can still precede."""
    after = tuple_(events.c.written_in, events.c.id) > tuple_(
        literal(number, BigInteger()), literal(last, UUID)
    )
    return and_(events.c.org_id == tx.org_id, after, events.c.written_in < _SETTLED)


def _newest(found: Sequence[Row[Any]], before: str) -> str:
    return max([before, *(str(row.id) for row in found)])
