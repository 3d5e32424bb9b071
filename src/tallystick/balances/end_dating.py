"""Ending together what an account, or a contract, is billed for (semantics §13)."""

from collections.abc import Iterable, Mapping
from datetime import date, datetime
from enum import StrEnum
from typing import Annotated, Any, Final

import msgspec
from msgspec import Meta

from tallystick.accounts.account import Account
from tallystick.accounts.account_plan import AccountPlan, members
from tallystick.accounts.contract import Contract
from tallystick.balances.commitment import Commitment
from tallystick.kernel.periods import local_date
from tallystick.organizations.organization_config import organization_zone
from tallystick.platform.resources import Entity, Transaction
from tallystick.pricing.counter_pricing import CounterPricing
from tallystick.pricing.plan import Plan
from tallystick.pricing.pricing import Pricing

ByInstant = AccountPlan | Pricing | CounterPricing
ByDate = Contract | Commitment


class BillingEntity(StrEnum):
    """What can be ended together (semantics §13)."""

    CONTRACT = "CONTRACT"
    ACCOUNTPLAN = "ACCOUNTPLAN"
    PREPAYMENT = "PREPAYMENT"
    PRICINGS = "PRICINGS"
    COUNTER_PRICINGS = "COUNTER_PRICINGS"


ENDED: Final[Mapping[BillingEntity, type[Entity]]] = {
    BillingEntity.CONTRACT: Contract,
    BillingEntity.ACCOUNTPLAN: AccountPlan,
    BillingEntity.PREPAYMENT: Commitment,
    BillingEntity.PRICINGS: Pricing,
    BillingEntity.COUNTER_PRICINGS: CounterPricing,
}
"What each word ends."


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


def end_date_account(tx: Transaction, account_id: str, request: EndDateRequest) -> EndDated:
    """End what an account is billed for, and its children if asked, at a date.

    What is not active at that date is left as it is and named as failed. Pricings end on plans made for
    these accounts only: others' customers are on the rest. Raises ResourceNotFound.
    """
    account = tx.get(Account, account_id)
    accounts = [account.id, *_children(tx, account.id, request)]
    found: dict[BillingEntity, list[ByInstant | ByDate]] = {
        BillingEntity.CONTRACT: [*tx.find(Contract, lock=True, account_id=accounts)],
        BillingEntity.ACCOUNTPLAN: [*tx.find(AccountPlan, lock=True, account_id=accounts)],
        BillingEntity.PREPAYMENT: [*tx.find(Commitment, lock=True, account_id=accounts)],
        **_prices(tx, [plan.id for plan in tx.find(Plan, account_id=accounts)]),
    }
    return _end(tx, request, found)


def end_date_contract(tx: Transaction, contract_id: str, request: EndDateRequest) -> EndDated:
    """End what hangs on a contract, also of the account's children if asked, at a date.

    As `end_date_account`; of contracts, this one only. Pricings end on plans made for these accounts that
    are attached under it. Raises ResourceNotFound.
    """
    contract = tx.get(Contract, contract_id, lock=True)
    on: dict[str, Any] = {
        "contract_id": contract.id,
        "account_id": [contract.account_id, *_children(tx, contract.account_id, request)],
    }
    attached = tx.find(AccountPlan, lock=True, **on)
    plan_ids = {plan.plan_id for plan in members(tx, attached) if plan.plan_id}
    plans = tx.find(Plan, id=plan_ids, account_id=on["account_id"])
    found: dict[BillingEntity, list[ByInstant | ByDate]] = {
        BillingEntity.CONTRACT: [contract],
        BillingEntity.ACCOUNTPLAN: [*attached],
        BillingEntity.PREPAYMENT: [*tx.find(Commitment, lock=True, **on)],
        **_prices(tx, [plan.id for plan in plans]),
    }
    return _end(tx, request, found)


def _children(tx: Transaction, account_id: str, request: EndDateRequest) -> list[str]:
    if not request.apply_to_children:
        return []
    return [child.id for child in tx.find(Account, parent_account_id=account_id)]


def _prices(tx: Transaction, plan_ids: list[str]) -> dict[BillingEntity, list[ByInstant | ByDate]]:
    on: dict[str, Any] = {"lock": True, "plan_id": plan_ids}
    return {
        BillingEntity.PRICINGS: [*tx.find(Pricing, **on)],
        BillingEntity.COUNTER_PRICINGS: [*tx.find(CounterPricing, **on)],
    }


def _end(
    tx: Transaction, request: EndDateRequest, found: dict[BillingEntity, list[ByInstant | ByDate]]
) -> EndDated:
    """End, of what was found, the kinds that were asked for."""
    zone = organization_zone(tx)
    day = local_date(request.end_date, zone)
    updated, failed = EntityIds(), EntityIds()
    for kind in BillingEntity:
        if kind in request.billing_entities:
            ended, left = _end_active(tx, found[kind], request.end_date, day)
            setattr(updated, kind.value.lower(), ended)
            setattr(failed, kind.value.lower(), left)
    some_failed = any(msgspec.structs.astuple(failed))
    message = "Some were not active at the end date." if some_failed else "All were ended."
    return EndDated(status_message=message, updated_entities=updated, failed_entities=failed)


def _end_active(
    tx: Transaction, entities: Iterable[ByInstant | ByDate], at: datetime, day: date
) -> tuple[list[str], list[str]]:
    """End those that are active then. at: the instant; day: its local day, for what has days.

    Gives the ids that were ended and those that were not.
    """
    ended: list[str] = []
    left: list[str] = []
    for entity in entities:
        end: date = day if isinstance(entity, ByDate) else at
        active = entity.start_date < end and (entity.end_date is None or entity.end_date > end)
        (ended if active else left).append(entity.id)
        if active:
            tx.update(entity, msgspec.structs.replace(entity, end_date=end))
    return ended, left
