"""Scheduled runs, late usage (semantics §6) and approval by themselves: a clock is moved from due to due."""

from dataclasses import dataclass, field
from datetime import UTC, date, datetime, timedelta
from decimal import Decimal

import pytest

from tallystick.accounts.account import Account
from tallystick.accounts.account_plan import AccountPlan, ChildBillingMode
from tallystick.billing import service
from tallystick.billing.bill import BillStatus
from tallystick.billing.bill_job import ACTIVE, BillJob, JobCause
from tallystick.billing.by_itself import AutoApproval, BillingSchedule
from tallystick.billing.errors import MAX_RUNNING_JOBS
from tallystick.organizations.organization_config import TimePeriodUnit
from tests.unit.billing.conftest import FEB, Books, lines

D = Decimal
JAN_5 = datetime(2024, 1, 5, tzinfo=UTC)
HOUR = timedelta(hours=1)


@dataclass
class Hands:
    """Moves the clock from one due instant to the next, and runs the jobs that come of it."""

    books: Books
    ran: list[datetime] = field(default_factory=list)

    def __post_init__(self) -> None:
        books = self.books
        self.dues = (
            BillingSchedule(books.database, books.usage, books.clock),
            AutoApproval(books.database),
        )

    def next(self) -> datetime | None:
        with self.books.database.reading(self.books.org_id) as tx:
            return min((at for due in self.dues if (at := due.next_due(tx)) is not None), default=None)

    def to(self, target: datetime) -> None:
        while (at := self.next()) is not None and at <= target:
            self.books.clock.instant = max(at, self.books.clock.instant)
            self.ran.append(at)
            for due in self.dues:
                due.run_due(self.books.org_id, self.books.clock.instant)
            self.run_jobs()
        self.books.clock.instant = target

    def run_jobs(self) -> None:
        for job in self.jobs():
            if job.status in ACTIVE:
                self.books.runner().run(self.books.org_id, job.id)

    def jobs(self, cause: JobCause | None = None) -> list[BillJob]:
        with self.books.database.reading(self.books.org_id) as tx:
            found = tx.find(BillJob)
        return [job for job in reversed(found) if cause in {None, job.cause}]


@pytest.fixture
def books(books: Books) -> Books:
    books.clock.instant = datetime(2024, 1, 30, 12, tzinfo=UTC)
    return books


@pytest.fixture
def acme(books: Books) -> Account:
    """Give an account at $1 a gigabyte, with 10 of them; billed every 12 hours."""
    plan = books.plan()
    books.price(plan, ("0", "0", "1"))
    account = books.account("acme", plan)
    books.usage.add(account.id, JAN_5, "10")
    books.configure(scheduled_bill_interval=D(12))
    return account


def approve_after(books: Books, hours: int) -> None:
    books.configure(
        auto_approve_bills_grace_period=hours, auto_approve_bills_grace_period_unit=TimePeriodUnit.HOURS
    )


def test_current_and_closed_periods_are_billed_at_each_slot(books: Books, acme: Account) -> None:
    hands = Hands(books)
    assert hands.next() == datetime(2024, 1, 31, tzinfo=UTC)
    hands.to(datetime(2024, 1, 31, 1, tzinfo=UTC))
    january = books.bill(acme)  # still open: usage so far, and its dates are those of its end
    assert (january.bill_date, january.bill_total, january.status) == (
        date(2024, 2, 1),
        D("10.00"),
        "PENDING",
    )
    books.usage.add(acme.id, datetime(2024, 1, 31, 23, tzinfo=UTC), "5")
    hands.to(FEB)
    january, february = books.bills(acme)
    assert (january.bill_total, february.bill_total) == (D("15.00"), D("0"))
    assert [job.cause for job in hands.jobs()][-2:] == [JobCause.CLOSED, JobCause.CURRENT]
    assert hands.ran == [datetime(2024, 1, 31, h, tzinfo=UTC) for h in (0, 12)] + [FEB]


