"""Scheduled events happen once for each value of a date, when it is time (semantics §28)."""

from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from sqlalchemy import select

from tallystick.accounts.account import Account
from tallystick.accounts.account_plan import AccountPlan
from tallystick.catalogue.product import Product
from tallystick.events.record import events
from tallystick.events.scheduled import ScheduledEventConfiguration
from tallystick.events.scheduling import NEVER, Scheduler, due_at
from tallystick.kernel.zones import parse_zone
from tallystick.platform.database import Database
from tallystick.platform.resources.wire import InvalidBody
from tallystick.pricing.plan import Plan
from tallystick.pricing.plan_template import PlanTemplate
from tests.support.clock import START, MovableClock

PARIS = parse_zone("Europe/Paris")


@pytest.mark.parametrize(
    ("value", "offset", "at"),
    [
        ("2025-01-31", 5, "2025-02-04T23:00:00Z"),  # 5 February in Paris, an hour ahead
        ("2025-03-28", 2, "2025-03-29T23:00:00Z"),  # the day on which the clocks go forward begins as ever
        ("2025-03-28", 3, "2025-03-30T22:00:00Z"),
        ("2025-01-31", -1, "2025-01-29T23:00:00Z"),
        ("2025-03-29T12:00:00Z", 1, "2025-03-30T12:00:00Z"),
    ],
)
def test_due_at(value: str, offset: int, at: str) -> None:
    assert due_at(value, offset, PARIS) == datetime.fromisoformat(at)


def test_a_date_at_the_end_of_time_never_comes() -> None:
    assert due_at("9999-12-31", 5, UTC) == NEVER


class Plans:
    """An organization with an account plan, whose end the test moves."""

    def __init__(self, database: Database, clock: MovableClock, org_id: str) -> None:
        self.database, self.clock, self.org_id = database, clock, org_id
        self.scheduler = Scheduler(database, lambda _: UTC)
        with database.transaction(org_id) as tx:
            product = tx.create(Product(name="Air", code="air"))
            common: dict[str, Any] = {"product_id": product.id, "currency": "USD", "standing_charge": 0}
            template = tx.create(PlanTemplate(name="t", bill_frequency="MONTHLY", **common))  # type: ignore[arg-type]
            self.plan = tx.create(Plan(name="p", code="p", plan_template_id=template.id)).id
            self.account = tx.create(Account(name="a", code="a", email_address="a@example.com")).id

    def configure(self, offset: int = 5, **more: Any) -> ScheduledEventConfiguration:
        fields = {"name": "scheduled.accountplan.ended", "entity": "AccountPlan", "field": "endDate", **more}
        with self.database.transaction(self.org_id) as tx:
            return tx.create(ScheduledEventConfiguration(offset=offset, **fields))

    def attach(self, end: datetime, start: datetime = START - timedelta(days=3650)) -> AccountPlan:
        with self.database.transaction(self.org_id) as tx:
            made = AccountPlan(account_id=self.account, plan_id=self.plan, start_date=start, end_date=end)
            return tx.create(made)

    def end(self, plan: AccountPlan, end: datetime | None) -> AccountPlan:
        with self.database.transaction(self.org_id) as tx:
            old = tx.get(AccountPlan, plan.id)
            new = tx.get(AccountPlan, plan.id)
            new.end_date = end
            return tx.update(old, new)

    def run(self, **span: float) -> list[str]:
        """Let time pass and do what is due; give the ends told of so far."""
        self.clock.instant += timedelta(**span)
        self.scheduler.schedule(self.org_id)
        told = events.c.event_name == "scheduled.accountplan.ended"
        with self.database.reading(self.org_id) as tx:
            found = tx.execute(select(events.c.event_data).where(told).order_by(events.c.id)).scalars().all()
        return [each["newDto"]["endDate"] for each in found]

    def next_due(self) -> datetime | None:
        with self.database.reading(self.org_id) as tx:
            return self.scheduler.next_due(tx)


