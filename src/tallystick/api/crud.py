"""The five operations that every declared resource has, and the two of a singleton."""

from collections.abc import Iterator
from typing import Any

from tallystick.api.routes import (
    Call,
    Handler,
    Method,
    Permission,
    Route,
    filter_parameters,
    organization_path,
    paging,
)
from tallystick.platform.resources import By, Page, Resource, resources
from tallystick.platform.resources.filters import Filter
from tallystick.platform.resources.transaction import ResourceNotFound, from_request, replace_versioned

IDS = By("ids", "id", many=True)


def crud_routes() -> Iterator[Route]:
    """Make the routes of all declared resources."""
    for declared in resources():
        for verb, make in (_SINGLETON if declared.singleton else _COLLECTION).items():
            if verb in declared.verbs:
                yield make(declared)


def crud_route(declared: Resource, verb: str) -> Route:
    """Make one route of a collection, for a domain whose answer goes beyond what is declared."""
    return _COLLECTION[verb](declared)


def list_filters(declared: Resource) -> tuple[Filter, ...]:
    """Give all filters of a resource's list."""
    return (IDS, *declared.filters)


def resource_route(
    declared: Resource, method: Method, suffix: str, verb: str, handler: Handler, **more: Any
) -> Route:
    """Make the route of one verb of a resource; reading needs `config:retrieve`, the rest its own action."""
    name = declared.cls.__name__
    action = "retrieve" if verb in _READS else verb
    return Route(
        method=method,
        path=organization_path(f"{declared.path}{suffix}"),
        permission=Permission(f"config:{action}", declared.permission_object),
        handler=handler,
        operation_id=f"{verb}{name}{'s' if verb == 'list' else ''}",
        tag=name,
        summary=_summary(declared, verb),
        **more,
    )


_READS = frozenset({"get", "list", "preview"})


def _summary(declared: Resource, verb: str) -> str:
    """Say what an operation does: `Create an account`, `List accounts`."""
    noun = declared.noun
    if verb == "list":
        return f"List {noun[:-1]}ies" if noun.endswith("y") else f"List {noun}s"
    article = "the" if declared.singleton else "an" if noun[0] in "aeio" else "a"
    return f"{verb.capitalize()} {article} {noun}"


def _create(declared: Resource) -> Route:
    def create(call: Call) -> Any:
        with call.writing() as tx:
            return tx.create(from_request(declared.cls, call.body))

    return resource_route(
        declared, "POST", "", "create", create, request=declared.request_type, answer=declared.cls
    )


def _get(declared: Resource) -> Route:
    def get(call: Call) -> Any:
        with call.reading() as tx:
            return tx.get(declared.cls, call.path["id"])

    return resource_route(declared, "GET", "/{id}", "get", get, answer=declared.cls)


def _update(declared: Resource) -> Route:
    def update(call: Call) -> Any:
        with call.writing() as tx:
            return replace_versioned(tx, tx.get(declared.cls, call.path["id"], lock=True), call.body)

    return resource_route(
        declared, "PUT", "/{id}", "update", update, request=declared.request_type, answer=declared.cls
    )


def _delete(declared: Resource) -> Route:
    def delete(call: Call) -> Any:
        with call.writing() as tx:
            return tx.delete(declared.cls, call.path["id"])

    return resource_route(declared, "DELETE", "/{id}", "delete", delete, answer=declared.cls)


def _list(declared: Resource) -> Route:
    filters = list_filters(declared)

    def list_page(call: Call) -> Any:
        page = call.page(declared.max_page_size)
        clauses = call.clauses(filters, declared.table)
        with call.reading() as tx:
            return tx.page(declared.cls, page, clauses)

    query = (*paging(declared.max_page_size), *filter_parameters(filters))
    return resource_route(declared, "GET", "", "list", list_page, query=query, answer=Page[declared.cls])  # type: ignore[name-defined]


def _get_single(declared: Resource) -> Route:
    def get(call: Call) -> Any:
        with call.reading() as tx:
            found = tx.find_one(declared.cls)
        if found is None:
            raise ResourceNotFound(f"This organization has no {declared.noun}.")
        return found

    return resource_route(declared, "GET", "", "get", get, answer=declared.cls)


def _update_single(declared: Resource) -> Route:
    def update(call: Call) -> Any:
        with call.writing() as tx:
            found = tx.find_one(declared.cls, lock=True)
            if found is None:
                raise ResourceNotFound(f"This organization has no {declared.noun}.")
            return replace_versioned(tx, found, call.body)

    return resource_route(
        declared, "PUT", "", "update", update, request=declared.request_type, answer=declared.cls
    )


_COLLECTION = {"create": _create, "list": _list, "get": _get, "update": _update, "delete": _delete}
_SINGLETON = {"get": _get_single, "update": _update_single}
