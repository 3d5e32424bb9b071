"""Which charges share a bill (semantics §21, §22): by frequency, by contract, and consolidated."""

from datetime import UTC, date, datetime, timedelta
from decimal import Decimal
from itertools import product

import msgspec
import pytest

from tallystick.accounts.account import Account
from tallystick.accounts.account_plan import AccountPlan
from tallystick.accounts.contract import Contract
from tallystick.balances.charge import Charge, ChargeEntityType, ChargeLineItemType
from tallystick.balances.commitment import Commitment, CommitmentFee
from tallystick.billing import service
from tallystick.billing.bill import BillAnswer, BillStatus
from tallystick.billing.bill_config import get_bill_config
from tallystick.billing.bill_job import BillJob, BillJobBillingFrequency, JobCause
from tallystick.billing.by_itself import AutoApproval
from tallystick.billing.errors import BilledTwice
from tallystick.billing.failure import bill_failures
from tallystick.billing.jobs import recalculate_job
from tallystick.billing.verify import Verification
from tallystick.catalogue.product import Product
from tallystick.kernel.periods import BillingFrequency
from tallystick.organizations.bill_grouping_key import BillGroupingKey
from tallystick.organizations.organization_config import TimePeriodUnit
from tallystick.pricing.plan import Plan
from tallystick.pricing.plan_template import PlanTemplate
from tests.unit.billing.conftest import FEB, JAN, MAR, Books

D = Decimal
Totals = list[tuple[str, str]]


@pytest.fixture
def overlapping(books: Books) -> Books:
    """Give an organization whose accounts may have several plans of a product."""
    books.configure(allow_overlapping_plans=True)
    return books


def contract(
    books: Books, account: Account, key: BillGroupingKey | None = None, **values: object
) -> Contract:
    dates = {"start_date": date(2024, 1, 1), "end_date": date(2025, 1, 1)}
    key_id = key.id if key else None
    made: Contract = books.create(
        Contract(account_id=account.id, name="c", bill_grouping_key_id=key_id, **dates | values)
    )
    return made


def attach(books: Books, account: Account, plan: Plan, under: Contract | None = None) -> AccountPlan:
    on = under.id if under else None
    made: AccountPlan = books.create(
        AccountPlan(account_id=account.id, plan_id=plan.id, start_date=JAN, contract_id=on)
    )
    return made


def totals(books: Books, account: Account) -> Totals:
    """Give each bill's end and total, smallest first."""
    bills = sorted(books.bills(account), key=lambda b: (b.end_date, b.bill_total))
    return [(f"{b.end_date}", f"{b.bill_total:f}") for b in bills]


def verified(books: Books, bill_id: str) -> Verification:
    with books.database.snapshot(books.org_id) as tx:
        return service.verify_bill(tx, books.usage, bill_id)


def test_an_exclusive_key_bills_each_contract_by_itself(overlapping: Books) -> None:
    books, acme = overlapping, overlapping.account("acme")
    own = books.create(BillGroupingKey(name="own", exclusive=True))
    for standing, under in ((1, None), (10, contract(books, acme, own)), (100, contract(books, acme, own))):
        attach(books, acme, books.plan(f"{standing}"), under)
    attach(books, acme, books.plan("1000"), contract(books, acme))  # a contract without a key says nothing
    books.run()
    assert totals(books, acme) == [("2024-02-01", t) for t in ("10.00", "100.00", "1001.00")]


def test_contracts_with_the_same_key_share_a_bill(overlapping: Books) -> None:
    books, acme = overlapping, overlapping.account("acme")
    shared = books.create(BillGroupingKey(name="shared", exclusive=False))
    other = books.create(BillGroupingKey(name="other", exclusive=False))
    unders = (
        None,
        contract(books, acme, shared),
        contract(books, acme, shared),
        contract(books, acme, other),
    )
    for standing, under in zip((1, 10, 100, 1000), unders, strict=True):
        attach(books, acme, books.plan(f"{standing}"), under)
    books.run()
    before = books.bills(acme)
    assert totals(books, acme) == [("2024-02-01", t) for t in ("1.00", "110.00", "1000.00")]
    books.run()
    assert books.bills(acme) == before
    assert not books.told("billing.bill.updated")


