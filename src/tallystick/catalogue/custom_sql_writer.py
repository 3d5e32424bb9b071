"""Writes a query of CUSTOM_SQL anew from its tree: what is not listed here is refused, and never written.

Every kind of node and every part of a node that may stand in a query is named in this file, every function
in `custom_sql_functions`. Pure.
"""

import re
from collections.abc import Iterator
from typing import Any, ClassVar, Final

from sqlglot import exp

from tallystick.catalogue.custom_sql_functions import AGGREGATES, FUNCTIONS, INTERVALS
from tallystick.platform.clickhouse import sql

DEEPEST: Final = 60
"So many levels may expressions and subqueries be nested."
MOST_READS: Final = 8
"So often may `measurements` stand in one query."
TABLE: Final = "measurements"
ANSWER: Final = "the answer"
"The name of the one column that has no other: with a space, so that nothing of a user's is called so."
HERE: Final = "\x00"
"Where the measurements are to stand, while a query is written: no text of a user's holds it."

_NAME: Final = re.compile(r"[A-Za-z_$][A-Za-z0-9_$]{0,79}\Z")
_WHOLE: Final = re.compile(r"[0-9]{1,38}\Z")
_POINT: Final = re.compile(r"[0-9]{0,26}\.([0-9]{1,12})\Z")
_FLOAT: Final = re.compile(r"[0-9]{1,26}(\.[0-9]{0,26})?[eE][+-]?[0-9]{1,3}\Z")
_BINARY: Final[dict[type[exp.Expr], str]] = {
    exp.Add: "+",
    exp.Sub: "-",
    exp.Mul: "*",
    exp.Div: "/",
    exp.Mod: "%",
    exp.EQ: "=",
    exp.NEQ: "!=",
    exp.GT: ">",
    exp.GTE: ">=",
    exp.LT: "<",
    exp.LTE: "<=",
    exp.And: "AND",
    exp.Or: "OR",
    exp.Like: "LIKE",
    exp.ILike: "ILIKE",
}
_HINTS: Final = {
    "db": f"may read nothing but {TABLE}",
    "catalog": f"may read nothing but {TABLE}",
    "joins": "joins are not allowed",
    "with_": "WITH is not allowed: write the subquery where it is read",
    "settings": "SETTINGS are not allowed",
    "format": "FORMAT is not allowed",
    "into": "INTO is not allowed",
}


class NotAllowed(Exception):
    """A node that may not stand in a query, and why."""

    def __init__(self, reason: str, node: exp.Expr) -> None:
        super().__init__(reason)
        self.reason = reason
        self.node = node


_PARAMETERIZED: Final = (exp.ParameterizedAgg, exp.CombinedParameterizedAgg)
_CALLS: Final = (exp.Anonymous, exp.AnonymousAggFunc, exp.CombinedAggFunc, *_PARAMETERIZED)


