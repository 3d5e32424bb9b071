"""Reading what happened."""

from collections.abc import Iterator
from typing import Any

import msgspec

from tallystick.api.routes import (
    Call,
    Permission,
    QueryParameter,
    Route,
    filter_parameters,
    paging,
    verb_route,
)
from tallystick.events.declared import event_fields, event_names
from tallystick.events.filters import FILTERS
from tallystick.events.known import scheduled_fields
from tallystick.events.read import Event, get_event, mark_actioned, page_of_events
from tallystick.events.record import events
from tallystick.kernel.problems import Problem
from tallystick.platform.resources import Page
from tallystick.platform.resources.wire import InvalidBody

LARGEST_PAGE = 100
TAG = "Events"
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
        *filter_parameters(FILTERS),
        QueryParameter("includeActioned", bool),
    )
    listed: dict[str, Any] = {"answer": Page[Event], "query": query}
    yield verb_route("GET", "events", READ, list_events, "listEvents", TAG, **listed)
    yield verb_route("GET", "events/types", READ, list_types, "listEventTypes", TAG, answer=EventTypes)
    fields: dict[str, Any] = {"answer": EventFields, "query": (QueryParameter("eventName"),)}
    yield verb_route("GET", "events/fields", READ, list_fields, "listEventFields", TAG, **fields)
    yield verb_route("GET", "events/{id}", READ, get, "getEvent", TAG, answer=Event)
    path = "events/{id}/actioned"
    yield verb_route("PUT", path, UPDATE, set_actioned, "setEventActioned", TAG, answer=Event)


def list_events(call: Call) -> Any:
    """List events, newest first. Those that were dealt with only when asked for (semantics §6)."""
    page = call.page(LARGEST_PAGE)
    clauses = call.clauses(FILTERS, events)
    if call.one("ids") and len(clauses) > 1:
        raise InvalidBody([Problem("ids", "not_applicable", "cannot be combined with other filters")])
    if not call.flag("includeActioned") and not call.one("ids"):
        clauses.append(events.c.dt_actioned.is_(None))
    with call.reading() as tx:
        return page_of_events(tx, page, clauses)


def list_types(call: Call) -> EventTypes:
    """List the names of all events that can happen. Rule: semantics §28."""
    with call.reading() as tx:
        return EventTypes(sorted({*event_names(), *scheduled_fields(tx)}))


def list_fields(call: Call) -> EventFields:
    """List the fields of all events, or of the one that is named. Rule: semantics §28."""
    wanted = call.one("eventName")
    with call.reading() as tx:
        scheduled = {name: each for name, each in scheduled_fields(tx).items() if wanted in {None, name}}
    return EventFields({**event_fields(wanted), **scheduled})


def get(call: Call) -> Any:
    """Get an event. Raises EventNotFound."""
    with call.reading() as tx:
        return get_event(tx, call.path["id"])


def set_actioned(call: Call) -> Any:
    """Note that an event was dealt with: lists hide it unless asked. Raises EventNotFound."""
    with call.writing() as tx:
        return mark_actioned(tx, call.path["id"])
