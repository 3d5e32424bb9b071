"""Balance transaction schedules: the same amount into a balance, again and again."""

from collections.abc import Iterator
from datetime import datetime, tzinfo
from decimal import Decimal
from typing import Annotated, ClassVar

from msgspec import Meta
from sqlalchemy import Index

from tallystick.balances.balance_schedule import BalanceSchedule
from tallystick.balances.balance_transaction import BalanceTransaction, EntityType
from tallystick.balances.runs import ScheduleFrequency, instants, run_id
from tallystick.balances.transaction_type import TransactionType, usable_type
from tallystick.kernel.periods import local_date
from tallystick.kernel.problems import Problem
from tallystick.platform.resources import (
    AMOUNT,
    Entity,
    Id,
    NonNegative,
    Ref,
    Transaction,
    resource,
    resource_of,
)
from tallystick.platform.resources.checks import in_order


@resource(
    "balances/{balanceId}/balancetransactionschedules",
    event="billing.scheduledbalancetransaction",
    unique=("code",),
    max_page_size=200,
    verbs=(),
)
class BalanceTransactionSchedule(BalanceSchedule, kw_only=True):
    """Puts an amount into a balance every so often, from startDate up to, not including, endDate (§19)."""

    timing: ClassVar[tuple[str, ...]] = ("start_date", "end_date", "frequency", "frequency_interval")

    amount: NonNegative
    transaction_description: Annotated[str, Meta(min_length=1)]
    paid: Annotated[Decimal | None, AMOUNT] = None
    currency_paid: str | None = None
    transaction_type_id: Annotated[Id, Ref(TransactionType)]
    start_date: datetime
    end_date: datetime
    frequency: ScheduleFrequency
    frequency_interval: Annotated[int, Meta(ge=1, le=365)]

    def check(self) -> Iterator[Problem]:
        """It has days."""
        yield from in_order(self.start_date, self.end_date)

    def check_stored(self, tx: Transaction, old: Entity | None) -> Iterator[Problem]:
        """A type that is chosen anew is in use."""
        chosen_before = isinstance(old, BalanceTransactionSchedule) and old.transaction_type_id
        if chosen_before != self.transaction_type_id:
            yield from usable_type(tx, self.transaction_type_id)

    def instants(self, zone: tzinfo) -> Iterator[datetime]:
        """Give when it runs, in order."""
        if self.end_date <= self.start_date:
            return
        cycle = self.frequency.cycle(local_date(self.start_date, zone), self.frequency_interval)
        yield from instants(self.start_date, self.end_date, cycle, zone)

    def transaction(self, at: datetime) -> BalanceTransaction:
        """Give the transaction of a run; it is dated when it was due, however late the run is."""
        return BalanceTransaction(
            id=run_id(self.id, at),
            balance_id=self.balance_id,
            description=self.transaction_description,
            amount=self.amount,
            paid=self.paid,
            currency_paid=self.currency_paid,
            transaction_type_id=self.transaction_type_id,
            applied_date=at,
            transaction_date=at,
            entity_type=EntityType.SCHEDULER,
            entity_id=self.id,
        )


_table = resource_of(BalanceTransactionSchedule).table
Index("ix_balancetransactionschedules_next_run", _table.c.org_id, _table.c.next_run)
