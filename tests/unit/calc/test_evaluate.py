"""What expressions give: operators, precedence, nulls, functions and casts (semantics §7, §12)."""

from collections.abc import Sequence
from decimal import Decimal

import pytest

from tallystick.calc.errors import CalculationError
from tallystick.calc.expression import compile_expression
from tallystick.calc.values import Kind, Value, as_value

D = Decimal
ENV: dict[str, Value] = {
    "a": D(7),
    "b": D(2),
    "c": D(120),
    "zero": D(0),
    "t": "text",
    "n": None,
    "yes": True,
    "no": False,
    "my_field": D(1),
    "$x1": D(2),
    "größe": D(3),
    "account.customfields.discount": D("0.25"),
    "timestamp.ts": D(1700000000),
    "aggregation.requests": D(500),
    "new.amountSpent": D(95),
    "new.amount": D(100),
    "old.amountSpent": None,
    "old.amount": None,
}


class Rates:
    """One lookup table, with an empty place in it."""

    def find(self, table: str, keys: Sequence[Value]) -> dict[str, Value] | None:
        if table != "rates":
            raise CalculationError(f"there is no lookup table {table}")
        rows: dict[str, dict[str, Value]] = {
            "eu": {"rate": D("0.5"), "name": "Europe"},
            "us": {"rate": None, "name": "States"},
        }
        return rows.get(str(keys[0]))


def value_of(text: str) -> Value:
    return compile_expression(text).evaluate(ENV, Rates())


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        # 7 + 2 + 120/60: only the last is divided, whatever the title of the example says
        ("a + b + c/60", D(11)),
        ("(a + b + c)/60", D("2.15")),
        ("2 + 3 * 4", D(14)),
        ("(2 + 3) * 4", D(20)),
        ("10 - 4 - 3", D(3)),
        ("100 / 10 / 5", D(2)),
        ("2 * 7 % 4", D(2)),
        ("2 ^ 3 ^ 2", D(512)),
        ("-2 ^ 2", D(-4)),
        ("(-2) ^ 2", D(4)),
        ("2 ^ -2", D("0.25")),
        ("-a - -b", D(-5)),
        ("+a--b", D(9)),
        ("- - 3", D(3)),
        ("7 % 3", D(1)),
        ("-7 % 3", D(-1)),
        ("7 % -3", D(1)),
        ("5.5 % 2", D("1.5")),
        ("0 ^ 0", D(1)),
        ("4 ^ 0.5", D(2)),
        ("1 / 3", D("0." + "3" * 50)),
        (".5 + 1.25e2 + 1E-1", D("125.6")),
        ("Math.PI", D("3.1415926535897932384626433832795028841971693993751")),
        ("DateTime.TS_FMT", "yyyy-MM-dd'T'HH:mm:ss.SSSX"),
        ("my_field + $x1 + größe", D(6)),
        ("c * (1 - account.customfields.discount)", D(90)),
        ("aggregation.requests - 100 * 3", D(200)),
        ("\n a\t+\r\n b ", D(9)),
        ("1 < 2 == true", True),
        ("1 < 2 AND 2 < 3 OR 1 / 0 > 1", True),
        ("true OR true AND false", True),
        ("(true OR true) AND false", False),
        ("1 + 1 == 2 ? 3 + 4 : 5", D(7)),
        ("no ? 1 : yes ? 2 : 3", D(2)),
        ("yes ? no ? 1 : 2 : 3", D(2)),
        ("b > 1 ? 'many' : 'one'", "many"),
        ("true == yes != false", True),
    ],
)
def test_operators_and_their_precedence(text: str, expected: Value) -> None:
    assert value_of(text) == expected
    assert type(value_of(text)) is type(expected)


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("'a' + 'b'", "ab"),
        ('"it\'s" + \' "so"\'', 'it\'s "so"'),
        (r"'it\'s \\ \"so\"\n\t'", 'it\'s \\ "so"\n\t'),
        ("t + 1.50", "text1.5"),
        ("1 + 2 + t", "3text"),
        ("t + 1 + 2", "text12"),
        ("t + 10 ^ 3", "text1000"),
        ("t + 1 / 4", "text0.25"),
        ("t + 0.0000001", "text0.0000001"),
        ("t + -0", "text0"),
        ("t + yes + no", "texttruefalse"),
        ("t + n", None),
        ("'abc' < 'abd'", True),
        ("'10' < '9'", True),
        ("'10' == 10", False),
        ("'a' != 1", True),
        ("true == 1", False),
        ("1.0 == 1", True),
    ],
)
def test_texts(text: str, expected: Value) -> None:
    assert value_of(text) == expected


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        *((f"{pair}", None) for pair in ("n + 1", "1 - n", "n * n", "1 / n", "n % 0", "2 ^ n", "-n", "+n")),
        *((f"n {symbol} 1", False) for symbol in ("<", "<=", ">", ">=", "==")),
        *((f"t {symbol} n", False) for symbol in ("<", "<=", ">", ">=", "==")),
        ("n < n", False),
        ("n == null", True),
        ("n != null", False),
        ("a == null", False),
        ("a != null", True),
        ("n AND true", False),
        ("true AND n", False),
        ("n OR true", True),
        ("n OR n", False),
        ("n ? 1 : 2", D(2)),
        ("n - t", None),
        ("Math.max(1, n)", None),
        ("Math.round(n)", None),
        ("Math.round(1.5, n)", None),
        ("Math.abs(n)", None),
        ("isnull(n, 3)", D(3)),
        ("isnull(a, 1 / 0)", D(7)),
        ("isnull(n, n)", None),
        ("IN(n, 1, null)", True),
        ("IN(n, 1, 2)", False),
        ("Number(n)", None),
        ("String(n)", None),
        ("Boolean(n)", None),
    ],
)
def test_nulls(text: str, expected: Value) -> None:
    assert value_of(text) is expected or value_of(text) == expected


