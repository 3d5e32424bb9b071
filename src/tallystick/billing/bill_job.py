"""Bill jobs: orders to make the bills of a period, or to make some bills anew."""

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import date, datetime
from enum import StrEnum
from typing import Annotated, Any

from msgspec import Meta
from sqlalchemy import ColumnElement, Table

from tallystick.accounts.account import Account
from tallystick.billing.bill import Bill
from tallystick.kernel.errors import Invalid
from tallystick.kernel.periods import BillingFrequency
from tallystick.kernel.problems import Problem
from tallystick.kernel.zones import parse_zone
from tallystick.organizations.currency import known_currency
from tallystick.organizations.organization_config import CurrencyConversion
from tallystick.platform.resources import By, Computed, Entity, Hidden, Id, Transaction, resource
from tallystick.platform.resources.checks import no_repeats
from tallystick.platform.resources.filters import Values


class BillJobStatus(StrEnum):
    """Where a job is (semantics §22)."""

    PENDING = "PENDING"
    INITIALIZING = "INITIALIZING"
    RUNNING = "RUNNING"
    COMPLETE = "COMPLETE"
    CANCELLED = "CANCELLED"


class BillJobType(StrEnum):
    """Whether a job makes the bills of a period, or given bills anew."""

    CREATE = "CREATE"
    RECALCULATE = "RECALCULATE"


class BillJobBillingFrequency(StrEnum):
    """The frequencies that a job can be for."""

    DAILY = "DAILY"
    WEEKLY = "WEEKLY"
    MONTHLY = "MONTHLY"
    ANNUALLY = "ANNUALLY"
    AD_HOC = "AD_HOC"


class JobCause(StrEnum):
    """What a job was ordered by: somebody, the schedule (for closed or current periods), or late usage."""

    REQUEST = "REQUEST"
    CLOSED = "CLOSED"
    CURRENT = "CURRENT"
    LATE = "LATE"


ACTIVE = (BillJobStatus.PENDING, BillJobStatus.INITIALIZING, BillJobStatus.RUNNING)


@dataclass(frozen=True)
class OnlyActive:
    """Keep the jobs that have not ended, when asked to."""

    name: str = "active"
    kind: Any = str

    def clauses(self, table: Table, values: Values, now: datetime) -> Iterator[ColumnElement[bool]]:
        """Compare the status."""
        asked = values.get(self.name, [""])[0].lower()
        if asked in {"true", "false"}:
            clause = table.c.status.in_([s.value for s in ACTIVE])
            yield clause if asked == "true" else ~clause


@resource(
    "billjobs",
    event="billing.billjob",
    filters=(OnlyActive(), By("status", "status", item=BillJobStatus, as_text=True)),
    verbs=("get", "list"),
)
class BillJob(Entity, kw_only=True):
    """An order to make bills. total and pending count accounts, or bills when it recalculates.

    Without lastDateInBillingPeriod it makes the bills of the latest period that has closed by billDate,
    which is today in the organization's zone unless given.
    """

    last_date_in_billing_period: date | None = None
    billing_frequency: BillJobBillingFrequency | None = None
    bill_frequency_interval: Annotated[int, Meta(ge=1, le=365)] | None = None
    bill_date: date | None = None
    external_invoice_date: date | None = None
    due_date: date | None = None
    account_ids: Annotated[list[Id], Meta(min_length=1, max_length=100)] | None = None
    bill_ids: Annotated[list[Id] | None, Computed()] = None
    target_currency: Annotated[str, Meta(min_length=3, max_length=3)] | None = None
    currency_conversions: Annotated[list[CurrencyConversion], Meta(max_length=250)] | None = None
    timezone: str | None = None
    year_epoch: date | None = None
    month_epoch: date | None = None
    week_epoch: date | None = None
    day_epoch: date | None = None
    status: Annotated[BillJobStatus, Computed()] = BillJobStatus.PENDING
    total: Annotated[int, Computed()] = 0
    pending: Annotated[int, Computed()] = 0
    type: Annotated[BillJobType, Computed()] = BillJobType.CREATE
    cursor: Annotated[str | None, Hidden()] = None
    "The last account, or bill, that is done: where a run that was killed goes on."
    today: Annotated[date | None, Hidden()] = None
    "The billing date, fixed when the run starts, so that a run that goes on after midnight stays one run."
    failure: Annotated[str | None, Hidden()] = None
    cause: Annotated[JobCause, Hidden()] = JobCause.REQUEST

    @property
    def is_active(self) -> bool:
        """Tell whether the job has not ended."""
        return self.status in ACTIVE

    @property
    def frequency(self) -> BillingFrequency | None:
        """The frequency asked for, as periods know it."""
        return BillingFrequency(self.billing_frequency.value) if self.billing_frequency else None

    def check(self) -> Iterator[Problem]:
        """The zone is one; nothing stands twice."""
        if self.timezone is not None:
            try:
                parse_zone(self.timezone)
            except Invalid as error:
                yield Problem("timezone", "unknown_timezone", error.message)
        pairs = [(c.from_currency, c.to_currency) for c in self.currency_conversions or []]
        yield from no_repeats("currencyConversions[{i}]", pairs, "this pair is converted twice")
        yield from no_repeats("accountIds[{i}]", self.account_ids or [], "{value} stands twice")
        yield from no_repeats("billIds[{i}]", self.bill_ids or [], "{value} stands twice")

    def check_stored(self, tx: Transaction, old: Entity | None) -> Iterator[Problem]:
        """The accounts, bills and currency exist."""
        if old is not None:
            return
        yield from known_currency(tx, "targetCurrency", self.target_currency)
        yield from _known(tx, Account, "accountIds", self.account_ids)
        yield from _known(tx, Bill, "billIds", self.bill_ids)


def _known(tx: Transaction, cls: type[Entity], field: str, ids: list[str] | None) -> Iterator[Problem]:
    if not ids:
        return
    found = {entity.id for entity in tx.find(cls, id=ids)}
    for i, each in enumerate(ids):
        if each.lower() not in found:
            message = f"{each} is not the id of any {cls.__name__.lower()}"
            yield Problem(f"{field}[{i}]", "unknown_reference", message)
