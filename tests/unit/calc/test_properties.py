"""Properties (semantics §7): precedence as Python parses it; nothing but its two errors ever comes out."""

import ast
from decimal import Decimal
from typing import Any

import pytest
from hypothesis import assume, given
from hypothesis import strategies as st

from tallystick.calc.errors import CalculationError, ExpressionError
from tallystick.calc.expression import compile_expression
from tallystick.calc.functions import FUNCTIONS
from tallystick.calc.grammar import MOST_POWERS
from tallystick.calc.values import Value, is_in_range
from tallystick.kernel.decimals import divide

D = Decimal
ENV: dict[str, Value] = {"a": D(7), "b": D("-2.5"), "c": D(0), "d": D(3)}


def arithmetic() -> st.SearchStrategy[str]:
    """Write sums of products of signed powers, flat: how they group is for the parser to find out."""
    atoms = st.sampled_from(["1", "2", "0.5", "10", "3.25", *ENV])

    def extend(inner: st.SearchStrategy[str]) -> st.SearchStrategy[str]:
        factor = st.builds(
            "{}{}{}".format,
            st.sampled_from(["", "", "-", "+", "- -"]),
            st.one_of(atoms, inner.map("({})".format)),
            st.sampled_from(["", "", "", "^2", "^ -1", "^2^2", "^0", "^-d"]),
        )
        operators = st.sampled_from([" + ", "-", " * ", "/", "%", "*", "+"])
        rest = st.lists(st.tuples(operators, factor), max_size=5)
        return st.builds(lambda first, more: first + "".join(o + f for o, f in more), factor, rest)

    return st.recursive(atoms, extend, max_leaves=8)


def conditions() -> st.SearchStrategy[str]:
    compared = st.builds(
        "{} {} {}".format, arithmetic(), st.sampled_from(["<", "<=", ">", ">=", "==", "!="]), arithmetic()
    )

    def extend(inner: st.SearchStrategy[str]) -> st.SearchStrategy[str]:
        part = st.one_of(compared, inner.map("({})".format))
        joined = st.lists(st.tuples(st.sampled_from([" AND ", " OR "]), part), max_size=3)
        return st.builds(lambda first, more: first + "".join(o + p for o, p in more), part, joined)

    return st.recursive(compared, extend, max_leaves=5)


def by_python(text: str) -> Value:
    """Evaluate with Python's own parser. Raises ZeroDivisionError."""
    python = text.replace("^", "**").replace("AND", "and").replace("OR", "or")
    value: Value = walk(ast.parse(python.strip(), mode="eval").body)
    return value


def walk(node: ast.expr) -> Any:  # noqa: PLR0911 - one for each kind of node
    match node:
        case ast.Constant():
            return D(ast.unparse(node))
        case ast.Name(name):
            return ENV[name]
        case ast.UnaryOp(ast.USub(), operand):
            return -walk(operand)
        case ast.UnaryOp(ast.UAdd(), operand):
            return walk(operand)
        case ast.BoolOp(ast.And(), values):
            return all(walk(value) for value in values)
        case ast.BoolOp(ast.Or(), values):
            return any(walk(value) for value in values)
        case ast.Compare(left, [operator], [right]):
            a, b = walk(left), walk(right)
            names = {"Lt": a < b, "LtE": a <= b, "Gt": a > b, "GtE": a >= b, "Eq": a == b, "NotEq": a != b}
            return names[type(operator).__name__]
        case ast.BinOp(left, operator, right):
            return combine(walk(left), type(operator).__name__, walk(right))
    raise AssertionError(ast.dump(node))


def combine(a: Decimal, operator: str, b: Decimal) -> Decimal:
    if operator in {"Div", "Mod"} and b == 0:
        raise ZeroDivisionError
    if operator == "Pow" and a == 0 and b < 0:
        raise ZeroDivisionError
    match operator:
        case "Add":
            return a + b
        case "Sub":
            return a - b
        case "Mult":
            return a * b
        case "Div":
            return divide(a, b)
        case "Mod":
            return a % b
        case "Pow":
            return D(1) if b == 0 else a**b
    raise AssertionError(operator)


