"""Parents and children on bills (semantics §17): rated as one block, told apart by what each used."""

from datetime import UTC, date, datetime, timedelta
from decimal import Decimal
from random import Random

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from tallystick.accounts.account import Account
from tallystick.accounts.account_plan import AccountPlan, ChildBillingMode
from tallystick.balances.balance import Balance
from tallystick.balances.commitment import Commitment
from tallystick.billing import service
from tallystick.billing.bill import BillAnswer
from tallystick.billing.calculate import BillInputs, calculate_bill
from tallystick.billing.custom_usage import Quantities
from tallystick.billing.explain import explain
from tallystick.billing.lines import lines_of
from tallystick.billing.simulate import SimulateRequest, simulate
from tallystick.catalogue.counter import Counter
from tallystick.platform.resources import PageRequest
from tallystick.pricing.counter_pricing import CounterPricing
from tallystick.pricing.pricing import PricingBand, PricingType
from tallystick.rating.method import Method
from tallystick.usage.counter_adjustment import CounterAdjustment
from tallystick.usage.store.custom import CustomSqlFailed
from tests.unit.billing.conftest import FEB, JAN, MAR, Books, lines
from tests.unit.billing.drafts import BILL_ID, TIERED, OnPlan, aggregation, compound, family, priced
from tests.unit.billing.test_stored_ledger import APR, balance_of

D = Decimal
JAN_5 = datetime(2024, 1, 5, tzinfo=UTC)
MODES = ChildBillingMode
Line = tuple[str, str | None, str]
RUNNING = "COUNTER_RUNNING_TOTAL_CHARGE"
CONSUMED = {"COMMITMENT_CONSUMED", "BALANCE_CONSUMED"}
HALF = 0.5


def billed(inputs: BillInputs) -> list[Line]:
    found = calculate_bill(inputs).lines
    return [(x.line_item_type.value, x.child_account_code, f"{x.converted:f}") for x in found]


USED = {"account": "400", "east": "500", "west": "100"}  # 500 x 0.15 + 500 x 0.10 = 125


def test_a_summary_is_one_line() -> None:
    assert billed(family(OnPlan(prices=[priced()]), USED, MODES.PARENT_SUMMARY)) == [
        ("USAGE", None, "125.00")
    ]


def test_a_breakdown_is_a_line_for_each_account_by_what_it_used() -> None:
    assert billed(family(OnPlan(prices=[priced()]), USED, MODES.PARENT_BREAKDOWN)) == [
        ("USAGE", None, "50.00"),  # 125 x 400/1000
        ("USAGE", "east-code", "62.50"),
        ("USAGE", "west-code", "12.50"),
    ]


def test_a_breakdown_sums_to_the_cent() -> None:
    used = {"account": "1", "east": "1", "west": "1"}
    on = OnPlan(prices=[priced([("0", "0.01", "0.03")])])
    assert billed(family(on, used, MODES.PARENT_BREAKDOWN)) == [
        ("USAGE", None, "0.04"),  # 0.10 in thirds
        ("USAGE", "east-code", "0.03"),
        ("USAGE", "west-code", "0.03"),
    ]


def test_who_used_nothing_has_no_line() -> None:
    on, used = OnPlan(prices=[priced()]), {"account": "0", "east": "100", "west": "0"}
    assert billed(family(on, used, MODES.PARENT_BREAKDOWN)) == [("USAGE", "east-code", "15.00")]


def test_what_nobody_used_stays_with_the_parent() -> None:
    on = OnPlan(prices=[priced([("0", "5", "1")])])
    used = {"account": "0", "east": "0"}
    assert billed(family(on, used, MODES.PARENT_BREAKDOWN)) == [("USAGE", None, "5.00")]
    assert billed(family(on, used, MODES.CHILD)) == [("USAGE", None, "5.00")]
    assert billed(family(on, used, MODES.CHILD, "east")) == []


