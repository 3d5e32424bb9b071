"""What a list of events can be narrowed by."""

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import datetime
from typing import Any, Final

from sqlalchemy import ColumnElement, Table, and_, exists, or_

from tallystick.events.told import told
from tallystick.platform.resources import By, Filter, Id
from tallystick.platform.resources.filters import Values


@dataclass(frozen=True)
class OfAccount:
    """Keep the events about an account itself, or about a thing that belongs to it, before or after."""

    name: str = "accountId"
    stem: str = "configuration.account."

    @property
    def kind(self) -> Any:
        """The type of the parameter."""
        return str

    def clauses(self, table: Table, values: Values, now: datetime) -> Iterator[ColumnElement[bool]]:
        """Compare the states' `accountId` with the value."""
        for _ in By(self.name, "entity_id").clauses(table, values, now):
            account = values[self.name][0].lower()
            states = (table.c.event_data[state]["accountId"].astext for state in ("newDto", "oldDto"))
            itself = and_(table.c.entity_id == account, table.c.event_name.startswith(self.stem))
            yield or_(itself, *(state == account for state in states))


@dataclass(frozen=True)
class OfNotification:
    """Keep the events that a notification rule told of. column: of `events_told`."""

    name: str
    column: str
    item: Any = str

    @property
    def kind(self) -> Any:
        """The type of the parameter."""
        return str

    def clauses(self, table: Table, values: Values, now: datetime) -> Iterator[ColumnElement[bool]]:
        """Compare the rule with the value."""
        for rule in By(self.name, self.column, item=self.item).clauses(told, values, now):
            yield exists().where(told.c.org_id == table.c.org_id, told.c.event_id == table.c.id, rule)


FILTERS: Final[tuple[Filter, ...]] = (
    By("ids", "id", many=True),
    By("eventName", "event_name", item=str),
    By("eventType", "event_name", item=str),
    By("resourceId", "entity_id"),
    OfAccount(),
    OfNotification("notificationId", "notification_id", Id),
    OfNotification("notificationCode", "notification_code"),
)