@pytest.mark.usefixtures("acme")
def test_a_slot_that_nobody_ran_is_made_up_for_once(books: Books) -> None:
    hands = Hands(books)
    books.clock.instant = datetime(2024, 2, 3, 7, tzinfo=UTC)
    for due in hands.dues:
        due.run_due(books.org_id, books.clock.instant)
        due.run_due(books.org_id, books.clock.instant)
    hands.run_jobs()
    assert len(hands.jobs()) == 2
    assert hands.next() == datetime(2024, 2, 3, 12, tzinfo=UTC)


def test_bills_are_approved_after_their_grace_once(books: Books, acme: Account) -> None:
    approve_after(books, 2)
    hands = Hands(books)
    hands.to(FEB + HOUR)
    assert books.bills(acme)[0].status is BillStatus.PENDING
    hands.to(FEB + 2 * HOUR)
    january, february = books.bills(acme)
    assert (january.status, january.dt_approved) == (BillStatus.APPROVED, FEB + 2 * HOUR)
    assert february.status is BillStatus.PENDING  # made early; its date is March 1
    with books.database.transaction(books.org_id) as tx:
        service.set_status(tx, january.id, BillStatus.PENDING)
    hands.to(FEB + 20 * HOUR)
    assert books.bills(acme)[0].status is BillStatus.PENDING  # somebody took the approval back


def test_an_approved_bill_is_left_alone_by_scheduled_runs(books: Books, acme: Account) -> None:
    approve_after(books, 2)
    hands = Hands(books)
    hands.to(FEB + 2 * HOUR)
    books.configure(days_before_bill_due=99)
    books.usage.add(acme.id, JAN_5, "7")  # as if it had been there before
    hands.to(FEB + 13 * HOUR)
    assert lines(books.bills(acme)[0]) == [("USAGE", "10.00")]


@pytest.mark.parametrize(
    ("received", "status", "total"),
    [
        pytest.param(FEB + 3 * HOUR, "PENDING", "17.00", id="within a day of the run"),
        pytest.param(FEB + 24 * HOUR - timedelta(seconds=20), "PENDING", "17.00", id="just in time"),
        pytest.param(FEB + 25 * HOUR, "APPROVED", "10.00", id="too late"),
    ],
)
def test_late_usage_reopens_an_approved_bill(
    books: Books, acme: Account, received: datetime, status: str, total: str
) -> None:
    approve_after(books, 2)
    hands = Hands(books)
    hands.to(received)
    books.usage.add_late(acme.id, JAN_5, received, "7")
    hands.to(FEB + 60 * HOUR)
    january = books.bills(acme)[0]
    assert (january.status, january.bill_total) == (status, D(total))


def test_late_usage_that_changes_nothing_leaves_the_approval(books: Books, acme: Account) -> None:
    approve_after(books, 2)
    hands = Hands(books)
    hands.to(FEB + 3 * HOUR)
    books.usage.add_late(acme.id, JAN_5, FEB + 3 * HOUR, "0")
    hands.to(FEB + 10 * HOUR)
    assert len(hands.jobs(JobCause.LATE)) == 1
    assert books.bills(acme)[0].status is BillStatus.APPROVED


def test_late_usage_of_a_plan_that_ended_earlier_counts_a_day_from_its_end(
    books: Books, acme: Account
) -> None:
    with books.database.reading(books.org_id) as tx:
        (attached,) = tx.find(AccountPlan)
    books.change(AccountPlan, attached.id, end_date=FEB - 12 * HOUR)
    approve_after(books, 2)
    hands = Hands(books)
    hands.to(FEB + 5 * HOUR)
    books.usage.add_late(acme.id, JAN_5, FEB + 5 * HOUR, "7")
    hands.to(FEB + 11 * HOUR)
    assert books.bill(acme).bill_total == D("17.00")  # until February 1, 12:00
    hands.to(FEB + 14 * HOUR)
    books.usage.add_late(acme.id, JAN_5, FEB + 14 * HOUR, "7")
    hands.to(FEB + 30 * HOUR)
    assert len(hands.jobs(JobCause.LATE)) == 1


