"""The grammar of the language, and what each of its rules compiles to (semantics §7)."""

import difflib
import re
from collections.abc import Mapping
from decimal import Decimal, InvalidOperation
from functools import cache
from typing import Any

import msgspec
from lark import Lark, Token, Transformer, v_args

from tallystick.calc import operators
from tallystick.calc.errors import Fault
from tallystick.calc.functions import FUNCTIONS, Function
from tallystick.calc.values import Kind, Run, Value, is_in_range
from tallystick.kernel.decimals import PRECISION

MOST_NODES = 1000
MOST_DEEP = 200
MOST_POWERS = 20
"A power of 50 digits takes milliseconds, everything else microseconds."

GRAMMAR = r"""
?start: choice
?choice: either | either QUESTION choice ":" choice
?either: both | either OR both                -> binary
?both: equality | both AND equality           -> binary
?equality: relation | equality EQUALITY relation -> binary
?relation: sum | sum RELATION sum             -> binary
?sum: product | sum SIGN product              -> binary
?product: signed | product FACTOR signed      -> binary
?signed: power | SIGN signed                  -> unary
?power: atom | atom POWER signed              -> binary
?atom: NUMBER                                 -> number
    | STRING                                  -> string
    | NULL                                    -> null
    | TRUE                                    -> true
    | FALSE                                   -> false
    | NAME                                    -> name
    | NAME "(" [choice ("," choice)*] ")"     -> call
    | "(" choice ")"

QUESTION: "?"
OR: "OR"
AND: "AND"
NULL: "null"
TRUE: "true"
FALSE: "false"
EQUALITY: /[=!]=/
RELATION: /[<>]=?/
SIGN: /[+-]/
FACTOR: /[*\/%]/
POWER: "^"
NUMBER: /([0-9]+(\.[0-9]+)?|\.[0-9]+)([eE][+-]?[0-9]+)?/
STRING: /'([^'\\]|\\.)*'|"([^"\\]|\\.)*"/s
NAME: /([^\W\d]|\$)[\w$]*(\.([^\W\d]|\$)[\w$]*)*/
SPACE: /\s+/
%ignore SPACE
"""

CONSTANTS: dict[str, tuple[Value, Kind]] = {
    "Math.PI": (Decimal("3.1415926535897932384626433832795028841971693993751"), Kind.NUMBER),
    "DateTime.TS_FMT": ("yyyy-MM-dd'T'HH:mm:ss.SSSX", Kind.TEXT),
}
_ESCAPES = {"n": "\n", "t": "\t", "\\": "\\", "'": "'", '"': '"'}
_KINDS = {
    **dict.fromkeys("-*/%^", Kind.NUMBER),
    **dict.fromkeys(("==", "!=", "<", "<=", ">", ">=", "AND", "OR"), Kind.BOOLEAN),
}


class LookupUse(msgspec.Struct, frozen=True):
    """One call of a lookup function. field: None when only the row is asked for. at: offset."""

    table: str
    field: str | None
    keys: int
    at: int


class Node(msgspec.Struct, frozen=True):
    """A compiled piece. kind: of its value, if known. names: the variables it reads, and where first.

    literal: its text, if it is a text in quotes.
    """

    run: Run
    kind: Kind | None
    at: int
    depth: int = 1
    size: int = 1
    powers: int = 0
    names: Mapping[str, int] = {}
    lookups: tuple[LookupUse, ...] = ()
    literal: str | None = None


@cache
def parser() -> Lark:
    """Build the parser, once in a process; it may be used by several threads."""
    return Lark(GRAMMAR, parser="lalr", lexer="basic", transformer=_Compiler())


def _joined(run: Run, kind: Kind | None, at: int, parts: list[Node], *, powers: int = 0) -> Node:
    """Make a node of its parts. Raises Fault when it becomes too large to evaluate in bounded time."""
    node = Node(
        run,
        kind,
        at,
        depth=1 + max((p.depth for p in parts), default=0),
        size=1 + sum(p.size for p in parts),
        powers=powers + sum(p.powers for p in parts),
        names={name: where for p in reversed(parts) for name, where in p.names.items()},
        lookups=tuple(use for p in parts for use in p.lookups),
    )
    if node.depth > MOST_DEEP:
        raise Fault(f"more than {MOST_DEEP} operations build on one another", at)
    if node.size > MOST_NODES:
        raise Fault(f"more than {MOST_NODES} values and operations", at)
    if node.powers > MOST_POWERS:
        raise Fault(f"more than {MOST_POWERS} powers", at)
    return node


