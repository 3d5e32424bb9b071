"""Listing counter adjustments, which has rules of its own."""

from collections.abc import Iterator
from typing import Any

from tallystick.api.routes import Call, Permission, QueryParameter, Route, paging, verb_route
from tallystick.kernel.problems import Problem
from tallystick.platform.resources import Page, resource_of
from tallystick.platform.resources.wire import InvalidBody
from tallystick.usage.counter_adjustment import (
    DATE_FILTERS,
    CounterAdjustment,
    SortOrder,
    adjustment_clauses,
    list_adjustments,
)

LARGEST_PAGE = 100


def counter_routes() -> Iterator[Route]:
    """Make the route."""
    names = ("counterId", "accountId", *DATE_FILTERS, "sortOrder")
    read = Permission("config:retrieve", resource_of(CounterAdjustment).permission_object)
    query = (*paging(LARGEST_PAGE), *(QueryParameter(name) for name in names))
    listed: dict[str, Any] = {"answer": Page[CounterAdjustment], "query": query}
    path, name, tag = "counteradjustments", "listCounterAdjustments", "CounterAdjustments"
    yield verb_route("GET", path, read, list_page, name, tag, **listed)


def list_page(call: Call) -> Any:
    """List the adjustments of a counter, newest first, or by date when asked to sort. Raises InvalidBody."""
    page = call.page(LARGEST_PAGE)
    clauses = adjustment_clauses(call.query, call.now())
    order = _order(call.one("sortOrder"))
    with call.reading() as tx:
        return list_adjustments(tx, page, order, clauses)


def _order(given: str | None) -> SortOrder | None:
    if given is None:
        return None
    try:
        return SortOrder(given.upper())
    except ValueError as error:
        raise InvalidBody([Problem("sortOrder", "unknown_value", "must be ASC or DESC")]) from error
