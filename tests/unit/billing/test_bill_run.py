"""From a job to bills (semantics §22): what is written, once, and again; in which currency (§25)."""

from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from datetime import UTC, date, datetime
from decimal import Decimal
from typing import Any

import pytest
from sqlalchemy import select

from tallystick.accounts.account_plan import AccountPlan
from tallystick.balances.commitment import Commitment
from tallystick.billing import service
from tallystick.billing.bill import Bill, BillAnswer, BillStatus
from tallystick.billing.bill_job import BillJob, BillJobStatus, BillJobType, JobCause
from tallystick.billing.failure import bill_failures
from tallystick.billing.jobs import TASK, BillRunner, cancel_job, create_job, recalculate_job
from tallystick.kernel.errors import Unavailable
from tallystick.kernel.periods import BillingFrequency
from tallystick.organizations.currency import Currency
from tallystick.organizations.organization_config import CurrencyConversion
from tallystick.platform.jobs import JobInterrupted, Jobs
from tallystick.platform.resources.wire import InvalidBody
from tallystick.pricing.plan import Plan
from tallystick.pricing.plan_template import PlanTemplate
from tallystick.pricing.pricing import Pricing
from tests.unit.billing.conftest import FEB, JAN, MAR, Books, ListedUsage, lines

D = Decimal
JAN_5 = datetime(2024, 1, 5, tzinfo=UTC)


@pytest.fixture
def plan(books: Books) -> Plan:
    """Give a plan of $10 a month and $0.15, then $0.10, a gigabyte."""
    made = books.plan(standing="10")
    books.price(made, ("0", "0", "0.15"), ("500", "0", "0.10"))
    return made


def test_a_job_makes_a_tiered_bill_with_its_standing_charge(books: Books, plan: Plan) -> None:
    acme = books.account("acme", plan)
    books.usage.add(acme.id, JAN_5, "400")
    books.usage.add(acme.id, datetime(2024, 1, 31, 23, 59, tzinfo=UTC), "600")
    books.usage.add(acme.id, FEB, "999")  # belongs to February

    job = books.run()

    bill = books.bill(acme)
    # 500 x 0.15 + 500 x 0.10 = 125; a whole month's standing charge
    assert lines(bill) == [("USAGE", "125.00"), ("STANDING_CHARGE", "10.00")]
    assert bill.bill_total == D("135.00")
    assert (bill.start_date, bill.end_date) == (date(2024, 1, 1), date(2024, 2, 1))
    assert (bill.bill_date, bill.due_date) == (date(2024, 2, 1), date(2024, 3, 2))  # 30 days
    assert (job.status, job.total, job.pending) == (BillJobStatus.COMPLETE, 1, 0)
    assert [e["newDto"]["billTotal"] for e in books.told("billing.bill.created")] == [D("135.00")]
    usage = (bill.line_items or [])[0]
    bands = [(b.band_units, b.band_subtotal) for b in usage.usage_per_pricing_band]
    assert bands == [(500, D(75)), (500, D(50))]
    assert usage.average_unit_price == D("0.125")


def test_running_again_writes_nothing_and_tells_nobody(books: Books, plan: Plan) -> None:
    acme = books.account("acme", plan)
    books.run()
    before = books.bill(acme)
    books.run()
    assert books.bill(acme) == before
    assert len(books.told("billing.bill.created")) == 1
    assert not books.told("billing.bill.updated")


def test_late_usage_changes_the_bill_it_belongs_to(books: Books, plan: Plan) -> None:
    acme = books.account("acme", plan)
    books.run()
    first = books.bill(acme)
    with books.database.transaction(books.org_id) as tx:
        service.set_status(tx, first.id, BillStatus.APPROVED)
    books.usage.add(acme.id, JAN_5, "100")
    books.run()
    changed = books.bill(acme)
    assert (changed.id, lines(changed)) == (first.id, [("USAGE", "15.00"), ("STANDING_CHARGE", "10.00")])
    assert changed.status is BillStatus.PENDING  # it was approved as another bill
    assert changed.version == first.version + 2
    (told,) = books.told("billing.bill.updated")[1:]
    assert (told["oldDto"]["billTotal"], told["newDto"]["billTotal"]) == (D("10.00"), D("25.00"))


