"""What the calculation of a derived field may read, checked when its meter is saved (semantics §8)."""

import re
from collections.abc import Collection, Iterator, Mapping
from typing import TYPE_CHECKING

from tallystick.calc.errors import ExpressionError
from tallystick.calc.expression import Compiled, compile_expression
from tallystick.calc.values import Kind
from tallystick.catalogue.lookup_find import lookup_problems
from tallystick.kernel.problems import Problem
from tallystick.organizations.custom_field import CustomField, Named
from tallystick.platform.resources import Transaction

if TYPE_CHECKING:
    from tallystick.catalogue.meter import DerivedField, Meter

ENTITIES = ("organization", "account", "meter", "product")
"Whose custom fields a derived field may read."
ACCOUNT_CODE = ("account", "account.code")
INSTANTS = ("ts", "ets", "timestamp.ts", "timestamp.ets")
TIMESTAMP_PARTS = ("year", "month", "day", "hour", "minute", "second", "weekday")
SYSTEM = {*ACCOUNT_CODE, *INSTANTS, *(f"timestamp.{part}" for part in TIMESTAMP_PARTS)}
"What every measurement has besides its fields; a data field of the same code goes before."

_CUSTOM = re.compile(r"(\w+)\.customfields\.([^.]+)")


def custom_field_of(reference: str) -> tuple[str, str] | None:
    """Read `account.customfields.discount` as ("account", "discount"); None is another kind of reference."""
    match = _CUSTOM.fullmatch(reference)
    return (match[1], match[2]) if match and match[1] in ENTITIES else None


def calculation_problems(meter: "Meter") -> Iterator[Problem]:
    """Find what is wrong with the calculations of a meter's derived fields as they are written."""
    data = {field.code for field in meter.data_fields}
    derived = {field.code for field in meter.derived_fields}
    for where, field in _places(meter):
        try:
            compiled = compile_expression(field.calculation)
        except ExpressionError as error:
            yield Problem(where, error.code, error.message)
            continue
        for name, at in compiled.references.items():
            reason = _unreadable(name, data, derived, is_global=meter.product_id is None)
            if reason is not None:
                yield Problem(where, "unknown_reference", compiled.problem_at(reason, at).message)
        if field.category.is_numeric and compiled.kind in {Kind.TEXT, Kind.BOOLEAN}:
            yield Problem(where, "wrong_kind", f"gives {compiled.kind}, and {field.code} is a number")


def stored_problems(tx: Transaction, meter: "Meter") -> Iterator[Problem]:
    """Find what calculations read and the organization has not defined: custom fields, lookup tables."""
    calculations = [
        (where, compiled) for where, field in _places(meter) if (compiled := _compiled(field.calculation))
    ]
    for where, compiled in calculations:
        yield from lookup_problems(tx, where, compiled)
    reads = [
        (where, compiled, name, custom)
        for where, compiled in calculations
        for name in compiled.references
        if (custom := custom_field_of(name))
    ]
    defaults = defaults_of(tx.find_one(CustomField)) if reads else {}
    for where, compiled, name, (entity, field_name) in reads:
        if field_name not in defaults[entity]:
            reason = (
                f"the organization has no custom field {field_name} for {entity}; give it a default first"
            )
            at = compiled.references[name]
            yield Problem(where, "unknown_custom_field", compiled.problem_at(reason, at).message)


def custom_fields_read(meter: "Meter") -> set[Named]:
    """Give the custom fields that a meter's calculations read."""
    compiled = (_compiled(field.calculation) for field in meter.derived_fields)
    names = (name for each in compiled if each is not None for name in each.references)
    return {custom for name in names if (custom := custom_field_of(name))}


def defaults_of(defined: CustomField | None) -> Mapping[str, Mapping[str, object]]:
    """Give the organization's default of each custom field, by entity and name."""
    return {entity: getattr(defined, entity) if defined else {} for entity in ENTITIES}


def _places(meter: "Meter") -> list[tuple[str, "DerivedField"]]:
    return [(f"derivedFields[{i}].calculation", field) for i, field in enumerate(meter.derived_fields)]


def _compiled(calculation: str) -> Compiled | None:
    try:
        return compile_expression(calculation)
    except ExpressionError:
        return None  # told by `calculation_problems`


def _unreadable(name: str, data: Collection[str], derived: Collection[str], *, is_global: bool) -> str | None:
    """Say why a name cannot be read; None is that it can."""
    if name in data or name in SYSTEM:
        return None
    if name in derived:
        return f"{name} is calculated itself; only data fields can be read"
    custom = custom_field_of(name)
    if custom is None:
        return f"{name} is no data field of this meter"
    if custom[0] == "product" and is_global:
        return f"{name} cannot be read: the meter belongs to no product"
    return None
