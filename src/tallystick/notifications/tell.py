"""Read the event record, and tell: which rules an event meets, and which alerts it is reason for.

Rules are evaluated after the transaction that they are about, never in it: a rule can neither slow a write
down nor make it fail. What comes of an event is stored in the transaction that passes it, so it is told once.
"""

from collections import defaultdict
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Final

import msgspec
from sqlalchemy import insert

from tallystick.calc.errors import CalculationError, ExpressionError
from tallystick.calc.values import Lookups
from tallystick.events.feed import Feed, Happened
from tallystick.events.record import events
from tallystick.events.told import told
from tallystick.notifications.alarms import ALARMS, alarms_of
from tallystick.notifications.alert import Alarm, AlertType, Severity, raise_alerts
from tallystick.notifications.notification import Notification
from tallystick.notifications.rules import is_met
from tallystick.platform.database import Database
from tallystick.platform.jobs import Jobs, defer
from tallystick.platform.resources import Transaction

TASK: Final = "notifications.tell"
FEED: Final = Feed("notifications")


class Firing(msgspec.Struct, frozen=True):
    """A rule that an event meets."""

    rule: Notification
    event: Happened


OnFired = Callable[[Transaction, Sequence[Firing]], None]
LookupsOf = Callable[[str], Lookups]


@dataclass(frozen=True)
class Teller:
    """Tells of events, as due work: whatever has not been read is due.

    lookups: gives the lookup tables of an organization. on_fired: hears of rules that were met, in the
    transaction, in the order of the events.
    """

    database: Database
    lookups: LookupsOf
    on_fired: OnFired

    def register(self, jobs: Jobs) -> None:
        """Let a worker tell."""
        jobs.task(TASK, self.tell)

    def next_due(self, tx: Transaction) -> datetime | None:
        """Give the present as long as there are unread events."""
        return tx.clock.now() if FEED.has_more(tx) else None

    def run_due(self, org_id: str, now: datetime) -> None:
        """Queue the reading: after a large bill run there is much of it."""
        with self.database.transaction(org_id) as tx:
            defer(tx, TASK, {"org_id": org_id}, lock=f"{TASK}.{org_id}")

    def tell(self, org_id: str) -> None:
        """Read all events that there are."""
        more = True
        while more:
            with self.database.transaction(org_id) as tx:
                more = self._step(tx)

    def _step(self, tx: Transaction) -> bool:
        """Read some events; tell whether there are more."""
        if not FEED.has_more(tx):
            return False
        rules: defaultdict[str, list[Notification]] = defaultdict(list)
        for rule in tx.find(Notification, active=True):
            rules[rule.event_name].append(rule)
        happened = FEED.read(tx, events.c.event_name.in_([*rules, *ALARMS]))
        firings, failures = evaluate_all(happened, rules, self.lookups(tx.org_id))
        _store(tx, firings)
        self.on_fired(tx, firings)
        raise_alerts(tx, [*alarms_of(tx, happened), *failures])
        return FEED.has_more(tx)


def evaluate_all(
    happened: Iterable[Happened], rules: Mapping[str, Sequence[Notification]], lookups: Lookups
) -> tuple[list[Firing], list[Alarm]]:
    """Find which rules are met by which events, and which rules cannot be calculated."""
    firings: list[Firing] = []
    failures: list[Alarm] = []
    for event in happened:
        states = event.states
        for rule in rules.get(event.name, ()):
            try:
                if rule.always_fire_event or is_met(rule.calculation or "", states, lookups):
                    firings.append(Firing(rule, event))
            except (CalculationError, ExpressionError) as error:
                failures.append(_failure(rule, event, error.message))
    return firings, failures


def _store(tx: Transaction, firings: Sequence[Firing]) -> None:
    if firings:
        now = tx.clock.now()
        rows = [
            {
                "org_id": tx.org_id,
                "notification_id": firing.rule.id,
                "event_id": firing.event.id,
                "notification_code": firing.rule.code,
                "dt_created": now,
            }
            for firing in firings
        ]
        tx.execute(insert(told), rows)


def _failure(rule: Notification, event: Happened, message: str) -> Alarm:
    return Alarm(
        severity=Severity.WARN,
        type=AlertType.NOTIFICATION_FAILURE,
        description=f"The notification {rule.code} cannot be calculated for event {event.id}: {message}",
        about=f"notification:{rule.id}:{rule.version}",
        entity_id=rule.id,
    )
