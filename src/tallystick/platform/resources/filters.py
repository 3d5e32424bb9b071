"""The query parameters that narrow a list."""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any, Protocol

import msgspec
from sqlalchemy import ColumnElement, Table, and_, or_, select

from tallystick.kernel.problems import Problem
from tallystick.platform.resources.fields import Id
from tallystick.platform.resources.tables import metadata
from tallystick.platform.resources.wire import InvalidBody, as_utc, reader

Values = Mapping[str, list[str]]


class Filter(Protocol):
    """Narrows a list by query parameters; says what they look like for OpenAPI."""

    @property
    def name(self) -> str:
        """The query parameter's name."""
        ...

    @property
    def kind(self) -> Any:
        """The type of the parameter, for OpenAPI."""
        ...

    def clauses(self, table: Table, values: Values, now: datetime) -> Iterator[ColumnElement[bool]]:
        """Give the conditions that the caller's values ask for. Raises InvalidBody."""
        ...


def split(given: list[str]) -> list[str]:
    """Give the values of a parameter that is repeated, comma-separated, or both."""
    return [part for value in given for part in value.split(",") if part]


@dataclass(frozen=True)
class By:
    """Keep the rows whose column holds the value, or one of the values when `many`.

    item: the type of one value; a value that is not of it is refused. as_text: the parameter is described
    as any text, as in the original API; values are checked all the same.
    """

    name: str
    column: str
    many: bool = False
    item: Any = Id
    as_text: bool = False

    @property
    def kind(self) -> Any:
        """The type of the parameter."""
        is_text = self.as_text or self.item is Id
        return list[str] if self.many else str if is_text else self.item

    def clauses(self, table: Table, values: Values, now: datetime) -> Iterator[ColumnElement[bool]]:
        """Compare the column with what was given."""
        given = split(values.get(self.name, [])) if self.many else values.get(self.name, [])[:1]
        if given:
            yield table.c[self.column].in_([self._value(v) for v in given])

    def _value(self, given: str) -> Any:
        raw: Any = {"true": True, "false": False}.get(given, given) if self.item is bool else given
        problems: list[Problem] = []
        value = reader(self.item)(raw, self.name, problems)
        if problems:
            raise InvalidBody(problems)
        return value


@dataclass(frozen=True)
class Through:
    """Keep the rows that refer, in `column`, to a row whose `target_column` holds one of the values."""

    name: str
    column: str
    target: str
    target_column: str
    kind: Any = list[str]

    def clauses(self, table: Table, values: Values, now: datetime) -> Iterator[ColumnElement[bool]]:
        """Compare the referred row's column with what was given."""
        referred = metadata.tables[self.target]
        own = By(self.name, self.target_column, many=True)
        for clause in own.clauses(referred, values, now):
            matching = select(referred.c.id).where(referred.c.org_id == table.c.org_id, clause)
            yield table.c[self.column].in_(matching)


@dataclass(frozen=True)
class ActiveAt:
    """Keep the rows whose span [start, end) holds the given date."""

    name: str = "date"
    start: str = "start_date"
    end: str = "end_date"
    kind: Any = str

    def clauses(self, table: Table, values: Values, now: datetime) -> Iterator[ColumnElement[bool]]:
        """Compare the span with the date or instant that was given."""
        for given in values.get(self.name, [])[:1]:
            yield active_at(table, instant(self.name, given), self.start, self.end)


def active_at(
    table: Table, at: datetime, start: str = "start_date", end: str = "end_date"
) -> ColumnElement[bool]:
    """Give the condition that a span, open-ended when its end is null, holds an instant."""
    return and_(table.c[start] <= at, or_(table.c[end].is_(None), table.c[end] > at))


def instant(name: str, given: str) -> datetime:
    """Read a date or an instant of a query parameter; a date means its first moment in UTC.

    Raises InvalidBody.
    """
    text = f"{given}T00:00:00Z" if len(given) == len("2024-01-01") else given
    problems: list[Problem] = []
    try:
        value = msgspec.convert(text, datetime)
    except msgspec.ValidationError as error:
        fault = Problem(name, "wrong_format", "must be a date or a date-time, such as 2024-01-31")
        raise InvalidBody([fault]) from error
    found = as_utc(value, name, problems)
    if problems:
        raise InvalidBody(problems)
    return found
