"""Reading what happened."""

from collections.abc import Iterator
from typing import Any

import msgspec
from sqlalchemy import ColumnElement

from tallystick.api.crud import paging
from tallystick.api.routes import Call, Permission, QueryParameter, Route, organization_path
from tallystick.events.declared import event_fields, event_names
from tallystick.events.filters import FILTERS
from tallystick.events.known import scheduled_fields
from tallystick.events.read import Event, get_event, mark_actioned, page_of_events
from tallystick.events.record import events
from tallystick.kernel.problems import Problem
from tallystick.platform.resources import Page
from tallystick.platform.resources.pages import page_request
from tallystick.platform.resources.wire import InvalidBody

LARGEST_PAGE = 100
READ = Permission("config:retrieve", "config:event")
UPDATE = Permission("config:update", "config:event")


class EventTypes(msgspec.Struct):
    """The names of all events that can happen."""

    events: list[str]


class EventFields(msgspec.Struct):
    """By event, the type of each field that rules about it can name."""

    events: dict[str, dict[str, str]]


def event_routes() -> Iterator[Route]:
    """Make the routes of the event record."""
    query = (
        *paging(LARGEST_PAGE),
        *(QueryParameter(f.name, f.kind) for f in FILTERS),
        QueryParameter("includeActioned", bool),
    )
    path = organization_path("events")
    yield Route(
        "GET", path, READ, list_events, "listEvents", "Events", "List events", answer=Page[Event], query=query
    )
    types, summary = f"{path}/types", "List the names of events"
    yield Route("GET", types, READ, list_types, "listEventTypes", "Events", summary, answer=EventTypes)
    fields, summary = f"{path}/fields", "List the fields of events"
    name = (QueryParameter("eventName"),)
    yield Route(
        "GET", fields, READ, list_fields, "listEventFields", "Events", summary, answer=EventFields, query=name
    )
    yield Route("GET", f"{path}/{{id}}", READ, get, "getEvent", "Events", "Get an event", answer=Event)
    actioned, summary = f"{path}/{{id}}/actioned", "Note that an event was dealt with"
    yield Route("PUT", actioned, UPDATE, set_actioned, "setEventActioned", "Events", summary, answer=Event)


def list_events(call: Call) -> Any:
    """List events, newest first; those that were dealt with only when asked for (semantics §6)."""
    page = page_request(call.one("pageSize"), call.one("nextToken"), LARGEST_PAGE)
    now = call.now()
    clauses: list[ColumnElement[bool]] = [c for f in FILTERS for c in f.clauses(events, call.query, now)]
    if call.one("ids") and len(clauses) > 1:
        raise InvalidBody([Problem("ids", "not_applicable", "cannot be combined with other filters")])
    if not call.flag("includeActioned") and not call.one("ids"):
        clauses.append(events.c.dt_actioned.is_(None))
    with call.reading() as tx:
        return page_of_events(tx, page, clauses)


def list_types(call: Call) -> EventTypes:
    """List the names of all events that can happen (semantics §28)."""
    with call.reading() as tx:
        return EventTypes(sorted({*event_names(), *scheduled_fields(tx)}))


def list_fields(call: Call) -> EventFields:
    """List the fields of all events, or of the one that is named (semantics §28)."""
    wanted = call.one("eventName")
    with call.reading() as tx:
        scheduled = {name: each for name, each in scheduled_fields(tx).items() if wanted in {None, name}}
    return EventFields({**event_fields(wanted), **scheduled})


def get(call: Call) -> Any:
    """Get one event. Raises EventNotFound."""
    with call.reading() as tx:
        return get_event(tx, call.path["id"])


def set_actioned(call: Call) -> Any:
    """Note that an event was dealt with: lists hide it unless asked. Raises EventNotFound."""
    with call.writing() as tx:
        return mark_actioned(tx, call.path["id"])
