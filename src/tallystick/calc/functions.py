"""Functions and casts (semantics §7, §12); only `isnull`, `IN` and `Lookup` look at null arguments."""

import re
from collections.abc import Callable, Mapping, Sequence
from decimal import Decimal

import msgspec

from tallystick.calc.errors import Fault
from tallystick.calc.operators import power_of
from tallystick.calc.values import Kind, Lookups, Run, Value, Variables, is_in_range, kind_of, same, text_of
from tallystick.kernel.decimals import PRECISION, ZERO, RoundingMode, round_to

LARGEST_SCALE = 100
_SCALES = {Decimal(scale): scale for scale in range(-LARGEST_SCALE, LARGEST_SCALE + 1)}
_NUMBER = re.compile(r"[+-]?(?:[0-9]+(?:\.[0-9]*)?|\.[0-9]+)(?:[eE][+-]?[0-9]{1,4})?")

Build = Callable[[Sequence[str], Sequence[Run], int], Run]
Row = Mapping[str, Value]


class Function(msgspec.Struct, frozen=True):
    """A function. least, most: how many arguments; None is any number. kind: of the answer; None is either.

    names: so many first arguments are names, written as texts in quotes.
    build: makes a closure from these names, the other arguments, and the offset for messages.
    """

    build: Build
    least: int
    most: int | None
    kind: Kind | None
    names: int = 0


def _eager(apply: Callable[[list[Value]], Value]) -> Build:
    """Evaluate all arguments, then apply; a fault of it stands where the function does."""

    def build(_names: Sequence[str], arguments: Sequence[Run], at: int) -> Run:
        def run(variables: Variables, lookups: Lookups) -> Value:
            values = [each(variables, lookups) for each in arguments]
            try:
                return apply(values)
            except Fault as fault:
                raise Fault(fault.reason, at) from None

        return run

    return build


def _numeric(apply: Callable[[list[Decimal]], Decimal]) -> Build:
    """Evaluate all arguments to numbers; null if one is null."""

    def numbers(values: list[Value]) -> Value:
        found: list[Decimal] = []
        for value in values:
            if value is None:
                return None
            if not isinstance(value, Decimal):
                raise Fault(f"the function needs numbers, not {kind_of(value)}")
            found.append(value)
        return apply(found)

    return _eager(numbers)


def _rounding(mode: RoundingMode) -> Callable[[list[Decimal]], Decimal]:
    def apply(numbers: list[Decimal]) -> Decimal:
        return round_at(numbers[0], _whole_scale(numbers[1]) if len(numbers) > 1 else 0, mode)

    return apply


def _nearest(numbers: list[Decimal]) -> Decimal:
    """Round halves toward plus infinity: 2.5 to 3, -2.5 to -2."""
    mode = RoundingMode.HALF_DOWN if numbers[0] < 0 else RoundingMode.HALF_UP
    return _rounding(mode)(numbers)


def round_at(value: Decimal, scale: int, mode: RoundingMode) -> Decimal:
    """Round to so many decimals (negative: powers of ten); a number without such digits stays as it is."""
    exact = value + ZERO
    if exact and exact.adjusted() + scale >= PRECISION:
        return exact
    return round_to(exact, scale, mode)


def _whole_scale(scale: Decimal) -> int:
    whole = _SCALES.get(scale + ZERO)
    if whole is None:
        raise Fault(f"a scale is a whole number from -{LARGEST_SCALE} to {LARGEST_SCALE}")
    return whole


def _to_number(values: list[Value]) -> Value:
    value = values[0]
    if isinstance(value, bool):
        return Decimal(value)
    if not isinstance(value, str):
        return value
    number = Decimal(value.strip()) if _NUMBER.fullmatch(value.strip()) else None
    if number is None or not is_in_range(number):
        raise Fault(f"{value[:30]!r} is not a number")
    return number + ZERO


def _to_boolean(values: list[Value]) -> Value:
    value = values[0]
    if isinstance(value, Decimal):
        return bool(value)
    if not isinstance(value, str):
        return value
    answers = {"true": True, "false": False}
    if value.strip().lower() not in answers:
        raise Fault(f"{value[:30]!r} is neither true nor false")
    return answers[value.strip().lower()]


def _first_known(_names: Sequence[str], arguments: Sequence[Run], _at: int) -> Run:
    """Give the first argument, or the second if that is null; the second is evaluated only then."""
    first, second = arguments

    def run(variables: Variables, lookups: Lookups) -> Value:
        value = first(variables, lookups)
        return second(variables, lookups) if value is None else value

    return run


def _among(values: list[Value]) -> Value:
    return any(same(values[0], each) for each in values[1:])


def _row(names: Sequence[str], keys: Sequence[Run]) -> Callable[[Variables, Lookups], Row | None]:
    """Find a row by its keys; none has a null key."""

    def find(variables: Variables, lookups: Lookups) -> Row | None:
        values = [key(variables, lookups) for key in keys]
        return None if None in values else lookups.find(names[0], values)

    return find


def _exists(names: Sequence[str], arguments: Sequence[Run], _at: int) -> Run:
    find = _row(names, arguments)
    return lambda variables, lookups: find(variables, lookups) is not None


def _found(kind: Kind) -> Build:
    """Give a field of the row that is found, or the default where there is none; of this kind, or null."""

    def build(names: Sequence[str], arguments: Sequence[Run], at: int) -> Run:
        table, field = names
        default, find = arguments[0], _row(names, arguments[1:])

        def run(variables: Variables, lookups: Lookups) -> Value:
            row = find(variables, lookups)
            if row is not None and field not in row:
                raise Fault(f"the lookup table {table} has no field {field}", at)
            value = None if row is None else row[field]
            if value is None:
                value = default(variables, lookups)
            if value is not None and kind_of(value) != kind:
                raise Fault(f"the lookup gives {kind_of(value)}, not {kind}", at)
            return value

        return run

    return build


FUNCTIONS: dict[str, Function] = {
    "Math.max": Function(_numeric(max), 2, None, Kind.NUMBER),
    "Math.min": Function(_numeric(min), 2, None, Kind.NUMBER),
    "Math.floor": Function(_numeric(_rounding(RoundingMode.FLOOR)), 1, 2, Kind.NUMBER),
    "Math.ceil": Function(_numeric(_rounding(RoundingMode.CEILING)), 1, 2, Kind.NUMBER),
    "Math.round": Function(_numeric(_nearest), 1, 2, Kind.NUMBER),
    "Math.pow": Function(_numeric(lambda numbers: power_of(numbers[0], numbers[1])), 2, 2, Kind.NUMBER),
    "Math.abs": Function(_numeric(lambda numbers: abs(numbers[0])), 1, 1, Kind.NUMBER),
    "isnull": Function(_first_known, 2, 2, None),
    "IN": Function(_eager(_among), 2, None, Kind.BOOLEAN),
    "Number": Function(_eager(_to_number), 1, 1, Kind.NUMBER),
    "String": Function(_eager(lambda values: text_of(values[0])), 1, 1, Kind.TEXT),
    "Boolean": Function(_eager(_to_boolean), 1, 1, Kind.BOOLEAN),
    "Lookup.findNumber": Function(_found(Kind.NUMBER), 4, None, Kind.NUMBER, names=2),
    "Lookup.findString": Function(_found(Kind.TEXT), 4, None, Kind.TEXT, names=2),
    "Lookup.exists": Function(_exists, 2, None, Kind.BOOLEAN, names=1),
}
