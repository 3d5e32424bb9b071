"""The table of a declaration: typed columns, foreign keys and unique sets, `org_id` on every one."""

from collections.abc import Mapping, Sequence
from datetime import date, datetime
from decimal import Decimal
from typing import TYPE_CHECKING, Any

from sqlalchemy import (
    BigInteger,
    Boolean,
    Column,
    Date,
    DateTime,
    ForeignKeyConstraint,
    Index,
    MetaData,
    Numeric,
    PrimaryKeyConstraint,
    Table,
    Text,
    UniqueConstraint,
    Uuid,
)
from sqlalchemy.dialects.postgresql import JSONB
from sqlalchemy.types import TypeEngine

if TYPE_CHECKING:
    from tallystick.platform.resources.declaration import FieldSpec, Resource

metadata = MetaData()
UUID = Uuid(as_uuid=False)

_COLUMN_TYPES: dict[Any, TypeEngine[Any]] = {
    str: Text(),
    bool: Boolean(),
    int: BigInteger(),
    Decimal: Numeric(),
    datetime: DateTime(timezone=True),
    date: Date(),
}
_ID_FIELDS = {"id"}
_waiting: list[tuple[Table, str, str]] = []


def build_table(
    name: str,
    fields: Sequence["FieldSpec"],
    unique: Sequence[tuple[str, ...]],
    declared: Mapping[Any, "Resource"],
    *,
    singleton: bool = False,
) -> Table:
    """Build the table; references to tables that are declared later are added when those are."""
    table = Table(
        name,
        metadata,
        Column("org_id", UUID, nullable=False),
        *(Column(f.name, column_type(f), nullable=f.optional) for f in fields),
        PrimaryKeyConstraint("org_id", "id", name=f"pk_{name}"),
        *(UniqueConstraint("org_id", *u, name=f"uq_{name}_{'_'.join(u)}") for u in unique),
    )
    if singleton:
        table.append_constraint(UniqueConstraint("org_id", name=f"uq_{name}"))
    for field in (f for f in fields if f.ref is not None and not f.is_nested):
        target = field.ref.target if field.ref else ""
        target_name = target if isinstance(target, str) else declared[target].table.name
        _waiting.append((table, field.name, target_name))
    _connect()
    return table


def column_type(field: "FieldSpec") -> TypeEngine[Any]:
    """Choose the column type of a field."""
    if field.is_nested:
        return JSONB(none_as_null=True)
    if field.name in _ID_FIELDS or field.ref is not None:
        return UUID
    return Text() if field.is_enum else _COLUMN_TYPES[field.bare]


def _connect() -> None:
    """Add the foreign keys whose target table exists by now."""
    for waiting in list(_waiting):
        table, column, target = waiting
        if target in metadata.tables:
            table.append_constraint(
                ForeignKeyConstraint(
                    ["org_id", column], [f"{target}.org_id", f"{target}.id"], name=f"fk_{table.name}_{column}"
                )
            )
            Index(f"ix_{table.name}_{column}", table.c.org_id, table.c[column])
            _waiting.remove(waiting)