def test_each_bill_of_an_account_is_made_anew_and_verified_by_itself(overlapping: Books) -> None:
    books, acme = overlapping, overlapping.account("acme")
    own = books.create(BillGroupingKey(name="own", exclusive=True))
    under = contract(books, acme, own)
    priced = books.plan("1")
    books.price(priced, ("0", "0", "1"))
    attach(books, acme, priced)
    attached = attach(books, acme, books.plan("10"), under)
    books.run()
    by_contract, rest = sorted(books.bills(acme), key=lambda b: -b.bill_total)
    books.usage.add(acme.id, JAN, "5")
    assert verified(books, by_contract.id).matches
    assert [d.stored for d in verified(books, rest.id).differences] == [None, "1.00"]
    with books.database.transaction(books.org_id) as tx:
        job = recalculate_job(tx, [rest.id, by_contract.id])
    books.runner().run(books.org_id, job.id)
    assert totals(books, acme) == [("2024-02-01", t) for t in ("6.00", "10.00")]
    # Without its contract the plan moves to the account's bill; the contract's stays, with nothing on it.
    books.change(AccountPlan, attached.id, contract_id=None)
    with books.database.transaction(books.org_id) as tx:
        job = recalculate_job(tx, [rest.id, by_contract.id])
    books.runner().run(books.org_id, job.id)
    assert totals(books, acme) == [("2024-02-01", t) for t in ("0", "16.00")]


def approve(books: Books, *bills: BillAnswer, lock: bool = False) -> None:
    with books.database.transaction(books.org_id) as tx:
        service.approve_bills(tx, [bill.id for bill in bills])
        for bill in bills if lock else ():
            service.lock_bill(tx, bill.id)


def failures(books: Books, account: Account) -> list[str]:
    with books.database.reading(books.org_id) as tx:
        mine = bill_failures.c.account_id == account.id
        return [row.code for row in tx.execute(bill_failures.select().where(mine))]


@pytest.mark.parametrize("locked", [False, True])
def test_what_moved_from_a_bill_that_keeps_it_is_not_billed_twice(
    overlapping: Books,
    locked: bool,  # noqa: FBT001 - a table's row
) -> None:
    """The contract's bill is not in the run any more, or locked; the plan has come to the account's bill."""
    books, acme = overlapping, overlapping.account("acme")
    own = books.create(BillGroupingKey(name="own", exclusive=True))
    attached = attach(books, acme, books.plan("10"), contract(books, acme, own))
    attach(books, acme, books.plan("1"))
    books.run()
    rest, by_contract = sorted(books.bills(acme), key=lambda b: b.bill_total)
    approve(books, by_contract, lock=locked)
    books.change(AccountPlan, attached.id, contract_id=None)
    books.run()
    assert totals(books, acme) == [("2024-02-01", "1.00"), ("2024-02-01", "10.00")]
    assert failures(books, acme) == ["billed_already"]
    with books.database.transaction(books.org_id) as tx:
        job = recalculate_job(tx, [by_contract.id])
    books.runner().run(books.org_id, job.id)
    books.run()
    expected = ["1.00", "10.00"] if locked else ["0", "11.00"]
    assert totals(books, acme) == [("2024-02-01", total) for total in expected]
    assert rest.bill_total == D("1.00")


def test_what_moves_within_a_run_moves(overlapping: Books) -> None:
    books, acme = overlapping, overlapping.account("acme")
    own = books.create(BillGroupingKey(name="own", exclusive=True))
    under = contract(books, acme, own)
    attached = attach(books, acme, books.plan("10"))
    attach(books, acme, books.plan("1"))
    books.run()
    books.change(AccountPlan, attached.id, contract_id=under.id)
    books.run()
    assert totals(books, acme) == [("2024-02-01", "1.00"), ("2024-02-01", "10.00")]
    assert failures(books, acme) == []


def test_an_approved_bill_is_not_billed_again_by_switching_consolidation_on(overlapping: Books) -> None:
    books, acme = overlapping, overlapping.account("acme")
    attach(books, acme, books.plan("10"))
    books.run()
    approve(books, books.bill(acme))
    before = books.bill(acme)
    books.configure(consolidate_bills=True)
    books.run()
    assert books.bills(acme) == [before]
    assert failures(books, acme) == ["billed_already"]