@v_args(inline=True)
class _Compiler(Transformer[Token, Node]):
    """Compiles each rule as soon as it is parsed. Without state, so threads may share it."""

    def choice(self, condition: Node, mark: Token, then: Node, otherwise: Node) -> Node:
        kind = then.kind if then.kind is otherwise.kind else None
        at = _offset(mark)
        run = operators.choose(condition.run, then.run, otherwise.run, at)
        return _joined(run, kind, at, [condition, then, otherwise])

    def binary(self, left: Node, symbol: Token, right: Node) -> Node:
        at = _offset(symbol)
        run = operators.BINARY[symbol](left.run, right.run, at)
        return _joined(run, _kind(symbol, left, right), at, [left, right], powers=symbol == "^")

    def unary(self, symbol: Token, operand: Node) -> Node:
        at = _offset(symbol)
        build = operators.negate if symbol == "-" else operators.affirm
        return _joined(build(operand.run, at), Kind.NUMBER, at, [operand])

    def number(self, token: Token) -> Node:
        return _constant(_number(token), Kind.NUMBER, token)

    def string(self, token: Token) -> Node:
        text = _unescaped(token)
        return msgspec.structs.replace(_constant(text, Kind.TEXT, token), literal=text)

    def null(self, token: Token) -> Node:
        return _constant(None, None, token)

    def true(self, token: Token) -> Node:
        return _constant(value=True, kind=Kind.BOOLEAN, token=token)

    def false(self, token: Token) -> Node:
        return _constant(value=False, kind=Kind.BOOLEAN, token=token)

    def name(self, token: Token) -> Node:
        if token in CONSTANTS:
            return _constant(*CONSTANTS[token], token)
        if token in FUNCTIONS:
            raise Fault(f"{token} is a function; its arguments stand in ( )", _offset(token))
        if token.startswith(("Math.", "DateTime.", "Lookup.")):
            raise Fault(f"there is no {token}{_alike(token, CONSTANTS)}", _offset(token))
        at = _offset(token)
        return Node(operators.variable(str(token), at), None, at, names={str(token): at})

    def call(self, token: Token, *arguments: Any) -> Node:
        at = _offset(token)
        function = FUNCTIONS.get(token)
        if function is None:
            raise Fault(f"there is no function {token}{_alike(token, FUNCTIONS)}", at)
        given = [each for each in arguments if each is not None]  # () is parsed as one None
        _check_count(token, function, len(given))
        names, rest = _names(token, function, given), given[function.names :]
        run = function.build(names, [each.run for each in rest], at)
        powers = int(function is FUNCTIONS["Math.pow"])
        node = _joined(run, function.kind or _common(rest), at, rest, powers=powers)
        if not names:
            return node
        keys = len(rest) - (function.names - 1)
        use = LookupUse(names[0], names[1] if len(names) > 1 else None, keys, at)
        return msgspec.structs.replace(node, lookups=(*node.lookups, use))


def _constant(value: Value, kind: Kind | None, token: Token) -> Node:
    return Node(operators.constant(value), kind, _offset(token))


def _offset(token: Token) -> int:
    return token.start_pos or 0


def _kind(symbol: str, left: Node, right: Node) -> Kind | None:
    if symbol != "+":
        return _KINDS[symbol]
    if Kind.TEXT in {left.kind, right.kind}:
        return Kind.TEXT
    return _common([left, right])


def _common(nodes: list[Node]) -> Kind | None:
    kinds = {node.kind for node in nodes}
    return kinds.pop() if len(kinds) == 1 else None


def _number(token: Token) -> Decimal:
    try:
        number = Decimal(token)
    except InvalidOperation:
        number = Decimal("Infinity")
    if not is_in_range(number) or len(re.sub(r"[eE].*|\.", "", token).lstrip("0")) > PRECISION:
        raise Fault(f"a number has at most {PRECISION} digits and lies within 10^6144", _offset(token))
    return number


def _unescaped(token: Token) -> str:
    if "\x00" in token:
        raise Fault("a text cannot hold the NUL character", _offset(token))

    def replaced(match: re.Match[str]) -> str:
        if match[1] not in _ESCAPES:
            at = _offset(token) + 1 + match.start()
            raise Fault("after \\ in a text stands one of n t \\ ' \"", at)
        return _ESCAPES[match[1]]

    return re.sub(r"\\(.)", replaced, token[1:-1], flags=re.DOTALL)


def _alike(name: str, known: Mapping[str, object]) -> str:
    lower = {each.lower(): each for each in known}
    close = difflib.get_close_matches(name.lower(), lower, n=1)
    return f"; did you mean {lower[close[0]]}?" if close else ""


def _check_count(token: Token, function: Function, given: int) -> None:
    least, most = function.least, function.most
    if given < least or (most is not None and given > most):
        wanted = f"{least} or more" if most is None else str(least) if least == most else f"{least} or {most}"
        raise Fault(f"{token} takes {wanted} arguments, not {given}", _offset(token))


def _names(token: Token, function: Function, given: list[Node]) -> list[str]:
    names: list[str] = []
    for node in given[: function.names]:
        if node.literal is None:
            raise Fault(f"{token} takes the names of table and field as texts in quotes", node.at)
        names.append(node.literal)
    return names
