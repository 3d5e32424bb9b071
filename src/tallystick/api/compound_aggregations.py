"""Creating and updating compound aggregations: the answer has the fields of an aggregation too."""

from collections.abc import Iterator
from dataclasses import replace
from typing import Any

from tallystick.api.crud import crud_route
from tallystick.api.routes import Call, Route
from tallystick.catalogue.compound_aggregation import (
    CompoundAggregation,
    WrittenCompoundAggregation,
    written,
)
from tallystick.platform.resources import resource_of


def compound_aggregation_routes() -> Iterator[Route]:
    """Make the two routes: clients may read their answers as an aggregation or as a compound one."""
    for verb in ("create", "update"):
        yield _route(crud_route(resource_of(CompoundAggregation), verb))


def _route(route: Route) -> Route:
    def handler(call: Call) -> Any:
        return written(route.handler(call))

    return replace(route, handler=handler, answer=WrittenCompoundAggregation)
