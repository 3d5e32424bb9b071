"""Verbs of accounts, account plans and contracts: search, children, replacing a plan, end-dating."""

from collections.abc import Iterator
from typing import Any, Literal

from tallystick.accounts.account import Account
from tallystick.accounts.account_plan import AccountPlan
from tallystick.accounts.contract import Contract
from tallystick.accounts.service import ReplacedAccountPlan, children, replace_plan
from tallystick.api.routes import Call, Permission, QueryParameter, Route, paging, verb_route
from tallystick.balances.end_dating import (
    ENDED,
    BillingEntity,
    EndDated,
    EndDateRequest,
    end_date_account,
    end_date_contract,
)
from tallystick.organizations.principal import require, require_all
from tallystick.platform.resources import Page, resource_of
from tallystick.platform.resources.search import LARGEST_SIZE, read_search, search

MOST_CHILDREN_A_PAGE = 200
SEARCH_PARAMETERS = (
    QueryParameter("searchQuery"),
    QueryParameter("fromDocument", int, {"minimum": 0}),
    QueryParameter("pageSize", int, {"minimum": 1, "maximum": LARGEST_SIZE}),
    QueryParameter("operator", Literal["AND", "OR"]),
    QueryParameter("sortBy"),
    QueryParameter("sortOrder", Literal["ASC", "DESC"]),
)
SEARCH_KEYS = {
    "name": "name",
    "code": "code",
    "currency": "currency",
    "purchaseOrderNumber": "purchase_order_number",
    "parentAccountId": "parent_account_id",
    "codes": "code",
    "id": "id",
    "createdBy": "created_by",
    "dtCreated": "dt_created",
    "lastModifiedBy": "last_modified_by",
    "ids": "id",
}
READ = Permission("config:retrieve", resource_of(Account).permission_object)
UPDATE = Permission("config:update", resource_of(Account).permission_object)
END_CONTRACT = Permission("config:update", resource_of(Contract).permission_object)
REPLACE = Permission("config:update", resource_of(AccountPlan).permission_object)


def account_routes() -> Iterator[Route]:
    """Make the routes of the verbs."""
    tag, plans = "Account", resource_of(AccountPlan)
    found: dict[str, Any] = {"answer": Page[Account], "query": SEARCH_PARAMETERS}
    yield verb_route("GET", "accounts/search", READ, search_accounts, "searchAccounts", tag, **found)
    listed: dict[str, Any] = {"answer": Page[Account], "query": paging(MOST_CHILDREN_A_PAGE)}
    yield verb_route("GET", "accounts/{id}/children", READ, list_children, "listChildAccounts", tag, **listed)
    ended: dict[str, Any] = {"request": EndDateRequest, "answer": EndDated}
    path, name = "accounts/{id}/enddatebillingentities", "endDateAccountBillingEntities"
    yield verb_route("PUT", path, UPDATE, end_date, name, tag, **ended)
    path, name = "contracts/{id}/enddatebillingentities", "endDateContractBillingEntities"
    yield verb_route("PUT", path, END_CONTRACT, end_contract, name, "Contract", **ended)
    path, tag = "accountplans/{id}/replace", "AccountPlan"
    both: dict[str, Any] = {"request": plans.request_type, "answer": ReplacedAccountPlan}
    yield verb_route("POST", path, REPLACE, replace, "replaceAccountPlan", tag, **both)


def search_accounts(call: Call) -> Any:
    """Search accounts. Rule: semantics §1."""
    wanted = read_search(call.query)
    with call.reading() as tx:
        return search(tx, Account, SEARCH_KEYS, wanted)


def list_children(call: Call) -> Any:
    """List an account's children, newest first."""
    page = call.page(MOST_CHILDREN_A_PAGE)
    with call.reading() as tx:
        return children(tx, call.path["id"], page)


def end_date(call: Call) -> Any:
    """End what an account is billed for at a date."""
    _require_to_end(call, set(call.body.billing_entities))
    with call.writing() as tx:
        return end_date_account(tx, call.path["id"], call.body)


def end_contract(call: Call) -> Any:
    """End what hangs on a contract at a date."""
    _require_to_end(call, set(call.body.billing_entities) - {BillingEntity.CONTRACT})  # only its own
    with call.writing() as tx:
        return end_date_contract(tx, call.path["id"], call.body)


def _require_to_end(call: Call, entities: set[BillingEntity]) -> None:
    """Let somebody end many things who may change things of their types, all of them.

    Raises PermissionDenied.
    """
    for each in sorted(entities):
        require_all(call.principal, "config:update", f"{resource_of(ENDED[each]).permission_object}/*")


def replace(call: Call) -> Any:
    """Replace an account plan by another: one ends where the next one starts."""
    require(call.principal, "config:create", REPLACE.resource(None))
    with call.writing() as tx:
        return replace_plan(tx, call.path["id"], call.body)