def test_a_locked_bill_is_skipped_and_nothing_may_change_it(books: Books, plan: Plan) -> None:
    acme = books.account("acme", plan)
    books.run()
    bill = books.bill(acme)
    with books.database.transaction(books.org_id) as tx:
        service.approve_bills(tx, [bill.id])
        service.lock_bill(tx, bill.id)
    books.usage.add(acme.id, JAN_5, "100")
    books.run()
    recalculate(books, bill.id)
    assert lines(books.bill(acme)) == [("STANDING_CHARGE", "10.00")]
    assert books.bill(acme).locked


def recalculate(books: Books, *bill_ids: str) -> BillJob:
    with books.database.transaction(books.org_id) as tx:
        job = recalculate_job(tx, list(bill_ids))
    books.runner().run(books.org_id, job.id)
    return books.job(job)


def test_recalculating_an_approved_bill_makes_it_pending(books: Books, plan: Plan) -> None:
    acme = books.account("acme", plan)
    job = books.run()
    with books.database.transaction(books.org_id) as tx:
        service.approve_bills(tx, [books.bill(acme).id])
    books.run()
    assert books.bill(acme).status is BillStatus.APPROVED  # a run that finds nothing new leaves it
    again = recalculate(books, books.bill(acme).id)
    bill = books.bill(acme)
    assert (bill.status, bill.bill_job_id) == (BillStatus.PENDING, job.id)
    assert (again.status, again.total, again.pending) == (BillJobStatus.COMPLETE, 1, 0)


def test_a_bill_whose_plan_is_gone_recalculates_to_nothing(books: Books, plan: Plan) -> None:
    acme = books.account("acme", plan)
    books.run()
    with books.database.transaction(books.org_id) as tx:
        (attached,) = tx.find(AccountPlan, account_id=acme.id)
        tx.delete(AccountPlan, attached.id)
    recalculate(books, books.bill(acme).id)
    bill = books.bill(acme)
    assert (lines(bill), bill.bill_total) == ([], 0)


def test_a_changed_price_changes_open_bills_when_they_are_recalculated(books: Books) -> None:
    plan = books.plan()
    price = books.price(plan, ("0", "0", "1"))
    acme = books.account("acme", plan)
    books.usage.add(acme.id, JAN_5, "10")
    books.run()
    bands = [b.__class__(lower_limit=D(0), fixed_price=D(0), unit_price=D(2)) for b in price.pricing_bands]
    books.change(Pricing, price.id, pricing_bands=bands)
    recalculate(books, books.bill(acme).id)
    assert lines(books.bill(acme)) == [("USAGE", "20.00")]


# --- resuming, cancelling, racing ---------------------------------------------------------------


class FailingUsage:
    """Answers a few times, then is gone."""

    def __init__(self, inner: ListedUsage, answers: int) -> None:
        self.inner, self.left = inner, answers

    def aggregate(self, org_id: str, query: Any) -> Any:
        if self.left == 0:
            raise Unavailable("The usage store is gone.")
        self.left -= 1
        return self.inner.aggregate(org_id, query)


def test_a_run_that_dies_goes_on_where_it_was_and_bills_once(books: Books, plan: Plan) -> None:
    for n in range(7):
        acme = books.account(f"a{n}", plan)
        books.usage.add(acme.id, JAN_5, "1")
    job = books.order()
    dying = BillRunner(books.database, FailingUsage(books.usage, 2), chunk=2)
    with pytest.raises(Unavailable):
        dying.run(books.org_id, job.id)
    half = books.job(job)
    assert half.status is BillJobStatus.RUNNING
    assert 0 < len(books.bills()) < 7
    assert (half.total, half.pending) == (7, 7 - len(books.bills()))
    before = {bill.id: bill.version for bill in books.bills()}

    books.runner(chunk=2).run(books.org_id, job.id)

    after = {bill.id: bill.version for bill in books.bills()}
    assert len(after) == 7
    assert before.items() <= after.items()
    assert (books.job(job).status, books.job(job).pending) == (BillJobStatus.COMPLETE, 0)
    books.runner().run(books.org_id, job.id)  # delivered twice: nothing happens
    assert len(books.told("billing.bill.created")) == 7


