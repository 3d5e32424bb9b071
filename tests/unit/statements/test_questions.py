"""What the usage store is asked for a line (semantics §26)."""

from datetime import UTC, date, datetime
from decimal import Decimal
from typing import Any

import msgspec
import pytest

from tallystick.accounts.contract import UsageFilter, UsageFilterMode
from tallystick.billing.bill import Bill
from tallystick.billing.derivation import AwayFrom, Derivation, ShareFrom
from tallystick.catalogue.aggregation import Aggregation
from tallystick.catalogue.meter import DataField, FieldCategory, Meter
from tallystick.kernel.periods import BillingFrequency, Period
from tallystick.rating.method import Method
from tallystick.rating.units import UsageRounding
from tallystick.statements.definition import (
    AggregationFrequency,
    Dimension,
    Measure,
    StatementDefinition,
)
from tallystick.statements.questions import LinePlan, plan_of
from tallystick.usage.store.breakdown import Asked, Told
from tallystick.usage.store.model import Away, Filter, Slot
from tests.unit.statements.test_split import line

D = Decimal
BILL = Bill(
    account_id="acme",
    account_code="acme",
    start_date=date(2024, 1, 1),
    end_date=date(2024, 2, 1),
    start_date_time_utc=datetime(2024, 1, 1, tzinfo=UTC),
    end_date_time_utc=datetime(2024, 2, 1, tzinfo=UTC),
    bill_date=date(2024, 2, 1),
    due_date=date(2024, 3, 1),
    billing_frequency=BillingFrequency.MONTHLY,
    bill_frequency_interval=1,
    timezone="UTC",
    currency="USD",
    external_invoice_date=date(2024, 2, 1),
    bill_total=D(0),
)
CATEGORIES = {
    "distance": "MEASURE",
    "fee": "COST",
    "destination": "WHERE",
    "carrier": "WHO",
    "note": "METADATA",
}
METER = Meter(
    id="m",
    name="Flights",
    code="flights",
    data_fields=[
        DataField(category=FieldCategory(c), code=code, name=code, unit="1") for code, c in CATEGORIES.items()
    ],
    derived_fields=[],
    slots={"distance": "n0", "fee": "n1", "destination": "s0", "carrier": "s1", "note": "s2", "gone": "s3"},
)
SUMS = Aggregation(
    id="a",
    name="Miles",
    code="miles",
    meter_id="m",
    aggregation="SUM",  # type: ignore[arg-type]
    target_field="distance",
    rounding=UsageRounding.NONE,
    quantity_per_unit=D(1),
    unit="mi",
    segmented_fields=["carrier"],
    segments=[{"carrier": "AA"}, {"carrier": "*"}],
)


def plan(definition: dict[str, Any] | None = None, **changes: Any) -> LinePlan:
    item = msgspec.structs.replace(line("1.00"), **changes)
    wanted = {"aggregation_frequency": AggregationFrequency.WHOLE_PERIOD, **(definition or {})}
    return plan_of(item, BILL, StatementDefinition(**wanted), {"m": METER}, {"a": SUMS})


def test_dimensions_and_attributes_of_the_meter_each_once() -> None:
    parts = [
        Dimension(name="destination", attributes=["carrier"], filter=["ORD", "DFW"]),
        Dimension(name="carrier", filter=["*"]),
        Dimension(name="note", filter=["*"]),
        Dimension(meter_id="another", name="destination", filter=["*"]),
    ]
    found = plan({"dimensions": parts}).dimensions
    assert [(each.code, each.told) for each in found] == [
        ("destination", Told(Slot.text(0), ("ORD", "DFW"))),
        ("carrier", Told(Slot.text(1), ("ORD", "DFW"), Slot.text(0))),
    ]


