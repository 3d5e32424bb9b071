"""Bills: what an account owes for one billing period."""

from datetime import date, datetime
from decimal import Decimal
from enum import StrEnum
from typing import Annotated

import msgspec
from sqlalchemy import Index, UniqueConstraint, text

from tallystick.accounts.account import Account
from tallystick.billing.errors import BillLocked, BillNotApproved
from tallystick.billing.line_item import BillLineItem
from tallystick.kernel.periods import BillingFrequency
from tallystick.organizations.organization_config import CurrencyConversion
from tallystick.platform.resources import AMOUNT, Entity, Hidden, Id, Ref, resource, resource_of


class BillStatus(StrEnum):
    """Whether a bill may still be looked at, or is meant (semantics §22)."""

    PENDING = "PENDING"
    APPROVED = "APPROVED"


@resource("bills", event="billing.bill", verbs=())
class Bill(Entity, kw_only=True):
    """One account's bill of one period: [startDate, endDate) in the organization's zone (semantics §22).

    grouping: which of the account's bills of one end it is; what shares it has the same (`due.grouping_of`).
    The unique key has no start date: a plan that is attached later, with an earlier start, moves the
    start of the bill and must not make a second one. billTotal is the sum of the rounded lines.
    """

    account_id: Annotated[Id, Ref(Account)]
    account_code: str
    grouping: Annotated[str, Hidden()] = ""
    start_date: date
    end_date: date
    start_date_time_utc: datetime = msgspec.field(name="startDateTimeUTC")
    end_date_time_utc: datetime = msgspec.field(name="endDateTimeUTC")
    bill_date: date
    due_date: date
    billing_frequency: BillingFrequency
    bill_frequency_interval: int
    timezone: str
    currency: str
    locked: bool = False
    created_date: datetime | None = None
    status: BillStatus = BillStatus.PENDING
    bill_job_id: str | None = None
    currency_conversions: list[CurrencyConversion] = []
    last_calculated_date: datetime | None = None
    purchase_order_number: str | None = None
    external_invoice_reference: str | None = None
    external_invoice_date: date
    json_statement_generated: bool = False
    csv_statement_generated: bool = False
    statement_stale: bool = False
    bill_total: Annotated[Decimal, AMOUNT]
    sequential_invoice_number: str | None = None
    dt_approved: datetime | None = None
    approved_by: str | None = None
    dt_locked: datetime | None = None
    locked_by: str | None = None
    approved_once: Annotated[bool, Hidden()] = False
    "It was approved, if only for a time: then it is not approved by itself any more."
    locked_by_date: Annotated[bool, Hidden()] = False
    "Only the organization's lock date holds it locked; an individual lock stays for good."

    def approve(self, at: datetime, by: str) -> "Bill":
        """Give the approved bill; one that is approved already stays as it is. Raises BillLocked."""
        self.check_open()
        if self.status is BillStatus.APPROVED:
            return self
        return msgspec.structs.replace(
            self, status=BillStatus.APPROVED, dt_approved=at, approved_by=by, approved_once=True
        )

    def reopen(self) -> "Bill":
        """Give the bill as pending again. Raises BillLocked."""
        self.check_open()
        return msgspec.structs.replace(self, status=BillStatus.PENDING, dt_approved=None, approved_by=None)

    def lock(self, at: datetime, by: str) -> "Bill":
        """Give the bill locked, for good. Raises BillNotApproved."""
        if self.status is not BillStatus.APPROVED:
            raise BillNotApproved(self.id)
        if self.locked and not self.locked_by_date:
            return self
        return msgspec.structs.replace(self, locked=True, dt_locked=at, locked_by=by, locked_by_date=False)

    def lock_by_date(self, at: datetime, by: str) -> "Bill":
        """Give the bill locked as long as the lock date holds it."""
        return msgspec.structs.replace(self, locked=True, dt_locked=at, locked_by=by, locked_by_date=True)

    def unlock_by_date(self) -> "Bill":
        """Give the bill as it was before the lock date held it."""
        return msgspec.structs.replace(
            self, locked=False, dt_locked=None, locked_by=None, locked_by_date=False
        )

    def check_open(self) -> None:
        """Refuse if the bill can no longer change. Raises BillLocked."""
        if self.locked:
            raise BillLocked(self.id)


class BillAnswer(Bill, kw_only=True):
    """A bill with its lines, in their order; without them where they were not asked for."""

    line_items: list[BillLineItem] | None = None


_table = resource_of(Bill).table
_table.append_constraint(
    UniqueConstraint("org_id", "account_id", "grouping", "end_date", name="uq_bills_grouping")
)
Index("ix_bills_bill_job_id", _table.c.org_id, _table.c.bill_job_id)
Index("ix_bills_end_date", _table.c.org_id, _table.c.end_date)
Index(
    "ix_bills_pending",
    _table.c.org_id,
    _table.c.bill_date,
    postgresql_where=text("status = 'PENDING' AND NOT locked AND NOT approved_once"),
)
