"""What a notification rule says about an event. Pure."""

from collections.abc import Iterator, Mapping
from typing import Any, Final

from tallystick.calc.errors import CalculationError, ExpressionError
from tallystick.calc.expression import Compiled, compile_expression
from tallystick.calc.values import Kind, Lookups, NoLookups, Value, as_value
from tallystick.kernel.problems import Problem

Fields = Mapping[str, str]
"By name, such as `new.amount`, the type of each field of an event."

_OPEN: Final = "object"
"A field of this type holds fields of its own: `new.customFields.tier`."
_CLOSED: Final = "array"


def rule_problems(calculation: str, event_name: str, fields: Fields) -> Iterator[Problem]:
    """Find what is wrong with a rule about an event that has these fields, each with its place.

    Rule: semantics §28 — created: `new.` only, updated: both, deleted: `old.` only; the result is a boolean.
    """
    try:
        compiled = compile_expression(calculation)
    except ExpressionError as error:
        yield Problem("calculation", error.code, f"{error.message}\n{error.excerpt}")
        return
    if compiled.kind in {Kind.NUMBER, Kind.TEXT}:
        yield Problem("calculation", "wrong_kind", f"gives {compiled.kind}, and a rule is true or false")
    for name, at in compiled.references.items():
        reason = _fault_of(name, event_name, fields)
        if reason is not None:
            problem = compiled.problem_at(reason, at)
            yield Problem("calculation", "unknown_reference", problem.message)


def is_met(calculation: str, states: Mapping[str, Mapping[str, Any]], lookups: Lookups | None = None) -> bool:
    """Tell whether an event meets a rule; null counts as false (semantics §7).

    states: by `new` and `old`, the fields. Raises ExpressionError, CalculationError.
    """
    compiled = compile_expression(calculation)
    value = compiled.evaluate(_values(compiled, states), lookups or NoLookups())
    if value is None or isinstance(value, bool):
        return value is True
    raise CalculationError("the rule gives neither true nor false")


def _fault_of(name: str, event_name: str, fields: Fields) -> str | None:
    """Say why a name cannot be read from an event; None when it can."""
    parts = name.split(".")
    kind = next(
        (fields[known] for i in range(len(parts), 1, -1) if (known := ".".join(parts[:i])) in fields), None
    )
    whole = name in fields
    if kind is None:
        return f"the event {event_name} has no field {name}"
    if whole and kind in {_OPEN, _CLOSED}:
        return f"{name} is an {kind}, which cannot be calculated with"
    if not whole and kind != _OPEN:
        return f"{name} is inside a field that has none of its own"
    return None


def _values(compiled: Compiled, states: Mapping[str, Mapping[str, Any]]) -> dict[str, Value]:
    return {name: _value(name.split("."), states) for name in compiled.references}


def _value(path: list[str], states: Mapping[str, Any]) -> Value:
    """Walk to a field; one that is not there is null. Raises CalculationError for an object or array."""
    found: Any = states
    for part in path:
        found = found.get(part) if isinstance(found, Mapping) else None
    return as_value(found)