def test_child_bills_each_its_own_part_and_the_parent_the_charges() -> None:
    on = OnPlan(standing="10", minimum="200", prices=[priced()])
    assert billed(family(on, USED, MODES.CHILD)) == [
        ("USAGE", None, "50.00"),
        ("MINIMUM_SPEND", None, "75.00"),  # 200 less the family's 125
        ("STANDING_CHARGE", None, "10.00"),
    ]
    assert billed(family(on, USED, MODES.CHILD, "east")) == [("USAGE", "east-code", "62.50")]


def test_credits_are_told_apart_too_but_global_ones_are_not() -> None:
    free = aggregation("Free")
    for kind, expected in (
        (
            PricingType.PRODUCT_CREDIT,
            [("USAGE_CREDIT", None, "-2.00"), ("USAGE_CREDIT", "east-code", "-3.00")],
        ),
        (PricingType.GLOBAL_CREDIT, [("USAGE_CREDIT", None, "-5.00")]),
    ):
        on = OnPlan(prices=[priced(), priced([("0", "5", "0")], free, "free", type=kind)])
        found = billed(family(on, {"account": "400", "east": "600"}, MODES.PARENT_BREAKDOWN))
        assert found == [("USAGE", None, "50.00"), ("USAGE", "east-code", "75.00"), *expected]


@pytest.mark.parametrize(
    ("mode", "parent"),
    [
        pytest.param(MODES.PARENT_SUMMARY, ["125.00", "-135.00", "10.00"], id="as one: 125 + 10"),
        pytest.param(
            MODES.PARENT_BREAKDOWN, ["50.00", "75.00", "-54.00", "-81.00", "10.00"], id="40 and 60 %"
        ),
        pytest.param(MODES.CHILD, ["50.00", "-50.00", "10.00"], id="apart: 40 % of 125, for usage only"),
    ],
)
def test_a_pooled_credit_beyond_usage(mode: ChildBillingMode, parent: list[str]) -> None:
    """A credit of 200 for usage of 125 and a standing charge of 10."""
    credit = priced([("0", "200", "0")], aggregation("Free"), "free", type=PricingType.PRODUCT_CREDIT)
    on = OnPlan(standing="10", prices=[priced(), credit])
    used = {"account": "400", "east": "600"}
    assert [amount for _, _, amount in billed(family(on, used, mode))] == parent
    if mode is MODES.CHILD:
        assert billed(family(on, used, mode, "east")) == [
            ("USAGE", "east-code", "75.00"),
            ("USAGE_CREDIT", "east-code", "-75.00"),
        ]


def test_the_explanation_names_the_share() -> None:
    draft = calculate_bill(family(OnPlan(prices=[priced()]), USED, MODES.PARENT_BREAKDOWN))
    line = lines_of(draft, BILL_ID)[1]
    assert (line.child_account_id, line.quantity, line.units) == ("east", 500, 500)
    assert explain(line)[-1] == "share of east-code: 500 of 1000 used, of 125.00 = 62.50"


def test_what_cannot_be_calculated_of_one_account_alone_is_not_its_part() -> None:
    on = OnPlan(prices=[compound("aggregation.gigabytes / (aggregation.gigabytes - 400)", aggregation())])
    found = billed(family(on, {"account": "400", "east": "500"}, MODES.PARENT_BREAKDOWN))
    assert found == [("USAGE", "east-code", "1.80")]  # 900 / 500; of the parent alone it is 400 / 0


def test_sql_that_fails_of_one_account_alone_is_not_its_part() -> None:
    """Of the family it tells a number, and that is billed (semantics §9, §17)."""
    inputs = family(OnPlan(prices=[priced()]), {"account": "0", "east": "500"}, MODES.PARENT_BREAKDOWN)
    (terms,) = inputs.plans
    (price,) = terms.own
    alone = price.parts[0].key(("account",), terms.period.dates.instants(terms.zone))
    quantities = Quantities()
    quantities |= inputs.quantities
    quantities.failures[alone] = CustomSqlFailed("The SQL gave more than one row.")
    found = billed(msgspec.structs.replace(inputs, quantities=quantities))
    assert found == [("USAGE", "east-code", "75.00")]  # 500 x 0.15


