"""From entities to rows and back, and the statements that every resource needs."""

import re
from collections.abc import Callable, Iterable
from functools import cache
from typing import Any, TypeVar

import msgspec
from sqlalchemy import (
    ARRAY,
    ColumnElement,
    Insert,
    Row,
    Select,
    Uuid,
    any_,
    bindparam,
    false,
    insert,
    literal,
    select,
)

from tallystick.platform.resources.declaration import Entity, FieldSpec, resource_of
from tallystick.platform.resources.fields import UUID_PATTERN

E = TypeVar("E", bound=Entity)
COLLECTIONS = (list, tuple, set, frozenset)
"What stands for one of several values where rows are asked for."
_UUID = re.compile(UUID_PATTERN)


def among(column: ColumnElement[Any], values: Iterable[Any]) -> ColumnElement[bool]:
    """Ask for the rows whose column has one of the values; of ids, in one parameter however many there are.

    So the statement's text stays the same, and driver and database remember it.
    """
    if not isinstance(column.type, Uuid):
        return column.in_(list(values))
    return column == any_(literal(list(values), ARRAY(column.type)))


def matches(column: ColumnElement[Any], value: Any) -> ColumnElement[bool]:
    """Ask for the rows whose column is the value, or one of them. What is no id is no row's."""
    many = isinstance(value, COLLECTIONS)
    if value is None or not isinstance(column.type, Uuid):
        return among(column, value) if many else column == value
    if many:
        return among(column, [each for each in value if is_id(each)])
    return column == value if is_id(value) else false()


def is_id(text: str) -> bool:
    """Tell whether a text can be an entity's id."""
    return _UUID.fullmatch(text) is not None


def plain_id(text: str) -> str:
    """Give an id that is kept as text as the database writes ids; what is none stays as it is."""
    return text.lower() if is_id(text) else text


def column_values(entity: Entity) -> dict[str, Any]:
    """Give the column values of an entity, without `org_id`."""
    return {f.name: getattr(entity, f.name) for f in resource_of(type(entity)).fields}


@cache
def row_builder(cls: type[E]) -> Callable[[Row[Any]], E]:
    """Compile the function that builds an entity from a row of its table's columns."""
    declared = resource_of(cls)
    names = [f.name for f in declared.fields]
    special = [(f.name, _loader(f)) for f in declared.fields if f.is_nested or f.is_enum]

    def build(row: Row[Any]) -> E:
        values = dict(zip(names, row, strict=True))
        for name, load in special:
            if values[name] is not None:
                values[name] = load(values[name])
        return cls(**values)

    return build


def _loader(field: FieldSpec) -> Callable[[Any], Any]:
    return field.bare if field.is_enum else lambda raw: msgspec.convert(raw, field.kind)


@cache
def insert_statement(cls: type[Entity]) -> Insert:
    """Prepare the statement that stores one entity."""
    return insert(resource_of(cls).table)


@cache
def by_id_statement(cls: type[Entity], *, lock: bool) -> Select[Any]:
    """Prepare the statement that loads one entity: building it costs as much as running it."""
    declared = resource_of(cls)
    table = declared.table
    statement = select(*(table.c[f.name] for f in declared.fields)).where(
        table.c.org_id == bindparam("org_id"), table.c.id == bindparam("id")
    )
    return statement.with_for_update() if lock else statement