CHANGES: dict[str, tuple[dict[str, object], datetime]] = {
    "the account's epoch": ({}, datetime(2024, 2, 15, tzinfo=UTC)),
    "the organization's epoch": ({}, datetime(2024, 2, 15, tzinfo=UTC)),
    "the frequency": ({}, datetime(2024, 1, 30, tzinfo=UTC)),
    "a job's epoch": ({"month_epoch": date(2022, 1, 15)}, datetime(2024, 2, 15, tzinfo=UTC)),
}


@pytest.mark.parametrize("change", CHANGES)
def test_days_that_are_billed_are_not_billed_again_on_other_dates(books: Books, change: str) -> None:
    """January is billed; then bills fall on the 15th, or weekly: the next one would charge some of it again.

    Made anew, January's bill gives way. Rule: semantics §22, decision 0030.
    """
    plan = books.plan("31")
    books.price(plan, ("0", "0", "1"))
    acme = books.account("acme", plan)
    books.usage.add(acme.id, datetime(2024, 1, 25, tzinfo=UTC), "5")
    books.run()
    january = books.bill(acme)
    match change:
        case "the account's epoch":
            books.change(Account, acme.id, bill_epoch=date(2022, 1, 15))
        case "the organization's epoch":
            books.configure(month_epoch=date(2022, 1, 15))
        case "the frequency":
            books.change(PlanTemplate, plan.plan_template_id, bill_frequency=BillingFrequency.WEEKLY)
    job, at = CHANGES[change]
    books.run(at=at, **job)
    assert books.bills(acme) == [january]
    assert failures(books, acme) == ["billed_before"]
    assert january.id in books.told("billing.bill.failed")[0]["newDto"]["message"]
    if change == "a job's epoch":
        return  # that holds for that job only: January's bill stays as it is
    with books.database.transaction(books.org_id) as tx:
        recalculation = recalculate_job(tx, [january.id])
    books.runner().run(books.org_id, recalculation.id)
    books.run(at=at)
    weekly = change == "the frequency"
    # 31 for a week from January 23, or for the month from January 15; and the usage of the 25th.
    assert set(totals(books, acme)) == {
        ("2024-02-01", "0"),
        ("2024-01-30" if weekly else "2024-02-15", "36.00"),
    }


def test_a_change_of_dates_goes_on_where_the_last_bill_ended(books: Books) -> None:
    """A new account plan from February 1, billed from the 15th on: 14 days of the 31 up to February 15."""
    plan = books.plan("31")
    acme = books.account("acme", plan, end=FEB)
    books.create(
        AccountPlan(account_id=acme.id, plan_id=plan.id, start_date=FEB, bill_epoch=date(2022, 1, 15))
    )
    books.run()
    books.run(at=datetime(2024, 2, 15, tzinfo=UTC))
    books.run(at=datetime(2024, 3, 15, tzinfo=UTC))
    assert totals(books, acme) == [("2024-02-01", "31.00"), ("2024-02-15", "14.00"), ("2024-03-15", "31.00")]
    assert failures(books, acme) == []


def test_plans_of_different_dates_do_not_stand_in_each_others_way(overlapping: Books) -> None:
    """Three plans by month, from the 1st and from the 15th, and by week: each on bills of its own."""
    books, acme = overlapping, overlapping.account("acme")
    for standing, epoch in (("1", None), ("10", date(2022, 1, 15))):
        plan = books.plan(standing)
        books.create(AccountPlan(account_id=acme.id, plan_id=plan.id, start_date=JAN, bill_epoch=epoch))
    attach(books, acme, weekly(books, "100"))
    for day in (2, 9, 15, 16, 23, 30, 32, 46):  # of January; 32 is February 1
        books.run(at=JAN + timedelta(days=day - 1))
    assert failures(books, acme) == []
    assert [f"{bill.end_date} {bill.bill_total:f}" for bill in books.bills(acme)] == [
        "2024-01-02 14.29",  # a day of the first week: 100/7
        "2024-01-09 100.00",
        "2024-01-15 4.52",  # 10 x 14/31
        "2024-01-16 100.00",
        "2024-01-23 100.00",
        "2024-01-30 100.00",
        "2024-02-01 1.00",
        "2024-02-13 100.00",
        "2024-02-15 10.00",
    ]


