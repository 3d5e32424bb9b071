"""CSV of one meter's measurements: all of it is good, or all its problems are told by row and column.

Rule: semantics §6. Rows are numbered as a spreadsheet does: the header is row 1.
"""

import csv
import io
import re
from collections.abc import Collection, Iterator, Mapping, Sequence
from datetime import datetime
from decimal import Decimal
from typing import Final

import msgspec

from tallystick.accounts.account import folded
from tallystick.catalogue.meter import DataField, Meter
from tallystick.kernel.errors import Invalid
from tallystick.kernel.problems import Problem
from tallystick.platform.resources import Transaction
from tallystick.usage.envelope import Measurement, read_measurement, utc
from tallystick.usage.meters import longest_text
from tallystick.usage.resolution import account_ids
from tallystick.usage.rules import MOST_AHEAD
from tallystick.usage.skeletons import codes_alike

MOST_ROWS: Final = 1000
MOST_PROBLEMS: Final = 1000
OWN: Final = ("uid", "meter", "account", "ts")
OPTIONAL: Final = ("ets",)
NUMBER: Final = re.compile(r"-?\d{1,40}(?:\.\d{1,40})?(?:[eE][+-]?\d{1,3})?", re.ASCII)


class CsvRefused(Invalid):
    """A CSV has problems; nothing of it was taken in."""

    code = "csv_refused"

    def __init__(self, problems: list[Problem]) -> None:
        several = f"{len(problems):,} problems" if len(problems) > 1 else "a problem"
        message = f"The CSV has {several}, so nothing of it was taken in: {_named(problems[0])}"
        super().__init__(message, problems=problems[:MOST_PROBLEMS])


class _Row(msgspec.Struct, frozen=True):
    """A row with its number and its cells by column."""

    number: int
    cells: dict[str, str]

    def problem(self, column: str, code: str, message: str) -> Problem:
        return Problem(f"row {self.number}, {column}", code, message)


def read_csv(tx: Transaction, body: bytes) -> list[Measurement]:
    """Read a CSV whose rows all name the same meter. Raises CsvRefused with every problem."""
    header, rows = _table(body)
    meter, problems = _meter(tx, rows)
    columns = columns_of(meter) if meter is not None else {}
    problems += _header_problems(header, columns, is_known=meter is not None)
    if problems or meter is None:
        raise CsvRefused(problems)
    latest = tx.clock.now() + MOST_AHEAD
    measurements: list[Measurement] = []
    for row in rows:
        found, measurement = _measurement(row, columns, latest)
        problems += found
        if measurement is not None:
            measurements.append(measurement)
    problems += [*_uid_problems(rows), *_account_problems(tx, rows)]
    if problems:
        raise CsvRefused(sorted(problems, key=_by_row))
    return measurements


def columns_of(meter: Meter) -> dict[str, DataField]:
    """Give the columns of a meter's data fields: `measure.gb`, in lower case or as the code is written."""
    named = {f"{f.category.lower()}.{f.code}": f for f in meter.data_fields}
    lower: dict[str, list[DataField]] = {}
    for name, field in named.items():
        lower.setdefault(name.lower(), []).append(field)
    return named | {name: fields[0] for name, fields in lower.items() if len(fields) == 1}


def _table(body: bytes) -> tuple[list[str], list[_Row]]:
    """Read header and rows; blank lines are skipped. Raises CsvRefused."""
    try:
        text = body.decode("utf-8-sig")
        lines = list(csv.reader(io.StringIO(text, newline=""), strict=True))
    except UnicodeDecodeError as error:
        raise CsvRefused([Problem("", "wrong_format", "it is not text in UTF-8")]) from error
    except csv.Error as error:
        raise CsvRefused([Problem("", "wrong_format", f"it is not CSV: {error}")]) from error
    numbered = [(number, line) for number, line in enumerate(lines, 1) if any(line)]
    if len(numbered) < 2:  # noqa: PLR2004 - a header and a row
        raise CsvRefused([Problem("", "wrong_length", "it needs a header and at least one row")])
    if len(numbered) > MOST_ROWS + 1:
        message = f"it may have at most {MOST_ROWS:,} rows, it has {len(numbered) - 1:,}"
        raise CsvRefused([Problem("", "wrong_length", message)])
    [(_, header), *rest] = numbered
    problems = [
        Problem(f"row {n}", "wrong_length", f"has {len(line)} cells where the header has {len(header)}")
        for n, line in rest
        if len(line) != len(header)
    ]
    if problems:
        raise CsvRefused(problems)
    return header, [_Row(number, dict(zip(header, line, strict=True))) for number, line in rest]


