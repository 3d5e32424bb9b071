"""Balance charge schedules: a fee for a balance, again and again."""

from collections.abc import Iterator
from datetime import date, datetime, tzinfo
from decimal import Decimal
from typing import Annotated, ClassVar

from msgspec import Meta
from sqlalchemy import Index

from tallystick.balances.balance import Balance
from tallystick.balances.balance_schedule import BalanceSchedule
from tallystick.balances.charge import Charge, ChargeEntityType, ChargeLineItemType, priced_once
from tallystick.balances.runs import ChargeRun, ScheduleFrequency, charge_runs, run_id
from tallystick.kernel.periods import Period, local_date
from tallystick.kernel.problems import Problem
from tallystick.organizations.currency import chosen_currency
from tallystick.platform.resources import (
    AMOUNT,
    Entity,
    NonNegative,
    Transaction,
    resource,
    resource_of,
)
from tallystick.platform.resources.checks import in_order

LONGEST_CODE = 80


@resource(
    "balances/{balanceId}/balancechargeschedules",
    event="billing.scheduledbalancecharge",
    unique=("code",),
    max_page_size=200,
    verbs=(),
)
class BalanceChargeSchedule(BalanceSchedule, kw_only=True):
    """Charges a fee for a balance, once a billing period of its own (semantics §19).

    A charge does not credit the balance: that is for transactions. billEpoch: where the periods are counted
    from; the start of the service period, if left out. billInAdvance: at a period's start, else at its end.
    """

    timing: ClassVar[tuple[str, ...]] = (
        *("service_period_start_date", "service_period_end_date", "bill_epoch"),
        *("bill_frequency", "bill_frequency_interval", "bill_in_advance"),
    )

    amount: NonNegative | None = None
    units: Annotated[Decimal | None, AMOUNT] = None
    unit_price: Annotated[Decimal | None, AMOUNT] = None
    currency: str
    service_period_start_date: datetime
    service_period_end_date: datetime
    bill_epoch: date | None = None
    bill_frequency: ScheduleFrequency
    bill_frequency_interval: Annotated[int, Meta(ge=1, le=365)]
    bill_in_advance: bool
    charge_description: Annotated[str, Meta(min_length=1)]

    def check(self) -> Iterator[Problem]:
        """It has one price, and days."""
        yield from priced_once(self.amount, self.units, self.unit_price)
        start, end = self.service_period_start_date, self.service_period_end_date
        yield from in_order(start, end, "servicePeriodEndDate")

    def check_stored(self, tx: Transaction, old: Entity | None) -> Iterator[Problem]:
        """The currency exists."""
        yield from chosen_currency(tx, self.currency, old)

    def runs(self, zone: tzinfo) -> Iterator[ChargeRun]:
        """Give all its runs, in order."""
        if self.service_period_end_date <= self.service_period_start_date:
            return
        service = Period(self.service_period_start_date, self.service_period_end_date)
        epoch = self.bill_epoch or local_date(service.start, zone)
        cycle = self.bill_frequency.cycle(epoch, self.bill_frequency_interval)
        yield from charge_runs(service, cycle, zone, in_advance=self.bill_in_advance)

    def instants(self, zone: tzinfo) -> Iterator[datetime]:
        """Give when it runs, in order."""
        return (run.at for run in self.runs(zone))

    def charge(self, balance: Balance, run: ChargeRun) -> Charge:
        """Give the charge of a run. Its code is the schedule's, with its date and the end of its id."""
        charge_id = run_id(self.id, run.at)
        suffix = f"-{run.bill_date.isoformat()}-{charge_id[-6:]}"
        return Charge(
            id=charge_id,
            name=self.name,
            code=f"{self.code[: LONGEST_CODE - len(suffix)].rstrip()}{suffix}",
            account_id=balance.account_id,
            bill_date=run.bill_date,
            amount=self.amount,
            units=self.units,
            unit_price=self.unit_price,
            currency=self.currency,
            description=self.charge_description,
            entity_type=ChargeEntityType.BALANCE,
            line_item_type=ChargeLineItemType.BALANCE_FEE,
            entity_id=balance.id,
            accounting_product_id=balance.fees_accounting_product_id,
            service_period_start_date=run.service.start,
            service_period_end_date=run.service.end,
            contract_id=balance.contract_id,
            schedule_id=self.id,
        )


_table = resource_of(BalanceChargeSchedule).table
Index("ix_balancechargeschedules_next_run", _table.c.org_id, _table.c.next_run)