used_by_three = st.lists(st.decimals(0, 10**6, places=3).map(str), min_size=3, max_size=3)


@given(used_by_three, st.booleans())
def test_however_a_family_is_billed_it_pays_the_same(used: list[str], is_tiered: bool) -> None:  # noqa: FBT001 - drawn
    on = OnPlan(prices=[priced(TIERED, cumulative=is_tiered)])
    by_name = dict(zip(("account", "east", "west"), used, strict=True))
    summary = calculate_bill(family(on, by_name, MODES.PARENT_SUMMARY))
    breakdown = calculate_bill(family(on, by_name, MODES.PARENT_BREAKDOWN))
    apart = [calculate_bill(family(on, by_name, MODES.CHILD, child)) for child in (None, "east", "west")]
    assert breakdown.total == summary.total == sum(draft.total for draft in apart)
    assert sum(x.units for x in breakdown.lines) == sum(x.units for x in summary.lines)
    ids = [line.id for line in lines_of(breakdown, BILL_ID)]
    assert len(set(ids)) == len(ids)


# --- stored bills -------------------------------------------------------------------------------


def with_children(bill: BillAnswer) -> list[Line]:
    return [
        (x.line_item_type.value, x.child_account_code, f"{x.converted_subtotal:f}")
        for x in bill.line_items or []
    ]


@pytest.fixture
def parent_id(books: Books) -> str:
    """Give a parent with 400 GB, a child with 600, and one with 100 on a plan of its own."""
    plan = books.plan(standing="10")
    books.price(plan, ("0", "0", "0.15"), ("500", "0", "0.10"))
    most = books.aggregate(name="Most", aggregation=Method.MAX)
    books.price(plan, ("0", "0", "1"), aggregation_id=most.id)
    parent = books.account("parent", plan)
    child = books.account("child", parent_account_id=parent.id)
    own = books.account("own", plan, parent_account_id=parent.id)
    for account, used in ((parent, "400"), (child, "600"), (own, "100")):
        books.usage.add(account.id, JAN_5, used)
    return parent.id


def set_mode(books: Books, parent_id: str, mode: MODES) -> None:
    with books.database.reading(books.org_id) as tx:
        (attached,) = tx.find(AccountPlan, account_id=parent_id)
    books.change(AccountPlan, attached.id, child_billing_mode=mode)


def bills_by_code(books: Books) -> dict[str, BillAnswer]:
    return {bill.account_code: bill for bill in books.bills()}


@pytest.mark.usefixtures("parent_id")
def test_a_child_without_a_plan_pools_with_its_parent(books: Books) -> None:
    books.run()
    bills = bills_by_code(books)
    assert bills.keys() == {"parent", "own"}  # the child has no bill: it has no plan
    assert with_children(bills["parent"]) == [
        ("USAGE", None, "50.00"),  # (500 x 0.15 + 500 x 0.10) x 400/1000
        ("USAGE", "child", "75.00"),
        ("USAGE", None, "240.00"),  # the most was 600, of which 400/1000
        ("USAGE", "child", "360.00"),
        ("STANDING_CHARGE", None, "10.00"),
    ]
    assert lines(bills["own"])[0] == ("USAGE", "15.00")  # rated apart: 100 x 0.15


def test_a_summary_has_one_line_for_all(books: Books, parent_id: str) -> None:
    set_mode(books, parent_id, MODES.PARENT_SUMMARY)
    books.run()
    found = with_children(bills_by_code(books)["parent"])
    assert found == [("USAGE", None, "125.00"), ("USAGE", None, "600.00"), ("STANDING_CHARGE", None, "10.00")]


def test_a_child_is_billed_by_itself(books: Books, parent_id: str) -> None:
    set_mode(books, parent_id, MODES.CHILD)
    job = books.run()
    bills = bills_by_code(books)
    assert job.total == 3
    parents = [("USAGE", None, "50.00"), ("USAGE", None, "240.00"), ("STANDING_CHARGE", None, "10.00")]
    assert with_children(bills["parent"]) == parents
    assert with_children(bills["child"]) == [("USAGE", "child", "75.00"), ("USAGE", "child", "360.00")]
    books.run()  # nothing changes
    assert bills_by_code(books) == bills
    for bill in bills.values():
        with books.database.snapshot(books.org_id) as tx:
            assert service.verify_bill(tx, books.usage, bill.id).matches