def test_a_schedule_starts_no_fresh_bills_of_what_is_billed(overlapping: Books) -> None:
    """Whoever asks for an old period again gets a fresh bill of it; a schedule would approve both."""
    books, acme = overlapping, overlapping.account("acme")
    attach(books, acme, books.plan("10"))
    books.run()
    books.configure(consolidate_bills=True)
    books.run(cause=JobCause.CLOSED)
    assert totals(books, acme) == [("2024-02-01", "10.00")]
    assert failures(books, acme) == []
    books.run(at=MAR, cause=JobCause.CLOSED)
    assert totals(books, acme) == [("2024-02-01", "10.00"), ("2024-03-01", "10.00")]


def test_consolidated_bills_of_current_periods(overlapping: Books) -> None:
    """On February 7: the month ends on March 1, the week on the 8th, and no plan is on a bill twice."""
    books, acme = overlapping, overlapping.account("acme")
    books.configure(consolidate_bills=True, week_epoch=date(2022, 1, 6))
    attach(books, acme, books.plan("10"))
    attach(books, acme, weekly(books, "7"))
    books.run(at=datetime(2024, 2, 7, 12, tzinfo=UTC), cause=JobCause.CURRENT)
    assert totals(books, acme) == [("2024-02-08", "7.00"), ("2024-03-01", "10.00")]


def charge(books: Books, account: Account, amount: str, day: date, under: Contract | None = None) -> None:
    on = under.id if under else None
    kind = {"entity_type": ChargeEntityType.AD_HOC, "line_item_type": ChargeLineItemType.AD_HOC}
    days = {"service_period_start_date": JAN, "service_period_end_date": FEB}
    made = Charge(
        account_id=account.id,
        name="Setup",
        code=f"setup{amount}",
        amount=D(amount),
        currency="USD",
        bill_date=day,
        contract_id=on,
        **kind,
        **days,
    )
    books.create(made)


@pytest.mark.parametrize("consolidated", [False, True])
def test_a_charge_joins_the_bill_of_its_day_and_contract(
    overlapping: Books,
    consolidated: bool,  # noqa: FBT001 - a table's row
) -> None:
    books, acme = overlapping, overlapping.account("acme")
    books.configure(consolidate_bills=consolidated)
    under = contract(books, acme, books.create(BillGroupingKey(name="own", exclusive=True)))
    attach(books, acme, books.plan("10"))
    charge(books, acme, "1", FEB.date())
    charge(books, acme, "2", FEB.date(), under)
    books.run()
    assert totals(books, acme) == [("2024-02-01", "2.00"), ("2024-02-01", "11.00")]
    by_contract = min(books.bills(acme), key=lambda b: b.bill_total)
    assert by_contract.billing_frequency is BillingFrequency.AD_HOC


def test_a_late_charge_of_a_consolidated_day_takes_no_line_away(overlapping: Books) -> None:
    """A week closed on January 18. A charge of that day, put in after its bill, joins what is there."""
    books, acme = overlapping, overlapping.account("acme")
    books.configure(consolidate_bills=True, week_epoch=date(2022, 1, 6))
    attach(books, acme, weekly(books, "7"))
    attach(books, acme, books.plan("31"))
    books.run(at=datetime(2024, 1, 18, 1, tzinfo=UTC))  # the first week: from January 11 on
    before = books.bills(acme)
    charge(books, acme, "1", date(2024, 1, 18))
    books.run(at=datetime(2024, 2, 5, tzinfo=UTC))
    assert totals(books, acme) == [
        ("2024-01-18", f"{before[0].bill_total + 1:f}"),
        ("2024-02-01", "38.00"),
    ]
    books.run(last_date_in_billing_period=date(2024, 1, 17), billing_frequency="AD_HOC")
    assert totals(books, acme)[0] == ("2024-01-18", f"{before[0].bill_total + 1:f}")


def weekly(books: Books, standing: str) -> Plan:
    return books.plan(standing, bill_frequency=BillingFrequency.WEEKLY)


