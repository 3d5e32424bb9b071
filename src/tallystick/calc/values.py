"""What a calculation computes with: numbers, texts, true and false, and null."""

from collections.abc import Callable, Mapping, Sequence
from decimal import Decimal
from enum import StrEnum
from typing import Protocol

from tallystick.calc.errors import CalculationError, Fault
from tallystick.kernel.decimals import plain

LONGEST_TEXT = 5000
LARGEST_EXPONENT = 6144

Known = Decimal | str | bool
Value = Known | None
Variables = Mapping[str, Value]


class Kind(StrEnum):
    """The kinds of values, as messages name them. Null is of every kind."""

    NUMBER = "a number"
    TEXT = "a text"
    BOOLEAN = "true or false"


class Lookups(Protocol):
    """The lookup tables of one organization (semantics §12)."""

    def find(self, table: str, keys: Sequence[Value]) -> Mapping[str, Value] | None:
        """Give all fields of the row with these keys, in the order of the table; None when there is no row.

        A field without a value is null; the keys never are. Raises CalculationError when there is no table.
        """
        ...


class NoLookups:
    """Stands where there are no lookup tables."""

    def find(self, table: str, keys: Sequence[Value]) -> Mapping[str, Value] | None:
        """Refuse."""
        raise CalculationError(f"there is no lookup table {table}")


Run = Callable[[Variables, Lookups], Value]
"A compiled piece of an expression."


def kind_of(value: Known) -> Kind:
    """Name a value's kind for a message."""
    if isinstance(value, bool):
        return Kind.BOOLEAN
    return Kind.NUMBER if isinstance(value, Decimal) else Kind.TEXT


def as_value(raw: object) -> Value:
    """Take a value from JSON or a row: whole numbers become decimals. Raises CalculationError."""
    if raw is None or isinstance(raw, str | bool | Decimal):
        return raw
    if isinstance(raw, int):
        return Decimal(raw)
    raise CalculationError("only numbers, texts, true, false and null can be calculated with")


def is_in_range(number: Decimal) -> bool:
    """Tell whether a number is finite and between 10^-6144 and 10^6144 in size, or zero."""
    return number.is_finite() and (not number or abs(number.adjusted()) <= LARGEST_EXPONENT)


def text_of(value: Value, at: int = 0) -> str | None:
    """Write a value as text: numbers plainly, without an exponent and without needless zeros."""
    if value is None or isinstance(value, str):
        return value
    if isinstance(value, bool):
        return "true" if value else "false"
    if not is_in_range(value) or abs(value.adjusted()) >= LONGEST_TEXT:
        raise Fault("the number is too long for a text", at)
    return f"{plain(value):f}"


def same(a: Value, b: Value) -> bool:
    """Tell whether two values are equal; values of different kinds never are, null equals null."""
    return type(a) is type(b) and bool(a == b)