def test_tiers_that_span_the_plan_count_whose_usage_was_pooled_then(books: Books) -> None:
    """January: 300 + 300 pooled, 500 x 0.15 + 100 x 0.10. From February on the child has a plan of its own.

    So February's 100 of the parent come after 600, at 0.10, and not after 300 (semantics §14, §17).
    """
    plan = books.plan()
    books.price(plan, ("0", "0", "0.15"), ("500", "0", "0.10"), tiers_span_plan=True)
    parent = books.account("parent", plan)
    child = books.account("child", parent_account_id=parent.id)
    books.create(AccountPlan(account_id=child.id, plan_id=books.plan().id, start_date=FEB))
    for account in (parent, child):
        books.usage.add(account.id, JAN_5, "300")
    books.usage.add(parent.id, FEB, "100")
    books.run()
    books.run(at=MAR)
    assert [bill.bill_total for bill in books.bills(parent)] == [D("85.00"), D("10.00")]
    with books.database.snapshot(books.org_id) as tx:
        assert service.verify_bill(tx, books.usage, books.bills(parent)[1].id).matches


def test_seats_in_advance_are_those_of_who_pools_then(books: Books) -> None:
    """5 seats each; from February on the child pays its own, so the parent's February is 5 x 2 (§16, §17)."""
    plan, own = books.plan(), books.plan()
    seats = books.create(Counter(name="Seats", code="seats", unit="seats"))
    band = PricingBand(lower_limit=D(0), fixed_price=D(0), unit_price=D(2))
    for each in (plan, own):
        books.create(
            CounterPricing(plan_id=each.id, counter_id=seats.id, start_date=JAN, pricing_bands=[band])
        )
    parent = books.account("parent", plan)
    child = books.account("child", parent_account_id=parent.id)
    books.create(AccountPlan(account_id=child.id, plan_id=own.id, start_date=FEB))
    for account in (parent, child):
        adjusted = {"account_id": account.id, "counter_id": seats.id, "value": 5}
        books.create(CounterAdjustment(date=date(2023, 12, 1), **adjusted))
    books.run()
    assert lines(books.bill(parent)) == [
        (RUNNING, "20.00"),
        (RUNNING, "10.00"),
    ]  # January's ten, February's five
    books.run(at=MAR)
    assert lines(books.bill(child)) == [(RUNNING, "10.00"), (RUNNING, "10.00")]  # its first bill: two months


@pytest.mark.parametrize("in_advance", [True, False])
def test_seats_leave_and_join_the_family_on_their_day(books: Books, in_advance: bool) -> None:  # noqa: FBT001 - a table
    """3 and 2 seats at $31 a month, by days; the child has the plan by itself for January 16 to February 10.

    On the parent's bills its seats go on the 16th, and are back on February 10 (semantics §16, §17).
    """
    plan = books.plan()
    seats = books.create(Counter(name="Seats", code="seats", unit="seats"))
    bands = [PricingBand(lower_limit=D(0), fixed_price=D(0), unit_price=D(31))]
    price = {"plan_id": plan.id, "counter_id": seats.id, "start_date": JAN, "pricing_bands": bands}
    books.create(CounterPricing(running_total_bill_in_advance=in_advance, **price))
    parent = books.account("parent", plan)
    own = {"start": datetime(2024, 1, 16, tzinfo=UTC), "end": datetime(2024, 2, 10, tzinfo=UTC)}
    child = books.account("child", plan, parent_account_id=parent.id, **own)
    for account, held in ((parent, 3), (child, 2)):
        adjusted = {"account_id": account.id, "counter_id": seats.id, "value": held}
        books.create(CounterAdjustment(date=date(2023, 12, 1), **adjusted))
    for at in (FEB, MAR):
        books.run(at=at)
    charged = [(parent, "155.00"), (parent, "-32.00")]  # January's 5 x 31, less 2 x 31 x 16/31
    charged += [(parent, "93.00"), (parent, "42.76")]  # February's 3 x 31, and 2 x 31 x 20/29
    charged += [(child, "32.00"), (child, "19.24")]  # 2 x 31 x 16/31, 2 x 31 x 9/29
    charged += [(parent, "155.00")] if in_advance else []  # March opens with 5
    found = [(a, amount) for a in (parent, child) for b in books.bills(a) for _, amount in lines(b)]
    assert sorted((a.code, amount) for a, amount in found) == sorted(
        (a.code, amount) for a, amount in charged
    )