@pytest.mark.parametrize(
    ("start", "end", "made_anew"),
    [
        pytest.param(FEB - 12 * HOUR, None, True, id="another plan goes on"),
        pytest.param(FEB + 12 * HOUR, None, False, id="another plan starts after the period"),
        pytest.param(FEB - 999 * HOUR, FEB - 900 * HOUR, False, id="another plan ended before the period"),
    ],
)
def test_late_usage_counts_from_the_end_of_the_periods_own_plans(
    books: Books,
    acme: Account,
    start: datetime,
    end: datetime | None,
    made_anew: bool,  # noqa: FBT001 - a table's column
) -> None:
    """The plan ended a day before the period; 24 hours later nothing of it counts any more (semantics §6)."""
    with books.database.reading(books.org_id) as tx:
        (attached,) = tx.find(AccountPlan)
    books.change(AccountPlan, attached.id, end_date=FEB - 24 * HOUR)
    other = AccountPlan(account_id=acme.id, plan_id=attached.plan_id, start_date=start, end_date=end)
    books.create(other)
    hands = Hands(books)
    hands.to(FEB + 5 * HOUR)
    books.usage.add_late(acme.id, JAN_5, FEB + 5 * HOUR, "7")
    hands.to(FEB + 9 * HOUR)
    assert bool(hands.jobs(JobCause.LATE)) is made_anew


def test_a_childs_late_usage_changes_the_parents_bill(books: Books, acme: Account) -> None:
    child = books.account("child", None, parent_account_id=acme.id)
    hands = Hands(books)
    hands.to(FEB + 3 * HOUR)
    books.usage.add_late(child.id, JAN_5, FEB + 3 * HOUR, "4")
    hands.to(FEB + 5 * HOUR)
    assert books.bills(acme)[0].bill_total == D("14.00")


def test_a_childs_old_plan_does_not_close_what_its_parents_plan_bills_it(books: Books, acme: Account) -> None:
    with books.database.reading(books.org_id) as tx:
        (attached,) = tx.find(AccountPlan)
    books.change(AccountPlan, attached.id, child_billing_mode=ChildBillingMode.CHILD)
    child = books.account("child", None, parent_account_id=acme.id)
    ended = {"start_date": JAN_5.replace(year=2022), "end_date": JAN_5.replace(year=2023)}
    books.create(AccountPlan(account_id=child.id, plan_id=attached.plan_id, **ended))
    books.usage.add(child.id, JAN_5, "3")
    hands = Hands(books)
    hands.to(FEB + 3 * HOUR)
    books.usage.add_late(child.id, JAN_5, FEB + 3 * HOUR, "4")
    hands.to(FEB + 5 * HOUR)
    assert books.bills(child)[-1].bill_total == D("7.00")


@pytest.mark.usefixtures("acme")
def test_nothing_is_due_where_nothing_is_scheduled(books: Books) -> None:
    books.configure(scheduled_bill_interval=D(0))
    assert Hands(books).next() is None
    books.run(at=FEB)
    assert Hands(books).next() is None


@pytest.mark.usefixtures("acme")
def test_it_stays_due_while_too_many_jobs_run(books: Books) -> None:
    hands = Hands(books)
    jobs = [books.order() for _ in range(MAX_RUNNING_JOBS)]
    books.clock.instant = FEB
    hands.dues[0].run_due(books.org_id, FEB)
    assert len(hands.jobs()) == len(jobs)
    assert (hands.next() or FEB) < FEB
    hands.run_jobs()
    hands.to(FEB)
    assert len(hands.jobs()) == len(jobs) + 2


def test_approval_waits_for_a_scheduled_run(books: Books, acme: Account) -> None:
    approve_after(books, 12)
    hands = Hands(books)
    hands.to(FEB + 11 * HOUR)
    books.clock.instant = FEB + 12 * HOUR
    for due in hands.dues:  # both fall due at noon
        due.run_due(books.org_id, books.clock.instant)
    assert books.bills(acme)[0].status is BillStatus.PENDING
    hands.run_jobs()
    hands.to(FEB + 12 * HOUR)
    assert books.bills(acme)[0].status is BillStatus.APPROVED
