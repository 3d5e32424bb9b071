"""Put an answer of the usage store beside the line's amounts: what each row is charged. Pure."""

from collections.abc import Iterable, Sequence
from datetime import tzinfo
from decimal import Decimal

from tallystick.kernel.decimals import ONE, ZERO, RoundingMode, allocate, plain, round_to
from tallystick.kernel.periods import Period, local_date
from tallystick.statements.layout import StatementBucket, StatementRow
from tallystick.statements.questions import LinePlan
from tallystick.usage.store.breakdown import Cell
from tallystick.usage.store.model import Usage

EXACT_PLACES = 12
"Units are told to so many places, as on a bill."


def charged_buckets(
    plan: LinePlan, cells: Sequence[Cell], places: int, zone: tzinfo, *, slim: bool = False
) -> list[StatementBucket]:
    """Give the spans of a line with their rows: their charges sum to the line's amount, to the last place.

    cells: the quantity first, then the figures of the plan. places: of the billing currency. slim: spans
    without rows are left out. Rule: decision 0021 — by quantity, each row pays the line's average price.
    """
    line = plan.line
    amount = line.converted_subtotal
    places = max(places, _places_of(amount))
    if plan.usage is None:
        rows = [StatementRow(quantity=line.quantity, units=line.units, charge=amount)]
        return [_bucket(plan.windows[0], rows, zone)]
    cells = [cell for cell in cells if any(cell.counts)] or _without_usage(plan)
    weights = weights_of(cells) if any(c.counts and c.counts[0] for c in cells) else _days(plan, cells, zone)
    charges = allocate(amount, weights, places)
    units = allocate(round_to(line.units, EXACT_PLACES, RoundingMode.HALF_EVEN), weights, EXACT_PLACES)
    rows_of: dict[int, list[StatementRow]] = {}
    for cell, charge, share in zip(cells, charges, units, strict=True):
        row = StatementRow(
            dimensions=dict(zip((d.code for d in plan.dimensions), cell.texts, strict=True))
            if cell.texts
            else {},
            quantity=plain(cell.values[0] or ZERO),
            units=plain(share),
            charge=charge,
            measures=_measures(plan, cell),
        )
        rows_of.setdefault(cell.window, []).append(row)
    spans = enumerate(plan.windows)
    return [_bucket(w, rows_of.get(at, []), zone) for at, w in spans if rows_of.get(at) or not slim]


def weights_of(cells: Iterable[Cell]) -> list[Decimal]:
    """Give what a line's amount is split by: quantities; where one is negative or all are zero, how many
    values went in.
    """
    found = list(cells)
    quantities = [cell.values[0] or ZERO for cell in found]
    if min(quantities) >= 0 and any(quantities):
        return quantities
    return [Decimal(cell.counts[0]) for cell in found]


def _without_usage(plan: LinePlan) -> list[Cell]:
    """Give a row for each span, for what is charged without usage, such as an aggregation's default value."""
    none = (None,) * (1 + len(plan.figures))
    return [Cell(at, (), none, (0,) * len(none)) for at in range(len(plan.windows))]


def _days(plan: LinePlan, cells: Sequence[Cell], zone: tzinfo) -> list[Decimal]:
    """Give the local days of each row's span, shared by its rows; where there are none, as much for each."""
    days = [Decimal(plan.windows[cell.window].local_dates(zone).days) for cell in cells]
    return days if any(days) else [ONE] * len(cells)


def _bucket(window: Period, rows: list[StatementRow], zone: tzinfo) -> StatementBucket:
    return StatementBucket(
        start_date=local_date(window.start, zone),
        start=window.start,
        end=window.end,
        units=plain(sum((row.units for row in rows), ZERO)),
        charge=sum((row.charge for row in rows), ZERO),
        rows=rows,
    )


def _measures(plan: LinePlan, cell: Cell) -> dict[str, dict[str, Decimal | None]]:
    told: dict[str, dict[str, Decimal | None]] = {}
    for figure, value in zip(plan.figures, cell.values[1:], strict=True):
        told.setdefault(figure.code, {})[figure.function] = None if value is None else plain(value)
    return told


def with_weighted(plan: LinePlan, held: Iterable[Usage], cells: Iterable[Cell]) -> list[Cell]:
    """Put time-weighted quantities, which are asked for by themselves, before the other figures' cells."""
    slots = plan.weighted.group_by if plan.weighted else ()
    found: dict[_Place, tuple[Decimal, int]] = {}
    for usage in held:
        if usage.segment == plan.segment:
            texts = dict(zip(slots, usage.group, strict=True))
            key = (usage.window, tuple(each.told.text(texts) for each in plan.dimensions))
            value, count = found.get(key, (ZERO, 0))
            found[key] = (value + usage.value, count + usage.count)
    others = {(cell.window, cell.texts): cell for cell in cells}
    nothing = Cell(0, (), (None,) * len(plan.figures), (0,) * len(plan.figures))
    merged = []
    for key in sorted(found.keys() | others.keys(), key=_place):
        other = others.get(key, nothing)
        quantity, number = found.get(key, (None, 0))
        merged.append(Cell(*key, (quantity, *other.values), (number, *other.counts)))
    return merged


_Place = tuple[int, tuple[str | None, ...]]
"A cell's window and texts."


def _place(key: _Place) -> tuple[int, list[tuple[bool, str]]]:
    window, texts = key
    return window, [(text is None, text or "") for text in texts]


def _places_of(amount: Decimal) -> int:
    exponent = amount.as_tuple().exponent
    return max(0, -exponent) if isinstance(exponent, int) else 0