def test_a_cancelled_job_leaves_whole_bills_only(books: Books, plan: Plan) -> None:
    for n in range(5):
        books.account(f"a{n}", plan)
    job = books.order()

    class Cancelling(ListedUsage):
        def aggregate(self, org_id: str, query: Any) -> Any:
            found = super().aggregate(org_id, query)
            if self.queries == 2:
                with books.database.transaction(books.org_id) as tx:
                    cancel_job(tx, job.id)
            return found

    BillRunner(books.database, Cancelling(), chunk=2).run(books.org_id, job.id)
    assert books.job(job).status is BillJobStatus.CANCELLED
    assert len(books.bills()) in {0, 2}
    assert all(lines(bill) == [("STANDING_CHARGE", "10.00")] for bill in books.bills())


def test_a_worker_that_stops_lets_the_job_wait(books: Books, plan: Plan) -> None:
    books.account("acme", plan)
    job = books.order()
    with pytest.raises(JobInterrupted):
        replace(books.runner(), is_stopping=lambda: True).run(books.org_id, job.id)
    assert books.job(job).is_active


def test_a_bug_ends_the_job_with_its_failure(books: Books, plan: Plan) -> None:
    books.account("acme", plan)
    job = books.order()

    class Broken(ListedUsage):
        def aggregate(self, org_id: str, query: Any) -> Any:
            raise AssertionError("a bug")

    with pytest.raises(AssertionError):
        BillRunner(books.database, Broken()).run(books.org_id, job.id)
    ended = books.job(job)
    assert (ended.status, ended.failure) == (BillJobStatus.CANCELLED, "AssertionError: a bug")


def test_two_runs_at_once_make_one_bill_each(books: Books, plan: Plan) -> None:
    books.configure(bill_prefix="INV-", sequence_start_number=100)
    for n in range(20):
        books.account(f"a{n:02}", plan)
    jobs = [books.order(), books.order()]
    with ThreadPoolExecutor(2) as threads:
        list(threads.map(lambda job: books.runner(chunk=3).run(books.org_id, job.id), jobs))
    assert len(books.bills()) == 20
    numbers = sorted(bill.sequential_invoice_number or "" for bill in books.bills())
    assert numbers == [f"INV-{n}" for n in range(101, 121)]  # none twice, none left out


def test_invoice_numbers_under_eight_runs_approvals_and_deletions_at_once(books: Books, plan: Plan) -> None:
    """No number twice and none left out; that of a deleted bill, also of the last one, is not given again."""
    books.configure(bill_prefix="INV-", sequence_start_number=100)
    accounts = [books.account(f"a{n:02}", plan) for n in range(24)]
    jobs = [books.order(account_ids=[a.id for a in accounts[n::8]]) for n in range(8)]

    def run_and_approve(job: BillJob) -> None:
        books.runner(chunk=1).run(books.org_id, job.id)
        with books.database.transaction(books.org_id) as tx:
            mine = [bill.id for bill in tx.find(Bill, account_id=job.account_ids)]
            assert service.approve_bills(tx, mine) == 3

    with ThreadPoolExecutor(8) as threads:
        list(threads.map(run_and_approve, jobs))
    assert numbers(books) == list(range(101, 125))
    deleted = sorted(books.bills(), key=number_of)[-8:]

    def delete_and_bill_anew(bill: BillAnswer) -> None:
        with books.database.transaction(books.org_id) as tx:
            service.delete_bill(tx, bill.id)
        books.run(account_ids=[bill.account_id])

    with ThreadPoolExecutor(8) as threads:
        list(threads.map(delete_and_bill_anew, deleted))
    assert numbers(books) == [*range(101, 117), *range(125, 133)]


def number_of(bill: BillAnswer) -> int:
    return int((bill.sequential_invoice_number or "").removeprefix("INV-"))