@given(st.one_of(arithmetic(), conditions()))
def test_an_expression_groups_as_python_groups_it(text: str) -> None:
    assume(text.count("^") <= MOST_POWERS)
    compiled = compile_expression(text)
    try:
        expected = by_python(text)
    except (ZeroDivisionError, ArithmeticError):
        with pytest.raises(CalculationError):
            compiled.evaluate(ENV)
        return
    if isinstance(expected, D) and not is_in_range(expected):
        with pytest.raises(CalculationError):
            compiled.evaluate(ENV)
        return
    assert compiled.evaluate(ENV) == expected


TOKENS = [
    *"+-*/%^()<>?:,.=!&|",
    *("==", "!=", "<=", ">=", "AND", "OR", "null", "true", "false", "Math.PI", "DateTime.TS_FMT"),
    *FUNCTIONS,
    *(
        "a",
        "b.c",
        "1",
        "2.5",
        "1e9",
        "1e6000",
        "'x'",
        '"y"',
        "'",
        '"',
        "\\",
        " ",
        "\n",
        "\x00",
        "é",
        "$",
        "_",
    ),
]


@given(st.one_of(st.text(max_size=200), st.lists(st.sampled_from(TOKENS), max_size=40).map(" ".join)))
def test_any_text_compiles_or_is_refused(text: str) -> None:
    refused = None
    try:
        outcome(compile_expression(text), {"a": D(1)})
    except ExpressionError as error:
        refused = error
    if refused is not None:
        lines = text.split("\n")
        assert 1 <= refused.line <= len(lines)
        assert 1 <= refused.column <= len(lines[refused.line - 1]) + 1
        line, caret = refused.excerpt.split("\n")
        assert caret.strip() == "^"
        assert len(caret) <= len(line) + 1


VALUES: st.SearchStrategy[Value] = st.one_of(
    st.none(),
    st.booleans(),
    st.text(max_size=20),
    st.sampled_from(["1", "true", "x" * 5000]),
    st.decimals(),
    st.decimals(allow_nan=False, allow_infinity=False, min_value=-1000, max_value=1000, places=3),
    st.sampled_from([D("1E+6144"), D("1E-6144"), D("9E+999999"), D("1E-999999"), D("9" * 38), D("sNaN")]),
    st.integers(-200, 200).map(Decimal),
)
NAMES = ("a", "b", "account.customfields.x")


def expressions() -> st.SearchStrategy[str]:
    """Write valid expressions over all there is, of whatever kinds."""
    atoms = st.sampled_from(
        [*NAMES, "null", "true", "false", "0", "1", "2.5", "1e6000", "'x'", "'12'", "Math.PI", "unknown"]
    )

    def extend(inner: st.SearchStrategy[str]) -> st.SearchStrategy[str]:
        symbols = ["+", "-", "*", "/", "%", "^", "==", "!=", "<", "<=", ">", ">=", "AND", "OR"]
        binary = st.builds("({} {} {})".format, inner, st.sampled_from(symbols), inner)
        ternary = st.builds("({} ? {} : {})".format, inner, inner, inner)
        unary = st.builds("{}{}".format, st.sampled_from(["-", "+"]), inner)
        calls = st.sampled_from(sorted(FUNCTIONS)).flatmap(lambda name: call(name, inner))
        return st.one_of(binary, ternary, unary, calls)

    return st.recursive(atoms, extend, max_leaves=12)


def call(name: str, inner: st.SearchStrategy[str]) -> st.SearchStrategy[str]:
    function = FUNCTIONS[name]
    least = function.least - function.names
    most = least + 2 if function.most is None else function.most - function.names
    names = ["'rates'", "'rate'"][: function.names]
    arguments = st.lists(inner, min_size=least, max_size=most)
    return arguments.map(lambda given: f"{name}({', '.join([*names, *given])})")


class Anything:
    """Finds a row for some keys."""

    def find(self, table: str, keys: Any) -> dict[str, Value] | None:
        return {"rate": keys[0]} if len(keys) % 2 else None


def outcome(compiled: Any, env: dict[str, Value]) -> None:
    try:
        value = compiled.evaluate(env, Anything())
    except CalculationError as error:
        assert error.message  # noqa: PT017 - any other error fails the test
        return
    assert value is None or isinstance(value, bool | str | Decimal)
    if isinstance(value, Decimal):
        assert is_in_range(value)


@given(expressions(), st.tuples(*(VALUES for _ in NAMES)))
def test_any_values_give_a_value_or_a_calculation_error(text: str, values: tuple[Value, ...]) -> None:
    outcome(compile_expression(text), dict(zip(NAMES, values, strict=True)))
