"""Looking things up: what calculations ask of published revisions, remembered in this process."""

import threading
from collections import OrderedDict
from collections.abc import Collection, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Protocol

import msgspec
from sqlalchemy import and_, select

from tallystick.calc.errors import CalculationError
from tallystick.calc.expression import Compiled
from tallystick.calc.values import Value, as_value
from tallystick.catalogue.lookup_rows import Item, RowSchema, schema_of
from tallystick.catalogue.lookup_store import each_row, find_row
from tallystick.catalogue.lookup_table import (
    LookupTable,
    LookupTableRevision,
    RevisionStatus,
)
from tallystick.kernel.problems import Problem
from tallystick.platform.database import Database
from tallystick.platform.resources import Change, Transaction, resource_of

WHOLE_UP_TO = 50_000
"A revision of at most so many rows is loaded at once; of larger ones, row by row."
MOST_ROWS = 500_000
"As many rows are remembered, over all organizations."

Row = Mapping[str, Value]


class Published(msgspec.Struct, frozen=True):
    """A lookup table as it is now; without a published revision it has no rows."""

    revision_id: str | None
    schema: RowSchema
    item_count: int = 0


class PublishedCache(Protocol):
    """What table codes mean, per organization, remembered until a change is heard of."""

    def find(self, database: Database, org_id: str, codes: Collection[str]) -> dict[str, Published]:
        """Give the tables of the codes that have one."""
        ...

    def note(self, tx: Transaction, codes: Collection[str]) -> None:
        """Hear of codes that a transaction is changing."""
        ...


class LookupCache:
    """Finds rows of published revisions. Thread-safe and bounded.

    A published revision's rows never change, so they are remembered by the revision's id; which revision
    is published is what `published` remembers, and what every change is told to.
    """

    def __init__(self, published: PublishedCache) -> None:
        self._published = published
        self._lock = threading.Lock()
        self._rows: OrderedDict[tuple[str, str | None], Mapping[str, Item | None]] = OrderedDict()
        self._count = 0

    def of(self, database: Database, org_id: str) -> "OrganizationLookups":
        """Give an organization's tables for one batch or one bill: what is published stays so within it."""
        return OrganizationLookups(self, database, org_id, {})

    def find(
        self, database: Database, org_id: str, table_code: str, return_field: str, keys: Sequence[Value]
    ) -> Value:
        """Give one field of the row with these keys, in the table's order; None when there is no such row.

        Raises CalculationError when there is no such table or field.
        """
        row = self.of(database, org_id).find(table_code, keys)
        if row is not None and return_field not in row:
            raise CalculationError(f"the lookup table {table_code} has no field {return_field}")
        return row[return_field] if row is not None else None

    def table(self, database: Database, org_id: str, code: str) -> Published:
        """Give a table by its code. Raises CalculationError."""
        found = self._published.find(database, org_id, [code]).get(code)
        if found is None:
            raise CalculationError(f"there is no lookup table {code}")
        return found

    def row(self, database: Database, org_id: str, table: Published, key: str) -> Item | None:
        """Give a row of a published revision."""
        if table.revision_id is None:
            return None
        place = (table.revision_id, None if table.item_count <= WHOLE_UP_TO else key)
        with self._lock:
            rows = self._rows.get(place)
            if rows is not None:
                self._rows.move_to_end(place)
        if rows is None:
            with database.reading(org_id) as tx:
                rows = _load(tx, *place)
            self._remember(place, rows)
        return rows.get(key)

    def note_change(self, tx: Transaction, /, *changes: Change) -> None:
        """Hear of every change, in its transaction: a `Recorder` beside the one that appends events."""
        states = [s for change in changes for s in (change.old, change.new) if s is not None]
        codes = {s.code for s in states if isinstance(s, LookupTable)}
        tables = [s.lookup_table_id for s in states if isinstance(s, LookupTableRevision)]
        if tables:
            codes |= {table.code for table in tx.find(LookupTable, id=tables)}
        if codes:
            self._published.note(tx, codes)

    def _remember(self, place: tuple[str, str | None], rows: Mapping[str, Item | None]) -> None:
        with self._lock:
            if place not in self._rows:
                self._rows[place] = rows
                self._count += max(1, len(rows))
            while self._count > MOST_ROWS and len(self._rows) > 1:
                self._count -= max(1, len(self._rows.popitem(last=False)[1]))


@dataclass(frozen=True)
class OrganizationLookups:
    """One organization's lookup tables, as `calc` asks for them."""

    cache: LookupCache
    database: Database
    org_id: str
    tables: dict[str, Published]

    def find(self, table: str, keys: Sequence[Value]) -> Row | None:
        """Give all fields of a row, null where it has none; None when there is no row with these keys.

        keys: in the table's order. Raises CalculationError when there is no such table, or it has another
        number of keys.
        """
        found = self.tables.get(table)
        if found is None:
            found = self.tables[table] = self.cache.table(self.database, self.org_id, table)
        schema = found.schema
        if found.revision_id is None:
            return None
        if len(keys) != len(schema.keys):
            raise CalculationError(f"the lookup table {table} has {len(schema.keys)} keys, not {len(keys)}")
        key = schema.key_asked(keys)
        item = None if key is None else self.cache.row(self.database, self.org_id, found, key)
        return None if item is None else {name: as_value(item.get(name)) for name in schema.types}


def _load(tx: Transaction, revision_id: str, key: str | None) -> Mapping[str, Item | None]:
    """Load one row, or all when no key is given."""
    return {key: find_row(tx, revision_id, key)} if key is not None else dict(each_row(tx, revision_id))


def published_tables(tx: Transaction, codes: Collection[str]) -> dict[str, Published]:
    """Load tables by code, with what is published of each."""
    tables, revisions = resource_of(LookupTable).table, resource_of(LookupTableRevision).table
    of_table = and_(
        revisions.c.org_id == tables.c.org_id,
        revisions.c.lookup_table_id == tables.c.id,
        revisions.c.status == RevisionStatus.PUBLISHED.value,
    )
    statement = (
        select(tables.c.code, revisions.c.id)
        .outerjoin(revisions, of_table)
        .where(tables.c.org_id == tx.org_id, tables.c.code.in_(list(codes)))
    )
    published = {row.code: row.id for row in tx.execute(statement)}
    by_id = tx.by_id(LookupTableRevision, published.values())
    return {code: _published(by_id.get(revision_id)) for code, revision_id in published.items()}


def _published(revision: LookupTableRevision | None) -> Published:
    if revision is None:
        return Published(None, RowSchema({}, []))
    return Published(revision.id, schema_of(revision), revision.item_count)


def lookup_problems(tx: Transaction, field: str, compiled: Compiled) -> Iterator[Problem]:
    """Find lookups of a calculation that cannot work: of no table, or not as its published revision is.

    field: the path of the calculation.
    """
    tables = published_tables(tx, {use.table for use in compiled.lookups}) if compiled.lookups else {}
    for use in compiled.lookups:
        found = tables.get(use.table)
        if found is None:
            code, reason = "unknown_lookup_table", f"there is no lookup table {use.table}"
        elif found.revision_id is None:
            continue
        elif use.field is not None and use.field not in found.schema.types:
            code, reason = "unknown_field", f"the lookup table {use.table} has no field {use.field}"
        elif use.keys != len(found.schema.keys):
            code = "wrong_keys"
            reason = f"the lookup table {use.table} has the keys {', '.join(found.schema.keys)}"
        else:
            continue
        yield Problem(field, code, compiled.problem_at(reason, use.at).message)