def test_consolidated_frequencies_that_close_on_a_day_share_a_bill(overlapping: Books) -> None:
    books, acme = overlapping, overlapping.account("acme")
    # Weeks end on Tuesdays, for the week's epoch is Tuesday 2022-01-04: one ends on January 2, 9, 16, …
    books.configure(consolidate_bills=True, week_epoch=date(2022, 1, 6))  # Thursdays: February 1 is one
    attach(books, acme, weekly(books, "1"))
    attach(books, acme, books.plan("10"))
    attach(books, acme, books.plan("100", bill_frequency=BillingFrequency.DAILY, bill_frequency_interval=31))
    books.run(last_date_in_billing_period=date(2024, 1, 24))
    books.run(billing_frequency="MONTHLY")  # asks for the monthly plan; what closes with it comes along
    week, month = books.bills(acme)
    assert (week.billing_frequency, week.bill_total) == (BillingFrequency.WEEKLY, D("1.00"))
    assert month.billing_frequency is BillingFrequency.MIXED
    assert (month.start_date, month.end_date, month.bill_total) == (
        date(2024, 1, 1),
        date(2024, 2, 1),
        D("11.00"),
    )
    books.run(billing_frequency="WEEKLY")
    assert books.bills(acme) == [week, month]
    assert verified(books, month.id).matches


def test_what_joins_a_consolidated_bill_later_changes_its_frequency(overlapping: Books) -> None:
    books, acme = overlapping, overlapping.account("acme")
    books.configure(consolidate_bills=True)
    attach(books, acme, books.plan("10"))
    books.run()
    first = books.bill(acme)
    assert (first.billing_frequency, first.bill_frequency_interval) == (BillingFrequency.MONTHLY, 1)
    attach(books, acme, books.plan("100", bill_frequency=BillingFrequency.DAILY))
    books.run()
    changed = books.bill(acme)
    assert (changed.id, changed.billing_frequency) == (first.id, BillingFrequency.MIXED)
    assert changed.bill_total == D("110.00")  # one day of the daily plan


def test_switching_consolidation_on_starts_fresh_bills(overlapping: Books) -> None:
    books, acme = overlapping, overlapping.account("acme")
    attach(books, acme, books.plan("10"))
    books.run()
    old = books.bill(acme)
    books.configure(consolidate_bills=True)
    books.run(at=MAR)
    books.run(at=MAR)
    assert totals(books, acme) == [("2024-02-01", "10.00"), ("2024-03-01", "10.00")]
    assert books.bills(acme)[0] == old
    # It stays the kind of bill it is when it is made anew.
    with books.database.transaction(books.org_id) as tx:
        job = recalculate_job(tx, [old.id])
    books.runner().run(books.org_id, job.id)
    assert totals(books, acme) == [("2024-02-01", "10.00"), ("2024-03-01", "10.00")]
    # To ask for the old period again starts a fresh bill of it, and leaves the old one.
    books.run(last_date_in_billing_period=date(2024, 1, 31))
    assert totals(books, acme)[:2] == [("2024-02-01", "10.00")] * 2


def test_of_bills_before_and_after_the_switch_one_is_approved(overlapping: Books) -> None:
    books, acme = overlapping, overlapping.account("acme")
    attach(books, acme, books.plan("10"))
    books.run()
    old = books.bill(acme)
    books.configure(
        consolidate_bills=True,
        auto_approve_bills_grace_period=1,
        auto_approve_bills_grace_period_unit=TimePeriodUnit.HOURS,
    )
    books.run(last_date_in_billing_period=date(2024, 1, 31))
    (fresh,) = (bill for bill in books.bills(acme) if bill.id != old.id)
    with pytest.raises(BilledTwice):
        approve(books, old, fresh)
    with books.database.transaction(books.org_id) as tx, pytest.raises(BilledTwice):
        service.approve_period(tx, date(2024, 1, 31), BillingFrequency.MONTHLY)
    with books.database.reading(books.org_id) as tx:
        assert AutoApproval(books.database).next_due(tx) is None  # neither, before a person has said which
    approve(books, fresh)
    with books.database.transaction(books.org_id) as tx, pytest.raises(BilledTwice):
        service.set_status(tx, old.id, BillStatus.APPROVED)
    with books.database.transaction(books.org_id) as tx:
        service.delete_bill(tx, old.id)
    assert books.bill(acme).status is BillStatus.APPROVED