def test_a_child_that_used_nothing_has_no_bill_of_its_own(books: Books, parent_id: str) -> None:
    set_mode(books, parent_id, MODES.CHILD)
    books.account("idle", parent_account_id=parent_id)
    books.run()
    assert bills_by_code(books).keys() == {"parent", "child", "own"}


@pytest.mark.parametrize(
    ("was", "becomes", "refused"),
    [
        pytest.param(MODES.CHILD, MODES.PARENT_BREAKDOWN, "parent", id="the child's bill is not in the run"),
        pytest.param(MODES.CHILD, MODES.PARENT_SUMMARY, "parent", id="nor is it for one line"),
        pytest.param(MODES.PARENT_BREAKDOWN, MODES.CHILD, "child", id="the parent's bill is locked"),
    ],
)
def test_what_moves_within_a_family_is_not_billed_twice(
    books: Books, parent_id: str, was: ChildBillingMode, becomes: ChildBillingMode, refused: str
) -> None:
    """Semantics §17: usage whose place changes is on one bill; the other fails until that is made anew."""
    set_mode(books, parent_id, was)
    books.run()
    before = {code: bill.bill_total for code, bill in bills_by_code(books).items()}
    if becomes is MODES.CHILD:
        with books.database.transaction(books.org_id) as tx:
            service.approve_bills(tx, [bills_by_code(books)["parent"].id])
            service.lock_bill(tx, bills_by_code(books)["parent"].id)
    set_mode(books, parent_id, becomes)
    books.run()
    assert {code: bill.bill_total for code, bill in bills_by_code(books).items()} == before
    told = [each["newDto"] for each in books.told("billing.bill.failed")]
    assert [(each["accountCode"], each["code"]) for each in told] == [(refused, "billed_already")]
    if refused == "parent":
        with books.database.transaction(books.org_id) as tx:
            service.delete_bill(tx, bills_by_code(books)["child"].id)
        books.run()
        assert sum(bill.bill_total for bill in books.bills()) == sum(before.values())


# --- children that get a plan of their own --------------------------------------------------------

JAN_16, JAN_20 = datetime(2024, 1, 16, tzinfo=UTC), datetime(2024, 1, 20, tzinfo=UTC)


@pytest.mark.parametrize(
    ("mode", "parents"),
    [
        pytest.param(MODES.PARENT_SUMMARY, [("USAGE", None, "125.00")], id="one line"),
        pytest.param(
            MODES.PARENT_BREAKDOWN,
            [("USAGE", None, "50.00"), ("USAGE", "child", "75.00")],
            id="125 x 400/1000, 125 x 600/1000",
        ),
        pytest.param(MODES.CHILD, [("USAGE", None, "50.00")], id="the child's part on its own bill"),
    ],
)
def test_a_child_pools_up_to_the_day_on_which_it_has_a_plan_of_its_own(
    books: Books, mode: ChildBillingMode, parents: list[Line]
) -> None:
    """Semantics §17: 400 and 600 as one block, 500 x 0.15 + 500 x 0.10; what comes after is the child's own.

    100 x 0.15 on its own plan, from January 16 on: all usage is billed, and none of it twice.
    """
    plan = books.plan()
    books.price(plan, ("0", "0", "0.15"), ("500", "0", "0.10"))
    parent = books.account("parent", plan)
    set_mode(books, parent.id, mode)
    child = books.account("child", plan, JAN_16, parent_account_id=parent.id)
    for account, at, used in ((parent, JAN_20, "400"), (child, JAN_5, "600"), (child, JAN_16, "100")):
        books.usage.add(account.id, at, used)
    books.run()
    bills = bills_by_code(books)
    assert with_children(bills["parent"]) == parents
    own = [("USAGE", "child", "75.00")] if mode is MODES.CHILD else []
    assert set(with_children(bills["child"])) == {("USAGE", None, "15.00"), *own}
    for bill in bills.values():
        with books.database.snapshot(books.org_id) as tx:
            assert service.verify_bill(tx, books.usage, bill.id).matches
    with books.database.reading(books.org_id) as tx:
        told = [text for x in service.lines_of_bill(tx, bills["parent"].id) for text in explain(x)]
    away = "2 accounts pooled, without child from 2024-01-16T00:00:00Z up to 2024-02-01T00:00:00Z"
    assert any(away in text for text in told)