def test_the_rule_for_ten_percent_left() -> None:
    rule = (
        "(new.amountSpent >= new.amount*90/100) AND "
        "(old.amountSpent <= old.amount*90/100 OR old.amountSpent == null)"
    )
    assert value_of(rule) is True
    assert compile_expression(rule).evaluate({**ENV, "new.amountSpent": D(89)}) is False


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("Math.max(1, 3, 2)", D(3)),
        ("Math.min(1, -3, 2)", D(-3)),
        ("Math.round(2.5)", D(3)),
        ("Math.round(-2.5)", D(-2)),
        ("Math.round(-2.51)", D(-3)),
        ("Math.round(2.4)", D(2)),
        ("Math.round(1.005, 2)", D("1.01")),
        ("Math.round(-1.005, 2)", D("-1")),
        ("Math.round(1250, -2)", D(1300)),
        ("Math.round(-1250, -2)", D(-1200)),
        ("Math.round(49, -2)", D(0)),
        ("Math.floor(2.9)", D(2)),
        ("Math.floor(-2.1)", D(-3)),
        ("Math.floor(2.999, 2)", D("2.99")),
        ("Math.floor(299, -2)", D(200)),
        ("Math.ceil(2.1)", D(3)),
        ("Math.ceil(-2.9)", D(-2)),
        ("Math.ceil(2.001, 2)", D("2.01")),
        ("Math.ceil(201, -2)", D(300)),
        ("Math.round(10 ^ 60 + 1)", D(10) ** 60),
        ("Math.round(1.5, 100)", D("1.5")),
        ("Math.round(1.5, -100)", D(0)),
        ("Math.pow(2, 10)", D(1024)),
        ("Math.pow(9, 0.5)", D(3)),
        ("Math.abs(-2)", D(2)),
        ("Math.abs(2)", D(2)),
        ("IN('b', 'a', 'b')", True),
        ("IN(1, '1', true)", False),
        ("IN(a, 7)", True),
        ("Number(' -1.5e2 ')", D(-150)),
        ("Number(yes) + Number(no)", D(1)),
        ("Number(1.5)", D("1.5")),
        ("String(1 / 4) + 1", "0.251"),
        ("String(yes)", "true"),
        ("String(t)", "text"),
        ("Boolean(' TRUE ')", True),
        ("Boolean('false')", False),
        ("Boolean(0)", False),
        ("Boolean(0.1)", True),
        ("Boolean(yes)", True),
        ("Lookup.findNumber('rates', 'rate', 9, 'eu')", D("0.5")),
        ("Lookup.findNumber('rates', 'rate', 9, 'mars')", D(9)),
        ("Lookup.findNumber('rates', 'rate', 9, 'us')", D(9)),
        ("Lookup.findNumber('rates', 'rate', null, 'mars')", None),
        ("Lookup.findNumber('rates', 'rate', 9, n)", D(9)),
        ("Lookup.findString('rates', 'name', '?', 'eu')", "Europe"),
        ("Lookup.findString('rates', 'name', '?', 'mars')", "?"),
        ("Lookup.exists('rates', 'eu')", True),
        ("Lookup.exists('rates', 'mars')", False),
        ("Lookup.exists('rates', n)", False),
    ],
)
def test_functions(text: str, expected: Value) -> None:
    assert value_of(text) == expected
    assert type(value_of(text)) is type(expected)


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("a + unknown", "unknown is not known here (line 1, column 5)"),
        ("a /\n zero", "division by zero (line 1, column 3)"),
        ("a\n% zero", "division by zero (line 2, column 1)"),
        ("zero ^ -1", "division by zero: zero has no negative power (line 1, column 6)"),
        ("Math.pow(zero, -1)", "division by zero: zero has no negative power (line 1, column 1)"),
        ("(-8) ^ 0.5", "a negative number has no fractional power (line 1, column 6)"),
        ("t * 2", "* needs a number, not a text (line 1, column 3)"),
        ("2 - t", "- needs a number, not a text (line 1, column 3)"),
        ("yes + 1", "+ needs a number, not true or false (line 1, column 5)"),
        ("1 / yes", "/ needs a number, not true or false (line 1, column 3)"),
        ("t % 2", "% needs a number, not a text (line 1, column 3)"),
        ("t ^ 2", "^ needs a number, not a text (line 1, column 3)"),
        ("-t", "- needs a number, not a text (line 1, column 1)"),
        ("+yes", "+ needs a number, not true or false (line 1, column 1)"),
        ("t < 1", "< cannot compare a text with a number (line 1, column 3)"),
        ("yes >= no", ">= cannot compare true or false with true or false (line 1, column 5)"),
        ("1 AND yes", "a condition is true or false, not a number (line 1, column 3)"),
        ("yes AND t", "a condition is true or false, not a text (line 1, column 5)"),
        ("t ? 1 : 2", "a condition is true or false, not a text (line 1, column 3)"),
        ("Math.abs(t)", "the function needs numbers, not a text (line 1, column 1)"),
        ("Math.round(1, 0.5)", "a scale is a whole number from -100 to 100 (line 1, column 1)"),
        ("Math.round(1, 101)", "a scale is a whole number from -100 to 100 (line 1, column 1)"),
        ("Number('1,5')", "'1,5' is not a number (line 1, column 1)"),
        ("Number('1e9999')", "'1e9999' is not a number (line 1, column 1)"),
        ("Boolean(t)", "'text' is neither true nor false (line 1, column 1)"),
        ("10 ^ 10 ^ 10", "a number becomes larger than can be calculated with"),
        ("10 ^ 999999 * 10", "a number becomes larger than can be calculated with"),
        ("10 ^ 999 % 7", "a number becomes larger than can be calculated with"),
        ("10 ^ 6145", "the result is not a number within 10^6144"),
        ("10 ^ -6145", "the result is not a number within 10^6144"),
        ("String(10 ^ 5000)", "the number is too long for a text (line 1, column 1)"),
        ("t + 10 ^ 9999", "the number is too long for a text (line 1, column 3)"),
        ("t + 10 ^ 4999", "the text has more than 5000 characters (line 1, column 3)"),
        ("Lookup.findNumber('rates', 'name', 0, 'eu')", "the lookup gives a text, not a number"),
        ("Lookup.findString('rates', 'name', 0, 'x')", "the lookup gives a number, not a text"),
        ("Lookup.findNumber('rates', 'x', 0, 'eu')", "the lookup table rates has no field x"),
        ("Lookup.exists('other', 1)", "there is no lookup table other"),
    ],
)
def test_what_cannot_be_evaluated(text: str, message: str) -> None:
    with pytest.raises(CalculationError) as failed:
        value_of(text)
    assert failed.value.message.startswith(message)


