"""What plan groups charge over all their plans (semantics §13)."""

from datetime import UTC, date, datetime, timedelta
from decimal import Decimal
from typing import Any

import msgspec
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tallystick.accounts.account_plan import AccountPlan, ChildBillingMode
from tallystick.billing import service
from tallystick.billing.calculate import calculate_bill
from tallystick.catalogue.product import Product
from tallystick.kernel.decimals import RoundingMode, divide, round_to
from tallystick.pricing.plan import Plan
from tallystick.pricing.plan_group import PlanGroup
from tallystick.pricing.plan_group_link import PlanGroupLink
from tests.unit.billing.conftest import FEB, JAN, MAR, Books, lines
from tests.unit.billing.drafts import OnPlan, aggregation, amounts, priced, suite, utc

D = Decimal
UNIT = [("0", "0", "1")]


def group(**values: Any) -> PlanGroup:
    return PlanGroup(**{"id": "suite", "name": "Suite", "currency": "USD", **values})


def on(product: str, minimum: str | None = None, **values: Any) -> OnPlan:
    """Give a plan of a product, $1 a unit."""
    price = priced(UNIT, aggregation(product), f"{product}-price")
    return OnPlan(minimum=minimum, prices=[price], product_id=product, **values)


@pytest.mark.parametrize(
    ("minimums", "used", "top_ups"),
    [
        pytest.param((None, None, "250"), ("100", "60"), ["90.00"], id="topped up over all plans"),
        pytest.param((None, None, "250"), ("100", "150"), [], id="met exactly"),
        pytest.param((None, None, "250"), ("300", "0"), [], id="met by one plan alone"),
        pytest.param(("150", None, "250"), ("100", "60"), ["50.00", "40.00"], id="the plan's first"),
        pytest.param(("200", "200", "250"), ("1", "1"), ["199.00", "199.00"], id="met by plans' minimums"),
        pytest.param(("200", None, "0"), ("300", "0"), [], id="no minimum of the group"),
    ],
)
def test_a_groups_minimum(
    minimums: tuple[str | None, str | None, str], used: tuple[str, str], top_ups: list[str]
) -> None:
    air, sea, all_of_it = minimums
    inputs = suite(group(minimum_spend=D(all_of_it)), (on("air", air), used[0]), (on("sea", sea), used[1]))
    found = [amount for kind, amount in amounts(calculate_bill(inputs)) if kind == "MINIMUM_SPEND"]
    assert found == top_ups


def test_a_groups_charges_are_prorated_and_named_after_it() -> None:
    """Attached on the 17th of a January of 31 days: 15 of them; 310 * 15/31 = 150, 31 * 15/31 = 15."""
    late = {"start": utc(2024, 1, 17)}
    made = group(minimum_spend=D(310), standing_charge=D(31), standing_charge_description="Suite fee")
    draft = calculate_bill(suite(made, (on("air", **late), "40"), (on("sea", **late), "60")))
    assert [(x.description, f"{x.converted:f}", x.product_id) for x in draft.lines[2:]] == [
        ("Suite Minimum Spend Adjustment", "50.00", None),  # 150 less 100
        ("Suite fee", "15.00", None),
    ]
    assert {x.terms.account_plan.plan_group_id for x in draft.lines if x.terms} == {"suite"}


def test_a_groups_minimum_in_advance_is_given_back_as_far_as_it_is_used() -> None:
    made = group(minimum_spend=D(1000), minimum_spend_bill_in_advance=True)
    pairs = ((on("air", "500", in_advance=True), "300"), (on("sea"), "100"))
    found = amounts(calculate_bill(suite(made, *pairs, number=1)))
    # The plan: 500 of March in advance, 300 of February given back. The group: 1000, and 500 + 100 back.
    assert found[2:] == [
        ("MINIMUM_SPEND_REFUND", "-300.00"),
        ("MINIMUM_SPEND", "500.00"),
        ("MINIMUM_SPEND_REFUND", "-600.00"),
        ("MINIMUM_SPEND", "1000.00"),
    ]