def numbers(books: Books) -> list[int]:
    return sorted(map(number_of, books.bills()))


@pytest.mark.parametrize(
    ("settings", "numbers"),
    [
        pytest.param([(None, 5), ("A-", 7), ("B-", 0)], [None, "A-8", "B-1"], id="a new prefix"),
        pytest.param([("A-", 7), ("A-", 7), ("A-", 20)], ["A-8", "A-9", "A-21"], id="a higher start"),
        pytest.param([("A-", 7), ("A-", 0), ("A-", 7)], ["A-8", "A-9", "A-10"], id="a lower start"),
        pytest.param([("A-", 7), ("B-", 7), ("A-", 7)], ["A-8", "B-8", "A-9"], id="an old prefix again"),
    ],
)
def test_invoice_numbers_go_on_or_start_where_configured(
    books: Books, plan: Plan, settings: list[tuple[str | None, int]], numbers: list[str | None]
) -> None:
    """Semantics §3: the next bill is prefix and start + 1, then in order; without a prefix there is none."""
    acme = books.account("acme", plan)
    for month, (prefix, start) in enumerate(settings, start=2):
        books.configure(bill_prefix=prefix, sequence_start_number=start)
        books.run(at=datetime(2024, month, 1, tzinfo=UTC))
    assert [bill.sequential_invoice_number for bill in books.bills(acme)] == numbers


def test_only_so_many_jobs_run_at_once(books: Books) -> None:
    """Semantics §1: ten at most; the eleventh is refused."""
    for _ in range(10):
        books.order()
    with pytest.raises(Exception, match="10 bill jobs are running"):
        books.order()


def test_a_queued_job_is_run_by_a_worker(books: Books, plan: Plan) -> None:
    import asyncio  # noqa: PLC0415 - this test's own

    acme = books.account("acme", plan)
    job = books.order()
    url = books.database.engine.url.set(drivername="postgresql")
    queue = Jobs(url.render_as_string(hide_password=False))
    books.runner().register(queue)
    asyncio.run(queue.work(alone=True, until_empty=True))
    assert books.job(job).status is BillJobStatus.COMPLETE
    assert lines(books.bill(acme)) == [("STANDING_CHARGE", "10.00")]
    assert TASK == "billing.run_bill_job"


def test_a_job_that_is_not_stored_is_not_queued(books: Books) -> None:
    def order_and_fail() -> None:
        with books.database.transaction(books.org_id) as tx:
            create_job(tx, BillJob())
            raise RuntimeError("no")

    with pytest.raises(RuntimeError):
        order_and_fail()
    with books.database.reading(books.org_id) as tx:
        queued = tx.connection.exec_driver_sql(
            "SELECT count(*) FROM procrastinate_jobs WHERE args->>'org_id' = %s", (books.org_id,)
        )
        assert queued.scalar_one() == 0


# --- which bills --------------------------------------------------------------------------------


def test_a_job_can_name_its_period_and_accounts(books: Books, plan: Plan) -> None:
    acme, other = books.account("acme", plan), books.account("other", plan)
    books.run(last_date_in_billing_period=date(2024, 2, 29), account_ids=[acme.id])
    assert books.bill(acme).start_date == date(2024, 2, 1)
    assert books.bills(other) == []
    books.run(last_date_in_billing_period=date(2024, 2, 28))  # the last day of no period
    assert len(books.bills()) == 1


def test_a_job_can_be_for_one_frequency(books: Books, plan: Plan) -> None:
    weekly = books.plan(standing="7", bill_frequency=BillingFrequency.WEEKLY)
    acme = books.account("acme", plan)
    other = books.account("other", weekly)
    books.run(billing_frequency="WEEKLY", bill_frequency_interval=1)
    assert books.bills(acme) == []
    # weeks from Tuesday 4 January 2022: the last to close by 1 February is 23 to 30 January
    assert books.bill(other).end_date == date(2024, 1, 30)


