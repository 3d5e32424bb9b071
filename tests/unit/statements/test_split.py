"""What each row of a line is charged (semantics §26)."""

from datetime import UTC, datetime, timedelta
from decimal import Decimal

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tallystick.billing.derivation import Derivation, UsageSource
from tallystick.billing.line_item import LineItem, LineItemType
from tallystick.kernel.periods import Period
from tallystick.rating.method import Method
from tallystick.statements.questions import Figure, LinePlan, Named
from tallystick.statements.split import charged_buckets, weights_of, with_weighted
from tallystick.usage.store.breakdown import Asked, Cell, Told
from tallystick.usage.store.model import Slot, Usage, UsageQuery

D = Decimal
START = datetime(2024, 1, 1, tzinfo=UTC)
DAY = timedelta(days=1)


def line(amount: str, units: str = "0", method: str = "SUM") -> LineItem:
    usage = UsageSource(
        meter_id="m",
        meter_code="flights",
        aggregation_id="a",
        aggregation_name="Miles",
        method=method,
        field="distance",
        start=START,
        end=START + 3 * DAY,
        account_ids=("acme",),
    )
    return LineItem(
        bill_id="b",
        line_item_type=LineItemType.USAGE,
        description="Miles",
        service_period_start_date=START,
        service_period_end_date=START + 3 * DAY,
        quantity=D(units),
        units=D(units),
        unit="mi",
        subtotal=D(amount),
        currency="USD",
        conversion_rate=D(1),
        converted_subtotal=D(amount),
        average_unit_price=D(0),
        sequence_number=1,
        derivation=Derivation(usage=usage),
    )


def plan(item: LineItem, *, days: int = 3, **more: object) -> LinePlan:
    windows = tuple(Period(START + at * DAY, START + (at + 1) * DAY) for at in range(days))
    usage = item.derivation.usage if item.derivation else None
    return LinePlan(**{"line": item, "windows": windows, "usage": usage, **more})  # type: ignore[arg-type]


def cell(window: int, value: str | None, count: int = 1, *texts: str | None) -> Cell:
    return Cell(window, texts, (None if value is None else D(value),), (count,))


@pytest.mark.parametrize(
    ("amount", "cells", "charges"),
    [
        # 10.00 x 1/3 = 3.33…: the cent that is left goes to the largest remainder, the first of equals
        pytest.param(
            "10.00", [("0", "1"), ("1", "1"), ("2", "1")], ["3.34", "3.33", "3.33"], id="to the cent"
        ),
        pytest.param("60.00", [("0", "100"), ("2", "300")], ["15.00", "0", "45.00"], id="by quantity"),
        pytest.param("-1.00", [("0", "1"), ("1", "2")], ["-0.33", "-0.67", "0"], id="a credit"),
        pytest.param("0.01", [("0", "1"), ("1", "5")], ["0.00", "0.01", "0"], id="less than a cent each"),
        pytest.param(
            "9.00", [("0", "-5"), ("1", "50")], ["4.50", "4.50", "0"], id="negative: by measurements"
        ),
        pytest.param("9.00", [("0", "0"), ("2", "0")], ["4.50", "0", "4.50"], id="all zero: by measurements"),
        pytest.param("9.00", [], ["3.00", "3.00", "3.00"], id="no usage: by days"),
    ],
)
def test_charges(amount: str, cells: list[tuple[str, str]], charges: list[str]) -> None:
    found = charged_buckets(plan(line(amount)), [cell(int(w), q) for w, q in cells], 2, UTC)
    assert [bucket.charge for bucket in found] == [D(c) for c in charges]


def test_slim_leaves_out_empty_spans() -> None:
    found = charged_buckets(plan(line("1.00")), [cell(1, "4")], 2, UTC, slim=True)
    assert [bucket.start_date.day for bucket in found] == [2]


def test_what_cannot_be_told_apart_has_one_row() -> None:
    item = line("12.5", "7")
    item.derivation = None
    (bucket,) = charged_buckets(plan(item, days=1, usage=None), [], 2, UTC)
    assert [(r.quantity, r.units, r.charge) for r in bucket.rows] == [(D(7), D(7), D("12.5"))]


@given(
    st.decimals(-(10**6), 10**6, places=2),
    st.decimals(0, 10**9, places=3),
    st.lists(st.tuples(st.integers(0, 2), st.decimals(-100, 10**6, places=4)), max_size=40),
)
def test_rows_sum_to_the_line(amount: D, units: D, values: list[tuple[int, D]]) -> None:
    item = line(str(amount), str(units))
    cells = [Cell(w, (str(i),), (v,), (1,)) for i, (w, v) in enumerate(values)]
    named = (Named("destination", Told(Slot.text(0))),)
    found = charged_buckets(plan(item, dimensions=named), cells, 2, UTC)
    rows = [row for bucket in found for row in bucket.rows]
    assert sum(row.charge for row in rows) == sum(bucket.charge for bucket in found) == amount
    assert sum(row.units for row in rows) == units
    assert len(rows) == (len(cells) or 3)


@given(st.lists(st.decimals(0, 10**6, places=2), min_size=1))
def test_weights_are_quantities_or_counts(values: list[D]) -> None:
    found = weights_of([Cell(0, (), (v,), (i + 1,)) for i, v in enumerate(values)])
    assert found == (values if any(values) else [D(i + 1) for i in range(len(values))])


def test_weighted_quantities_come_before_the_other_figures() -> None:
    weighted = UsageQuery(
        meter_id="m", method=Method.TIME_WEIGHTED, windows=(), group_by=(Slot.text(0),), per_account=False
    )
    asked = plan(
        line("1.00", method="TIME_WEIGHTED"),
        dimensions=(Named("destination", Told(Slot.text(0), ("ORD",))),),
        figures=(Figure("distance", "MAX", Asked(Method.MAX, Slot.number(0))),),
        weighted=weighted,
    )
    held = [
        Usage(None, 0, None, ("ORD",), D(2), 1),
        Usage(None, 0, None, ("DFW",), D(3), 1),
        Usage(None, 0, None, (None,), D(4), 2),
    ]
    cells = [Cell(0, ("ORD",), (D(9),), (1,)), Cell(1, ("*",), (D(8),), (1,))]
    assert with_weighted(asked, held, cells) == [
        Cell(0, ("*",), (D(7), None), (3, 0)),
        Cell(0, ("ORD",), (D(2), D(9)), (1, 1)),
        Cell(1, ("*",), (None, D(8)), (0, 1)),
    ]
