"""Operators, each compiled to a closure over its operands (semantics §7). `at`: offset, for messages."""

import operator
from collections.abc import Callable
from decimal import Decimal
from functools import partial

from tallystick.calc.errors import Fault
from tallystick.calc.values import LONGEST_TEXT, Lookups, Run, Value, Variables, kind_of, same, text_of
from tallystick.kernel.decimals import divide, power, remainder

Binary = Callable[[Run, Run, int], Run]
Compute = Callable[[Decimal, Decimal, int], Decimal]
Others = Callable[[Value, Value, int], Value]


def variable(name: str, at: int) -> Run:
    """Read a variable."""

    def run(variables: Variables, _lookups: Lookups) -> Value:
        try:
            return variables[name]
        except KeyError:
            raise Fault(f"{name} is not known here", at) from None

    return run


def constant(value: Value) -> Run:
    """Give always the same."""
    return lambda _variables, _lookups: value


def arithmetic(symbol: str, compute: Compute, others: Others | None = None) -> Binary:
    """Make an operator on two numbers. others: what it makes of the rest; nulls give null if not told."""
    of_others = others or partial(_not_numbers, symbol)

    def combine(left: Run, right: Run, at: int) -> Run:
        def run(variables: Variables, lookups: Lookups) -> Value:
            a, b = left(variables, lookups), right(variables, lookups)
            if type(a) is Decimal and type(b) is Decimal:
                return compute(a, b, at)
            return of_others(a, b, at)

        return run

    return combine


def power_of(base: Decimal, exponent: Decimal, at: int = 0) -> Decimal:
    """Raise a number to a power, or tell why not."""
    if not base and exponent < 0:
        raise Fault("division by zero: zero has no negative power", at)
    if base < 0 and exponent % 1:
        raise Fault("a negative number has no fractional power", at)
    return power(base, exponent)


def negate(operand: Run, at: int) -> Run:
    """Change the sign of a number."""

    def run(variables: Variables, lookups: Lookups) -> Value:
        value = operand(variables, lookups)
        return -value if type(value) is Decimal else _not_numbers("-", value, value, at)

    return run


def affirm(operand: Run, at: int) -> Run:
    """Give a number as it is."""

    def run(variables: Variables, lookups: Lookups) -> Value:
        value = operand(variables, lookups)
        return value if type(value) is Decimal else _not_numbers("+", value, value, at)

    return run


def equal(left: Run, right: Run, _at: int) -> Run:
    """Compare any two values; null equals only null."""
    return lambda variables, lookups: same(left(variables, lookups), right(variables, lookups))


def unequal(left: Run, right: Run, _at: int) -> Run:
    """Compare any two values the other way round."""
    return lambda variables, lookups: not same(left(variables, lookups), right(variables, lookups))


def ordering(symbol: str) -> Binary:
    """Make the comparison `<`, `<=`, `>` or `>=`: of numbers, or of texts; false when a side is null."""
    holds = {"<": operator.lt, "<=": operator.le, ">": operator.gt, ">=": operator.ge}[symbol]

    def compare(left: Run, right: Run, at: int) -> Run:
        def run(variables: Variables, lookups: Lookups) -> Value:
            a, b = left(variables, lookups), right(variables, lookups)
            if type(a) is Decimal and type(b) is Decimal:
                return bool(holds(a, b))
            if a is None or b is None:
                return False
            if isinstance(a, str) and isinstance(b, str):
                return bool(holds(a, b))
            raise Fault(f"{symbol} cannot compare {kind_of(a)} with {kind_of(b)}", at)

        return run

    return compare


def both(left: Run, right: Run, at: int) -> Run:
    """Tell whether both sides are true; the right one is looked at only if the left one is."""

    def run(variables: Variables, lookups: Lookups) -> Value:
        return truth(left(variables, lookups), at) and truth(right(variables, lookups), at)

    return run


def either(left: Run, right: Run, at: int) -> Run:
    """Tell whether a side is true; the right one is looked at only if the left one is not."""

    def run(variables: Variables, lookups: Lookups) -> Value:
        return truth(left(variables, lookups), at) or truth(right(variables, lookups), at)

    return run


def choose(condition: Run, then: Run, otherwise: Run, at: int) -> Run:
    """Evaluate one of two branches, never the other."""

    def run(variables: Variables, lookups: Lookups) -> Value:
        branch = then if truth(condition(variables, lookups), at) else otherwise
        return branch(variables, lookups)

    return run


def truth(value: Value, at: int) -> bool:
    """Take a condition; null counts as false."""
    if value is True or value is False:
        return value
    if value is None:
        return False
    raise Fault(f"a condition is true or false, not {kind_of(value)}", at)


def _join(a: Value, b: Value, at: int) -> Value:
    if a is not None and b is not None and (isinstance(a, str) or isinstance(b, str)):
        joined = f"{text_of(a, at)}{text_of(b, at)}"
        if len(joined) > LONGEST_TEXT:
            raise Fault(f"the text has more than {LONGEST_TEXT} characters", at)
        return joined
    return _not_numbers("+", a, b, at)


def _not_numbers(symbol: str, a: Value, b: Value, at: int) -> Value:
    """Give null for null operands, else refuse those that are no numbers."""
    if a is None or b is None:
        return None
    wrong = b if isinstance(a, Decimal) else a
    raise Fault(f"{symbol} needs a number, not {kind_of(wrong)}", at)


def _not_zero(divisor: Decimal, at: int) -> Decimal:
    if not divisor:
        raise Fault("division by zero", at)
    return divisor


BINARY: dict[str, Binary] = {
    "+": arithmetic("+", lambda a, b, _: a + b, _join),
    "-": arithmetic("-", lambda a, b, _: a - b),
    "*": arithmetic("*", lambda a, b, _: a * b),
    "/": arithmetic("/", lambda a, b, at: divide(a, _not_zero(b, at))),
    "%": arithmetic("%", lambda a, b, at: remainder(a, _not_zero(b, at))),
    "^": arithmetic("^", power_of),
    "==": equal,
    "!=": unequal,
    **{symbol: ordering(symbol) for symbol in ("<", "<=", ">", ">=")},
    "AND": both,
    "OR": either,
}
