"""The ledger: balance transactions, the two schedules of a balance, and the search for commitments."""

from collections.abc import Callable, Iterator
from functools import partial
from typing import Any

from tallystick.api.accounts import SEARCH_PARAMETERS
from tallystick.api.crud import IDS, resource_route
from tallystick.api.routes import (
    Call,
    Permission,
    Route,
    filter_parameters,
    paging,
    verb_route,
)
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
TAG = "Balance"
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
    read = Permission("config:retrieve", resource_of(Commitment).permission_object)
    found: dict[str, Any] = {"answer": Page[Commitment], "query": SEARCH_PARAMETERS}
    path, name = "commitments/search", "searchCommitments"
    yield verb_route("GET", path, read, search_commitments, name, "Commitment", **found)
    yield from _transaction_routes()
    yield from _schedule_routes(BalanceTransactionSchedule)
    yield from _schedule_routes(BalanceChargeSchedule)
    yield _preview_route(BalanceTransactionSchedule, BalanceTransactionSchedulePreview, preview_transactions)
    yield _preview_route(BalanceChargeSchedule, BalanceChargeSchedulePreview, preview_charges)


def _transaction_routes() -> Iterator[Route]:
    added: dict[str, Any] = {"request": _TRANSACTION.request_type, "answer": BalanceTransaction}
    yield verb_route("POST", TRANSACTIONS, _ADD, add, "createBalanceTransaction", TAG, **added)
    query = (*paging(LARGEST_PAGE), *filter_parameters(_FILTERS))
    listed: dict[str, Any] = {"answer": Page[BalanceTransaction], "query": query}
    yield verb_route("GET", TRANSACTIONS, _READ, list_transactions, "listBalanceTransactions", TAG, **listed)
    path, name = f"{TRANSACTIONS}/summary", "getBalanceTransactionsSummary"
    yield verb_route("GET", path, _READ_BALANCE, summary, name, TAG, answer=BalanceTransactionsSummary)


def _schedule_routes(cls: _Schedule) -> Iterator[Route]:
    own, body = resource_of(cls), resource_of(cls).request_type
    yield resource_route(own, "POST", "", "create", partial(create, cls), request=body, answer=cls)
    query = (*paging(LARGEST_PAGE), *filter_parameters((IDS,)))
    yield resource_route(own, "GET", "", "list", partial(list_schedules, cls), answer=Page[cls], query=query)  # type: ignore[valid-type]
    yield resource_route(own, "GET", "/{id}", "get", partial(get, cls), answer=cls)
    yield resource_route(own, "PUT", "/{id}", "update", partial(update, cls), request=body, answer=cls)
    yield resource_route(own, "DELETE", "/{id}", "delete", partial(remove, cls), answer=cls)


def _preview_route(cls: _Schedule, answer: type, preview: Callable[..., Any]) -> Route:
    return resource_route(
        resource_of(cls),
        "POST",
        "/preview",
        "preview",
        partial(preview_schedule, preview),
        request=resource_of(cls).request_type,
        answer=answer,
        query=paging(LARGEST_PAGE),
        repeatable=True,
    )


def search_commitments(call: Call) -> Page[Commitment]:
    """Search commitments. Rule: semantics §1."""
    wanted = read_search(call.query)
    with call.reading() as tx:
        return search(tx, Commitment, SEARCH_KEYS, wanted)


# --- transactions -------------------------------------------------------------------------------


def add(call: Call) -> BalanceTransaction:
    """Add a transaction to a balance, which puts something in or takes it out."""
    is_user = call.principal.kind is PrincipalKind.USER
    by = EntityType.USER if is_user else EntityType.SERVICE_USER
    with call.writing() as tx:
        return add_transaction(tx, call.path["balanceId"], call.body, by)


def list_transactions(call: Call) -> Page[BalanceTransaction]:
    """List the transactions of a balance, newest first."""
    page = call.page(LARGEST_PAGE)
    clauses = call.clauses(_FILTERS, _TRANSACTION.table)
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
    page = call.page(LARGEST_PAGE)
    clauses = call.clauses((IDS,), resource_of(cls).table)
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
