"""Rating a past period under other prices (semantics §14): old, new and difference, and nothing stored."""

from datetime import UTC, date, datetime
from decimal import Decimal
from typing import Any
from uuid import uuid4

import pytest

from tallystick.accounts.account import Account
from tallystick.accounts.account_plan import ChildBillingMode
from tallystick.balances.commitment import Commitment
from tallystick.billing.bill import Bill
from tallystick.billing.line_item import LineItem
from tallystick.billing.simulate import PricingRequest, SimulateRequest, Simulation, simulate
from tallystick.billing.what_if import PlanChange, Replacement
from tallystick.catalogue.product import Product
from tallystick.organizations.currency import Currency
from tallystick.platform.resources import PageRequest
from tallystick.platform.resources.wire import InvalidBody
from tallystick.pricing.plan import Plan
from tallystick.pricing.pricing import PricingBand
from tests.unit.billing.conftest import Books

D = Decimal
JAN_5 = datetime(2024, 1, 5, tzinfo=UTC)


@pytest.fixture
def plan(books: Books) -> Plan:
    """Give a plan of $10 a month and $1 a gigabyte, with two accounts on it: 5 GB and 20 GB."""
    made = books.plan(standing="10")
    books.price(made, ("0", "0", "1"))
    for code, used in (("small", "5"), ("large", "20")):
        books.usage.add(books.account(code, made).id, JAN_5, used)
    return made


def run(books: Books, size: int = 100, after: str | None = None, **values: Any) -> Simulation:
    with books.database.snapshot(books.org_id) as tx:
        return simulate(tx, books.usage, SimulateRequest(**values), PageRequest(size, after))


def shown(found: Simulation) -> list[tuple[str, str, str, str]]:
    return [(x.account_code, f"{x.old:f}", f"{x.new:f}", f"{x.difference:f}") for x in found.data]


def tiers(books: Books, owner: dict[str, str], *bands: tuple[str, str, str], **values: Any) -> Any:
    made = [PricingBand(lower_limit=D(a), fixed_price=D(b), unit_price=D(c)) for a, b, c in bands]
    declared: Any = {
        "aggregation_id": books.aggregation.id if books.aggregation else None,
        "start_date": datetime(2020, 1, 1, tzinfo=UTC),
        "cumulative": True,
        "pricing_bands": made,
    }
    return PricingRequest(**declared | owner | values)


def test_other_pricings_for_everybody(books: Books, plan: Plan) -> None:
    cheaper = tiers(books, {"plan_id": plan.id}, ("0", "0", "1"), ("10", "0", "0.5"))
    found = run(books, pricings=[cheaper])
    # 10 + 5; 10 + 20 against 10 + 10 + 10 x 0.5
    assert shown(found) == [("small", "15.00", "15.00", "0.00"), ("large", "30.00", "25.00", "-5.00")]
    (total,) = found.totals
    assert (total.bills, total.old, total.new, total.difference) == (2, D("45.00"), D("40.00"), D("-5.00"))
    with books.database.reading(books.org_id) as tx:
        assert (tx.find(Bill), tx.find(LineItem)) == ([], [])
    books.run()
    assert sorted(b.bill_total for b in books.bills()) == [D("15.00"), D("30.00")]


def test_other_charges_and_lines(books: Books, plan: Plan) -> None:
    found = run(
        books,
        plan_charges=[
            PlanChange(plan_template_id=plan.plan_template_id, standing_charge=D(12), minimum_spend=D(8))
        ],
        line_items=True,
    )
    assert shown(found) == [("small", "15.00", "20.00", "5.00"), ("large", "30.00", "32.00", "2.00")]
    assert [x.line_item_type for x in found.data[0].new_line_items or []] == [
        "USAGE",
        "MINIMUM_SPEND",
        "STANDING_CHARGE",
    ]
    assert [x.line_item_type for x in found.data[0].old_line_items or []] == ["USAGE", "STANDING_CHARGE"]
    own = run(books, plan_charges=[PlanChange(plan_id=plan.id, standing_charge=D(0))])
    assert [each.difference for each in own.data] == [D("-10.00"), D("-10.00")]


def test_a_draft_plan_that_nobody_is_on(books: Books, plan: Plan) -> None:
    draft = books.plan(standing="1")
    books.price(draft, ("0", "0", "2"))
    found = run(books, plans=[Replacement(plan_id=plan.id, as_plan_id=draft.id)])
    assert shown(found) == [("small", "15.00", "11.00", "-4.00"), ("large", "30.00", "41.00", "11.00")]


