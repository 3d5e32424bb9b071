"""The search grammar of accounts, bills and commitments: `name~acme$currency:USD` (semantics §1)."""

import operator
import re
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from datetime import date, datetime
from typing import Any, TypeVar

from sqlalchemy import ColumnElement, Table, and_, false, or_
from sqlalchemy.dialects.postgresql import JSONB
from sqlalchemy.types import Boolean, Date, DateTime, Text

from tallystick.kernel.problems import Problem
from tallystick.platform.resources.declaration import Entity, resource_of
from tallystick.platform.resources.fields import UUID_PATTERN
from tallystick.platform.resources.pages import Page, whole_number
from tallystick.platform.resources.tables import UUID
from tallystick.platform.resources.transaction import Transaction
from tallystick.platform.resources.wire import InvalidBody, reader

E = TypeVar("E", bound=Entity)
DEFAULT_SIZE = 10
LARGEST_SIZE = 100
MOST_SKIPPED = 1_000_000
LISTS = frozenset({"ids", "codes", "productIds"})
"The keys that take several values, separated by commas."

_CLAUSE = re.compile(r"^\s*(\w+)\s*(>=|<=|>|<|:|~)\s*(.*?)\s*$", re.DOTALL)
_COMPARE: dict[str, Callable[[Any, Any], Any]] = {
    ">": operator.gt,
    ">=": operator.ge,
    "<": operator.lt,
    "<=": operator.le,
}


@dataclass(frozen=True)
class Search:
    """What is searched for, and how the result is sorted. `first`: how many matches are skipped."""

    query: str = ""
    operator: str = "AND"
    first: int = 0
    size: int = DEFAULT_SIZE
    sort_by: str | None = None
    descending: bool = True


def search(tx: Transaction, cls: type[E], keys: Mapping[str, str], wanted: Search) -> Page[E]:
    """Find the entities that match. keys: allowed key → column. Raises InvalidBody with every problem."""
    table = resource_of(cls).table
    problems: list[Problem] = []
    clauses = [_clause(table, keys, part, problems) for part in wanted.query.split("$") if part.strip()]
    if wanted.sort_by is not None and wanted.sort_by not in keys:
        problems.append(_unknown("sortBy", wanted.sort_by, keys))
    if problems:
        raise InvalidBody(problems)
    column = table.c[keys[wanted.sort_by]] if wanted.sort_by else table.c.id
    order = [column.desc(), table.c.id.desc()] if wanted.descending else [column.asc(), table.c.id.asc()]
    together = [or_(*clauses) if wanted.operator == "OR" else and_(*clauses)] if clauses else []
    statement = tx.select(cls, *together, *tx.visible(cls)).order_by(None).order_by(*order)
    return Page(tx.load(cls, statement.limit(wanted.size).offset(wanted.first)))


def _clause(table: Table, keys: Mapping[str, str], part: str, problems: list[Problem]) -> ColumnElement[bool]:
    """Read one `key comparator value`."""
    match = _CLAUSE.match(part)
    if match is None:
        message = f"{part.strip()[:60]!r} is not `key`, one of > >= : < <= ~, and a value"
        problems.append(Problem("searchQuery", "wrong_format", message))
        return false()
    key, comparator, text = match.groups()
    if key not in keys:
        problems.append(_unknown("searchQuery", key, keys))
        return false()
    return _compared(table.c[keys[key]], key, comparator, text, problems)


def _compared(
    column: ColumnElement[Any], key: str, comparator: str, text: str, problems: list[Problem]
) -> ColumnElement[bool]:
    """Compare a column with what was given."""
    if comparator == "~":
        return column.cast(Text).ilike(f"{_escape(text)}%", escape="\\")
    if isinstance(column.type, JSONB):  # a list of ids: it is asked what it holds
        ids = (each.strip().lower() for each in text.split(",") if comparator == ":")
        return or_(false(), *(column.contains([each]) for each in ids if re.fullmatch(UUID_PATTERN, each)))
    many = comparator == ":" and key in LISTS  # in a name or a code a comma is a comma
    values = [_value(column, key, v, problems) for v in (text.split(",") if many else [text])]
    if comparator == ":":
        return column.in_(values)
    if values[0] is None:
        return false()
    result: ColumnElement[bool] = _COMPARE[comparator](column, values[0])
    return result


def _value(column: Any, key: str, text: str, problems: list[Problem]) -> Any:
    """Read a value as the column's type."""
    kind: Any = str
    if isinstance(column.type, DateTime):
        kind, text = datetime, f"{text}T00:00:00Z" if len(text) == len("2024-01-01") else text
    elif isinstance(column.type, Date):
        kind = date
    elif isinstance(column.type, Boolean):
        kind, raw = bool, {"true": True, "false": False}.get(text.lower(), text)
        return reader(kind)(raw, f"searchQuery.{key}", problems)
    elif isinstance(column.type, type(UUID)) and not re.fullmatch(UUID_PATTERN, text):
        return None
    return reader(kind)(text, f"searchQuery.{key}", problems)


def _unknown(field: str, key: str, keys: Mapping[str, str]) -> Problem:
    return Problem(
        field, "unknown_value", f"{key[:60]} cannot be used here; use one of {', '.join(sorted(keys))}"
    )


def _escape(text: str) -> str:
    """Make a text match itself in LIKE."""
    return re.sub(r"([\\%_])", r"\\\1", text.replace("\x00", ""))


def read_search(values: Mapping[str, Sequence[str]]) -> Search:
    """Read the search parameters of a query string. Raises InvalidBody with every problem."""
    problems: list[Problem] = []

    def whole(name: str, default: int, least: int, most: int) -> int:
        try:
            return whole_number(name, (values.get(name) or [str(default)])[0], most, least)
        except InvalidBody as error:
            problems.extend(error.problems)
            return default

    def choice(name: str, allowed: Sequence[str]) -> str:
        text = (values.get(name) or [allowed[0]])[0].upper()
        if text not in allowed:
            problems.append(Problem(name, "unknown_value", f"must be one of {', '.join(allowed)}"))
        return text

    found = Search(
        query=(values.get("searchQuery") or [""])[0],
        operator=choice("operator", ("AND", "OR")),
        first=whole("fromDocument", 0, 0, MOST_SKIPPED),
        size=whole("pageSize", DEFAULT_SIZE, 1, LARGEST_SIZE),
        sort_by=(values.get("sortBy") or [""])[0] or None,
        descending=choice("sortOrder", ("DESC", "ASC")) == "DESC",
    )
    if problems:
        raise InvalidBody(problems)
    return found
