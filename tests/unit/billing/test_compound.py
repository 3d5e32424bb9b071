"""Compound aggregations on bills (semantics §11), each with its arithmetic visible."""

from datetime import date
from decimal import Decimal
from typing import Any

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from tallystick.accounts.account import Account
from tallystick.accounts.contract import Contract
from tallystick.billing.calculate import BillInputs, calculate_bill
from tallystick.billing.calculate.inputs import PricedAggregation, UsageKey
from tallystick.billing.due import DuePlan, Frame
from tallystick.billing.explain import explain
from tallystick.billing.lines import lines_of
from tallystick.billing.priced import custom_fields_of
from tallystick.calc.errors import CalculationError
from tallystick.calc.values import Value
from tallystick.catalogue.compound_aggregation import CUSTOM_FIELD_OWNERS
from tallystick.catalogue.product import Product
from tallystick.organizations.custom_field import CustomField
from tallystick.pricing.pricing import PricingType
from tallystick.rating.units import UsageRounding
from tests.unit.billing.drafts import BILL_ID, OnPlan, aggregation, amounts, bill_inputs, compound

D = Decimal
REQUESTS = aggregation("Requests")
APPS = aggregation("Apps")
FREE = "aggregation.requests - 100 * aggregation.apps"


def billed(
    price: PricedAggregation, used: dict[str, str], fields: dict[str, Value] | None = None
) -> BillInputs:
    """Give the inputs of January's bill with these quantities, by aggregation."""
    terms = msgspec.structs.replace(OnPlan(prices=[price]).terms(), custom_fields=fields or {})
    january = terms.period.dates.instants(terms.zone)
    keys = {part.aggregation.id: part.key(("account",), january) for part in price.parts}
    quantities: dict[UsageKey, Decimal] = {keys[name]: D(value) for name, value in used.items()}
    return bill_inputs([terms], quantities)


@pytest.mark.parametrize(
    ("used", "amount"),
    [
        pytest.param({"Requests": "1000", "Apps": "3"}, "700.00", id="1000 - 100 x 3"),
        pytest.param({"Requests": "500", "Apps": "5"}, "0.00", id="all within the free allowance"),
        pytest.param({"Requests": "100", "Apps": "5"}, "0.00", id="less than nothing costs nothing"),
    ],
)
def test_a_calculation_is_priced(used: dict[str, str], amount: str) -> None:
    assert amounts(calculate_bill(billed(compound(FREE, REQUESTS, APPS), used))) == [("USAGE", amount)]


@pytest.mark.parametrize(
    ("users", "logins", "credit"),
    [
        pytest.param("3", "45", "-150.00", id="3 x 20 - 45 = 15 logins short, $10 each"),
        pytest.param("3", "60", "0.00", id="just enough logins"),
        pytest.param("3", "70", "0.00", id="too many logins charge nothing"),
        pytest.param("60", "0", "-500.00", id="never more than the bill"),
    ],
)
def test_what_falls_short_is_credited(users: str, logins: str, credit: str) -> None:
    """A calculation priced as a credit: `20 x users - logins` at $10 each (semantics §11)."""
    parts = aggregation("Users"), aggregation("Logins")
    text, credited = "20 * aggregation.users - aggregation.logins", {"type": PricingType.GLOBAL_CREDIT}
    price = compound(text, *parts, bands=(("0", "0", "10"),), price=credited)
    terms = OnPlan(standing="500", prices=[price]).terms()
    january = terms.period.dates.instants(terms.zone)
    used = zip(price.parts, (users, logins), strict=True)
    quantities = {part.key(("account",), january): D(value) for part, value in used}
    assert amounts(calculate_bill(bill_inputs([terms], quantities)))[0] == ("USAGE_CREDIT", credit)


OWN = {
    "account": "account",
    "accountPlan": "account plan",
    "plan": "plan",
    "planTemplate": "template",
    "product": "product",
    "contract": "contract",
}


@pytest.mark.parametrize("is_own", [True, False], ids=["their own", "the organization's"])
def test_custom_fields_are_those_of_what_is_billed(*, is_own: bool) -> None:
    """An entity's own value goes before the organization's, but for a meter's (semantics §11)."""

    def fields(owner: str) -> dict[str, Any]:
        return {"custom_fields": {"rate": owner} if is_own else {}}

    terms = OnPlan().terms()
    names = [field.name for field in msgspec.structs.fields(CustomField)]
    known = {name for name in names if isinstance(getattr(CustomField(), name), dict)}
    year = {"start_date": date(2024, 1, 1), "end_date": date(2025, 1, 1)}
    found = custom_fields_of(
        CustomField(**{name: {"rate": "default", "other": D(1)} for name in known}),
        DuePlan(
            msgspec.structs.replace(terms.account_plan, **fields("account plan")),
            msgspec.structs.replace(terms.template, **fields("template")),
            terms.cycle,
            terms.period,
            terms.active,
            Frame(Contract(account_id="account", name="C", **year, **fields("contract"))),
        ),
        Account(name="A", code="a", email_address="a@example.com", **fields("account")),
        msgspec.structs.replace(terms.plan, **fields("plan")),
        Product(name="P", code="p", **fields("product")),
    )
    for owner in CUSTOM_FIELD_OWNERS:
        expected = OWN.get(owner, "default") if is_own else "default"
        assert (found[f"{owner}.customfields.rate"], found[f"{owner}.customfields.other"]) == (expected, 1)
    assert {"organization", "meter"} < set(CUSTOM_FIELD_OWNERS) - set(OWN)


