"""Telling of events: rules that are met, and alerts (semantics §28, §32)."""

from typing import Any

import pytest
from sqlalchemy import select

from tallystick.calc.values import NoLookups
from tallystick.catalogue.product import Product
from tallystick.events.record import append_event
from tallystick.events.told import told
from tallystick.notifications.alert import Alert, AlertStatus, AlertType, Severity
from tallystick.notifications.notification import Notification
from tallystick.notifications.tell import Firing, Teller
from tallystick.platform.database import Database
from tallystick.platform.resources import Transaction
from tallystick.platform.resources.wire import InvalidBody
from tallystick.usage.failures import EVENT as REJECTED


class Ears:
    """Hears of rules that were met."""

    def __init__(self) -> None:
        self.heard: list[tuple[str, str]] = []

    def __call__(self, tx: Transaction, firings: Any) -> None:
        self.heard += [self.short(firing) for firing in firings]

    def short(self, firing: Firing) -> tuple[str, str]:
        state = firing.event.states["new"]
        return firing.rule.code, state["name"]


@pytest.fixture
def ears() -> Ears:
    return Ears()


@pytest.fixture
def teller(database: Database, ears: Ears) -> Teller:
    return Teller(database, lambda _: NoLookups(), ears)


def rule(code: str, calculation: str | None = "new.name != 'Water'", **more: Any) -> Notification:
    fields = {"event_name": "configuration.product.created", **more}
    return Notification(name=code, description=code, code=code, calculation=calculation, **fields)


def product(database: Database, org_id: str, name: str) -> None:
    with database.transaction(org_id) as tx:
        tx.create(Product(name=name, code=name))


def test_a_rule_tells_of_each_event_that_meets_it_once(
    database: Database, org_id: str, teller: Teller, ears: Ears
) -> None:
    with database.transaction(org_id) as tx:
        made = tx.create(rule("no-water"))
        tx.create(rule("always", None, always_fire_event=True))
        tx.create(rule("asleep", active=False))
    for name in ("Air", "Water"):
        product(database, org_id, name)
    with database.reading(org_id) as tx:
        assert teller.next_due(tx) is not None
    teller.tell(org_id)
    teller.tell(org_id)
    assert sorted(ears.heard) == [("always", "Air"), ("always", "Water"), ("no-water", "Air")]
    with database.reading(org_id) as tx:
        assert teller.next_due(tx) is None
        ids = tx.execute(select(told.c.event_id).where(told.c.notification_id == made.id)).all()
    assert len(ids) == 1


def test_a_rule_that_cannot_be_calculated_fires_nothing_and_raises_one_alert(
    database: Database, org_id: str, teller: Teller, ears: Ears
) -> None:
    with database.transaction(org_id) as tx:
        tx.create(rule("broken", "new.name / 2 > 1"))
    for name in ("Air", "Water"):
        product(database, org_id, name)
    teller.tell(org_id)
    assert ears.heard == []
    with database.reading(org_id) as tx:
        (alert,) = tx.find(Alert)
    assert (alert.type, alert.severity, alert.occurrences) == (
        AlertType.NOTIFICATION_FAILURE,
        Severity.WARN,
        2,
    )
    assert "broken" in alert.description


def test_what_hears_fails_and_the_event_is_told_again(
    database: Database, org_id: str, teller: Teller, ears: Ears
) -> None:
    with database.transaction(org_id) as tx:
        tx.create(rule("no-water"))
    product(database, org_id, "Air")

    def deaf(_tx: Transaction, _firings: Any) -> None:
        raise ZeroDivisionError

    with pytest.raises(ZeroDivisionError):
        Teller(database, lambda _: NoLookups(), deaf).tell(org_id)
    teller.tell(org_id)
    assert ears.heard == [("no-water", "Air")]


def test_bills_that_fail_for_one_reason_are_one_alert(
    database: Database, org_id: str, teller: Teller
) -> None:
    job = "01900000-0000-7000-8000-000000000000"
    for account in ("acme", "beta"):
        facts = {"billJobId": job, "accountCode": account, "code": "no_conversion", "message": "EUR to USD"}
        with database.transaction(org_id) as tx:
            append_event(tx, "billing.bill.failed", {"newDto": facts})
    teller.tell(org_id)
    with database.reading(org_id) as tx:
        (alert,) = tx.find(Alert)
    assert (alert.type, alert.severity, alert.occurrences, alert.entity_id) == (
        AlertType.BILL_FAILURE,
        Severity.ERROR,
        2,
        job,
    )
    assert "EUR to USD" in alert.description


def test_a_closed_alert_is_not_counted_up(database: Database, org_id: str, teller: Teller) -> None:
    facts = {"stored": 1, "failed": 2, "countsByType": {"Unknown": 2}, "messages": ["no meter"]}
    for _ in range(2):
        with database.transaction(org_id) as tx:
            append_event(tx, REJECTED, facts)
        teller.tell(org_id)
        with database.transaction(org_id) as tx:
            alert = tx.find(Alert)[0]
            alert.status = AlertStatus.CLOSED
            tx.update(alert, alert)
    with database.reading(org_id) as tx:
        assert [a.occurrences for a in tx.find(Alert)] == [1, 1]


@pytest.mark.parametrize(
    ("wrong", "field"),
    [
        (rule("x", None), "calculation"),
        (rule("x", event_name="no.such.event"), "eventName"),
        (rule("x", "new.nam == 'a'"), "calculation"),
        (rule("x", "old.name == 'a'"), "calculation"),
        (rule("x", "Lookup.exists('none', 1)"), "calculation"),
    ],
)
def test_a_rule_that_cannot_be_is_not_saved(
    database: Database, org_id: str, wrong: Notification, field: str
) -> None:
    with pytest.raises(InvalidBody) as caught, database.transaction(org_id) as tx:
        tx.create(wrong)
    assert [problem.field for problem in caught.value.problems] == [field]
