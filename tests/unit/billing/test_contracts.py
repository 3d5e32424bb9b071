"""What contracts do to bills: their dates limit, their filters choose the usage (semantics §21)."""

from datetime import UTC, date, datetime
from decimal import Decimal
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tallystick.accounts.account import Account
from tallystick.accounts.account_plan import AccountPlan
from tallystick.accounts.contract import Contract, UsageFilter, UsageFilterMode
from tallystick.billing import service
from tallystick.billing.explain import explain
from tallystick.billing.failure import bill_failures
from tallystick.billing.filters import filters_of, slot_filters
from tallystick.billing.store import lines_by_bill
from tallystick.catalogue.meter import DataField, FieldCategory, Meter
from tallystick.pricing.plan import Plan
from tests.unit.billing.conftest import FEB, JAN, MAR, Books, lines

D = Decimal
INCLUDE, EXCLUDE = UsageFilterMode
LIMITED = {
    "start_date": date(2024, 1, 10),
    "end_date": date(2024, 1, 25),
    "apply_contract_period_limits": True,
}


def kept(mode: UsageFilterMode, *values: str, dimension: str = "region") -> list[UsageFilter]:
    return [UsageFilter(dimension_code=dimension, value=value, mode=mode) for value in values]


def under(books: Books, account: Account, plan: Plan, **values: Any) -> Contract:
    """Put an account on a plan under a contract of 2024."""
    declared = {"name": "Frame", "start_date": date(2024, 1, 1), "end_date": date(2025, 1, 1)}
    made: Contract = books.create(Contract(account_id=account.id, **declared | values))
    attached = AccountPlan(account_id=account.id, plan_id=plan.id, start_date=JAN, contract_id=made.id)
    books.create(attached)
    return made


@pytest.fixture
def plan(books: Books) -> Plan:
    """Give a plan of $31 a month and $1 a gigabyte."""
    made = books.plan("31")
    books.price(made, ("0", "0", "1"))
    return made


# --- limits -------------------------------------------------------------------------------------


def use_daily(books: Books, account: Account) -> None:
    """Use a gigabyte at each noon of January."""
    for day in range(1, 32):
        books.usage.add(account.id, datetime(2024, 1, day, 12, tzinfo=UTC), "1")


@pytest.mark.parametrize(
    ("limited", "expected"),
    [
        # January 10 up to 25: 15 days, 15 gigabytes, 31 * 15/31
        pytest.param(True, [("USAGE", "15.00"), ("STANDING_CHARGE", "15.00")], id="inside its dates"),
        pytest.param(False, [("USAGE", "31.00"), ("STANDING_CHARGE", "31.00")], id="not limited"),
    ],
)
def test_a_contract_may_limit_what_is_billed_to_its_dates(
    books: Books,
    plan: Plan,
    limited: bool,  # noqa: FBT001 - a table's row
    expected: list[tuple[str, str]],
) -> None:
    acme = books.account("acme")
    frame = under(books, acme, plan, **LIMITED | {"apply_contract_period_limits": limited})
    use_daily(books, acme)
    books.run()
    bill = books.bill(acme)
    assert lines(bill) == expected
    assert {line.contract_id for line in bill.line_items or []} == {frame.id}


def test_nothing_is_billed_when_a_limiting_contract_does_not_hold(books: Books, plan: Plan) -> None:
    acme = books.account("acme")
    under(books, acme, plan, **LIMITED)
    books.run(at=MAR)
    assert books.bills(acme) == []


def test_limits_are_local_days_and_start_the_first_period(books: Books) -> None:
    """In Auckland, 13 hours ahead, January 10 starts on the 9th at 11:00 UTC. First bill in advance."""
    books.configure(timezone="Pacific/Auckland", standing_charge_bill_in_advance=True)
    made = books.plan("31", standing_charge_interval=1)
    books.price(made, ("0", "0", "1"))
    acme = books.account("acme")
    under(books, acme, made, **LIMITED | {"end_date": date(2024, 2, 11)})
    for hour in (10, 11):
        books.usage.add(acme.id, datetime(2024, 1, 9, hour, tzinfo=UTC), "1")
    books.run()
    # 22 days of January and the first 10 of February's 29, opened by the same bill: 31 * 10/29
    expected = [("USAGE", "1.00"), ("STANDING_CHARGE", "22.00"), ("STANDING_CHARGE", "10.69")]
    assert lines(books.bill(acme)) == expected


# --- filters ------------------------------------------------------------------------------------

REGIONS = ("EU", "US", "ASIA", "")