class Writer:
    """Writes a tree, node by node; refuses what it does not know. out: the text so far."""

    def __init__(self) -> None:
        self.out: list[str] = []
        self.read: list[exp.Identifier] = []
        self.aliases: set[str] = set()
        self.answer = ANSWER
        self._reads = 0

    # --- queries --------------------------------------------------------------------------------

    def select(self, node: exp.Expr, depth: int, *, answers: bool = False) -> None:
        """Write a SELECT. answers: it is the whole query, and has one column."""
        if type(node) is not exp.Select:
            raise NotAllowed("must be exactly one SELECT", node)
        _deep(node, depth)
        _only(node, "expressions", "from_", "where", "group", "having", "order", "limit", "distinct")
        columns = node.args.get("expressions") or []
        if answers and len(columns) != 1:
            raise NotAllowed("must select exactly one number", node)
        self.out.append("SELECT ")
        if node.args.get("distinct"):
            _only(node.args["distinct"])
            self.out.append("DISTINCT ")
        for column in self._between(columns):
            self._column(column, depth + 1, answers=answers)
        self.out.append(" FROM ")
        self._from(node.args.get("from_") or node, depth + 1)
        for key, words in (("where", " WHERE "), ("having", " HAVING ")):
            clause = node.args.get(key)
            if key == "having" and node.args.get("group"):
                _only(node.args["group"], "expressions")
                self.out.append(" GROUP BY ")
                self._list(node.args["group"].expressions, depth + 1)
            if clause is not None:
                _only(clause, "this")
                self.out.append(words)
                self._write(clause.this, depth + 1)
        self._order(node.args.get("order"), depth + 1)
        self._limit(node.args.get("limit"))

    def _column(self, node: exp.Expr, depth: int, *, answers: bool) -> None:
        if type(node) is exp.Alias:
            _only(node, "this", "alias")
            self._write(node.this, depth)
            self.out.append(f" AS {_quoted(node.args['alias'])}")
            self.aliases.add(node.args["alias"].name)
            self.answer = node.args["alias"].name if answers else self.answer
        else:
            self._write(node, depth)
            if answers:
                self.out.append(f" AS `{ANSWER}`")

    def _from(self, node: exp.Expr, depth: int) -> None:
        if type(node) is not exp.From:
            raise NotAllowed(f"must select FROM {TABLE}", node)
        _only(node, "this")
        source = node.this
        named = source.args.get("alias")
        alias = TABLE
        if named is not None:
            _only(named, "this")
            alias = named.name
            _quoted(named.this)
        if type(source) is exp.Table:
            _only(source, "this", "alias")
            if type(source.this) is not exp.Identifier or source.name != TABLE:
                raise NotAllowed(f"may read nothing but {TABLE}", source)
            self._reads += 1
            if self._reads > MOST_READS:
                raise NotAllowed(f"may read {TABLE} at most {MOST_READS} times", source)
            self.out.append(HERE)
        elif type(source) is exp.Subquery:
            _only(source, "this", "alias")
            self.out.append("(")
            self.select(source.this, depth)
            self.out.append(")")
        else:
            raise NotAllowed(f"may read nothing but {TABLE}", source)
        if named is not None or type(source) is exp.Table:
            self.out.append(f" AS `{alias}`")

    def _order(self, node: exp.Expr | None, depth: int) -> None:
        if node is None:
            return
        _only(node, "expressions")
        self.out.append(" ORDER BY ")
        for each in self._between(node.expressions):
            if type(each) is not exp.Ordered:
                raise NotAllowed("is not allowed in ORDER BY", each)
            _only(each, "this", "desc", "nulls_first")
            self._write(each.this, depth)
            self.out.append(" DESC" if each.args.get("desc") else " ASC")
            self.out.append(" NULLS FIRST" if each.args.get("nulls_first") else " NULLS LAST")

    def _limit(self, node: exp.Expr | None) -> None:
        if node is None:
            return
        if type(node) is not exp.Limit:
            raise NotAllowed("only LIMIT with a number is allowed", node)
        _only(node, "expression")
        number = node.args.get("expression")
        if type(number) is not exp.Literal or number.is_string or not _WHOLE.match(number.this):
            raise NotAllowed("only LIMIT with a number is allowed", node)
        self.out.append(f" LIMIT {number.this}")

    # --- expressions ----------------------------------------------------------------------------

    def _write(self, node: exp.Expr, depth: int) -> None:
        """Write one expression, in brackets where it has parts: no precedence is left to be misread."""
        _deep(node, depth)
        kind = type(node)
        if kind in _BINARY:
            _only(node, "this", "expression")
            self._around(node.this, f" {_BINARY[kind]} ", node.args["expression"], depth)
            return
        write = self._expressions.get(kind)
        if write is None:
            raise NotAllowed(f"{_called(node)} is not allowed", node)
        write(self, node, depth + 1)

    def _around(self, left: exp.Expr, between: str, right: exp.Expr, depth: int) -> None:
        self.out.append("(")
        self._write(left, depth + 1)
        self.out.append(between)
        self._write(right, depth + 1)
        self.out.append(")")

    def _between(self, nodes: list[exp.Expr]) -> Iterator[exp.Expr]:
        """Give each node, with commas written between them."""
        for at, node in enumerate(nodes):
            if at:
                self.out.append(", ")
            yield node

    def _list(self, nodes: list[exp.Expr], depth: int) -> None:
        for node in self._between(nodes):
            self._write(node, depth)

    def _name(self, node: exp.Expr, depth: int) -> None:
        _only(node, "this", "table")
        table = node.args.get("table")
        if table is not None:
            self.out.append(f"{_quoted(table)}.")
        self.out.append(_quoted(node.this))
        self.read.append(node.this)

    def _literal(self, node: exp.Expr, depth: int) -> None:
        text = str(node.this)
        if HERE in text:
            raise NotAllowed("a text must not hold a zero byte", node)
        if node.args.get("is_string"):
            self.out.append(sql.text(text))
        elif _WHOLE.match(text) or _FLOAT.match(text):
            self.out.append(text)
        elif point := _POINT.match(text):
            self.out.append(f"toDecimal256('{text}', {len(point[1])})")  # 0.1 is exact
        else:
            raise NotAllowed(f"{text[:40]} is not a number that can be read", node)

    def _constant(self, node: exp.Expr, depth: int) -> None:
        is_true = type(node) is exp.Boolean and bool(node.this)
        self.out.append("NULL" if type(node) is exp.Null else "true" if is_true else "false")

    def _prefixed(self, node: exp.Expr, depth: int) -> None:
        _only(node, "this")
        self.out.append("(- " if type(node) is exp.Neg else "(NOT " if type(node) is exp.Not else "(")
        self._write(node.this, depth)
        self.out.append(")")

    def _is(self, node: exp.Expr, depth: int) -> None:
        _only(node, "this", "expression")
        if type(node.args["expression"]) is not exp.Null:
            raise NotAllowed("IS is only allowed with NULL", node)
        self._around(node.this, " IS ", node.args["expression"], depth)

    def _range(self, node: exp.Expr, depth: int) -> None:
        _only(node, "this", "low", "high")
        self._around(node.this, " BETWEEN ", node.args["low"], depth)
        self.out[-1:] = [" AND "]
        self._write(node.args["high"], depth)
        self.out.append(")")

    def _in(self, node: exp.Expr, depth: int) -> None:
        _only(node, "this", "expressions", "query")
        self.out.append("(")
        self._write(node.this, depth)
        self.out.append(" IN ")
        if node.args.get("query") is not None:
            self._write(node.args["query"], depth)
        else:
            self.out.append("(")
            self._list(node.expressions, depth)
            self.out.append(")")
        self.out.append(")")

    def _subquery(self, node: exp.Expr, depth: int) -> None:
        _only(node, "this")
        self.out.append("(")
        self.select(node.this, depth)
        self.out.append(")")

    def _if(self, node: exp.Expr, depth: int) -> None:
        _only(node, "this", "true", "false")
        self.out.append("if(")
        self._list([node.this, node.args["true"], node.args.get("false") or exp.Null()], depth)
        self.out.append(")")

    def _case(self, node: exp.Expr, depth: int) -> None:
        _only(node, "this", "ifs", "default")
        self.out.append("(CASE ")
        if node.args.get("this") is not None:
            self._write(node.this, depth)
        for each in node.args["ifs"]:
            _only(each, "this", "true")
            self.out.append(" WHEN ")
            self._write(each.this, depth)
            self.out.append(" THEN ")
            self._write(each.args["true"], depth)
        if node.args.get("default") is not None:
            self.out.append(" ELSE ")
            self._write(node.args["default"], depth)
        self.out.append(" END)")

    def _interval(self, node: exp.Expr, depth: int) -> None:
        _only(node, "this", "unit")
        count, unit = node.this, node.args.get("unit")
        name = str(unit.this).upper() if type(unit) is exp.Var else ""
        if name not in INTERVALS or type(count) is not exp.Literal or not _WHOLE.match(str(count.this)):
            raise NotAllowed("this INTERVAL is not allowed", node)
        self.out.append(f"INTERVAL {count.this} {name}")

    def _call(self, node: exp.Expr, depth: int) -> None:
        _only(node, "this", "expressions", "params")
        name = _function(node)
        self.out.append(name)
        arguments = node.expressions
        if type(node) in _PARAMETERIZED:
            self.out.append(f"({', '.join(_parameter(each) for each in node.expressions)})")
            arguments = node.args.get("params") or []
        self.out.append("(")
        for each in self._between(arguments):
            if type(each) is exp.Star and name == "count":
                _only(each)
            elif type(each) is exp.Distinct and name in AGGREGATES.values():
                _only(each, "expressions")
                self.out.append("DISTINCT ")
                self._list(each.expressions, depth)
            else:
                self._write(each, depth)
        self.out.append(")")

    def _over(self, node: exp.Expr, depth: int) -> None:
        _only(node, "this", "partition_by", "order", "over")
        if type(node.this) not in _CALLS or node.args.get("over") != "OVER":
            raise NotAllowed("this window is not allowed", node)
        self._call(node.this, depth)
        self.out.append(" OVER (")
        if node.args.get("partition_by"):
            self.out.append("PARTITION BY ")
            self._list(node.args["partition_by"], depth)
        self._order(node.args.get("order"), depth)
        self.out.append(")")

    _expressions: ClassVar[dict[type[exp.Expr], Any]] = {
        exp.Column: _name,
        exp.Literal: _literal,
        exp.Null: _constant,
        exp.Boolean: _constant,
        exp.Neg: _prefixed,
        exp.Not: _prefixed,
        exp.Paren: _prefixed,
        exp.Is: _is,
        exp.Between: _range,
        exp.In: _in,
        exp.Subquery: _subquery,
        exp.If: _if,
        exp.Case: _case,
        exp.Interval: _interval,
        exp.Window: _over,
        **dict.fromkeys(_CALLS, _call),
    }


