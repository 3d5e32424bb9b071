"""Lookup tables and their revisions."""

from collections.abc import Callable, Iterator
from dataclasses import replace
from functools import partial

from tallystick.api.crud import IDS, crud_route, list_filters, resource_route
from tallystick.api.routes import Call, QueryParameter, Route, filter_parameters, paging
from tallystick.catalogue.lookup_files import LookupFiles
from tallystick.catalogue.lookup_job import LookupTableJob
from tallystick.catalogue.lookup_service import (
    LookupTableRevisionStatusRequest,
    create_revision,
    delete_revision,
    delete_table,
    get_revision,
    job_file,
    set_status,
    update_revision,
)
from tallystick.catalogue.lookup_table import (
    LookupTable,
    LookupTableAnswer,
    LookupTableRevision,
    with_active_revision,
)
from tallystick.platform.resources import Page, resource_of
from tallystick.platform.resources.filters import split

LARGEST_PAGE = 200
ADDITIONAL = QueryParameter("additional", list[str])
_TABLE, _REVISION = resource_of(LookupTable), resource_of(LookupTableRevision)


def lookup_table_routes() -> Iterator[Route]:
    """Make the routes."""
    for verb in ("create", "update"):
        yield replace(crud_route(_TABLE, verb), answer=LookupTableAnswer)
    get, delete = crud_route(_TABLE, "get"), crud_route(_TABLE, "delete")
    yield replace(get, handler=partial(get_table, get.handler), answer=LookupTableAnswer, query=(ADDITIONAL,))
    yield replace(delete, handler=remove_table, answer=LookupTableAnswer)
    listed = crud_route(_TABLE, "list")
    parameters = filter_parameters(f for f in list_filters(_TABLE) if f is not IDS)
    yield replace(
        listed,
        handler=partial(list_tables, listed.handler),
        answer=Page[LookupTableAnswer],
        query=(*paging(LARGEST_PAGE), *parameters, ADDITIONAL),
    )
    yield from _revision_routes()


def _revision_routes() -> Iterator[Route]:
    own, body, answer = _REVISION, _REVISION.request_type, LookupTableRevision
    query = (*paging(LARGEST_PAGE), *filter_parameters((IDS,)))
    yield resource_route(own, "POST", "", "create", create, request=body, answer=answer)
    yield resource_route(own, "GET", "", "list", list_revisions, answer=Page[answer], query=query)  # type: ignore[valid-type]
    yield resource_route(own, "GET", "/{id}", "get", get, answer=answer)
    yield resource_route(own, "PUT", "/{id}", "update", update, request=body, answer=answer)
    yield resource_route(own, "DELETE", "/{id}", "delete", remove, answer=answer)
    status = resource_route(own, "PUT", "/{id}/status", "update", put_status, answer=answer)
    yield replace(
        status,
        request=LookupTableRevisionStatusRequest,
        operation_id="updateLookupTableRevisionStatus",
        summary="Publish or archive a lookup table revision",
    )


# --- tables -------------------------------------------------------------------------------------


def get_table(load: Callable[[Call], LookupTable], call: Call) -> LookupTableAnswer:
    """Get a table, with its published revision if `additional` names `activeRevision`."""
    table = load(call)
    with call.reading() as tx:
        return with_active_revision(tx, [table], wanted=_wants_revision(call))[0]


def list_tables(load: Callable[[Call], Page[LookupTable]], call: Call) -> Page[LookupTableAnswer]:
    """List tables, with their published revisions if `additional` names `activeRevision`."""
    page = load(call)
    with call.reading() as tx:
        tables = with_active_revision(tx, page.data, wanted=_wants_revision(call))
    return Page(tables, page.next_token)


def remove_table(call: Call) -> LookupTable:
    """Delete a table with everything in it."""
    with call.writing() as tx:
        table, jobs = delete_table(tx, call.path["id"])
    forget_files(call.services.lookup_files, call.org_id, jobs)
    return table


def _wants_revision(call: Call) -> bool:
    return "activeRevision" in split(call.query.get("additional", []))


# --- revisions ----------------------------------------------------------------------------------


def create(call: Call) -> LookupTableRevision:
    """Add a draft to a table."""
    with call.writing() as tx:
        return create_revision(tx, call.path["lookupTableId"], call.body)


def list_revisions(call: Call) -> Page[LookupTableRevision]:
    """List the revisions of a table, newest first."""
    page = call.page(LARGEST_PAGE)
    clauses = call.clauses((IDS,), _REVISION.table)
    with call.reading() as tx:
        table = tx.get(LookupTable, call.path["lookupTableId"])
        own = _REVISION.table.c.lookup_table_id == table.id
        return tx.page(LookupTableRevision, page, [own, *clauses])


def get(call: Call) -> LookupTableRevision:
    """Get a revision."""
    with call.reading() as tx:
        return get_revision(tx, call.path["lookupTableId"], call.path["id"])


def update(call: Call) -> LookupTableRevision:
    """Replace a revision; its status and rows stay."""
    with call.writing() as tx:
        return update_revision(tx, call.path["lookupTableId"], call.path["id"], call.body)


def put_status(call: Call) -> LookupTableRevision:
    """Publish or archive a revision."""
    with call.writing() as tx:
        return set_status(tx, call.path["lookupTableId"], call.path["id"], call.body)


def remove(call: Call) -> LookupTableRevision:
    """Delete a revision with its rows and jobs."""
    with call.writing() as tx:
        revision, jobs = delete_revision(tx, call.path["lookupTableId"], call.path["id"])
    forget_files(call.services.lookup_files, call.org_id, jobs)
    return revision


def forget_files(files: LookupFiles, org_id: str, jobs: list[LookupTableJob]) -> None:
    """Delete the files of jobs that are gone."""
    for job in jobs:
        name = job_file(job)
        if name is not None:
            files.delete(org_id, name)