def test_plans_that_end_their_period_together_share_a_bill(books: Books, plan: Plan) -> None:
    books.configure(allow_overlapping_plans=True)
    acme = books.account("acme", plan)
    books.create(
        AccountPlan(account_id=acme.id, plan_id=plan.id, start_date=datetime(2024, 1, 17, tzinfo=UTC))
    )
    books.run()
    bill = books.bill(acme)
    # 10 for the whole month, and 10 x 15/31 = 4.84 from the 17th
    assert lines(bill) == [("STANDING_CHARGE", "10.00"), ("STANDING_CHARGE", "4.84")]
    assert bill.start_date == date(2024, 1, 1)


def test_a_plan_attached_later_with_an_earlier_start_moves_the_bill_and_makes_no_second(
    books: Books, plan: Plan
) -> None:
    books.configure(allow_overlapping_plans=True)
    acme = books.account("acme", plan, start=datetime(2024, 1, 17, tzinfo=UTC))
    books.run()
    assert books.bill(acme).start_date == date(2024, 1, 17)
    books.create(AccountPlan(account_id=acme.id, plan_id=plan.id, start_date=JAN))
    books.run()
    assert books.bill(acme).start_date == date(2024, 1, 1)


def test_periods_are_local_to_the_organizations_zone(books: Books, plan: Plan) -> None:
    books.configure(timezone="America/New_York")
    acme = books.account("acme", plan, start=datetime(2024, 1, 1, 5, tzinfo=UTC))
    books.usage.add(acme.id, datetime(2024, 2, 1, 4, 59, tzinfo=UTC), "10")  # still January there
    books.usage.add(acme.id, datetime(2024, 2, 1, 5, tzinfo=UTC), "500")
    books.run(at=datetime(2024, 2, 1, 4, tzinfo=UTC))
    assert books.bills(acme) == []  # January has not closed there
    books.run(at=datetime(2024, 2, 1, 5, tzinfo=UTC))
    assert lines(books.bill(acme)) == [("USAGE", "1.50"), ("STANDING_CHARGE", "10.00")]


def test_a_jobs_zone_holds_for_its_bills_also_when_made_anew(books: Books, plan: Plan) -> None:
    acme = books.account("acme", plan, start=datetime(2024, 1, 1, 5, tzinfo=UTC))
    books.usage.add(acme.id, datetime(2024, 2, 1, 4, 59, tzinfo=UTC), "10")  # still January in New York
    books.run(at=datetime(2024, 2, 1, 5, tzinfo=UTC), timezone="America/New_York")
    bill = books.bill(acme)
    assert (bill.timezone, bill.start_date_time_utc.hour, bill.end_date_time_utc.hour) == (
        *("America/New_York", 5, 5),
    )
    assert lines(bill) == [("USAGE", "1.50"), ("STANDING_CHARGE", "10.00")]
    recalculate(books, bill.id)
    assert (books.bill(acme).timezone, lines(books.bill(acme))) == (bill.timezone, lines(bill))


def test_empty_bills_are_left_out_where_configured(books: Books) -> None:
    """Semantics §3: suppressedEmptyBills."""
    plan = books.plan()
    acme = books.account("acme", plan)
    books.configure(suppressed_empty_bills=True)
    books.run()
    assert books.bills(acme) == []
    books.configure(suppressed_empty_bills=False)
    books.run()
    assert lines(books.bill(acme)) == []


# --- currencies ---------------------------------------------------------------------------------


def test_a_missing_rate_fails_that_accounts_bill_only_and_is_recorded(books: Books, plan: Plan) -> None:
    books.create(Currency(name="Euro", code="EUR"))
    fine = books.account("fine", plan)
    acme = books.account("acme", plan, currency="EUR")
    job = books.run()
    assert books.bills(acme) == []
    assert lines(books.bill(fine)) == [("STANDING_CHARGE", "10.00")]
    with books.database.reading(books.org_id) as tx:
        (failure,) = tx.execute(select(bill_failures).where(bill_failures.c.org_id == books.org_id)).all()
    assert (failure.account_id, failure.code, failure.bill_job_id) == (acme.id, "no_conversion_rate", job.id)
    (told,) = books.told("billing.bill.failed")
    assert "from USD to EUR" in told["newDto"]["message"]
    assert job.status is BillJobStatus.COMPLETE