@pytest.mark.parametrize(
    ("exclusive", "numbers", "expected"),
    [
        pytest.param(True, ("PO-1", "PO-2"), {"PO-1", "PO-2"}, id="each contract's own"),
        pytest.param(True, (None, "PO-2"), {"PO-A", "PO-2"}, id="one without: the account's"),
        pytest.param(False, ("PO-1", "PO-1"), {"PO-1"}, id="shared, and the same"),
        pytest.param(False, ("PO-1", "PO-2"), {"PO-A"}, id="shared, and different: the account's"),
    ],
)
def test_a_contracts_own_bill_carries_its_purchase_order_number(
    overlapping: Books,
    exclusive: bool,  # noqa: FBT001 - a table's row
    numbers: tuple[str | None, str | None],
    expected: set[str],
) -> None:
    books, acme = overlapping, overlapping.account("acme", purchase_order_number="PO-A")
    key = books.create(BillGroupingKey(name="key", exclusive=exclusive))
    for number, amount in zip(numbers, ("5", "6"), strict=True):
        under = contract(books, acme, key)
        books.change(Contract, under.id, purchase_order_number=number)
        attach(books, acme, books.plan("10"), under)
        charge(books, acme, amount, date(2024, 1, 20), under)
    books.run()
    for end in (date(2024, 1, 20), date(2024, 2, 1)):  # the charges' bills, and the plans'
        assert {b.purchase_order_number for b in books.bills(acme) if b.end_date == end} == expected
    attach(books, acme, books.plan("1"))
    books.run()
    collective = next(bill for bill in books.bills(acme) if bill.bill_total == D("1.00"))
    assert collective.purchase_order_number == "PO-A"


def test_a_preview_is_of_what_is_not_grouped(overlapping: Books) -> None:
    books, acme = overlapping, overlapping.account("acme")
    own = books.create(BillGroupingKey(name="own", exclusive=True))
    attach(books, acme, books.plan("10"), contract(books, acme, own))
    attach(books, acme, books.plan("1"))
    monthly = BillJobBillingFrequency.MONTHLY
    job = BillJob(account_ids=[acme.id], billing_frequency=monthly, bill_frequency_interval=1)
    with books.database.snapshot(books.org_id) as tx:
        assert service.preview_bill(tx, books.usage, job).bill_total == D("1.00")


@pytest.mark.parametrize(("grouped", "consolidated"), [*product((False, True), repeat=2)])
def test_nothing_is_lost_or_doubled_however_bills_are_grouped(
    overlapping: Books, *, grouped: bool, consolidated: bool
) -> None:
    """The same plans over the same days cost the same: only the bills that they stand on differ."""
    books, acme = overlapping, overlapping.account("acme")
    books.configure(consolidate_bills=consolidated, week_epoch=date(2022, 1, 6))
    keys = [books.create(BillGroupingKey(name=f"k{i}", exclusive=i == 0)) for i in range(2)]
    frames = [contract(books, acme, keys[i % 2] if grouped else None) for i in range(4)]
    frequencies = (BillingFrequency.WEEKLY, BillingFrequency.MONTHLY, BillingFrequency.DAILY)
    for i in range(9):
        plan = books.plan(f"{2**i}", bill_frequency=frequencies[i % 3])
        books.price(plan, ("0", "0", "0.01"))
        attach(books, acme, plan, frames[i % 4] if i < 8 else None)
    books.usage.add(acme.id, JAN, "100")
    books.usage.add(acme.id, datetime(2024, 1, 31, 12, tzinfo=UTC), "10")
    books.run(at=FEB)  # February 1: the day, the week from January 25 and the month close
    # Standing: 2^0 + … + 2^8 = 511. Usage: 9 plans x 10 x 0.01 of January 31; 3 monthly ones 1.00 more.
    assert sum(b.bill_total for b in books.bills(acme)) == D("514.90")
    keys_of_lines = [line.id for bill in books.bills(acme) for line in bill.line_items or []]
    assert len(keys_of_lines) == len(set(keys_of_lines)) == 18
    expected = {(False, False): 3, (True, False): 8, (False, True): 1, (True, True): 4}
    assert len(books.bills(acme)) == expected[grouped, consolidated]