@pytest.mark.parametrize(
    ("measure", "figures"),
    [
        pytest.param(Measure(), [("distance", "SUM"), ("fee", "SUM")], id="blank is every number, summed"),
        pytest.param(
            Measure(name="distance", aggregations=[Method.MIN, Method.COUNT]),
            [("distance", "MIN"), ("distance", "COUNT")],
            id="as named",
        ),
        pytest.param(
            Measure(name="carrier", aggregations=[Method.UNIQUE]), [("carrier", "UNIQUE")], id="texts"
        ),
        pytest.param(Measure(name="gone"), [], id="a field that is gone"),
        pytest.param(Measure(meter_id="another"), [], id="of another meter"),
    ],
)
def test_measures(measure: Measure, figures: list[tuple[str, str]]) -> None:
    found = plan({"measures": [measure]})
    assert [(f.code, f.function) for f in found.figures] == figures
    assert found.breakdown is not None
    assert found.breakdown.figures[0] == Asked(Method.SUM, Slot.number(0))  # the quantity, first
    assert found.breakdown.figures[1:] == tuple(f.asked for f in found.figures)


def test_a_segment_is_asked_among_all_segments() -> None:
    found = plan(segment={"carrier": "*"}).breakdown
    assert found is not None
    assert (found.segments, found.segment) == (({Slot.text(1): "AA"}, {Slot.text(1): "*"}), 1)


def test_a_segment_that_is_gone_is_asked_by_its_values() -> None:
    found = plan(segment={"carrier": "BA", "destination": "*"}).breakdown
    assert found is not None
    assert (found.segment, found.filters) == (None, (Filter(Slot.text(1), ("BA",)),))


def test_a_contracts_filters_hold() -> None:
    usage = line("1.00").derivation
    assert usage is not None
    assert usage.usage is not None
    filters = (
        UsageFilter(dimension_code="carrier", value="AA", mode=UsageFilterMode.EXCLUDE),
        UsageFilter(dimension_code="destination", value="ORD", mode=UsageFilterMode.INCLUDE),
    )
    filtered = Derivation(usage=msgspec.structs.replace(usage.usage, filters=filters))
    found = plan(derivation=filtered, segment={"carrier": "BA", "destination": "*"}).breakdown
    assert found is not None
    assert found.filters == (
        Filter(Slot.text(1), ("BA",)),
        Filter(Slot.text(1), ("AA",), include=False),
        Filter(Slot.text(0), ("ORD",)),
    )


def test_whose_usage_a_line_is_for() -> None:
    usage = line("1.00").derivation
    assert usage is not None
    share = ShareFrom(quantity=D(1), of=D(2), pooled=D(1), amount=D(1))
    shared = Derivation(usage=usage.usage, share=share)
    asked = [
        plan(child_account_id="child").breakdown,
        plan(derivation=shared).breakdown,
        plan().breakdown,
    ]
    assert [each.account_ids for each in asked if each] == [("child",), ("acme",), ("acme",)]
    assert usage.usage is not None
    span = Period(usage.usage.start, usage.usage.end)  # the child had a plan of its own (semantics §17)
    own = AwayFrom(account_id="child", account_code="c", start=span.start, end=span.end)
    left = plan(derivation=Derivation(usage=msgspec.structs.replace(usage.usage, away=(own,)))).breakdown
    assert left is not None
    assert left.filters == (Away("child", span),)


@pytest.mark.parametrize("method", ["CUSTOM_SQL", None])
def test_what_is_no_plain_aggregation_is_not_told_apart(method: str | None) -> None:
    item = line("1.00", method=method or "SUM")
    found = plan(derivation=item.derivation if method else None)
    assert (found.usage, found.breakdown, len(found.windows)) == (None, None, 1)


def test_time_weights_are_asked_by_themselves() -> None:
    found = plan(derivation=line("1.00", method="TIME_WEIGHTED").derivation)
    assert found.breakdown is None
    assert found.weighted is not None
    assert (found.weighted.method, found.weighted.per_account) == (Method.TIME_WEIGHTED, False)


def test_a_contracts_filters_choose_what_is_told_apart() -> None:
    item = line("1.00")
    why = item.derivation
    assert why is not None
    assert why.usage is not None
    filters = (UsageFilter(dimension_code="carrier", value="AA", mode=UsageFilterMode.EXCLUDE),)
    usage = msgspec.structs.replace(why.usage, filters=filters)
    found = plan(derivation=msgspec.structs.replace(why, usage=usage)).breakdown
    assert found is not None
    assert found.filters == (Filter(Slot.text(1), ("AA",), include=False),)
