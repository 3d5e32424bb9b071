"""A query over usage, as the API takes it, and what is wrong with one by itself. Pure."""

from collections.abc import Iterator, Sequence
from datetime import datetime
from enum import StrEnum
from typing import Annotated, Any

import msgspec
from msgspec import Meta

from tallystick.kernel.periods import Period
from tallystick.kernel.problems import Problem
from tallystick.kernel.time_periods import TimePeriod, resolve
from tallystick.platform.resources.checks import in_order, no_repeats
from tallystick.rating.method import Method
from tallystick.usage.store.exploring import Bucket

LARGEST_ANSWER = 20_000
"Rows of one answer, also when no limit is named (semantics §31)."
MOST = {"meter_ids": 1000, "account_ids": 10_000, "dimension_filters": 100, "aggregations": 100, "groups": 20}
"How many of each a query may have: the engine reads them all in one statement."

Text = Annotated[str, Meta(min_length=1)]


class FieldType(StrEnum):
    """Whether a field is a number or a text."""

    DIMENSION = "DIMENSION"
    MEASURE = "MEASURE"


FUNCTIONS = {
    FieldType.MEASURE: (Method.SUM, Method.MIN, Method.MAX, Method.COUNT, Method.LATEST, Method.MEAN),
    FieldType.DIMENSION: (Method.COUNT, Method.UNIQUE),
}
"What can be made of a field's values (semantics §31)."
_EVERY_FUNCTION = list(dict.fromkeys(each.value for functions in FUNCTIONS.values() for each in functions))
Function = Annotated[Method, Meta(extra_json_schema={"enum": _EVERY_FUNCTION})]


class GroupType(StrEnum):
    """What an answer can be grouped by."""

    ACCOUNT = "ACCOUNT"
    DIMENSION = "DIMENSION"
    TIME = "TIME"


class DataExplorerFilter(msgspec.Struct, kw_only=True, rename="camel"):
    """Of this meter, only measurements whose field has one of the values."""

    meter_id: Text
    field_code: Text
    values: Annotated[list[str], Meta(min_length=1)]


class DataExplorerAggregation(msgspec.Struct, kw_only=True, rename="camel"):
    """One figure of every row of the answer."""

    meter_id: Text
    field_code: Text
    field_type: FieldType
    function: Function


class DataExplorerGroup(msgspec.Struct, kw_only=True, rename="camel"):
    """One key of the answer's rows. TIME needs a frequency, DIMENSION a meter and its field."""

    group_type: GroupType | None = None
    meter_id: Text | None = None
    field_code: Text | None = None
    frequency: Bucket | None = None


class UsageQueryRequest(msgspec.Struct, kw_only=True, rename="camel"):
    """A question about measurements (semantics §31).

    startDate and endDate, by `ts`; or timePeriod. meterIds: without any, those of the aggregations, or all.
    accountIds: without any, all. Without aggregations the measurements themselves are answered.
    """

    start_date: datetime | None = None
    end_date: datetime | None = None
    meter_ids: list[str] = []
    account_ids: list[str] = []
    dimension_filters: list[DataExplorerFilter] = []
    aggregations: list[DataExplorerAggregation] = []
    groups: list[DataExplorerGroup] = []
    limit: Annotated[int, Meta(ge=1, le=LARGEST_ANSWER)] | None = None
    time_period: TimePeriod | None = None

    def window(self, now: datetime) -> Period:
        """Give the span asked about. The query has no problem."""
        if self.time_period is not None:
            return resolve(self.time_period, now)
        return Period.of(self.start_date or now, self.end_date)

    def asked_meter_ids(self) -> list[str] | None:
        """Give the meters whose measurements take part, in lower case; None is all."""
        named = [each.meter_id for each in self.aggregations] or self.meter_ids
        return list(dict.fromkeys(each.lower() for each in named)) or None

    def problems(self) -> Iterator[Problem]:
        """Find what is wrong with it, whatever is stored."""
        yield from _size_problems(self)
        yield from _time_problems(self)
        for i, each in enumerate(self.aggregations):
            if each.function not in FUNCTIONS[each.field_type]:
                message = f"a {each.field_type} field can have {', '.join(FUNCTIONS[each.field_type])}"
                yield Problem(f"aggregations[{i}].function", "not_applicable", message)
        figures = [(a.meter_id.lower(), a.field_code, a.function) for a in self.aggregations]
        yield from no_repeats("aggregations[{i}]", figures, "stands twice")
        yield from _group_problems(self.groups)
        if self.groups and not self.aggregations:
            message = "needs aggregations: without them the measurements themselves are answered"
            yield Problem("groups", "groups_without_aggregations", message)
        yield from _meter_problems(self)


def _size_problems(query: UsageQueryRequest) -> Iterator[Problem]:
    wire = {f.name: f.encode_name for f in msgspec.structs.fields(query)}
    for name, most in MOST.items():
        count = len(getattr(query, name))
        if count > most:
            yield Problem(wire[name], "wrong_length", f"must have at most {most} element(s), has {count}")


def _time_problems(query: UsageQueryRequest) -> Iterator[Problem]:
    given = {"startDate": query.start_date, "endDate": query.end_date}
    if query.time_period is not None:
        for name, date in given.items():
            if date is not None:
                yield Problem(
                    name, "excluded", f"stands for itself: leave it or timePeriod {query.time_period} out"
                )
        return
    for name, date in given.items():
        if date is None:
            yield Problem(name, "required", "is required, unless there is a timePeriod")
    yield from in_order(query.start_date, query.end_date)


def _group_problems(groups: Sequence[DataExplorerGroup]) -> Iterator[Problem]:
    for i, group in enumerate(groups):
        missing: dict[str, Any] = {"groupType": group.group_type}
        if group.group_type is GroupType.TIME:
            missing = {"frequency": group.frequency}
        elif group.group_type is GroupType.DIMENSION:
            missing = {"meterId": group.meter_id, "fieldCode": group.field_code}
        for name, value in missing.items():
            if value is None:
                what = f"for a {group.group_type} group" if group.group_type else "in every group"
                yield Problem(f"groups[{i}].{name}", "required", f"is required {what}")
    keys = [
        (g.group_type, (g.meter_id or "").lower(), g.field_code)
        if g.group_type is GroupType.DIMENSION
        else (g.group_type,)
        for g in groups
    ]
    yield from no_repeats("groups[{i}]", keys, "an answer is grouped by this once")


def _meter_problems(query: UsageQueryRequest) -> Iterator[Problem]:
    """Everything is about a meter that takes part."""
    listed = {each.lower() for each in query.meter_ids}
    aggregated = {each.meter_id.lower() for each in query.aggregations}
    elsewhere = "is not one of the meterIds" if listed else "is not the meter of any aggregation"
    fields = {
        **{f"aggregations[{i}]": each.meter_id for i, each in enumerate(query.aggregations)},
        **{f"dimensionFilters[{i}]": each.meter_id for i, each in enumerate(query.dimension_filters)},
    }
    for where, meter_id in fields.items():
        if (listed or aggregated) and meter_id.lower() not in (listed or aggregated):
            yield Problem(f"{where}.meterId", "not_queried", elsewhere)
    for i, group in enumerate(query.groups):
        if aggregated and group.meter_id and group.meter_id.lower() not in aggregated:
            yield Problem(f"groups[{i}].meterId", "not_queried", "is not the meter of any aggregation")