def test_a_product_is_not_needed_twice(books: Books) -> None:
    """A child's plan hangs on its parent's contract, and is billed to the child under it."""
    parent = books.account("parent")
    child = books.account("child", parent_account_id=parent.id)
    own = books.create(BillGroupingKey(name="own", exclusive=True))
    attach(books, child, books.plan("10"), contract(books, parent, own))
    sea = books.create(Product(name="Sea", code="sea"))
    attach(books, child, books.plan("1", product_id=sea.id))
    books.run()
    assert totals(books, child) == [("2024-02-01", "1.00"), ("2024-02-01", "10.00")]
    assert books.bills(parent) == []


@pytest.mark.parametrize("consolidated", [False, True])
def test_a_late_charge_joins_the_charges_of_its_day(
    books: Books,
    consolidated: bool,  # noqa: FBT001 - a table's row
) -> None:
    """Jan 18 is billed for one charge; another of that day, put in later, leaves the first where it is."""
    books.configure(consolidate_bills=consolidated)
    acme = books.account("acme")
    charge(books, acme, "1", date(2024, 1, 18))
    books.run(at=datetime(2024, 1, 20, tzinfo=UTC))
    charge(books, acme, "2", date(2024, 1, 18))
    for _ in range(2):
        books.run(at=datetime(2024, 2, 5, tzinfo=UTC))
        assert totals(books, acme) == [("2024-01-18", "3.00")]


@pytest.mark.parametrize(
    ("state", "cause", "why"),
    [
        pytest.param("locked", JobCause.REQUEST, "is locked", id="a locked bill"),
        pytest.param("approved", JobCause.CLOSED, "is approved", id="an approved one, by schedule"),
        pytest.param("closed", JobCause.REQUEST, "the books are closed", id="no bill, in closed books"),
    ],
)
def test_what_comes_too_late_for_its_bill_is_told(
    books: Books, state: str, cause: JobCause, why: str
) -> None:
    acme, day = books.account("acme"), date(2024, 1, 18)
    if state == "closed":
        with books.database.transaction(books.org_id) as tx:
            config = get_bill_config(tx)
            tx.update(config, msgspec.structs.replace(config, bill_lock_date=FEB.date()))
    else:
        charge(books, acme, "1", day)
        books.run(at=datetime(2024, 1, 20, tzinfo=UTC))
        approve(books, books.bill(acme), lock=state == "locked")
    before = books.bills(acme)
    charge(books, acme, "2", day)
    books.run(at=datetime(2024, 2, 5, tzinfo=UTC), cause=cause)
    assert books.bills(acme) == before
    assert failures(books, acme) == ["left_over"]
    (told,) = books.told("billing.bill.failed")
    assert told["newDto"]["code"] == "left_over"
    assert why in told["newDto"]["message"]
    late = books.told("billing.charge.created")[-1]["newDto"]["id"]
    books.change(Charge, late, bill_date=date(2024, 2, 5))
    books.run(cause=cause)
    assert totals(books, acme)[-1] == ("2024-02-05", "2.00")
    assert len(books.told("billing.bill.failed")) == 1


def test_a_late_fee_joins_what_is_on_the_bill_of_its_day(books: Books) -> None:
    """January 18 is billed for a charge and a fee; another commitment's fee of that day comes after."""
    acme = books.account("acme")

    def promise(amount: str) -> None:
        service = {"service_period_start_date": JAN, "service_period_end_date": FEB}
        fee = CommitmentFee(date=date(2024, 1, 18), amount=D(amount), **service)
        days = {"start_date": date(2024, 1, 1), "end_date": date(2025, 1, 1)}
        books.create(
            Commitment(account_id=acme.id, amount=D(amount), currency="USD", fee_dates=[fee], **days)
        )

    charge(books, acme, "1", date(2024, 1, 18))
    promise("10")
    books.run(at=datetime(2024, 1, 20, tzinfo=UTC))
    promise("100")
    for _ in range(2):
        books.run(at=datetime(2024, 2, 5, tzinfo=UTC))
        assert totals(books, acme) == [("2024-01-18", "111.00")]
    assert len(books.told("billing.bill.updated")) == 1
