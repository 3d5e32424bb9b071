"""What the usage store is asked for a line of a statement. Pure."""

from collections.abc import Iterator, Mapping

import msgspec

from tallystick.billing.bill import Bill
from tallystick.billing.derivation import UsageSource
from tallystick.billing.filters import slot_filters
from tallystick.billing.line_item import LineItem
from tallystick.catalogue.aggregation import Aggregation
from tallystick.catalogue.meter import Meter
from tallystick.kernel.periods import Period
from tallystick.kernel.zones import parse_zone
from tallystick.rating.method import Method
from tallystick.statements.buckets import buckets
from tallystick.statements.definition import (
    ALL,
    COUNTING,
    DIMENSIONS,
    Dimension,
    Measure,
    StatementDefinition,
)
from tallystick.usage.meters import slot_of
from tallystick.usage.store.breakdown import Asked, Breakdown, Told
from tallystick.usage.store.model import ANY, Away, Filter, Slot, UsageQuery

MOST_ROWS = 100_000
"A line that has more rows is not a statement that anyone reads; its job fails and says so."
_NOT_TOLD_APART = frozenset({"CUSTOM_SQL"})


class Named(msgspec.Struct, frozen=True):
    """Something asked for, and what it is called on the statement. field, function: of a measure."""

    code: str
    told: Told


class Figure(msgspec.Struct, frozen=True):
    """A measure's figure, and what it is called on the statement."""

    code: str
    function: str
    asked: Asked


class LinePlan(msgspec.Struct, frozen=True, kw_only=True):
    """How a line is told apart. usage: None where it cannot be: it then has one bucket and one row.

    breakdown: what is asked in one scan; the quantity is its first figure, unless `weighted` asks for it.
    """

    line: LineItem
    windows: tuple[Period, ...]
    usage: UsageSource | None = None
    meter: Meter | None = None
    dimensions: tuple[Named, ...] = ()
    figures: tuple[Figure, ...] = ()
    breakdown: Breakdown | None = None
    weighted: UsageQuery | None = None
    segment: int | None = None


def plan_of(
    line: LineItem,
    bill: Bill,
    definition: StatementDefinition,
    meters: Mapping[str, Meter],
    aggregations: Mapping[str, Aggregation],
) -> LinePlan:
    """Say how a line is told apart: by its own usage query, cut into spans and dimensions.

    Only a plain aggregation can be: what a calculation, SQL, a counter or a fee charges has one row.
    """
    usage = line.derivation.usage if line.derivation else None
    meter = meters.get(usage.meter_id) if usage else None
    if usage is None or meter is None or usage.method in _NOT_TOLD_APART or usage.field not in meter.slots:
        return LinePlan(
            line=line, windows=(Period.of(line.service_period_start_date, line.service_period_end_date),)
        )
    windows = buckets(
        definition.aggregation_frequency, Period(usage.start, usage.end), parse_zone(bill.timezone)
    )
    segments, segment, filters = _segment(line, meter, aggregations.get(usage.aggregation_id))
    scan = _Scan(
        meter_id=meter.id,
        account_ids=_accounts(line, bill, usage),
        windows=tuple(windows),
        filters=(*filters, *slot_filters(meter, usage.filters), *(each.filter for each in usage.away)),
        segments=segments,
        segment=segment,
    )
    dimensions, figures = tuple(_dimensions(definition, meter)), tuple(_figures(definition, meter))
    quantity = Asked(Method(usage.method), slot_of(meter, usage.field))
    is_weighted = quantity.method is Method.TIME_WEIGHTED
    asked = (*(() if is_weighted else (quantity,)), *(figure.asked for figure in figures))
    return LinePlan(
        line=line,
        windows=scan.windows,
        usage=usage,
        meter=meter,
        dimensions=dimensions,
        figures=figures,
        breakdown=scan.told_apart(asked, dimensions) if asked else None,
        weighted=scan.weighted(quantity, dimensions) if is_weighted else None,
        segment=segment,
    )