def test_some_accounts_and_pages(books: Books, plan: Plan) -> None:
    charges = [PlanChange(plan_id=plan.id, standing_charge=D(0))]
    first = run(books, size=1, plan_charges=charges)
    assert [x.account_code for x in first.data] == ["small"]
    second = run(books, size=1, after=first.data[0].account_id, plan_charges=charges)
    assert ([x.account_code for x in second.data], second.next_token) == (["large"], None)
    assert first.next_token is not None
    only = run(books, account_ids=[second.data[0].account_id], plan_charges=charges)
    assert [x.account_code for x in only.data] == ["large"]


def test_a_side_that_cannot_be_made_says_why(books: Books, plan: Plan) -> None:
    books.create(Currency(name="Euro", code="EUR"))
    euros = books.plan(standing="1", currency="EUR")
    found = run(books, plans=[Replacement(plan_id=plan.id, as_plan_id=euros.id)])
    first = found.data[0]
    assert (first.old, first.new, first.difference) == (D("15.00"), None, None)
    assert "from EUR to USD" in (found.data[0].new_failure or "")
    assert found.totals == []


def test_what_is_put_in_place_is_checked(books: Books, plan: Plan) -> None:
    own = {"plan_id": plan.id}
    wrong = [
        tiers(books, own, ("1", "0", "1")),
        tiers(books, own, ("0", "0", "1")),
        tiers(books, {"plan_id": str(uuid4())}, ("0", "0", "1")),
    ]
    with pytest.raises(InvalidBody) as refused:
        run(
            books,
            pricings=wrong,
            plan_charges=[PlanChange(standing_charge=D(1))],
            plans=[Replacement(plan_id=plan.id, as_plan_id=str(uuid4()))],
        )
    assert {(p.field, p.code) for p in refused.value.problems} == {
        ("planCharges[0].planId", "exactly_one"),
        ("pricings[0].pricingBands[0].lowerLimit", "first_band_not_at_zero"),
        ("pricings[1].startDate", "overlapping_pricing"),
        ("pricings[2].planId", "unknown_reference"),
        ("plans[0].asPlanId", "unknown_reference"),
    }


# --- with what else stands on bills ---------------------------------------------------------------

YEAR = {"currency": "USD", "start_date": date(2024, 1, 1), "end_date": date(2025, 1, 1)}


@pytest.mark.parametrize("billed", [False, True])
def test_bills_draw_one_after_the_other_on_both_sides(books: Books, plan: Plan, billed: bool) -> None:  # noqa: FBT001 - a table
    """Semantics §18: a family of 10 + 5 and 10 + 20 under a commitment of 40, then of 4 + 5 and 4 + 20.

    Old: 45 - 40 = 5 are payable. New: 33 are covered. Whether the old bills are stored or not.
    """
    small, large = (x.account_id for x in run(books).data)
    books.change(Account, large, parent_account_id=small)
    shared = Commitment(account_id=small, amount=D(40), child_billing_mode=ChildBillingMode.CHILD, **YEAR)
    books.create(shared)
    if billed:
        books.run()
    found = run(books, plan_charges=[PlanChange(plan_id=plan.id, standing_charge=D(4))])
    (total,) = found.totals
    assert (total.old, total.new, total.difference) == (D("5.00"), D("0.00"), D("-5.00"))
    if billed:
        assert sum(bill.bill_total for bill in books.bills()) == total.old


def test_fees_of_a_plan_stay_when_another_stands_in_for_it(books: Books, plan: Plan) -> None:
    """Semantics §18: 1200 / 12 in fees on either plan; the commitment is for the draft's product only."""
    other = books.create(Product(name="Sea", code="sea"))
    draft = books.plan(standing="1", product_id=other.id)
    small = run(books).data[0].account_id
    promised = Commitment(
        account_id=small, amount=D(1200), billing_plan_id=plan.id, product_ids=[other.id], **YEAR
    )
    books.create(promised)
    found = run(books, account_ids=[small], plans=[Replacement(plan_id=plan.id, as_plan_id=draft.id)])
    # 10 + 5 and the fee; then the fee, for the 1 is covered
    assert shown(found) == [("small", "115.00", "100.00", "-15.00")]