def test_a_jobs_rates_and_currency_hold_for_its_bills_also_when_recalculated(
    books: Books, plan: Plan
) -> None:
    """A job's rate goes before the organization's, for its bills, however often they are made anew (§25)."""
    books.create(Currency(name="Euro", code="EUR"))
    acme = books.account("acme", plan)
    others, rate = (
        CurrencyConversion(from_currency="USD", to_currency="EUR", multiplier=D(each))
        for each in ("0.5", "0.9")
    )
    books.configure(currency_conversions=[others])
    made = books.run(target_currency="EUR", currency_conversions=[rate])
    bill = books.bill(acme)
    assert (bill.currency, bill.bill_total) == ("EUR", D("9.00"))  # 10 x 0.9
    assert [(c.from_currency, c.multiplier) for c in bill.currency_conversions] == [("USD", D("0.9"))]
    for cause, total in ((JobCause.LATE, "22.50"), (JobCause.LATE, "36.00"), (JobCause.REQUEST, "49.50")):
        books.usage.add(acme.id, JAN_5, "100")  # 15 x 0.9 each time
        books.run(type=BillJobType.RECALCULATE, bill_ids=[bill.id], cause=cause)
        bill = books.bill(acme)
        assert (bill.currency, bill.bill_total, bill.bill_job_id) == ("EUR", D(total), made.id)
    books.run()
    assert (books.bill(acme).currency, books.bill(acme).bill_total) == ("USD", D("55.00"))


@pytest.mark.parametrize("in_advance", [False, True])
def test_a_change_of_mode_charges_each_period_once_if_the_last_bill_is_made_anew(
    books: Books, plan: Plan, *, in_advance: bool
) -> None:
    """A bill opens the next period or does not: January's has to, or must not, when February closes (§15)."""
    books.configure(standing_charge_bill_in_advance=in_advance)
    acme = books.account("acme", plan)
    books.run()
    books.configure(standing_charge_bill_in_advance=not in_advance)
    recalculate(books, books.bill(acme).id)
    books.run(at=MAR)
    charged = [x.service_period_start_date.month for b in books.bills(acme) for x in b.line_items or []]
    assert charged == ([1, 2] if in_advance else [1, 2, 3])


def test_a_commitments_plan_that_has_no_periods_any_more_stops_no_run(books: Books, plan: Plan) -> None:
    """Fees come with periods; a plan that is billed AD_HOC by now has none (semantics §4, §18)."""
    acme, other = books.account("acme"), books.account("other", plan)
    promised = books.plan()
    days = {"start_date": date(2024, 1, 1), "end_date": date(2025, 1, 1), "bill_epoch": date(2024, 1, 1)}
    books.create(
        Commitment(account_id=acme.id, amount=D(12), currency="USD", billing_plan_id=promised.id, **days)
    )
    books.change(PlanTemplate, promised.plan_template_id, bill_frequency=BillingFrequency.AD_HOC)
    assert books.run().status is BillJobStatus.COMPLETE
    assert lines(books.bill(other)) == [("STANDING_CHARGE", "10.00")]


@pytest.mark.parametrize(
    ("values", "field"),
    [
        pytest.param({"timezone": "Mars/Olympus"}, "timezone", id="zone"),
        pytest.param(
            {"account_ids": ["00000000-0000-0000-0000-00000000dead"]}, "accountIds[0]", id="account"
        ),
        pytest.param({"target_currency": "XXX"}, "targetCurrency", id="currency"),
        pytest.param(
            {"account_ids": ["00000000-0000-0000-0000-00000000dead"] * 2}, "accountIds[1]", id="twice"
        ),
    ],
)
def test_an_order_that_cannot_be_is_refused_by_path(books: Books, values: dict[str, Any], field: str) -> None:
    with pytest.raises(InvalidBody) as refused:
        books.order(**values)
    assert field in [problem.field for problem in refused.value.problems]