class _Scan(msgspec.Struct, frozen=True, kw_only=True):
    """Which measurements a line is about."""

    meter_id: str
    account_ids: tuple[str, ...]
    windows: tuple[Period, ...]
    filters: tuple[Filter | Away, ...]
    segments: tuple[Mapping[Slot, str], ...]
    segment: int | None

    def told_apart(self, asked: tuple[Asked, ...], dimensions: tuple[Named, ...]) -> Breakdown:
        """Ask for figures by span and dimension, in one scan."""
        return Breakdown(
            meter_id=self.meter_id,
            account_ids=self.account_ids,
            windows=self.windows,
            figures=asked,
            told=tuple(each.told for each in dimensions),
            filters=self.filters,
            segments=self.segments,
            segment=self.segment,
            limit=MOST_ROWS + 1,
        )

    def weighted(self, quantity: Asked, dimensions: tuple[Named, ...]) -> UsageQuery:
        """Ask for a quantity that time weighs, which is a query of its own."""
        return UsageQuery(
            meter_id=self.meter_id,
            method=quantity.method,
            windows=self.windows,
            field=quantity.field,
            account_ids=self.account_ids,
            filters=self.filters,
            segments=self.segments,
            group_by=_texts(dimensions),
            per_account=False,
        )


def _texts(dimensions: tuple[Named, ...]) -> tuple[Slot, ...]:
    """Give every text that the dimensions read."""
    read = (slot for each in dimensions for slot in (each.told.slot, each.told.of) if slot is not None)
    return tuple(dict.fromkeys(read))


def _accounts(line: LineItem, bill: Bill, usage: UsageSource) -> tuple[str, ...]:
    """Give whose usage a line is for: one account's where a pooled charge was broken down (semantics §17)."""
    if line.child_account_id is not None:
        return (line.child_account_id,)
    if line.derivation is not None and line.derivation.share is not None:
        return (bill.account_id,)
    return usage.account_ids


def _segment(
    line: LineItem, meter: Meter, aggregation: Aggregation | None
) -> tuple[tuple[Mapping[Slot, str], ...], int | None, tuple[Filter, ...]]:
    """Give a line's segment as the store is asked for it; of one that is gone, its fixed values."""
    wanted = line.segment
    if not wanted:
        return (), None, ()
    if aggregation is None or wanted not in aggregation.segments:
        fixed = ((code, value) for code, value in wanted.items() if value != ANY and code in meter.slots)
        return (), None, tuple(Filter(slot_of(meter, code), (value,)) for code, value in fixed)
    slots = {code: slot_of(meter, code) for code in aggregation.segmented_fields}
    cut = tuple({slots[code]: each[code] for code in slots} for each in aggregation.segments)
    return cut, aggregation.segments.index(wanted), ()


def _dimensions(definition: StatementDefinition, meter: Meter) -> Iterator[Named]:
    """Give the meter's dimensions, each once; a field that is gone is left out."""
    seen: set[str] = set()
    for part in definition.dimensions:
        if _is_of(part, meter) and _is_dimension(meter, part.name):
            own = slot_of(meter, part.name)
            values = None if ALL in part.filter else tuple(part.filter)
            for code in (part.name, *part.attributes):
                if code not in seen and _is_dimension(meter, code):
                    seen.add(code)
                    yield Named(code, Told(slot_of(meter, code), values, own if code != part.name else None))


def _figures(definition: StatementDefinition, meter: Meter) -> Iterator[Figure]:
    seen: set[tuple[str, str]] = set()
    for part in definition.measures:
        if not _is_of(part, meter):
            continue
        numbers = [field.code for field in meter.fields if field.category.is_numeric]
        for code in [part.name] if part.name else numbers:
            field = meter.field(code)
            for function in part.wanted if field else ():
                suits = function in COUNTING or (field is not None and field.category.is_numeric)
                if suits and (code, function) not in seen:
                    seen.add((code, function))
                    yield Figure(code, function.value, Asked(function, slot_of(meter, code)))


def _is_of(part: Dimension | Measure, meter: Meter) -> bool:
    return part.meter_id is None or part.meter_id.lower() == meter.id


def _is_dimension(meter: Meter, code: str) -> bool:
    field = meter.field(code)
    return field is not None and field.category in DIMENSIONS