@pytest.mark.parametrize("seed", [3, 8])
def test_whoever_has_a_plan_when_all_usage_is_billed_once(books: Books, seed: int) -> None:
    """Semantics §17: at $1 a gigabyte, bills charge what a family used, however its children come and go.

    What they draw is what is spent, and a simulation finds the last bills as they are (§18, §19).
    """
    random = Random(seed)  # noqa: S311 - a repeatable family, not a secret
    family_ = comes_and_goes(books, random)
    parent, child, *_ = family_
    spend = {"currency": "USD", "amount": D(random.randint(1, 1500)), "account_id": parent.id}
    spend |= {"start_date": date(2024, 1, 20), "end_date": date(2024, 3, 20)}
    books.create(Commitment(child_billing_mode=random.choice(list(MODES)), **spend))
    credit = D(random.randint(1, 300))
    balance_of(books, child, f"{credit}", end_date=datetime(2024, 3, 7, tzinfo=UTC))
    used = D(0)
    for _ in range(60):
        amount = D(random.randint(1, 9999)).scaleb(-2)
        at = JAN + timedelta(days=random.randint(0, 90), hours=random.randint(0, 23))
        books.usage.add(random.choice(family_).id, at, str(amount))
        used += amount
    for at in (FEB, MAR, APR):
        books.run(at=at)
    bills = books.bills()
    drawn = -sum(
        x.converted_subtotal for b in bills for x in b.line_items or [] if x.line_item_type.value in CONSUMED
    )
    assert sum(bill.bill_total for bill in bills) == used - drawn
    with books.database.snapshot(books.org_id) as tx:
        spent = sum(each.amount_spent for each in tx.find(Commitment))
        spent += credit - sum(each.amount for each in tx.find(Balance))
        found = simulate(tx, books.usage, SimulateRequest(), PageRequest(100, None)).data
    assert drawn == spent
    last = {bill.account_id: bill.bill_total for bill in bills if bill.end_date == APR.date()}
    assert {x.account_id: x.old for x in found} == {x.account_id: x.new for x in found} == last
    books.run()
    assert books.bills() == bills


def comes_and_goes(books: Books, random: Random) -> list[Account]:
    """Give a parent on a plan, and children that are on one of two plans for some days, or never."""
    plans = [books.plan(), books.plan()]
    for plan in plans:
        books.price(plan, ("0", "0", "1"), tiers_span_plan=random.random() < HALF)
    parent = books.account("parent", plans[0])
    set_mode(books, parent.id, random.choice(list(MODES)))
    children = [books.account(f"c{n}", parent_account_id=parent.id) for n in range(3)]
    for child in children:
        days = sorted(random.sample(range(90), 2 * random.randint(0, 2)))
        for start, end in zip(days[::2], days[1::2], strict=True):
            span = {"start_date": JAN + timedelta(start), "end_date": JAN + timedelta(end)}
            books.create(AccountPlan(account_id=child.id, plan_id=random.choice(plans).id, **span))
    return [parent, *children]