@pytest.mark.parametrize(
    ("own", "organization", "billed"),
    [(None, True, 2), (None, False, 1), (False, True, 1), (True, False, 2)],
)
def test_a_group_goes_before_the_organization(own: bool | None, organization: bool, billed: int) -> None:  # noqa: FBT001 - a table's row
    made = group(standing_charge=D(5), standing_charge_bill_in_advance=own)
    inputs = suite(made, (on("air", in_advance=organization), "0"))
    assert amounts(calculate_bill(inputs)).count(("STANDING_CHARGE", "5.00")) == billed


@given(
    minimums=st.tuples(*[st.decimals(0, 1000, places=2)] * 3),
    used=st.tuples(*[st.decimals(0, 1000, places=3)] * 2),
)
def test_a_suite_pays_the_most_of_its_usage_its_plans_minimums_and_its_own(
    minimums: tuple[D, D, D], used: tuple[D, D]
) -> None:
    air, sea, own = minimums
    pairs = ((on("air", str(air)), str(used[0])), (on("sea", str(sea)), str(used[1])))
    draft = calculate_bill(suite(group(minimum_spend=own), *pairs))
    billed = [x.converted for x in draft.lines if x.derivation.is_of_usage]
    assert draft.total == max(sum(map(max, billed, (air, sea))), own)


money, in_advance = st.decimals(0, 300, places=2), st.booleans()


@settings(max_examples=50)
@given(
    minimums=st.tuples(money, money, money, money),
    used=st.lists(st.tuples(money, money), min_size=4, max_size=4),
    advance=st.tuples(in_advance, in_advance, in_advance, in_advance),
    days=st.integers(1, 100),
)
def test_minimums_come_to_the_same_whichever_of_them_are_in_advance(
    minimums: tuple[D, D, D, D], used: list[tuple[D, D]], advance: tuple[bool, bool, bool, bool], days: int
) -> None:
    """Of a pricing, of two plans and of their group, each in its own mode, over all bills (semantics §15)."""
    price = priced(
        UNIT, aggregation("air"), minimum_spend=minimums[0], minimum_spend_bill_in_advance=advance[0]
    )
    until: dict[str, Any] = {"end": utc(2024, 1, 1) + timedelta(days=days)}
    air = OnPlan(minimum=str(minimums[1]), prices=[price], product_id="air", **until)
    air.plan = {"minimum_spend_bill_in_advance": advance[1]}
    sea = on("sea", str(minimums[2]), plan={"minimum_spend_bill_in_advance": advance[2]}, **until)
    made = group(minimum_spend=minimums[3], minimum_spend_bill_in_advance=advance[3])
    total = expected = D(0)
    number = 0
    while not (active := air.terms(number).active_dates(air.period(number))).is_empty:
        in_air, at_sea = used[number]
        total += calculate_bill(suite(made, (air, str(in_air)), (sea, str(at_sea)), number=number)).total
        share = divide(D(active.days), D(air.period(number).dates.days))
        of_price, of_air, of_sea, of_all = (round_to(m * share, 2, RoundingMode.HALF_UP) for m in minimums)
        expected += max(max(in_air, of_price, of_air) + max(at_sea, of_sea), of_all)
        number += 1
    assert total == expected


# --- from what is stored ------------------------------------------------------------------------


@pytest.fixture
def stored(books: Books) -> tuple[Books, PlanGroup, list[Plan]]:
    """Give a stored group of two plans, $0.15 a gigabyte and $10 a month each, and a minimum of $250."""
    made: PlanGroup = books.create(PlanGroup(name="Suite", currency="USD", minimum_spend=D(250)))
    sea = books.create(Product(name="Sea", code="sea"))
    plans = [books.plan("10"), books.plan("10", product_id=sea.id)]
    for plan in plans:
        books.price(plan, ("0", "0", "0.15"))
        books.create(PlanGroupLink(plan_group_id=made.id, plan_id=plan.id))
    return books, made, plans


