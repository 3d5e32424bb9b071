"""Balance transactions: the entries of the ledger. They are added, never changed and never removed."""

from collections.abc import Iterator
from datetime import datetime
from decimal import Decimal
from enum import StrEnum
from typing import Annotated, Self

import msgspec
from sqlalchemy import Index

from tallystick.balances.balance import Balance
from tallystick.balances.transaction_type import TransactionType, usable_type
from tallystick.kernel.problems import Problem
from tallystick.platform.resources import (
    AMOUNT,
    Computed,
    Entity,
    Hidden,
    Id,
    Ref,
    Transaction,
    resource,
    resource_of,
)


class EntityType(StrEnum):
    """Who made a transaction (semantics §19)."""

    BILL = "BILL"
    COMMITMENT = "COMMITMENT"
    USER = "USER"
    SERVICE_USER = "SERVICE_USER"
    SCHEDULER = "SCHEDULER"


@resource("balance_transactions", event="billing.balancetransaction", verbs=())
class BalanceTransaction(Entity, kw_only=True):
    """One entry: what was put into a balance, or, negative, taken out of it (semantics §19).

    paid, currencyPaid: what the customer gave for it, for the record only. entityId: of the user, bill or
    schedule. reversesId: the entry that this one takes back. appliedDate, transactionDate: now, if left out.
    """

    balance_id: Annotated[Id, Ref(Balance), Hidden()] = ""
    description: str | None = None
    amount: Annotated[Decimal, AMOUNT]
    paid: Annotated[Decimal | None, AMOUNT] = None
    currency_paid: str | None = None
    transaction_type_id: Annotated[Id | None, Ref(TransactionType)] = None
    applied_date: datetime | None = None
    transaction_date: datetime | None = None
    entity_type: Annotated[EntityType | None, Computed()] = None
    entity_id: Annotated[str | None, Computed()] = None
    reverses_id: Annotated[Id | None, Ref("balance_transactions"), Computed()] = None
    is_rollover: Annotated[bool, Hidden()] = False

    def settle(self, tx: Transaction, old: Self | None) -> Self:
        """Date it now where it was not dated."""
        now = tx.clock.now()
        return msgspec.structs.replace(
            self, applied_date=self.applied_date or now, transaction_date=self.transaction_date or now
        )

    def check_stored(self, tx: Transaction, old: Entity | None) -> Iterator[Problem]:
        """Its type is in use; a scheduler's was chosen with the schedule."""
        if self.entity_type in {EntityType.USER, EntityType.SERVICE_USER}:
            yield from usable_type(tx, self.transaction_type_id)


_table = resource_of(BalanceTransaction).table
Index("ix_balance_transactions_entity_id", _table.c.org_id, _table.c.entity_id)
