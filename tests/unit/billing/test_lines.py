"""What lines say (semantics §23): their words, products, bands, averages and signs."""

from datetime import date
from decimal import Decimal
from typing import Any

import msgspec
import pytest

from tallystick.billing.calculate import BillInputs, calculate_bill
from tallystick.billing.calculate.ledger_inputs import Reserve
from tallystick.billing.line_item import LineItem
from tallystick.billing.lines import lines_of
from tallystick.catalogue.product import Product
from tallystick.pricing.plan_group import PlanGroup
from tallystick.pricing.pricing import PricingType
from tests.unit.billing.drafts import (
    BILL_ID,
    OnPlan,
    aggregation,
    balance,
    bill_inputs,
    commitment,
    counter,
    priced,
    suite,
    utc,
    with_ledger,
)

D = Decimal
UNIT = [("0", "0", "1")]


def lines(inputs: BillInputs) -> list[LineItem]:
    return lines_of(calculate_bill(inputs), BILL_ID)


def used(*, used: str = "10", number: int = 0, **on: Any) -> BillInputs:
    return OnPlan(**{"prices": [priced(UNIT)], **on}).bill(used, number)


SEGMENTED = aggregation(
    segmented_fields=["region", "tier"],
    segments=[{"region": "EU", "tier": "gold"}, {"region": "*", "tier": "*"}],
)


@pytest.mark.parametrize(
    ("inputs", "descriptions"),
    [
        pytest.param(used(), ["Gigabytes"], id="usage: the aggregation's name"),
        pytest.param(
            used(prices=[priced(UNIT, SEGMENTED, "a", 0), priced(UNIT, SEGMENTED, "b", 1)]),
            ["Gigabytes (EU, gold)", "Gigabytes (*, *)"],
            id="the segment's values in parentheses",
        ),
        pytest.param(
            used(prices=[priced(UNIT, description="Data")]), ["Data"], id="usage: the pricing's own"
        ),
        pytest.param(used(standing="1"), ["Gigabytes", "Standing Charge"], id="a standing charge"),
        pytest.param(
            used(standing="1", template={"standing_charge_description": "Base"}),
            ["Gigabytes", "Base"],
            id="the template's own",
        ),
        pytest.param(
            used(
                standing="1",
                template={"standing_charge_description": "Base"},
                plan={"standing_charge_description": "Pro base"},
            ),
            ["Gigabytes", "Pro base"],
            id="the plan's own before the template's",
        ),
        pytest.param(
            used(minimum="50"), ["Gigabytes", "Product Minimum Spend Adjustment"], id="a minimum: its product"
        ),
        pytest.param(
            used(minimum="50", plan={"minimum_spend_description": "At least"}),
            ["Gigabytes", "At least"],
            id="a minimum's own",
        ),
        pytest.param(
            used(prices=[priced(UNIT, minimum_spend=D(50))]),
            ["Gigabytes", "Gigabytes Minimum Spend Adjustment"],
            id="a pricing's minimum: its aggregation",
        ),
        pytest.param(
            used(prices=[priced(UNIT, minimum_spend=D(50), minimum_spend_description="Least data")]),
            ["Gigabytes", "Least data"],
            id="a pricing's minimum's own",
        ),
        pytest.param(
            suite(PlanGroup(id="s", name="Suite", currency="USD", minimum_spend=D(50)), (OnPlan(), "0")),
            ["Suite Minimum Spend Adjustment"],
            id="a group's minimum: the group",
        ),
    ],
)
def test_descriptions(inputs: BillInputs, descriptions: list[str]) -> None:
    assert [line.description for line in lines(inputs)] == descriptions


BY_PRICING, BY_AGGREGATION, OWN = "by-pricing", "by-aggregation", "own"
OF_AGGREGATION = aggregation(accounting_product_id=BY_AGGREGATION)
SEATS = {("account", "seats"): ((date(2024, 1, 1), D(1)),)}


@pytest.mark.parametrize(
    ("inputs", "product_id"),
    [
        pytest.param(
            used(prices=[priced(UNIT, OF_AGGREGATION, accounting_product_id=BY_PRICING)]),
            BY_PRICING,
            id="usage: the pricing's",
        ),
        pytest.param(
            used(prices=[priced(UNIT, OF_AGGREGATION)]), BY_AGGREGATION, id="else the aggregation's"
        ),
        pytest.param(used(), "product", id="else the plan's product"),
        pytest.param(
            used(prices=[], standing="1", plan={"standing_charge_accounting_product_id": OWN}),
            OWN,
            id="a standing charge's own",
        ),
        pytest.param(used(prices=[], standing="1"), "product", id="else the plan's product, too"),
        pytest.param(
            used(prices=[], minimum="1", plan={"minimum_spend_accounting_product_id": OWN}),
            OWN,
            id="a minimum's own",
        ),
        pytest.param(used(prices=[], minimum="1"), "product", id="else, of a minimum, the plan's product"),
        pytest.param(
            bill_inputs([OnPlan(counters=[counter(accounting_product_id=OWN)]).terms()], {}, counters=SEATS),
            OWN,
            id="a counter's price's own",
        ),
        pytest.param(
            bill_inputs([OnPlan(counters=[counter()]).terms()], {}, counters=SEATS),
            "product",
            id="else, of a counter, the plan's product",
        ),
        pytest.param(
            suite(
                PlanGroup(
                    id="s",
                    name="Suite",
                    currency="USD",
                    standing_charge=D(1),
                    standing_charge_accounting_product_id=OWN,
                ),
                (OnPlan(), "0"),
            ),
            OWN,
            id="a group's own",
        ),
        pytest.param(
            suite(PlanGroup(id="s", name="Suite", currency="USD", standing_charge=D(1)), (OnPlan(), "0")),
            None,
            id="a group that says none has none: it is of no product",
        ),
    ],
)
def test_accounting_products(inputs: BillInputs, product_id: str | None) -> None:
    named = {p: Product(id=p, name=p, code=p) for p in (BY_PRICING, BY_AGGREGATION, OWN)}
    (line,) = lines(msgspec.structs.replace(inputs, products={**inputs.products, **named}))
    assert line.accounting_product_id == product_id


