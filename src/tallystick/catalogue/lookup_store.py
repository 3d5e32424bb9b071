"""Rows of lookup tables in the database."""

from collections.abc import Iterator, Mapping

from sqlalchemy import (
    Column,
    ForeignKeyConstraint,
    PrimaryKeyConstraint,
    Select,
    Table,
    Text,
    delete,
    func,
    select,
    text,
)
from sqlalchemy.dialects.postgresql import JSONB

from tallystick.catalogue.lookup_rows import Item
from tallystick.platform.resources import Transaction
from tallystick.platform.resources.tables import UUID, metadata
from tallystick.platform.resources.wire import encode_whole

BATCH = 5000

lookup_table_rows = Table(
    "lookup_table_rows",
    metadata,
    Column("org_id", UUID, nullable=False),
    Column("revision_id", UUID, nullable=False),
    Column("lookup_key", Text(collation="C"), nullable=False),
    Column("item", JSONB(none_as_null=True), nullable=False),
    PrimaryKeyConstraint("org_id", "revision_id", "lookup_key", name="pk_lookup_table_rows"),
    ForeignKeyConstraint(
        ["org_id", "revision_id"],
        ["lookuptablerevisions.org_id", "lookuptablerevisions.id"],
        name="fk_lookup_table_rows_revision_id",
        ondelete="CASCADE",
    ),
)
_rows = lookup_table_rows
_UPSERT = text(
    "INSERT INTO lookup_table_rows (org_id, revision_id, lookup_key, item)"
    " SELECT CAST(:org_id AS uuid), CAST(:revision_id AS uuid), key, value"
    " FROM jsonb_each(CAST(:rows AS jsonb))"
    " ON CONFLICT (org_id, revision_id, lookup_key) DO UPDATE SET item = excluded.item"
)
_COPY = text(
    "INSERT INTO lookup_table_rows (org_id, revision_id, lookup_key, item)"
    " SELECT org_id, CAST(:target_id AS uuid), lookup_key, item FROM lookup_table_rows"
    " WHERE org_id = CAST(:org_id AS uuid) AND revision_id = CAST(:source_id AS uuid)"
    " ON CONFLICT (org_id, revision_id, lookup_key) DO UPDATE SET item = excluded.item"
)


def upsert_rows(tx: Transaction, revision_id: str, rows: Mapping[str, Item]) -> None:
    """Store rows by their keys; those of keys already there are replaced."""
    values = {"org_id": tx.org_id, "revision_id": revision_id, "rows": encode_whole(rows)}
    tx.execute(_UPSERT, values)


def copy_rows(tx: Transaction, source_id: str, target_id: str) -> None:
    """Store one revision's rows in another one too."""
    tx.execute(_COPY, {"org_id": tx.org_id, "source_id": source_id, "target_id": target_id})


def count_rows(tx: Transaction, revision_id: str) -> int:
    """Count a revision's rows."""
    statement = _of(tx, revision_id).with_only_columns(func.count())
    return int(tx.execute(statement).scalar_one())


def first_rows(tx: Transaction, revision_id: str, limit: int) -> list[Item]:
    """Load the first rows, ordered by key."""
    return [row.item for row in tx.execute(_of(tx, revision_id).order_by(_rows.c.lookup_key).limit(limit))]


def find_row(tx: Transaction, revision_id: str, key: str) -> Item | None:
    """Load one row."""
    row = tx.execute(_of(tx, revision_id).where(_rows.c.lookup_key == key)).one_or_none()
    return row.item if row else None


def each_row(tx: Transaction, revision_id: str) -> Iterator[tuple[str, Item]]:
    """Go through all rows by key, a batch at a time. The revision is locked, or its rows are fixed."""
    statement = _of(tx, revision_id).order_by(_rows.c.lookup_key).limit(BATCH)
    batch = tx.execute(statement).all()
    while batch:
        yield from ((row.lookup_key, row.item) for row in batch)
        batch = tx.execute(statement.where(_rows.c.lookup_key > batch[-1].lookup_key)).all()


def delete_row(tx: Transaction, revision_id: str, key: str) -> None:
    """Delete one row."""
    own = (_rows.c.org_id == tx.org_id, _rows.c.revision_id == revision_id, _rows.c.lookup_key == key)
    tx.execute(delete(_rows).where(*own))


def delete_rows(tx: Transaction, revision_id: str) -> None:
    """Delete all rows of a revision."""
    tx.execute(delete(_rows).where(_rows.c.org_id == tx.org_id, _rows.c.revision_id == revision_id))


def _of(tx: Transaction, revision_id: str) -> Select[tuple[str, Item]]:
    columns = select(_rows.c.lookup_key, _rows.c.item)
    return columns.where(_rows.c.org_id == tx.org_id, _rows.c.revision_id == revision_id)
