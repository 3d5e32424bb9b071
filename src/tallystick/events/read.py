"""Read the event record."""

import re
from collections.abc import Iterable
from datetime import datetime
from typing import Any

import msgspec
from sqlalchemy import ColumnElement, Row, Select, func, select, update

from tallystick.events.record import events
from tallystick.kernel.errors import NotFound
from tallystick.platform.resources import Page, PageRequest, Transaction
from tallystick.platform.resources.fields import UUID_PATTERN
from tallystick.platform.resources.pages import to_token


class EventNotFound(NotFound):
    """No event of this id in this organization."""

    code = "event_not_found"


class EventBody(msgspec.Struct, rename="camel"):
    """What happened, with the new and the old state as far as there are both."""

    event_data: Any


class Event(msgspec.Struct, rename="camel"):
    """Something that happened; `dtActioned` is when somebody dealt with it (semantics §28)."""

    id: str
    event_name: str
    event_time: datetime
    m3ter_event: EventBody = msgspec.field(name="m3terEvent")
    dt_actioned: datetime | None = None


def get_event(tx: Transaction, event_id: str) -> Event:
    """Load one event. Raises EventNotFound."""
    statement = _select(tx).where(events.c.id == event_id)
    row = tx.execute(statement).one_or_none() if re.fullmatch(UUID_PATTERN, event_id) else None
    if row is None:
        raise EventNotFound(f"There is no event with id {event_id[:60]!r}.")
    return _event(row)


def mark_actioned(tx: Transaction, event_id: str) -> Event:
    """Note that somebody dealt with an event; the first time counts (semantics §6). Raises EventNotFound."""
    get_event(tx, event_id)
    own = (events.c.org_id == tx.org_id, events.c.id == event_id)
    first = func.coalesce(events.c.dt_actioned, tx.clock.now())
    tx.execute(update(events).where(*own).values(dt_actioned=first))
    return get_event(tx, event_id)


def page_of_events(tx: Transaction, page: PageRequest, clauses: Iterable[ColumnElement[bool]]) -> Page[Event]:
    """Load one page of the events that match, newest first."""
    statement = _select(tx).where(*clauses).order_by(events.c.id.desc()).limit(page.size + 1)
    if page.after is not None:
        statement = statement.where(events.c.id < page.after)
    found = [_event(row) for row in tx.execute(statement)]
    more = len(found) > page.size
    return Page(found[: page.size], to_token(found[page.size - 1].id) if more else None)


def _select(tx: Transaction) -> Select[Any]:
    columns = (
        events.c.id,
        events.c.event_name,
        events.c.event_time,
        events.c.event_data,
        events.c.dt_actioned,
    )
    return select(*columns).where(events.c.org_id == tx.org_id)


def _event(row: Row[Any]) -> Event:
    return Event(row.id, row.event_name, row.event_time, EventBody(row.event_data), row.dt_actioned)