@pytest.mark.parametrize(
    ("filters", "billed"),
    [
        pytest.param(kept(INCLUDE, "EU"), "1.00", id="one included"),
        pytest.param(kept(INCLUDE, "EU", "US"), "11.00", id="any of the included"),
        pytest.param(kept(EXCLUDE, "EU"), "1110.00", id="excluded; without a value stays"),
        pytest.param(kept(EXCLUDE, "EU", "US"), "1100.00", id="none of the excluded"),
        pytest.param([*kept(INCLUDE, "EU", "US"), *kept(EXCLUDE, "MARS")], "11.00", id="both"),
        pytest.param([*kept(INCLUDE, "EU", "US"), *kept(EXCLUDE, "US")], "1.00", id="the excluded win"),
        pytest.param([*kept(INCLUDE, "EU"), *kept(EXCLUDE, "EU")], None, id="the excluded win over all"),
        pytest.param(kept(INCLUDE, "MARS"), None, id="nothing matches: no line"),
    ],
)
def test_a_contract_filters_usage(
    books: Books, plan: Plan, filters: list[UsageFilter], billed: str | None
) -> None:
    acme = books.account("acme")
    under(books, acme, plan, usage_filters=filters)
    for power, region in enumerate(REGIONS):
        books.usage.add(acme.id, JAN, f"{10**power}", region)
    books.run()
    bill = books.bill(acme)
    assert [amount for kind, amount in lines(bill) if kind == "USAGE"] == ([billed] if billed else [])
    with books.database.snapshot(books.org_id) as tx:
        assert service.verify_bill(tx, books.usage, bill.id).matches


def test_contracts_that_filter_alike_share_a_query(books: Books, plan: Plan) -> None:
    filters = ([], kept(INCLUDE, "EU", "US"), kept(INCLUDE, "US", "EU"), kept(EXCLUDE, "EU"))
    for number in range(8):
        account = books.account(f"a{number}")
        under(books, account, plan, usage_filters=filters[number % 4])
        books.usage.add(account.id, JAN, "1", "US")
    books.run()
    assert [b.bill_total for b in books.bills()] == [D(32)] * 8
    assert books.usage.queries == 3


def test_the_derivation_tells_the_filters(books: Books, plan: Plan) -> None:
    acme = books.account("acme")
    under(books, acme, plan, usage_filters=[*kept(INCLUDE, "EU", "US"), *kept(EXCLUDE, "ASIA")])
    books.usage.add(acme.id, JAN, "1", "US")
    books.run()
    with books.database.reading(books.org_id) as tx:
        (usage, _) = lines_by_bill(tx, [books.bill(acme).id])[books.bill(acme).id]
    assert (
        "usage: SUM of gb on meter use, by contract only region != ASIA, region = EU or US,"
        " 2024-01-01T00:00:00Z <= ts < 2024-02-01T00:00:00Z"
    ) in explain(usage)


def test_a_bill_fails_whose_contract_filters_by_what_the_meter_does_not_have(
    books: Books, plan: Plan
) -> None:
    fields = [
        DataField(category=FieldCategory.MEASURE, code="gb", name="Gigabytes", unit="GB"),
        DataField(category=FieldCategory.WHO, code="team", name="Team"),
    ]
    books.create(Meter(name="Other", code="other", data_fields=fields, derived_fields=[]))
    acme, fine = books.account("acme"), books.account("fine", plan)
    under(books, acme, plan, usage_filters=kept(INCLUDE, "a", dimension="team"))
    books.run()
    assert books.bills(acme) == []
    assert len(books.bills(fine)) == 1
    with books.database.reading(books.org_id) as tx:
        mine = bill_failures.c.account_id == acme.id
        assert tx.execute(bill_failures.select().where(mine)).one().code == "usage_filter_unknown"


@given(st.permutations([*kept(INCLUDE, "a", "b"), *kept(EXCLUDE, "c"), *kept(INCLUDE, "x", dimension="who")]))
def test_the_order_of_filters_does_not_matter(filters: list[UsageFilter]) -> None:
    fields = [
        DataField(category=FieldCategory.WHERE, code="region", name="Region"),
        DataField(category=FieldCategory.WHO, code="who", name="Who"),
    ]
    slots = {"region": "s0", "who": "s1"}
    meter = Meter(name="Use", code="use", data_fields=fields, derived_fields=[], slots=slots)
    days = {"start_date": FEB.date(), "end_date": MAR.date()}
    frame = Contract(account_id="", name="", usage_filters=filters, **days)
    found = [(f.slot.name, f.values, f.include) for f in slot_filters(meter, filters_of(frame))]
    assert found == [("s0", ("c",), False), ("s0", ("a", "b"), True), ("s1", ("x",), True)]
