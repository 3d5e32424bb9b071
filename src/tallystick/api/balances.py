"""The ledger: balance transactions, the two schedules of a balance, and the search for commitments."""

from collections.abc import Callable, Iterator
from functools import partial
from typing import Any, Literal

from tallystick.api.accounts import SEARCH_PARAMETERS
from tallystick.api.crud import IDS, paging
from tallystick.api.routes import Call, Permission, QueryParameter, Route, organization_path
from tallystick.balances.balance import Balance
from tallystick.balances.balance_transaction import BalanceTransaction, EntityType
from tallystick.balances.charge_schedule import BalanceChargeSchedule
from tallystick.balances.commitment import SEARCH_KEYS, Commitment
from tallystick.balances.ledger import summary_of
from tallystick.balances.rules import BalanceTransactionsSummary
from tallystick.balances.service import (
    BalanceChargeSchedulePreview,
    BalanceTransactionSchedulePreview,
    add_transaction,
    create_schedule,
    delete_schedule,
    get_schedule,
    page_of_schedules,
    page_of_transactions,
    preview_charges,
    preview_place,
    preview_transactions,
    update_schedule,
)
from tallystick.balances.transaction_schedule import BalanceTransactionSchedule
from tallystick.organizations.principal import PrincipalKind
from tallystick.platform.resources import By, Page, resource_of
from tallystick.platform.resources.pages import page_request
from tallystick.platform.resources.search import read_search, search

LARGEST_PAGE = 200
TRANSACTIONS = "balances/{balanceId}/transactions"
_FILTERS = (
    By("transactionTypeId", "transaction_type_id"),
    By("entityType", "entity_type", item=EntityType),
    By("entityId", "entity_id"),
)
_TRANSACTION = resource_of(BalanceTransaction)
_READ_BALANCE = Permission("config:retrieve", resource_of(Balance).permission_object, "balanceId")
_ADD = Permission("config:create", _TRANSACTION.permission_object)
_READ = Permission("config:retrieve", _TRANSACTION.permission_object)
_Schedule = type[BalanceTransactionSchedule] | type[BalanceChargeSchedule]


def balance_routes() -> Iterator[Route]:
    """Make the routes."""
    yield Route(
        "GET",
        organization_path("commitments/search"),
        Permission("config:retrieve", resource_of(Commitment).permission_object),
        search_commitments,
        "searchCommitments",
        "Commitment",
        "Search commitments",
        answer=Page[Commitment],
        query=SEARCH_PARAMETERS,
    )
    yield from _transaction_routes()
    yield from _schedule_routes(BalanceTransactionSchedule)
    yield from _schedule_routes(BalanceChargeSchedule)
    yield _preview_route(BalanceTransactionSchedule, BalanceTransactionSchedulePreview, preview_transactions)
    yield _preview_route(BalanceChargeSchedule, BalanceChargeSchedulePreview, preview_charges)


def _transaction_routes() -> Iterator[Route]:
    filters = (QueryParameter(f.name, f.kind) for f in _FILTERS)
    yield Route(
        "POST",
        organization_path(TRANSACTIONS),
        _ADD,
        add,
        "createBalanceTransaction",
        "Balance",
        "Add a transaction to a balance",
        request=_TRANSACTION.request_type,
        answer=BalanceTransaction,
    )
    yield Route(
        "GET",
        organization_path(TRANSACTIONS),
        _READ,
        list_transactions,
        "listBalanceTransactions",
        "Balance",
        "List the transactions of a balance",
        answer=Page[BalanceTransaction],
        query=(*paging(LARGEST_PAGE), *filters),
    )
    yield Route(
        "GET",
        organization_path(f"{TRANSACTIONS}/summary"),
        _READ_BALANCE,
        summary,
        "getBalanceTransactionsSummary",
        "Balance",
        "Sum up the transactions of a balance",
        answer=BalanceTransactionsSummary,
    )


def _schedule_routes(cls: _Schedule) -> Iterator[Route]:
    body = resource_of(cls).request_type
    yield _route(cls, "POST", "", "create", partial(create, cls), request=body, answer=cls)
    query = (*paging(LARGEST_PAGE), QueryParameter(IDS.name, IDS.kind))
    yield _route(cls, "GET", "", "list", partial(list_schedules, cls), answer=Page[cls], query=query)  # type: ignore[valid-type]
    yield _route(cls, "GET", "/{id}", "get", partial(get, cls), answer=cls)
    yield _route(cls, "PUT", "/{id}", "update", partial(update, cls), request=body, answer=cls)
    yield _route(cls, "DELETE", "/{id}", "delete", partial(remove, cls), answer=cls)