@pytest.mark.parametrize(
    ("reserve", "kind", "product_id"),
    [
        pytest.param(
            commitment(billing_plan_id="plan", fees_accounting_product_id=OWN, accounting_product_id="other"),
            "COMMITMENT_FEE",
            OWN,
            id="a fee: the fees'",
        ),
        pytest.param(
            commitment(billing_plan_id="plan", accounting_product_id=OWN),
            "COMMITMENT_FEE",
            OWN,
            id="a fee, else: the commitment's",
        ),
        pytest.param(
            commitment(drawdowns_accounting_product_id=OWN, accounting_product_id="other"),
            "COMMITMENT_CONSUMED",
            OWN,
            id="what is consumed: the draw-downs'",
        ),
        pytest.param(
            commitment(accounting_product_id=OWN),
            "COMMITMENT_CONSUMED",
            OWN,
            id="what is consumed, else: the commitment's",
        ),
        pytest.param(
            balance("100", consumptions_accounting_product_id=OWN),
            "BALANCE_CONSUMED",
            OWN,
            id="a balance's own",
        ),
        pytest.param(balance("100"), "BALANCE_CONSUMED", None, id="a balance's, else: none"),
    ],
)
def test_accounting_products_of_what_is_drawn(reserve: Reserve, kind: str, product_id: str | None) -> None:
    inputs = with_ledger(used(), reserve)
    named = {p: Product(id=p, name=p, code=p) for p in (OWN, "other")}
    found = lines(msgspec.structs.replace(inputs, products={**inputs.products, **named}))
    (line,) = (x for x in found if x.line_item_type.value == kind)
    assert line.accounting_product_id == product_id


def test_a_line_shows_its_bands_exactly_and_their_average() -> None:
    """Packs of 500, rounded up, tiered: 48,900 are 97.8, so 98; 97 x 0.25 + 5 + 1 x 0.2 = 29.45 euros."""
    of = aggregation(quantity_per_unit=D(500), rounding="UP", unit="packs")
    on = OnPlan(currency="EUR", prices=[priced([("0", "0", "0.25"), ("97", "5", "0.2")], of)])
    (line,) = lines(on.bill("48900", rates={("EUR", "USD"): D("1.125")}))
    assert (line.quantity, line.units, line.unit) == (48900, 98, "packs")
    assert (line.subtotal, line.currency) == (D("29.45"), "EUR")
    assert (line.conversion_rate, line.converted_subtotal) == (D("1.125"), D("33.13"))  # 33.13125
    assert line.average_unit_price == D("0.300510204082")  # 29.45 / 98
    assert [
        (b.lower_limit, b.band_units, b.band_quantity, b.fixed_price, b.unit_price, b.unit_subtotal)
        for b in line.band_usage
    ] == [(0, 97, 48500, 0, D("0.25"), D("24.25")), (97, 1, 500, 5, D("0.2"), D("0.2"))]
    assert [(b.band_subtotal, b.converted_band_subtotal) for b in line.band_usage] == [
        (D("24.25"), D("27.28125")),
        (D("5.2"), D("5.85")),
    ]


def test_a_line_names_everything_that_it_is_of() -> None:
    """A service period ends where the next one starts; lines are numbered from 1."""
    usage, standing = lines(used(standing="1"))
    assert (usage.plan_id, usage.pricing_id, usage.aggregation_id, usage.meter_id, usage.product_id) == (
        *("plan", "price", "Gigabytes", "meter", "product"),
    )
    assert (usage.service_period_start_date, usage.service_period_end_date) == (
        utc(2024, 1, 1),
        utc(2024, 2, 1),
    )
    assert (usage.sequence_number, standing.sequence_number) == (1, 2)


def test_credits_and_refunds_are_negative() -> None:
    credit = priced(UNIT, aggregation("Free"), "free", type=PricingType.PRODUCT_CREDIT)
    half = priced([("0", "0", "2")])
    found = lines(used(prices=[half, credit], minimum="15", in_advance=True, number=1, end=utc(2024, 3, 1)))
    assert [(x.line_item_type.value, f"{x.converted_subtotal:f}") for x in found] == [
        ("USAGE", "20.00"),
        ("USAGE_CREDIT", "-10.00"),
        ("MINIMUM_SPEND_REFUND", "-10.00"),  # 20 - 10 count, of 15 paid in advance
    ]