def test_without_lookup_tables_there_are_none() -> None:
    with pytest.raises(CalculationError, match="there is no lookup table rates"):
        compile_expression("Lookup.exists('rates', 1)").evaluate({})


@pytest.mark.parametrize("text", ["no AND 1 / 0 > 1", "yes OR 1 / 0 > 1", "yes ? true : 1 / 0"])
def test_only_what_is_needed_is_evaluated(text: str) -> None:
    assert value_of(text) is not None


@pytest.mark.parametrize(
    ("text", "kind"),
    [
        ("a * 2", Kind.NUMBER),
        ("a + b", None),
        ("1 + 2", Kind.NUMBER),
        ("a + 'x'", Kind.TEXT),
        ("a == b", Kind.BOOLEAN),
        ("a ? 1 : 2", Kind.NUMBER),
        ("a ? 1 : 'x'", None),
        ("-a", Kind.NUMBER),
        ("isnull(a, 1)", None),
        ("isnull(a * 1, 1)", Kind.NUMBER),
        ("a", None),
        ("null", None),
        ("true", Kind.BOOLEAN),
    ],
)
def test_the_kind_is_known_where_the_text_tells(text: str, kind: Kind | None) -> None:
    assert compile_expression(text).kind is kind


def test_references_and_lookups_are_listed_with_their_places() -> None:
    compiled = compile_expression("b + a * b + Lookup.findNumber('rates', 'rate', d, x.y, 1) + Math.PI")
    assert compiled.references == {"b": 0, "a": 4, "d": 47, "x.y": 50}
    [use] = compiled.lookups
    assert (use.table, use.field, use.keys, use.at) == ("rates", "rate", 2, 12)
    [use] = compile_expression("-Lookup.exists('t', k) ").lookups
    assert (use.table, use.field, use.keys, use.at) == ("t", None, 1, 1)
    nested = compile_expression("Lookup.findString('t', 'f', Lookup.findString('u', 'g', 'x', k), k)")
    assert [use.table for use in nested.lookups] == ["u", "t"]


def test_an_expression_is_compiled_once() -> None:
    assert compile_expression("a + 12345") is compile_expression("a + 12345")


def test_values_from_json_become_numbers() -> None:
    assert [as_value(raw) for raw in (1, D("1.5"), "x", True, None)] == [D(1), D("1.5"), "x", True, None]
    assert type(as_value(1)) is D
    with pytest.raises(CalculationError):
        as_value([1])