def _meter(tx: Transaction, rows: Sequence[_Row]) -> tuple[Meter | None, list[Problem]]:
    """Find the one meter that all rows name."""
    code = rows[0].cells.get("meter", "")
    problems = [
        row.problem("meter", "different_meter", f"a CSV is of one meter; the rows above name {code!r}")
        for row in rows
        if row.cells.get("meter", "") != code
    ]
    meter = tx.find_one(Meter, code=code) if "\x00" not in code else None
    if meter is None and code:
        problems.append(rows[0].problem("meter", "undefined_meter", f"there is no meter {code[:80]!r}"))
    elif not code and "meter" in rows[0].cells:
        problems.append(rows[0].problem("meter", "required", "is required"))
    return meter, problems


def _header_problems(
    header: Sequence[str], columns: Mapping[str, DataField], *, is_known: bool
) -> Iterator[Problem]:
    """Find what is wrong with the columns; without a meter only what is wrong with any."""
    for name in OWN:
        if name not in header:
            yield Problem("row 1", "missing_column", f"the column {name} is missing")
    given = {id(columns[name]) for name in header if name in columns}
    for field in {id(f): f for f in columns.values()}.values():
        if id(field) not in given:
            column = f"{field.category.lower()}.{field.code}"
            yield Problem("row 1", "missing_column", f"the column {column} is missing")
    known = {*OWN, *OPTIONAL, *columns}
    for name in dict.fromkeys(header):
        if header.count(name) > 1:
            yield Problem("row 1", "duplicate", f"the column {name[:80]!r} stands twice")
        elif is_known and name not in known:
            hint = f"; write {name.lower()}" if name.lower() in known else ""
            yield Problem("row 1", "unknown_column", f"the meter has no column {name[:80]!r}{hint}")


def _measurement(
    row: _Row, columns: Mapping[str, DataField], latest: datetime
) -> tuple[list[Problem], Measurement | None]:
    """Read a row."""
    raw: dict[str, object] = {name: row.cells.get(name) or None for name in (*OWN, *OPTIONAL)}
    problems: list[Problem] = []
    values: dict[str, dict[str, object]] = {}
    for column, field in columns.items():
        cell = row.cells.get(column)
        if cell is None:
            continue
        longest = None if field.category.is_numeric else longest_text(field.category)
        if not cell:
            problems.append(row.problem(column, "required", "needs a value"))
        elif longest is None and not NUMBER.fullmatch(cell):
            problems.append(row.problem(column, "wrong_type", "must be a number, such as 12.5"))
        elif longest is not None and len(cell) > longest:
            problems.append(row.problem(column, "wrong_length", f"has more than {longest} characters"))
        else:
            value = cell if longest is not None else Decimal(cell)
            values.setdefault(field.category.lower(), {})[field.code] = value
    try:
        measurement = read_measurement({**raw, **values})
    except Invalid as error:
        problems += [row.problem(p.field, p.code, p.message) for p in error.problems]
        return problems, None
    if utc(measurement.ts) > latest:
        problems.append(row.problem("ts", "out_of_range", "lies in the future"))
    return problems, measurement


def _uid_problems(rows: Sequence[_Row]) -> Iterator[Problem]:
    seen: dict[str, int] = {}
    for row in rows:
        uid = row.cells["uid"]
        first = seen.setdefault(uid, row.number) if uid else row.number
        if first != row.number:
            yield row.problem("uid", "duplicate", f"stands in row {first} already")


def _account_problems(tx: Transaction, rows: Sequence[_Row]) -> Iterator[Problem]:
    """Find codes that no account is made for, because one like it is there or in this CSV (semantics §6)."""
    codes: Collection[str] = {row.cells["account"] for row in rows if "\x00" not in row.cells["account"]}
    known = account_ids(tx, codes)
    taken = codes_alike(tx, [code for code in codes if code not in known])
    for row in rows:
        code = row.cells["account"]
        other = taken.setdefault(folded(code), code) if code not in known else code
        if other != code:
            message = f"there is no account {code}, and none is made for it because there is {other}"
            yield row.problem("account", "invalid_account_code", message)


def _by_row(problem: Problem) -> int:
    number = re.match(r"row (\d+)", problem.field)
    return int(number[1]) if number else 0


def _named(problem: Problem) -> str:
    return f"{problem.field}: {problem.message}" if problem.field else problem.message
