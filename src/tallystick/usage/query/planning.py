"""A query against the meters it names: what is wrong with it, and what the usage store is asked. Pure."""

from collections.abc import Collection, Iterator, Mapping, Sequence
from datetime import datetime

import msgspec

from tallystick.catalogue.meter import DataField, Meter
from tallystick.kernel.problems import Problem
from tallystick.usage.meters import slot_of
from tallystick.usage.query.request import (
    LARGEST_ANSWER,
    DataExplorerAggregation,
    DataExplorerGroup,
    FieldType,
    GroupType,
    UsageQueryRequest,
)
from tallystick.usage.store.exploring import Figure, MeterField, MeterPart, Selection, Summary
from tallystick.usage.store.model import Filter

"Fields to filter and group by (semantics §5); METADATA can only be counted."


class Known(msgspec.Struct, frozen=True):
    """What an organization has of the things a query names: meters by id, and which accounts exist."""

    meters: Mapping[str, Meter]
    account_ids: Collection[str]


class Plan(msgspec.Struct, frozen=True):
    """What the usage store is asked. summary: None asks for the measurements themselves.

    texts, figures: what the summary's own are called in the answer.
    """

    selection: Selection
    summary: Summary | None
    limit: int
    texts: tuple[str, ...] = ()
    figures: tuple[str, ...] = ()


def stored_problems(query: UsageQueryRequest, known: Known) -> Iterator[Problem]:
    """Find the accounts, meters and fields of a query that do not exist, or cannot be used like this."""
    for i, account_id in enumerate(query.account_ids):
        if account_id.lower() not in known.account_ids:
            message = f"{account_id} is not the id of any account"
            yield Problem(f"accountIds[{i}]", "unknown_reference", message)
    for i, meter_id in enumerate(query.meter_ids):
        if meter_id.lower() not in known.meters:
            yield _unknown_meter(f"meterIds[{i}]", meter_id)
    for i, each in enumerate(query.dimension_filters):
        yield from _dimension_problems(f"dimensionFilters[{i}]", each.meter_id, each.field_code, known)
    for i, group in enumerate(query.groups):
        if group.group_type is GroupType.DIMENSION and group.meter_id and group.field_code:
            yield from _dimension_problems(f"groups[{i}]", group.meter_id, group.field_code, known)
    for i, aggregation in enumerate(query.aggregations):
        yield from _aggregation_problems(f"aggregations[{i}]", aggregation, known)


def make_plan(query: UsageQueryRequest, known: Known, now: datetime) -> Plan:
    """Say what the usage store is asked for a query without problems. now: what timePeriod is seen from."""
    asked = query.asked_meter_ids()
    meter_ids = list(known.meters) if asked is None else asked
    filters: dict[str, list[Filter]] = {}
    for each in query.dimension_filters:
        meter = known.meters[each.meter_id.lower()]
        filters.setdefault(meter.id, []).append(Filter(slot_of(meter, each.field_code), tuple(each.values)))
    account_ids = tuple(dict.fromkeys(each.lower() for each in query.account_ids))
    selection = Selection(
        meters=tuple(MeterPart(each, tuple(filters.get(each, ()))) for each in meter_ids),
        window=query.window(now),
        account_ids=account_ids or None,
    )
    limit = query.limit or LARGEST_ANSWER
    if not query.aggregations:
        return Plan(selection, None, limit)
    texts = [g for g in query.groups if g.group_type is GroupType.DIMENSION]
    return Plan(
        selection,
        _summary(query, texts, known),
        limit,
        texts=tuple(_name(known, str(g.meter_id), str(g.field_code)) for g in texts),
        figures=tuple(f"{_name(known, a.meter_id, a.field_code)}.{a.function}" for a in query.aggregations),
    )


def _summary(query: UsageQueryRequest, texts: Sequence[DataExplorerGroup], known: Known) -> Summary:
    return Summary(
        figures=tuple(
            Figure(each.function, _place(known, each.meter_id, each.field_code))
            for each in query.aggregations
        ),
        per_account=any(g.group_type is GroupType.ACCOUNT for g in query.groups),
        bucket=next((g.frequency for g in query.groups if g.group_type is GroupType.TIME), None),
        texts=tuple(_place(known, str(g.meter_id), str(g.field_code)) for g in texts),
    )


def _place(known: Known, meter_id: str, code: str) -> MeterField:
    meter = known.meters[meter_id.lower()]
    return MeterField(meter.id, slot_of(meter, code))


def _name(known: Known, meter_id: str, code: str) -> str:
    """Name a field in an answer. A field's code has no dot, so the name tells both."""
    return f"{known.meters[meter_id.lower()].code}.{code}"


def _field(known: Known, meter_id: str, code: str) -> DataField | None:
    meter = known.meters.get(meter_id.lower())
    return meter.field(code) if meter else None


def _dimension_problems(where: str, meter_id: str, code: str, known: Known) -> Iterator[Problem]:
    field = _field(known, meter_id, code)
    if field is None:
        yield _unknown(where, meter_id, code, known)
    elif not field.category.is_dimension:
        message = f"{code} is a {field.category} field; a dimension is WHO, WHERE, WHAT or OTHER"
        yield Problem(f"{where}.fieldCode", "not_a_dimension", message)


def _aggregation_problems(
    where: str, aggregation: DataExplorerAggregation, known: Known
) -> Iterator[Problem]:
    field = _field(known, aggregation.meter_id, aggregation.field_code)
    if field is None:
        yield _unknown(where, aggregation.meter_id, aggregation.field_code, known)
    elif field.category.is_numeric != (aggregation.field_type is FieldType.MEASURE):
        message = f"{field.code} is a {field.category} field"
        yield Problem(f"{where}.fieldType", "wrong_field_type", message)


def _unknown(where: str, meter_id: str, code: str, known: Known) -> Problem:
    meter = known.meters.get(meter_id.lower())
    if meter is None:
        return _unknown_meter(f"{where}.meterId", meter_id)
    return Problem(f"{where}.fieldCode", "unknown_field", f"{code} is no field of the meter {meter.code}")


def _unknown_meter(where: str, meter_id: str) -> Problem:
    return Problem(where, "unknown_reference", f"{meter_id} is not the id of any meter")