def _only(node: exp.Expr, *allowed: str) -> None:
    """Refuse a node that has any other part than these."""
    for key, value in node.args.items():
        if key not in allowed and value not in (None, False, []):
            reason = _HINTS.get(key, f"{key.strip('_').replace('_', ' ').upper()} is not allowed here")
            raise NotAllowed(reason, value if isinstance(value, exp.Expr) else node)


def _deep(node: exp.Expr, depth: int) -> None:
    if depth > DEEPEST:
        raise NotAllowed("is nested too deep", node)


def _quoted(node: exp.Expr) -> str:
    if type(node) is not exp.Identifier or not _NAME.match(str(node.this)):
        raise NotAllowed("names are made of letters, digits, _ and $", node)
    return f"`{node.this}`"


def _function(node: exp.Expr) -> str:
    name = str(node.this)
    found = (AGGREGATES | FUNCTIONS).get(name.lower()) if name.isascii() else None
    if found is None:
        raise NotAllowed(f"the function {name[:40]} is not allowed", node)
    if type(node) in _PARAMETERIZED and not found.startswith("quantile"):
        raise NotAllowed(f"the function {found} has no parameters", node)
    return found


def _parameter(node: exp.Expr) -> str:
    text = str(node.this) if type(node) is exp.Literal and not node.args.get("is_string") else ""
    if not _WHOLE.match(text) and not _POINT.match(text):
        raise NotAllowed("a parameter is a number", node)
    return text


def _called(node: exp.Expr) -> str:
    return re.sub(r"(?<=[a-z])(?=[A-Z])", " ", type(node).__name__).upper()
