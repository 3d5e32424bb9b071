"""From a row of a file to a measurement, by the columns' names or by the mapping that was asked for."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, date, datetime
from decimal import Decimal, InvalidOperation
from typing import Any

from tallystick.cli.errors import CommandError
from tallystick.cli.sending.files import Row

NUMBERS = ("measure", "income", "cost")
TEXTS = ("who", "where", "what", "other", "metadata")
CATEGORIES = (*NUMBERS, *TEXTS)
Measurement = dict[str, Any]
Field = tuple[str, str, str]
"Category, field code, column."


class BadRow(Exception):
    """A row that cannot become a measurement; the message says which value and why."""


@dataclass(frozen=True)
class Columns:
    """Where in a row the parts of a measurement are.

    meter: the meter's code for all rows; "" reads it from `meter_column`. fields: beside these, every column
    named `category.code`, as in `measure.num_apps`, is a field.
    """

    meter: str = ""
    meter_column: str = "meter"
    account: str = "account"
    ts: str = "ts"
    ets: str = "ets"
    uid: str = "uid"
    fields: tuple[Field, ...] = ()

    def settings(self) -> str:
        """Write the mapping as one text: the same file under another mapping is other usage."""
        return repr((self.meter, self.meter_column, self.account, self.ts, self.ets, sorted(self.fields)))


def read_fields(category: str, texts: Sequence[str]) -> list[Field]:
    """Read `a,b` or `code=column` options of one category. Raises CommandError."""
    fields = []
    for part in (part.strip() for text in texts for part in text.split(",")):
        code, _, column = part.partition("=")
        if not code:
            raise CommandError(f"--{category}: a column's name is missing between commas.")
        fields.append((category, code.strip(), column.strip() or code.strip()))
    return fields


class Mapper:
    """Makes measurements out of rows. prefix: of the uids of rows that bring none; None leaves those out."""

    def __init__(self, columns: Columns, prefix: str | None) -> None:
        self._columns = columns
        self._prefix = prefix
        self._fields: dict[tuple[str, ...], list[tuple[str, str, str, Callable[[Any], Any]]]] = {}

    def __call__(self, number: int, row: Row) -> Measurement:
        """Make the measurement of row `number`, 1 for the first. Raises BadRow, CommandError."""
        columns = self._columns
        made: Measurement = {}
        uid = row.get(columns.uid)
        if uid not in (None, ""):
            made["uid"] = str(uid)
        elif self._prefix is not None:
            made["uid"] = f"{self._prefix}-{number}"
        made["meter"] = columns.meter or _code(row, columns.meter_column, "meter")
        made["account"] = _code(row, columns.account, "account")
        made["ts"] = _instant(row.get(columns.ts), columns.ts)
        if (ets := row.get(columns.ets)) not in (None, ""):
            made["ets"] = _instant(ets, columns.ets)
        for category, code, column, convert in self._fields_of(row):
            value = row.get(column)
            if value is None or value == "":
                continue
            try:
                made.setdefault(category, {})[code] = convert(value)
            except (ValueError, InvalidOperation) as error:
                raise BadRow(f"{column}: {value!r} is not a number") from error
        for category in CATEGORIES:  # rows that are measurements already
            if isinstance(nested := row.get(category), Mapping):
                made.setdefault(category, {}).update(nested)
        return made

    def _fields_of(self, row: Row) -> list[tuple[str, str, str, Callable[[Any], Any]]]:
        """Find the fields among the columns; once for all rows that have the same ones."""
        names = tuple(row)
        if names not in self._fields:
            missing = [c for _, _, c in self._columns.fields if c not in row]
            if missing:
                raise CommandError(
                    f"There is no column {', '.join(missing)}; the columns are {', '.join(names)}."
                )
            by_name = [
                (category, code, name)
                for name in names
                for category, dot, code in [name.partition(".")]
                if dot and code and category in CATEGORIES
            ]
            self._fields[names] = [
                (category, code, column, _number if category in NUMBERS else _text)
                for category, code, column in dict.fromkeys((*self._columns.fields, *by_name))
            ]
        return self._fields[names]


def _code(row: Row, column: str, what: str) -> str:
    try:
        value = row[column]
    except KeyError:
        raise CommandError(
            f"There is no column {column} for the {what}; the columns are {', '.join(row)}.",
            hint=f"Name it with --{what}-column"
            + (", or all rows' meter with --meter." if what == "meter" else "."),
        ) from None
    if value in (None, ""):
        raise BadRow(f"{column}: the {what}'s code is missing")
    return str(value)


def _instant(value: Any, column: str) -> str:
    """Write an instant as the API takes it; one without an offset is UTC (semantics §6)."""
    if isinstance(value, str):
        try:
            value = datetime.fromisoformat(value.strip())
        except ValueError:
            raise BadRow(f"{column}: {value!r} is not a date and time such as 2024-01-31T12:00:00Z") from None
    if isinstance(value, datetime):
        instant = value.astimezone(UTC) if value.tzinfo else value
        return f"{instant.replace(tzinfo=None).isoformat()}Z"
    if isinstance(value, date):
        return f"{value.isoformat()}T00:00:00Z"
    if value is None:
        raise BadRow(f"{column}: the time is missing")
    raise BadRow(f"{column}: {value!r} is not a date and time such as 2024-01-31T12:00:00Z")


def _number(value: Any) -> int | Decimal:
    """Give the exact number: the digits that stand in a text, the shortest that mean a binary fraction."""
    if isinstance(value, int):
        return int(value)
    number = value if isinstance(value, Decimal) else Decimal(str(value).strip())
    if not number.is_finite():
        raise ValueError(value)
    return number


def _text(value: Any) -> str:
    return value if isinstance(value, str) else str(value)
