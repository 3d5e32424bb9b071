"""Alerts: what somebody should look at, with how bad it is and what became of it."""

from collections import Counter
from collections.abc import Sequence
from datetime import datetime
from enum import StrEnum
from typing import Annotated, Self

import msgspec
from msgspec import Meta
from sqlalchemy import Index

from tallystick.platform.resources import By, Computed, Entity, Hidden, Id, Transaction, resource, resource_of

LONGEST_DESCRIPTION = 1000


class Severity(StrEnum):
    """How bad it is."""

    INFO = "INFO"
    WARN = "WARN"
    ERROR = "ERROR"


class AlertStatus(StrEnum):
    """What became of it."""

    NEW = "NEW"
    IN_PROGRESS = "IN_PROGRESS"
    CLOSED = "CLOSED"


class AlertType(StrEnum):
    """What it is about."""

    BILL_FAILURE = "BILL_FAILURE"
    BILL_SUCCESS = "BILL_SUCCESS"
    API_INGEST = "API_INGEST"
    NOTIFICATION_FAILURE = "NOTIFICATION_FAILURE"
    WEBHOOK_DISABLED = "WEBHOOK_DISABLED"
    INTEGRATION_FAILURE = "INTEGRATION_FAILURE"
    EXPORT_FAILURE = "EXPORT_FAILURE"
    SCHEDULE_FAILURE = "SCHEDULE_FAILURE"


@resource(
    "alerts",
    event="configuration.alert",
    filters=(
        By("severity", "severity", item=Severity),
        By("status", "status", item=AlertStatus),
        By("type", "type", item=AlertType),
        By("entityId", "entity_id"),
    ),
    verbs=("get", "update", "list"),
)
class Alert(Entity, kw_only=True):
    """Something to look at (semantics §32). People change its status; all else tells what happened."""

    status: AlertStatus = AlertStatus.NEW
    severity: Annotated[Severity, Computed()] = Severity.INFO
    type: Annotated[AlertType, Computed()] = AlertType.BILL_SUCCESS
    description: Annotated[str, Meta(max_length=LONGEST_DESCRIPTION), Computed()] = ""
    entity_id: Annotated[Id | None, Computed()] = None
    "The bill job, file of rejected measurements, rule or webhook that it is about."
    occurrences: Annotated[int, Computed()] = 1
    "How often the same happened."
    dt_last_occurred: Annotated[datetime | None, Computed()] = None
    about: Annotated[str, Hidden()] = ""

    def settle(self, tx: Transaction, old: Self | None) -> Self:
        """Keep all but the status when people update it: their request holds nothing else."""
        if old is None or self.dt_last_occurred is not None:
            return self
        names = ("severity", "type", "description", "entity_id", "occurrences", "dt_last_occurred")
        return msgspec.structs.replace(self, **{name: getattr(old, name) for name in names})


_table = resource_of(Alert).table
Index("ix_alerts_about", _table.c.org_id, _table.c.about)


class Alarm(msgspec.Struct, frozen=True, kw_only=True):
    """What makes an alert. about: the same again, while its alert is not closed, only counts it up."""

    severity: Severity
    type: AlertType
    description: str
    about: str
    entity_id: str | None = None


def raise_alerts(tx: Transaction, alarms: Sequence[Alarm]) -> None:
    """Make an alert of each thing that happened, or count up the one that tells of it already."""
    counted = Counter(alarm.about for alarm in alarms)
    if not counted:
        return
    latest = {alarm.about: alarm for alarm in alarms}
    open_ones = _table.c.status != AlertStatus.CLOSED.value
    same = tx.select(Alert, _table.c.about.in_([*counted]), open_ones).with_for_update()
    standing = {alert.about: alert for alert in tx.load(Alert, same)}
    for about, alarm in latest.items():
        old = standing.get(about)
        alert = Alert(
            status=old.status if old else AlertStatus.NEW,
            severity=alarm.severity,
            type=alarm.type,
            description=alarm.description[:LONGEST_DESCRIPTION],
            entity_id=alarm.entity_id,
            occurrences=counted[about] + (old.occurrences if old else 0),
            dt_last_occurred=tx.clock.now(),
            about=about,
        )
        if old is not None:
            tx.update(old, alert)
        else:
            tx.create(alert)