def test_an_attached_group_is_billed_recalculated_and_verified(
    stored: tuple[Books, PlanGroup, list[Plan]],
) -> None:
    books, made, plans = stored
    acme = books.account("acme")
    attached = books.create(AccountPlan(account_id=acme.id, plan_group_id=made.id, start_date=JAN))
    books.usage.add(acme.id, JAN, "200")
    books.run()
    bill = books.bill(acme)
    # 200 x 0.15 = 30 for each plan; 250 less 60 is the group's; its plans' standing charges do not count
    expected = [("USAGE", "30.00")] * 2 + [("MINIMUM_SPEND", "190.00")] + [("STANDING_CHARGE", "10.00")] * 2
    assert lines(bill) == expected
    items = bill.line_items or []
    assert [(x.plan_id, x.plan_group_id) for x in items] == [
        *((plan.id, made.id) for plan in plans),
        (None, made.id),
        *((plan.id, made.id) for plan in plans),
    ]
    books.run()
    assert books.bill(acme) == bill
    with books.database.snapshot(books.org_id) as tx:
        assert service.verify_bill(tx, books.usage, bill.id).matches
    books.change(AccountPlan, attached.id, end_date=FEB)
    books.run(at=MAR)
    assert len(books.bills(acme)) == 1


def test_a_groups_plans_pool_children_that_are_on_no_plan_of_theirs(
    stored: tuple[Books, PlanGroup, list[Plan]],
) -> None:
    books, made, plans = stored
    parent = books.account("parent")
    child = books.account("child", plans[0], parent_account_id=parent.id)
    mode = ChildBillingMode.CHILD
    attached = AccountPlan(
        account_id=parent.id, plan_group_id=made.id, start_date=JAN, child_billing_mode=mode
    )
    books.create(attached)
    books.usage.add(child.id, JAN, "100")
    books.run()
    # Of the first product the child has a plan itself; of the second the parent's group bills it its usage.
    assert sorted(lines(books.bill(child))) == [
        ("STANDING_CHARGE", "10.00"),
        ("USAGE", "15.00"),
        ("USAGE", "15.00"),
    ]
    assert ("MINIMUM_SPEND", "235.00") in lines(books.bill(parent))  # over what the group prices


def test_an_empty_group_charges_nothing(books: Books) -> None:
    made = books.create(PlanGroup(name="Empty", currency="USD", standing_charge=D(5)))
    acme = books.account("acme")
    books.create(AccountPlan(account_id=acme.id, plan_group_id=made.id, start_date=JAN))
    books.run()
    assert books.bills(acme) == []


def test_groups_keep_their_epoch(books: Books) -> None:
    made = books.create(PlanGroup(name="Suite", currency="USD", standing_charge=D(31)))
    plan = books.plan("10")
    books.create(PlanGroupLink(plan_group_id=made.id, plan_id=plan.id))
    acme = books.account("acme")
    epoch = date(2024, 1, 15)
    books.create(AccountPlan(account_id=acme.id, plan_group_id=made.id, start_date=JAN, bill_epoch=epoch))
    books.run(at=datetime(2024, 1, 15, tzinfo=UTC))
    # 14 of the 31 days up to January 15: 10 * 14/31 and 31 * 14/31
    assert lines(books.bill(acme)) == [("STANDING_CHARGE", "4.52"), ("STANDING_CHARGE", "14.00")]


def test_terms_of_a_group_have_keys_of_their_own() -> None:
    inputs = suite(group(standing_charge=D(1)), (on("air"), "1"), (on("sea"), "1"))
    keys = [terms.key for terms in (*inputs.plans, *inputs.groups)]
    assert keys == ["account-plan:air", "account-plan:sea", "account-plan"]
    assert msgspec.structs.replace(inputs.groups[0]).product_id is None
