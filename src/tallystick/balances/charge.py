"""Charges: amounts that are billed once, on a date."""

from collections.abc import Iterator
from datetime import date, datetime
from decimal import Decimal
from enum import StrEnum
from typing import Annotated, Self

import msgspec
from msgspec import Meta
from sqlalchemy import Index, select

from tallystick.accounts.account import Account
from tallystick.accounts.contract import Contract
from tallystick.balances.balance import Balance
from tallystick.balances.checks import contract_of
from tallystick.catalogue.product import Product
from tallystick.kernel.decimals import ZERO
from tallystick.kernel.periods import local_date
from tallystick.kernel.problems import Problem
from tallystick.organizations.currency import known_currency
from tallystick.organizations.organization_config import organization_zone
from tallystick.platform.resources import (
    AMOUNT,
    By,
    Code,
    Computed,
    Entity,
    Id,
    Name,
    Ref,
    Transaction,
    resource,
    resource_of,
)
from tallystick.platform.resources.tables import metadata


class ChargeEntityType(StrEnum):
    """What a charge is for: itself, or a balance (semantics §20)."""

    AD_HOC = "AD_HOC"
    BALANCE = "BALANCE"


class ChargeLineItemType(StrEnum):
    """What its line on the bill is (semantics §20)."""

    BALANCE_FEE = "BALANCE_FEE"
    AD_HOC = "AD_HOC"


@resource(
    "charges",
    event="billing.charge",
    unique=("code",),
    filters=(
        By("accountId", "account_id"),
        By("entityType", "entity_type", item=ChargeEntityType),
        By("entityId", "entity_id"),
        By("billDate", "bill_date", item=date),
        By("scheduleId", "schedule_id"),
    ),
    max_page_size=200,
)
class Charge(Entity, kw_only=True):
    """An amount, or units at a price, on the bill of a date; negative is a credit (semantics §20).

    billDate: today, if left out. The service period's end is exclusive. notes are never on the bill.
    billId: of the bill that it is on. scheduleId: of the schedule that made it.
    """

    name: Name
    code: Code
    account_id: Annotated[Id, Ref(Account)]
    bill_date: date | None = None
    amount: Annotated[Decimal | None, AMOUNT] = None
    units: Annotated[Decimal | None, AMOUNT] = None
    unit_price: Annotated[Decimal | None, AMOUNT] = None
    currency: Annotated[str, Meta(min_length=1)]
    description: str | None = None
    entity_type: ChargeEntityType
    line_item_type: ChargeLineItemType
    entity_id: Annotated[Id | None, Ref(Balance)] = None
    bill_id: Annotated[Id | None, Computed()] = None
    accounting_product_id: Annotated[Id | None, Ref(Product)] = None
    service_period_start_date: datetime
    service_period_end_date: datetime
    notes: str | None = None
    contract_id: Annotated[Id | None, Ref(Contract)] = None
    schedule_id: Annotated[Id | None, Computed()] = None

    @property
    def total(self) -> Decimal:
        """What is charged, in its currency, exact."""
        if self.amount is not None:
            return self.amount
        return (self.units or ZERO) * (self.unit_price or ZERO)

    def settle(self, tx: Transaction, old: Self | None) -> Self:
        """Bill it today where no date was given; keep what the server knows of it."""
        settled = self
        if self.bill_date is None:
            zone = organization_zone(tx)
            settled = msgspec.structs.replace(self, bill_date=local_date(tx.clock.now(), zone))
        if old is None:
            return settled
        return msgspec.structs.replace(settled, bill_id=old.bill_id, schedule_id=old.schedule_id)

    def check(self) -> Iterator[Problem]:
        """It has one price; a fee for a balance names it; its period does not end before it starts."""
        yield from priced_once(self.amount, self.units, self.unit_price)
        if self.entity_type is ChargeEntityType.BALANCE and self.entity_id is None:
            yield Problem("entityId", "required", "is required for a charge of a BALANCE: name the balance")
        if self.entity_type is ChargeEntityType.AD_HOC:
            if self.entity_id is not None:
                yield Problem("entityId", "not_applicable", "is only used with entityType BALANCE")
            if self.line_item_type is ChargeLineItemType.BALANCE_FEE:
                message = "BALANCE_FEE is for charges with entityType BALANCE"
                yield Problem("lineItemType", "not_applicable", message)
        if self.service_period_start_date > self.service_period_end_date:
            message = "must not be before servicePeriodStartDate; the end is exclusive"
            yield Problem("servicePeriodEndDate", "ends_before_start", message)

    def check_stored(self, tx: Transaction, old: Entity | None) -> Iterator[Problem]:
        """What it names exists and is of its account; what stands on a locked bill stays."""
        yield from known_currency(tx, "currency", self.currency)
        yield from contract_of(tx, self.account_id, self.contract_id)
        balance = tx.find_one(Balance, id=self.entity_id) if self.entity_id else None
        if balance is not None and balance.account_id != self.account_id:
            yield Problem("entityId", "wrong_account", f"{balance.name} is a balance of another account")
        if isinstance(old, Charge):
            if self.account_id != old.account_id:
                yield Problem("accountId", "immutable", "cannot change: make a new charge for that account")
            yield from _on_locked_bill(tx, old)

    def check_delete(self, tx: Transaction) -> Iterator[Problem]:
        """What stands on a locked bill stays."""
        yield from _on_locked_bill(tx, self)


def priced_once(
    amount: Decimal | None, units: Decimal | None, unit_price: Decimal | None
) -> Iterator[Problem]:
    """There is an amount, or units with their price, and not both (semantics §20)."""
    by_unit = [units is not None, unit_price is not None]
    if (amount is not None) == any(by_unit):
        yield Problem("amount", "exactly_one", "give an amount, or units and unitPrice")
    elif amount is None and not all(by_unit):
        missing = "unitPrice" if units is not None else "units"
        yield Problem(missing, "required", "is required: give both units and unitPrice")


def _on_locked_bill(tx: Transaction, charge: Charge) -> Iterator[Problem]:
    if charge.bill_id is None:
        return
    bills = metadata.tables["bills"].c  # by name: billing stands above
    mine = (bills.org_id == tx.org_id, bills.id == charge.bill_id, bills.locked)
    if tx.execute(select(bills.id).where(*mine)).first() is not None:
        yield Problem("billId", "bill_locked", "the bill that it is on is locked, and can no longer change")


_table = resource_of(Charge).table
Index("ix_charges_bill_date", _table.c.org_id, _table.c.bill_date)
Index("ix_charges_bill_id", _table.c.org_id, _table.c.bill_id)
Index("ix_charges_schedule_id", _table.c.org_id, _table.c.schedule_id)
