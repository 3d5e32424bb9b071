"""Balances: money or credits that a customer has ahead, and that bills draw on."""

from collections.abc import Iterator
from datetime import datetime
from decimal import Decimal
from enum import StrEnum
from typing import Annotated, Self

import msgspec
from msgspec import Meta
from sqlalchemy import select

from tallystick.accounts.account import Account
from tallystick.accounts.contract import Contract
from tallystick.balances.checks import contract_of, each_once, known_products
from tallystick.balances.commitment import surcharge_in_bounds
from tallystick.balances.filters import EndsBefore, EndsFrom
from tallystick.catalogue.product import Product
from tallystick.kernel.decimals import ZERO
from tallystick.kernel.problems import Problem
from tallystick.organizations.currency import chosen_currency
from tallystick.platform.resources import (
    AMOUNT,
    By,
    Code,
    Computed,
    CustomFields,
    Entity,
    Id,
    NonNegative,
    Ref,
    Transaction,
    resource,
)
from tallystick.platform.resources.checks import in_order
from tallystick.platform.resources.fields import Description
from tallystick.platform.resources.tables import metadata


class BalanceLineItemType(StrEnum):
    """The kinds of charges that a balance can cover (semantics §19)."""

    STANDING_CHARGE = "STANDING_CHARGE"
    USAGE = "USAGE"
    MINIMUM_SPEND = "MINIMUM_SPEND"
    COUNTER_RUNNING_TOTAL_CHARGE = "COUNTER_RUNNING_TOTAL_CHARGE"
    COUNTER_ADJUSTMENT_DEBIT = "COUNTER_ADJUSTMENT_DEBIT"
    AD_HOC = "AD_HOC"


@resource(
    "balances",
    event="billing.balance",
    unique=("code",),
    filters=(
        By("accountId", "account_id"),
        EndsFrom(later="rollover_end_date"),
        EndsBefore(later="rollover_end_date"),
        By("contract", "contract_id"),
        By("contractId", "contract_id"),
    ),
)
class Balance(Entity, kw_only=True):
    """What an account has to its credit for a time; transactions alone give it value (semantics §19).

    amount: the sum of its transactions, in its currency; the server keeps it. endDate: exclusive. After it,
    up to rolloverAmount (all, if left out) can be used until rolloverEndDate.
    """

    code: Code
    name: Annotated[str, Meta(min_length=1)]
    description: str | None = None
    account_id: Annotated[Id, Ref(Account)]
    amount: Annotated[Decimal, AMOUNT, Computed()] = ZERO
    start_date: datetime
    end_date: datetime
    currency: Annotated[str, Meta(min_length=1)]
    rollover_amount: NonNegative | None = None
    rollover_end_date: datetime | None = None
    balance_draw_down_description: Description | None = None
    overage_surcharge_percent: Annotated[Decimal | None, AMOUNT] = None
    overage_description: Description | None = None
    product_ids: list[Id] = []
    line_item_types: list[BalanceLineItemType] = []
    contract_id: Annotated[Id | None, Ref(Contract)] = None
    consumptions_accounting_product_id: Annotated[Id | None, Ref(Product)] = None
    fees_accounting_product_id: Annotated[Id | None, Ref(Product)] = None
    allow_overdraft: bool = False
    custom_fields: CustomFields = {}

    def settle(self, tx: Transaction, old: Self | None) -> Self:
        """Keep what the transactions come to."""
        return msgspec.structs.replace(self, amount=old.amount) if old is not None else self

    def check(self) -> Iterator[Problem]:
        """It has days; what rolls over does so until a later day."""
        yield from in_order(self.start_date, self.end_date)
        if self.rollover_end_date is not None:
            yield from in_order(self.end_date, self.rollover_end_date, "rolloverEndDate")
        elif self.rollover_amount is not None:
            yield Problem("rolloverEndDate", "required", "is required with a rolloverAmount")
        yield from each_once("productIds", self.product_ids)
        yield from each_once("lineItemTypes", self.line_item_types)
        yield from surcharge_in_bounds(self.overage_surcharge_percent)

    def check_stored(self, tx: Transaction, old: Entity | None) -> Iterator[Problem]:
        """What it names exists and fits the account; its value keeps its currency."""
        yield from chosen_currency(tx, self.currency, old)
        yield from known_products(tx, self.product_ids)
        yield from contract_of(tx, self.account_id, self.contract_id)
        if isinstance(old, Balance):
            if self.account_id != old.account_id:
                yield Problem("accountId", "immutable", "cannot change: make a new balance for that account")
            if self.currency != old.currency and _has_transactions(tx, self.id):
                yield Problem("currency", "immutable", "cannot change: the balance has transactions")


def _has_transactions(tx: Transaction, balance_id: str) -> bool:
    entries = metadata.tables["balance_transactions"].c  # by name: their declaration needs this module
    mine = (entries.org_id == tx.org_id, entries.balance_id == balance_id)
    return tx.execute(select(entries.id).where(*mine).limit(1)).first() is not None