def _preview_route(cls: _Schedule, answer: type, preview: Callable[..., Any]) -> Route:
    return _route(
        cls,
        "POST",
        "/preview",
        "preview",
        partial(preview_schedule, preview),
        request=resource_of(cls).request_type,
        answer=answer,
        query=paging(LARGEST_PAGE),
        repeatable=True,
    )


def _route(
    cls: _Schedule,
    method: Literal["GET", "POST", "PUT", "DELETE"],
    suffix: str,
    verb: str,
    handler: Callable[[Call], Any],
    **more: Any,
) -> Route:
    declared = resource_of(cls)
    many = "s" if verb == "list" else ""
    action = "retrieve" if verb in {"get", "list", "preview"} else verb
    return Route(
        method,
        organization_path(f"{declared.path}{suffix}"),
        Permission(f"config:{action}", declared.permission_object),
        handler,
        f"{verb}{cls.__name__}{many}",
        cls.__name__,
        f"{verb.capitalize()} {'' if many else 'a '}{declared.noun}{many}",
        **more,
    )


def search_commitments(call: Call) -> Page[Commitment]:
    """Find commitments by the search grammar."""
    wanted = read_search(call.query)
    with call.reading() as tx:
        return search(tx, Commitment, SEARCH_KEYS, wanted)


# --- transactions -------------------------------------------------------------------------------


def add(call: Call) -> BalanceTransaction:
    """Put something into a balance, or take it out."""
    is_user = call.principal.kind is PrincipalKind.USER
    by = EntityType.USER if is_user else EntityType.SERVICE_USER
    with call.writing() as tx:
        return add_transaction(tx, call.path["balanceId"], call.body, by)


def list_transactions(call: Call) -> Page[BalanceTransaction]:
    """List the transactions of a balance, newest first."""
    page = page_request(call.one("pageSize"), call.one("nextToken"), LARGEST_PAGE)
    now = call.services.clock.now()
    clauses = [c for f in _FILTERS for c in f.clauses(_TRANSACTION.table, call.query, now)]
    with call.reading() as tx:
        return page_of_transactions(tx, call.path["balanceId"], page, clauses)


def summary(call: Call) -> BalanceTransactionsSummary:
    """Sum up the transactions of a balance."""
    with call.reading() as tx:
        return summary_of(tx, call.path["balanceId"])


# --- schedules ----------------------------------------------------------------------------------


def create(cls: _Schedule, call: Call) -> Any:
    """Add a schedule to a balance."""
    with call.writing() as tx:
        return create_schedule(tx, cls, call.path["balanceId"], call.body)


def list_schedules(cls: _Schedule, call: Call) -> Any:
    """List the schedules of a balance, newest first."""
    page = page_request(call.one("pageSize"), call.one("nextToken"), LARGEST_PAGE)
    clauses = [*IDS.clauses(resource_of(cls).table, call.query, call.services.clock.now())]
    with call.reading() as tx:
        return page_of_schedules(tx, cls, call.path["balanceId"], page, clauses)


def get(cls: _Schedule, call: Call) -> Any:
    """Get a schedule."""
    with call.reading() as tx:
        return get_schedule(tx, cls, call.path["balanceId"], call.path["id"])


def update(cls: _Schedule, call: Call) -> Any:
    """Replace a schedule."""
    with call.writing() as tx:
        return update_schedule(tx, cls, call.path["balanceId"], call.path["id"], call.body)


def remove(cls: _Schedule, call: Call) -> Any:
    """Delete a schedule."""
    with call.writing() as tx:
        return delete_schedule(tx, cls, call.path["balanceId"], call.path["id"])


def preview_schedule(preview: Callable[..., Any], call: Call) -> Any:
    """Give what a schedule would make."""
    size = page_request(call.one("pageSize"), None, LARGEST_PAGE).size
    first = preview_place(call.one("nextToken"))
    with call.reading() as tx:
        return preview(tx, call.path["balanceId"], call.body, first, size)
