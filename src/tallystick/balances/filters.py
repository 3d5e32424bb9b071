"""Filters of the ledger's lists: by days, by an end, and by what a list of ids holds."""

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

from sqlalchemy import ColumnElement, Date, Table, and_, func, or_

from tallystick.platform.resources import By
from tallystick.platform.resources.filters import Values, instant


@dataclass(frozen=True)
class Holds:
    """Keep the rows whose list of ids, in `column`, holds the given one; an empty list stands for all."""

    name: str
    column: str
    kind: Any = str

    def clauses(self, table: Table, values: Values, now: datetime) -> Iterator[ColumnElement[bool]]:
        """Look for the id that was given."""
        for given in values.get(self.name, [])[:1]:
            [*By(self.name, "id").clauses(table, values, now)]  # refuses what is no id
            listed = table.c[self.column]
            yield or_(listed.contains([given.lower()]), func.jsonb_array_length(listed) == 0)


@dataclass(frozen=True)
class ActiveOn:
    """Keep the rows whose days, from `start_date` up to `end_date`, hold the given one."""

    name: str = "date"
    kind: Any = str

    def clauses(self, table: Table, values: Values, now: datetime) -> Iterator[ColumnElement[bool]]:
        """Compare the days with the date that was given."""
        for given in values.get(self.name, [])[:1]:
            day = instant(self.name, given).date()
            yield and_(table.c.start_date <= day, table.c.end_date > day)


@dataclass(frozen=True)
class EndsFrom:
    """Keep the rows that end at the given moment or after it (semantics §1: a start is inclusive).

    later: the column of a later end, which counts instead where there is one (semantics §19).
    """

    name: str = "endDateStart"
    later: str | None = None
    kind: Any = str

    def clauses(self, table: Table, values: Values, now: datetime) -> Iterator[ColumnElement[bool]]:
        """Compare the end with what was given."""
        for given in values.get(self.name, [])[:1]:
            end = _end(table, self.later)
            yield end >= _moment(end, self.name, given)


@dataclass(frozen=True)
class EndsBefore:
    """Keep the rows that end before the given moment (semantics §1: an end is exclusive)."""

    name: str = "endDateEnd"
    later: str | None = None
    kind: Any = str

    def clauses(self, table: Table, values: Values, now: datetime) -> Iterator[ColumnElement[bool]]:
        """Compare the end with what was given."""
        for given in values.get(self.name, [])[:1]:
            end = _end(table, self.later)
            yield end < _moment(end, self.name, given)


def _end(table: Table, later: str | None) -> ColumnElement[Any]:
    return table.c.end_date if later is None else func.coalesce(table.c[later], table.c.end_date)


def _moment(end: ColumnElement[Any], name: str, given: str) -> Any:
    """Read what was given as the column's type: an instant inside a day is after the day's start."""
    at = instant(name, given)
    if not isinstance(end.type, Date):
        return at
    starts_day = at.time() == at.min.time()
    return at.date() if starts_day else at.date() + timedelta(days=1)
