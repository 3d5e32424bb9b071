"""Verbs of accounts: replacing a plan, and listing children."""

import msgspec

from tallystick.accounts.account import Account
from tallystick.accounts.account_plan import AccountPlan
from tallystick.kernel.problems import Problem
from tallystick.platform.resources import Page, PageRequest, Transaction, resource_of
from tallystick.platform.resources.declaration import VersionedRequest
from tallystick.platform.resources.transaction import from_request
from tallystick.platform.resources.wire import InvalidBody


class ReplacedAccountPlan(msgspec.Struct, kw_only=True, rename="camel"):
    """The account plan that was ended, and the one that follows it."""

    original_account_plan: AccountPlan
    new_account_plan: AccountPlan


def replace_plan(tx: Transaction, account_plan_id: str, request: VersionedRequest) -> ReplacedAccountPlan:
    """End an account plan where its successor starts, and create that (semantics §13).

    Raises ResourceNotFound, InvalidBody.
    """
    old = tx.get(AccountPlan, account_plan_id, lock=True)
    new = from_request(AccountPlan, request)
    problems: list[Problem] = []
    if new.account_id != old.account_id:
        problems.append(Problem("accountId", "immutable", "must be the account of the plan that is replaced"))
    if new.start_date <= old.start_date or (old.end_date is not None and new.start_date > old.end_date):
        message = "must lie inside the time of the plan that is replaced, after its start"
        problems.append(Problem("startDate", "out_of_range", message))
    if problems:
        raise InvalidBody(problems)
    ended = tx.update(old, msgspec.structs.replace(old, end_date=new.start_date))
    return ReplacedAccountPlan(original_account_plan=ended, new_account_plan=tx.create(new))


def children(tx: Transaction, account_id: str, page: PageRequest) -> Page[Account]:
    """List the children of an account. Raises ResourceNotFound."""
    tx.get(Account, account_id)
    return tx.page(Account, page, [resource_of(Account).table.c.parent_account_id == account_id])
