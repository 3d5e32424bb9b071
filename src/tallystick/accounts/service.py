"""Verbs of accounts: replacing a plan, and ending what hangs on an account."""

from datetime import datetime
from enum import StrEnum
from typing import Annotated

import msgspec
from msgspec import Meta

from tallystick.accounts.account import Account
from tallystick.accounts.account_plan import AccountPlan
from tallystick.kernel.problems import Problem
from tallystick.platform.resources import Page, PageRequest, Transaction, resource_of
from tallystick.platform.resources.declaration import VersionedRequest
from tallystick.platform.resources.transaction import from_request
from tallystick.platform.resources.wire import InvalidBody
from tallystick.pricing.plan import Plan
from tallystick.pricing.pricing import Pricing


class BillingEntity(StrEnum):
    """What can be ended together (semantics §13)."""

    CONTRACT = "CONTRACT"
    ACCOUNTPLAN = "ACCOUNTPLAN"
    PREPAYMENT = "PREPAYMENT"
    PRICINGS = "PRICINGS"
    COUNTER_PRICINGS = "COUNTER_PRICINGS"


class EndDateRequest(msgspec.Struct, kw_only=True, rename="camel"):
    """End these at a date; it is exclusive: they are active to the midnight before."""

    end_date: datetime
    apply_to_children: bool = False
    billing_entities: Annotated[list[BillingEntity], Meta(min_length=1)]


class EntityIds(msgspec.Struct, kw_only=True):
    """Ids by what they are of."""

    contract: list[str] | None = msgspec.field(name="CONTRACT", default=None)
    accountplan: list[str] | None = msgspec.field(name="ACCOUNTPLAN", default=None)
    prepayment: list[str] | None = msgspec.field(name="PREPAYMENT", default=None)
    pricings: list[str] | None = msgspec.field(name="PRICINGS", default=None)
    counter_pricings: list[str] | None = msgspec.field(name="COUNTER_PRICINGS", default=None)


class EndDated(msgspec.Struct, kw_only=True, rename="camel"):
    """What was ended and what could not be."""

    status_message: str
    updated_entities: EntityIds
    failed_entities: EntityIds


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


def end_date_entities(tx: Transaction, account_id: str, request: EndDateRequest) -> EndDated:
    """End an account's plans, and its bespoke plans' pricings, at a date (semantics §13).

    What is not active at that date is left as it is and named as failed. Contracts, commitments and
    counters that an account does not have end nothing. Raises ResourceNotFound.
    """
    account = tx.get(Account, account_id)
    accounts = [account.id]
    if request.apply_to_children:
        accounts += [child.id for child in tx.find(Account, parent_account_id=account.id)]
    updated, failed = EntityIds(), EntityIds()
    if BillingEntity.ACCOUNTPLAN in request.billing_entities:
        plans = tx.find(AccountPlan, lock=True, account_id=accounts)
        updated.accountplan, failed.accountplan = _end(tx, plans, request.end_date)
    if BillingEntity.PRICINGS in request.billing_entities:
        bespoke = [p.id for p in tx.find(Plan, account_id=accounts)]
        pricings = tx.find(Pricing, lock=True, plan_id=bespoke) if bespoke else []
        updated.pricings, failed.pricings = _end(tx, pricings, request.end_date)
    message = (
        "All were ended."
        if not any(msgspec.structs.astuple(failed))
        else "Some were not active at the end date."
    )
    return EndDated(status_message=message, updated_entities=updated, failed_entities=failed)


def _end(
    tx: Transaction, entities: list[AccountPlan] | list[Pricing], at: datetime
) -> tuple[list[str], list[str]]:
    """End those that are active at the date. Gives the ids that were ended and those that were not."""
    ended: list[str] = []
    left: list[str] = []
    for entity in entities:
        active = entity.start_date < at and (entity.end_date is None or entity.end_date > at)
        (ended if active else left).append(entity.id)
        if active:
            tx.update(entity, msgspec.structs.replace(entity, end_date=at))
    return ended, left


def children(tx: Transaction, account_id: str, page: PageRequest) -> Page[Account]:
    """List the children of an account. Raises ResourceNotFound."""
    tx.get(Account, account_id)
    return tx.page(Account, page, [resource_of(Account).table.c.parent_account_id == account_id])
