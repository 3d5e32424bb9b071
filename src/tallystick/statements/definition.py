"""Statement definitions: how a bill's usage is told apart on its statement."""

from collections.abc import Iterable, Iterator, Mapping
from enum import StrEnum
from typing import Annotated

import msgspec
from msgspec import Meta

from tallystick.catalogue.meter import DataField, FieldCategory, Meter
from tallystick.kernel.problems import Problem
from tallystick.platform.resources import Entity, Id, Transaction, resource
from tallystick.platform.resources.checks import no_repeats
from tallystick.rating.method import Method

MOST = 100
"So many dimensions, and so many measures, has a definition at most."
ALL = "*"
"In a filter: every value of the dimension."
DIMENSIONS = frozenset({FieldCategory.WHO, FieldCategory.WHERE, FieldCategory.WHAT, FieldCategory.OTHER})
"Fields to tell usage apart by (semantics §5)."


class AggregationFrequency(StrEnum):
    """The spans of local days that a statement is cut into."""

    DAY = "DAY"
    WEEK = "WEEK"
    MONTH = "MONTH"
    QUARTER = "QUARTER"
    YEAR = "YEAR"
    WHOLE_PERIOD = "WHOLE_PERIOD"


COUNTING = frozenset({Method.COUNT, Method.UNIQUE})
"What can be asked of texts too."
OF_AGGREGATIONS = frozenset({Method.CUSTOM_SQL, Method.TIME_WEIGHTED})
"What a field's values alone do not tell; CUSTOM_SQL is in the original's list, and refused here."
Function = Annotated[
    Method, Meta(extra_json_schema={"enum": [m.value for m in Method if m is not Method.TIME_WEIGHTED]})
]


class Dimension(msgspec.Struct, kw_only=True, rename="camel"):
    """A field that usage is told apart by; without meterId, of every meter that has it.

    filter: the values that get rows of their own, `*` for all; what else there is shares one row.
    attributes: more fields of the meter whose values stand beside.
    """

    meter_id: Id | None = None
    name: Annotated[str, Meta(min_length=1)]
    attributes: Annotated[list[str], Meta(max_length=MOST)] = []
    filter: Annotated[list[str], Meta(min_length=1, max_length=1000)]


class Measure(msgspec.Struct, kw_only=True, rename="camel"):
    """A field whose values are shown with each row; a blank name is every number of the meter.

    Without meterId of every meter; without aggregations the sum.
    """

    meter_id: Id | None = None
    name: str | None = None
    aggregations: Annotated[list[Function], Meta(max_length=7)] = []

    @property
    def wanted(self) -> list[Method]:
        """The aggregations, the default included."""
        return self.aggregations or [Method.SUM]


@resource("statementdefinitions", event="configuration.statementdefinition")
class StatementDefinition(Entity, kw_only=True):
    """How a bill's usage is told apart: by spans of time, by dimensions, with which measures (semantics §26).

    An account's definition wins over the organization's default.
    """

    name: Annotated[str, Meta(max_length=200)] | None = None
    aggregation_frequency: AggregationFrequency
    include_price_per_unit: bool = False
    dimensions: Annotated[list[Dimension], Meta(max_length=MOST)] = []
    measures: Annotated[list[Measure], Meta(max_length=MOST)] = []
    generate_slim_statements: bool = False

    def check(self) -> Iterator[Problem]:
        """Nothing stands twice; measures are not asked in SQL."""
        named = [(d.meter_id, d.name) for d in self.dimensions]
        yield from no_repeats("dimensions[{i}].name", named, "this dimension stands twice")
        measured = [(m.meter_id, m.name or None) for m in self.measures]
        yield from no_repeats("measures[{i}].name", measured, "this measure stands twice")
        for i, each in enumerate(self.dimensions):
            yield from no_repeats(f"dimensions[{i}].filter[{{i}}]", each.filter, "{value} stands twice")
            codes = [each.name, *each.attributes]
            yield from no_repeats(f"dimensions[{i}].attributes", codes, "{value} is shown already")
        for i, measure in enumerate(self.measures):
            asked = measure.aggregations
            yield from no_repeats(f"measures[{i}].aggregations[{{i}}]", asked, "{value} stands twice")
            for method in (each for each in asked if each in OF_AGGREGATIONS):
                message = (
                    f"{method} is of an aggregation, not of a field; price the aggregation to see it here"
                )
                yield Problem(f"measures[{i}].aggregations", "not_applicable", message)

    def check_stored(self, tx: Transaction, old: Entity | None) -> Iterator[Problem]:
        """The meters exist and have the fields, of a kind that suits."""
        parts: list[Dimension | Measure] = [*self.dimensions, *self.measures]
        ids = {part.meter_id for part in parts if part.meter_id is not None}
        is_open = any(part.meter_id is None for part in parts)
        found = tx.find(Meter) if is_open else tx.find(Meter, id=sorted(ids))
        meters = {meter.id: meter for meter in found}
        for i, each in enumerate(self.dimensions):
            yield from _dimension_problems(f"dimensions[{i}]", each, meters)
        for i, measure in enumerate(self.measures):
            yield from _measure_problems(f"measures[{i}]", measure, meters)


def _dimension_problems(where: str, part: Dimension, meters: Mapping[str, Meter]) -> Iterator[Problem]:
    named = _named(part.meter_id, meters)
    if named is None:
        yield _unknown_meter(where, str(part.meter_id))
        return
    codes = {f"{where}.name": part.name}
    codes |= {f"{where}.attributes[{i}]": code for i, code in enumerate(part.attributes)}
    for path, code in codes.items():
        fields = _fields(named, code)
        if not fields:
            yield Problem(path, "unknown_field", f"{code} is no field of {_whose(part.meter_id, named)}")
        elif not any(field.category in DIMENSIONS for field in fields):
            message = f"{code} is a {fields[0].category} field; a dimension is WHO, WHERE, WHAT or OTHER"
            yield Problem(path, "not_a_dimension", message)


def _measure_problems(where: str, part: Measure, meters: Mapping[str, Meter]) -> Iterator[Problem]:
    named = _named(part.meter_id, meters)
    if named is None:
        yield _unknown_meter(where, str(part.meter_id))
        return
    if not part.name:
        return
    fields = _fields(named, part.name)
    if not fields:
        message = f"{part.name} is no field of {_whose(part.meter_id, named)}"
        yield Problem(f"{where}.name", "unknown_field", message)
    elif not any(field.category.is_numeric for field in fields) and set(part.wanted) - COUNTING:
        message = f"{part.name} is a {fields[0].category} field, which can only be counted: COUNT or UNIQUE"
        yield Problem(f"{where}.aggregations", "wrong_category", message)


def _named(meter_id: str | None, meters: Mapping[str, Meter]) -> list[Meter] | None:
    """Give the meters that a part is about; None where it names one that does not exist."""
    if meter_id is None:
        return list(meters.values())
    meter = meters.get(meter_id.lower())
    return None if meter is None else [meter]


def _fields(meters: Iterable[Meter], code: str) -> list[DataField]:
    return [field for meter in meters if (field := meter.field(code)) is not None]


def _whose(meter_id: str | None, named: list[Meter]) -> str:
    return "any meter" if meter_id is None else f"the meter {named[0].code}"


def _unknown_meter(where: str, meter_id: str) -> Problem:
    return Problem(f"{where}.meterId", "unknown_reference", f"{meter_id} is not the id of any meter")
