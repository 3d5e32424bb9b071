"""CUSTOM_SQL: one SELECT over `measurements`, read into a tree and written anew from it (semantics §9).

Nothing of a user's text is ever run: it is parsed here, and `custom_sql_writer` writes the query anew from
what it knows; all else is refused. Pure.
"""

import logging
from collections.abc import Collection
from typing import Any, ClassVar, Final

import msgspec
from sqlglot import exp
from sqlglot.dialects.clickhouse import ClickHouse
from sqlglot.errors import SqlglotError
from sqlglot.parsers.clickhouse import ClickHouseParser

from tallystick.catalogue.custom_sql_writer import HERE, NotAllowed, Writer

LONGEST: Final = 2048
_MOST_STEPS: Final = 5_000
"So often may the parser move on or back; the longest queries need some 1,000."
FIXED_COLUMNS: Final = ("ts", "ets", "uid", "received_at")


class _TooManySteps(Exception):
    """The parser goes back and forth."""


class CustomSqlRefused(ValueError):
    """The text is not a query that may be run. at: the offset in it, if known."""

    def __init__(self, reason: str, at: int | None = None) -> None:
        super().__init__(reason)
        self.reason = reason
        self.at = at


class CustomSql(msgspec.Struct, frozen=True):
    """A query that may be run: the text around each place where the measurements are to stand.

    answer: the name of its one column. reads: the names it reads, of fields and of its own columns.
    """

    around: tuple[str, ...]
    answer: str
    reads: frozenset[str]

    def over(self, measurements: str) -> str:
        """Write the query. measurements: the SELECT of what it may see."""
        return f"({measurements})".join(self.around)


def read_custom_sql(text: str, columns: Collection[str] | None = None) -> CustomSql:
    """Read a query. columns: of `measurements`; None does not ask whether they exist.

    Raises CustomSqlRefused.
    """
    if len(text) > LONGEST:
        raise CustomSqlRefused(f"may have at most {LONGEST} characters")
    tree = _parsed(text)
    writer = Writer()
    try:
        writer.select(tree, 0, answers=True)
    except NotAllowed as error:
        raise CustomSqlRefused(error.reason, _offset(error.node)) from None
    if columns is not None:
        known = {*columns, *FIXED_COLUMNS, *writer.aliases}
        for node in writer.read:
            if node.name not in known:
                raise CustomSqlRefused(f"measurements have no field {node.name}", _offset(node))
    pieces = "".join(writer.out).split(HERE)
    return CustomSql(tuple(pieces), writer.answer, frozenset(node.name for node in writer.read))


def position(text: str, at: int | None) -> str:
    """Put an offset into words, with a comma behind it; nothing when it is not known."""
    if at is None:
        return ""
    before = text[:at]
    return f"line {before.count(chr(10)) + 1}, column {at - (before.rfind(chr(10)) + 1) + 1}: "


class _Parser(ClickHouseParser):
    """Knows no function by itself: each stays a name with arguments, and so is looked up in our list.

    It tries things and goes back, for some texts twice as often for each word more, so its steps are counted.
    """

    FUNCTIONS: ClassVar[dict[str, Any]] = {}
    FUNCTION_PARSERS: ClassVar[dict[str, Any]] = {}
    NO_PAREN_FUNCTIONS: ClassVar[dict[Any, Any]] = {}
    AGG_FUNC_MAPPING: ClassVar[dict[str, Any]] = {}

    def reset(self) -> None:
        """Begin anew."""
        super().reset()
        self._steps = 0

    def _advance(self, times: int = 1) -> None:
        self._steps += 1
        if self._steps > _MOST_STEPS:
            raise _TooManySteps
        super()._advance(times)


_DIALECT: Final = ClickHouse()
logging.getLogger("sqlglot").setLevel(logging.ERROR)  # it would log each text that is no query


def _parsed(text: str) -> exp.Expr:
    if HERE in text:
        raise CustomSqlRefused("must not hold a zero byte", text.index(HERE))
    try:
        found = _Parser(dialect=_DIALECT).parse(_DIALECT.tokenize(text), text)
    except (RecursionError, _TooManySteps):
        raise CustomSqlRefused("is nested too deep") from None
    except SqlglotError as error:
        told = (getattr(error, "errors", None) or [{}])[0]
        raise CustomSqlRefused("is not SQL that can be read", _place(text, told)) from None
    except (LookupError, TypeError, ValueError, AttributeError):  # the parser's own, on broken texts
        raise CustomSqlRefused("is not SQL that can be read") from None
    if len(found) != 1 or found[0] is None:
        raise CustomSqlRefused("must be exactly one SELECT")
    return found[0]


def _place(text: str, told: dict[str, Any]) -> int | None:
    """Give the offset of what the parser stumbled over."""
    line, column = told.get("line"), told.get("col")
    if not line or not column:
        return None
    start = sum(len(each) + 1 for each in text.split("\n")[: line - 1])
    return max(0, start + int(column) - len(told.get("highlight") or " "))


def _offset(node: exp.Expr) -> int | None:
    """Give where a node, or the first of what is in it, stands in the text."""
    starts = [each.meta["start"] for each in node.walk() if "start" in each.meta]
    return min(starts) if starts else None