@pytest.fixture
def plans(database: Database, clock: MovableClock, org_id: str) -> Plans:
    return Plans(database, clock, org_id)


def test_an_event_happens_once_when_it_is_time(plans: Plans) -> None:
    assert plans.next_due() is None, "nothing is looked at where nothing is scheduled"
    plans.configure()
    plans.attach(START + timedelta(days=10))
    assert plans.next_due() == START, "there are changes to follow"
    assert plans.run() == []
    assert plans.next_due() == START + timedelta(days=15)
    assert plans.run(days=14) == []
    assert plans.run(days=1) == ["2025-06-11T00:00:00Z"]
    assert plans.run(days=1) == ["2025-06-11T00:00:00Z"]


def test_what_was_there_before_is_told_of_if_its_time_is_to_come(plans: Plans) -> None:
    soon = START + timedelta(days=10)
    plans.attach(START - timedelta(days=30), START - timedelta(days=60))
    plans.attach(soon, START)
    plans.clock.instant += timedelta(seconds=1)
    plans.configure()
    assert plans.run() == []
    assert plans.run(days=20) == ["2025-06-11T00:00:00Z"]


def test_a_date_that_moves_moves_its_event_and_one_that_comes_back_is_not_told_again(plans: Plans) -> None:
    plans.configure(offset=-5)
    first, second = START + timedelta(days=10), START + timedelta(days=20)
    plan = plans.attach(first)
    plans.run()
    plan = plans.end(plan, second)
    assert plans.run(days=10) == []
    assert plans.run(days=5) == ["2025-06-21T00:00:00Z"]
    plan = plans.end(plan, START + timedelta(days=40))
    plans.run()
    plan = plans.end(plan, second)
    assert plans.run(days=1) == ["2025-06-21T00:00:00Z"]
    assert plans.next_due() is None
    plans.end(plan, None)
    assert plans.run(days=60) == ["2025-06-21T00:00:00Z"]


def test_a_change_that_was_not_followed_yet_is_not_overtaken(plans: Plans) -> None:
    plans.configure()
    plan = plans.attach(START + timedelta(days=1))
    plans.run()
    plans.end(plan, START + timedelta(days=100))
    with plans.database.transaction(plans.org_id) as tx:  # before the change is followed
        plans.clock.instant += timedelta(days=10)
        assert plans.scheduler._happen(tx) is False  # noqa: SLF001 - the order that must not matter
    assert plans.run() == []
    assert len(plans.run(days=100)) == 1


def test_what_is_deleted_or_no_longer_configured_does_not_happen(plans: Plans) -> None:
    made = plans.configure()
    plans.attach(START + timedelta(days=10))
    plans.run()
    with plans.database.transaction(plans.org_id) as tx:
        tx.delete(ScheduledEventConfiguration, made.id)
    assert plans.run(days=30) == []
    assert plans.next_due() is None


@pytest.mark.parametrize(
    ("wrong", "fields"),
    [
        ({"name": "scheduled.bill.x"}, ["name"]),
        ({"name": "accountplan.x"}, ["name"]),
        ({"entity": "Nothing", "name": "scheduled.nothing.x"}, ["entity"]),
        ({"field": "version"}, ["field"]),
        ({"field": "end_date"}, ["field"]),
    ],
)
def test_a_configuration_that_cannot_be_is_refused(plans: Plans, wrong: Any, fields: list[str]) -> None:
    with pytest.raises(InvalidBody) as caught:
        plans.configure(**wrong)
    assert [problem.field for problem in caught.value.problems] == fields


def test_a_bill_has_dates_to_schedule_by(plans: Plans) -> None:
    import tallystick.billing.bill  # noqa: F401, PLC0415 - declares the resource

    made = plans.configure(name="scheduled.bill.due", entity="Bill", field="endDate")
    assert made.field == "endDate"
