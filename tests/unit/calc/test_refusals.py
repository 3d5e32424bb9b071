"""What is no expression (semantics §7) is refused, with its place and what to do; nothing takes long."""

import time
from contextlib import suppress

import pytest

from tallystick.calc.errors import CalculationError, ExpressionError
from tallystick.calc.expression import compile_expression
from tallystick.calc.grammar import MOST_DEEP


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("", "the expression ends too early; a value is missing (line 1, column 1)"),
        ("  \n ", "the expression ends too early; a value is missing (line 1, column 1)"),
        ("1 +", "the expression ends too early; a value is missing (line 1, column 4)"),
        ("(a", "the expression ends too early; a ) is missing (line 1, column 3)"),
        ("a ? b", "the expression ends too early; the other branch, after : is missing (line 1, column 6)"),
        ("1 + * 2", "unexpected *; a value belongs here (line 1, column 5)"),
        ("a\n+ )", "unexpected ); a value belongs here (line 2, column 3)"),
        ("a b", "unexpected b; an operator belongs before it, or nothing (line 1, column 3)"),
        ("2gb", "unexpected gb; an operator belongs before it, or nothing (line 1, column 2)"),
        ("a and b", "unexpected and; write AND (line 1, column 3)"),
        ("a or b", "unexpected or; write OR (line 1, column 3)"),
        ("a not b", "unexpected not; there is no NOT; write == false (line 1, column 3)"),
        ("a = b", "unexpected =; write == to compare (line 1, column 3)"),
        ("a && b", "unexpected &; write AND (line 1, column 3)"),
        ("a || b", "unexpected |; write OR (line 1, column 3)"),
        ("!a", "unexpected !; write != to compare, or == false (line 1, column 1)"),
        ("a # b", "unexpected #; it has no meaning here (line 1, column 3)"),
        ("a..b", "unexpected .; it has no meaning here (line 1, column 2)"),
        ("1 + 'abc", "unexpected '; the text has no closing ' (line 1, column 5)"),
        ('"abc', 'unexpected "; the text has no closing " (line 1, column 1)'),
        ("a < b < c", "comparisons cannot be chained; join two with AND (line 1, column 7)"),
        (r"'a\q'", "after \\ in a text stands one of n t \\ ' \" (line 1, column 3)"),
        ("'a\x00'", "a text cannot hold the NUL character (line 1, column 1)"),
        ("1 + 1e9999", "a number has at most 50 digits and lies within 10^6144 (line 1, column 5)"),
        ("1e" + "9" * 30, "a number has at most 50 digits and lies within 10^6144 (line 1, column 1)"),
        ("1" * 51, "a number has at most 50 digits and lies within 10^6144 (line 1, column 1)"),
        ("2 * round(1)", "there is no function round; did you mean Math.round? (line 1, column 5)"),
        (
            "2 * math.round(1)",
            "there is no function math.round; did you mean Math.round? (line 1, column 5)",
        ),
        ("ISNULL(a, 1)", "there is no function ISNULL; did you mean isnull? (line 1, column 1)"),
        ("Math.round", "Math.round is a function; its arguments stand in ( ) (line 1, column 1)"),
        ("Math.Pi", "there is no Math.Pi; did you mean Math.PI? (line 1, column 1)"),
        ("DateTime.now", "there is no DateTime.now; did you mean DateTime.TS_FMT? (line 1, column 1)"),
        ("f(1)", "there is no function f (line 1, column 1)"),
        ("Lookup.x", "there is no Lookup.x (line 1, column 1)"),
        ("Math.round()", "Math.round takes 1 or 2 arguments, not 0 (line 1, column 1)"),
        ("Math.round(1, 2, 3)", "Math.round takes 1 or 2 arguments, not 3 (line 1, column 1)"),
        ("Math.max(1)", "Math.max takes 2 or more arguments, not 1 (line 1, column 1)"),
        ("isnull(1)", "isnull takes 2 arguments, not 1 (line 1, column 1)"),
        ("IN(a)", "IN takes 2 or more arguments, not 1 (line 1, column 1)"),
        (
            "Lookup.findNumber(t, 'f', 0, k)",
            "Lookup.findNumber takes the names of table and field as texts in quotes (line 1, column 19)",
        ),
        (
            "Lookup.findString('t', 'f' + '', '', k)",
            "Lookup.findString takes the names of table and field as texts in quotes (line 1, column 28)",
        ),
        ("1" + " " * 5000, "an expression has at most 5000 characters (line 1, column 5001)"),
    ],
)
def test_what_is_no_expression_is_refused_with_its_place(text: str, message: str) -> None:
    with pytest.raises(ExpressionError) as refused:
        compile_expression(text)
    assert refused.value.message == message
    assert message.startswith(refused.value.reason)
    assert f"(line {refused.value.line}, column {refused.value.column})" in message


@pytest.mark.parametrize(
    ("text", "line", "caret"),
    [
        pytest.param("1 +\n2 * * 3\n+ 4", "2 * * 3", "    ^", id="its own line"),
        pytest.param("1 +\n", "1 +", "   ^", id="behind the end"),
        pytest.param("1\t+ *", "1 + *", "    ^", id="a tab is one column"),
        pytest.param(f"{'a + ' * 20}) + b", f"+ {'a + ' * 7}) + b", " " * 30 + "^", id="far inside"),
    ],
)
def test_an_excerpt_points_at_the_place(text: str, line: str, caret: str) -> None:
    with pytest.raises(ExpressionError) as refused:
        compile_expression(text)
    assert refused.value.excerpt == f"{line}\n{caret}"


def test_a_reference_can_be_refused_at_its_place() -> None:
    compiled = compile_expression("1 + gb")
    error = compiled.problem_at("gb is unknown", compiled.references["gb"])
    assert error.message == "gb is unknown (line 1, column 5)"
    assert error.excerpt == "1 + gb\n    ^"


@pytest.mark.parametrize(
    ("text", "reason"),
    [
        ("+".join("1" * 202), f"more than {MOST_DEEP} operations build on one another"),
        ("-" * 250 + "1", f"more than {MOST_DEEP} operations build on one another"),
        (f"IN({','.join('1' * 1000)})", "more than 1000 values and operations"),
        ("+".join(["2^2"] * 21), "more than 20 powers"),
        ("+".join(["Math.pow(2,2)"] * 21), "more than 20 powers"),
    ],
)
def test_an_expression_is_bounded(text: str, reason: str) -> None:
    with pytest.raises(ExpressionError) as refused:
        compile_expression(text)
    assert refused.value.reason == reason


def test_parentheses_cost_nothing() -> None:
    assert compile_expression("(" * 2499 + "1" + ")" * 2499).evaluate({}) == 1


@pytest.mark.parametrize(
    "text",
    [
        "9.9^9.9^9.9^9.9",
        "10^10^10^10",
        "+".join(["1.0000001^(1.7^3.3)"] * 10),
        "1.0000000000000000001^(10^40)",
        "IN('" + "','".join(["x" * 40] * 100) + "')",
    ],
)
def test_nothing_takes_long(text: str) -> None:
    start = time.perf_counter()
    with suppress(CalculationError):
        compile_expression(text).evaluate({})
    assert time.perf_counter() - start < 2