def test_parts_enter_as_base_values_and_only_the_result_is_rounded() -> None:
    packed = aggregation("Requests", quantity_per_unit=D(10), rounding=UsageRounding.UP)
    price = compound("aggregation.requests + 5", packed, quantity_per_unit=D(50), rounding=UsageRounding.UP)
    (line,) = calculate_bill(billed(price, {"Requests": "100"})).lines
    assert (line.quantity, line.units) == (105, 3)  # 100, not 10; 105 / 50 = 2.1, up to 3


@pytest.mark.parametrize(
    ("defaults", "evaluates", "lines"),
    [
        pytest.param({}, False, [], id="a null part is no line"),
        pytest.param({}, True, [], id="evaluated with null: null is no line"),
        pytest.param({"default_value": D(0)}, False, [("USAGE", "1000.00")], id="a default enters"),
    ],
)
def test_null_parts(defaults: dict[str, Any], *, evaluates: bool, lines: list[tuple[str, str]]) -> None:
    apps = aggregation("Apps", **defaults)
    price = compound(FREE, REQUESTS, apps, evaluate_null_aggregations=evaluates)
    assert amounts(calculate_bill(billed(price, {"Requests": "1000"}))) == lines


def test_an_expression_may_say_what_null_is_worth() -> None:
    text = "isnull(aggregation.apps, 7)"
    price = compound(text, APPS, evaluate_null_aggregations=True)
    assert amounts(calculate_bill(billed(price, {}))) == [("USAGE", "7.00")]
    never = compound(text, APPS)
    assert amounts(calculate_bill(billed(never, {}))) == []


def test_a_calculation_without_aggregations_is_billed_each_period() -> None:
    price = compound("account.customfields.seats * 2")
    draft = calculate_bill(billed(price, {}, {"account.customfields.seats": D(12)}))
    assert amounts(draft) == [("USAGE", "24.00")]


def test_the_compounds_own_custom_field_goes_before_the_organizations() -> None:
    name = "compoundAggregation.customfields.rate"
    price = compound(f"10 * {name}", custom_fields={"rate": D(3)})
    assert amounts(calculate_bill(billed(price, {}, {name: D(2)}))) == [("USAGE", "30.00")]


def test_a_segment_is_calculated_from_the_same_segment_of_its_parts() -> None:
    cut = {"segmented_fields": ["region"], "segments": [{"region": "EU"}, {"region": "US"}]}
    price = compound("aggregation.requests * 2", aggregation("Requests", **cut), segment=1)
    draft = calculate_bill(billed(price, {"Requests": "4"}))
    (line,) = draft.lines
    assert (line.description, line.converted) == ("Compound (US)", D("8.00"))


def test_a_credit_by_calculation_is_capped() -> None:
    credit = compound("20", price={"type": PricingType.GLOBAL_CREDIT})
    terms = OnPlan(standing="15", prices=[credit]).terms()
    assert amounts(calculate_bill(bill_inputs([terms], {}))) == [
        ("USAGE_CREDIT", "-15.00"),
        ("STANDING_CHARGE", "15.00"),
    ]


def test_calculated_usage_counts_toward_the_minimum() -> None:
    terms = OnPlan(minimum="100", prices=[compound("30")]).terms()
    assert amounts(calculate_bill(bill_inputs([terms], {}))) == [
        ("USAGE", "30.00"),
        ("MINIMUM_SPEND", "70.00"),
    ]


@pytest.mark.parametrize(
    ("text", "reason"),
    [
        ("1 / aggregation.apps", "zero"),
        ("aggregation.apps == 0", "not a number"),
        ("aggregation.apps + plan.customfields.gone", "there is no plan.customfields.gone"),
        ("aggregation.apps + 10^26", "too large"),
    ],
)
def test_what_cannot_be_calculated_is_refused_by_name(text: str, reason: str) -> None:
    with pytest.raises(CalculationError, match=f"The compound aggregation Compound cannot .*{reason}"):
        calculate_bill(billed(compound(text, APPS), {"Apps": "0"}))


def test_the_explanation_shows_expression_and_values() -> None:
    draft = calculate_bill(billed(compound(FREE, REQUESTS, APPS), {"Requests": "1000", "Apps": "3"}))
    (line,) = lines_of(draft, BILL_ID)
    assert (line.compound_aggregation_id, line.aggregation_id, line.meter_id) == ("compound", None, None)
    january = "SUM of gb on meter use, 2024-01-01T00:00:00Z <= ts < 2024-02-01T00:00:00Z"
    assert explain(line)[1:5] == [
        f"calculation: {FREE}",
        f"where aggregation.requests = 1000: {january}",
        f"where aggregation.apps = 3: {january}",
        "quantity: 700",
    ]


@given(st.decimals(-(10**9), 10**9, places=6), st.decimals(0, 10**6, places=6))
def test_pricing_a_calculation_is_pricing_its_result(requests: D, apps: D) -> None:
    draft = calculate_bill(
        billed(compound(FREE, REQUESTS, APPS), {"Requests": str(requests), "Apps": str(apps)})
    )
    (line,) = draft.lines
    assert line.quantity == requests - 100 * apps
    assert line.subtotal == max(line.quantity, D(0))
