"""Memos: credits and debits that someone puts on a bill by hand (semantics §24)."""

from collections.abc import Iterator
from datetime import datetime
from decimal import Decimal
from typing import Annotated, ClassVar, Self

import msgspec
from msgspec import Meta

from tallystick.billing.bill import Bill
from tallystick.billing.line_item import LineItem, LineItemType
from tallystick.billing.reason import CreditReason, DebitReason
from tallystick.catalogue.product import Product
from tallystick.kernel.problems import Problem
from tallystick.organizations.currency import known_currency
from tallystick.platform.resources import (
    Computed,
    Entity,
    Id,
    NonNegative,
    Positive,
    Ref,
    Transaction,
    resource,
)
from tallystick.platform.resources.checks import in_order

OwnReason = tuple[str, str, type[CreditReason | DebitReason]]


class Memo(Entity, kw_only=True):
    """An amount on a bill with its reason. The line that it makes has the memo's id.

    amount: in `currency`, which is the bill's when left out. amountToApplyOnBill: what of it counts on
    this bill; all of it when left out. referencedBillId, referencedLineItemId: what it is about.
    """

    own_type: ClassVar[LineItemType]
    own_reason: ClassVar[OwnReason]
    "The field that refers to the reason, its name in JSON, and what it refers to."

    bill_id: Annotated[Id, Ref(Bill), Computed()] = ""
    line_item_type: LineItemType | None = None
    amount: Positive
    amount_to_apply_on_bill: NonNegative | None = None
    currency: Annotated[str, Meta(min_length=1)] | None = None
    description: Annotated[str, Meta(min_length=1, max_length=200)]
    product_id: Annotated[Id, Ref(Product)]
    accounting_product_id: Annotated[Id, Ref(Product)]
    service_period_start_date: datetime
    service_period_end_date: datetime
    referenced_bill_id: Id | None = None
    referenced_line_item_id: Id | None = None
    reason_id: Id | None = None
    "The reason once more, as bills name it; give either."

    @property
    def applied(self) -> Decimal:
        """What counts on the bill, in the memo's currency; never negative."""
        return self.amount if self.amount_to_apply_on_bill is None else self.amount_to_apply_on_bill

    def settle(self, tx: Transaction, old: Self | None) -> Self:
        """Stay on the same bill, in its currency unless told, and name the reason in both ways."""
        bill_id = old.bill_id if old is not None else self.bill_id
        field, _, _ = self.own_reason
        own, any_reason = _lower(getattr(self, field)), _lower(self.reason_id)
        settled = {field: own or any_reason, "reason_id": any_reason or own}
        return msgspec.structs.replace(
            self,
            bill_id=bill_id,
            line_item_type=self.line_item_type or self.own_type,
            currency=self.currency or tx.get(Bill, bill_id).currency,
            referenced_bill_id=_lower(self.referenced_bill_id),
            referenced_line_item_id=_lower(self.referenced_line_item_id),
            **settled,
        )

    def check(self) -> Iterator[Problem]:
        """One reason; no more applied than there is; a service period that begins before it ends."""
        field, wire_name, _ = self.own_reason
        if self.reason_id is None:
            yield Problem(wire_name, "required", "is required: every credit and debit has a reason")
        elif self.reason_id != getattr(self, field):
            yield Problem("reasonId", "not_applicable", f"differs from {wire_name}; give one of them")
        if self.line_item_type is not self.own_type:
            yield Problem("lineItemType", "unknown_value", f"must be {self.own_type.value}, or left out")
        if self.applied > self.amount:
            message = f"must be at most the amount, {self.amount}"
            yield Problem("amountToApplyOnBill", "out_of_range", message)
        if self.referenced_line_item_id is not None and self.referenced_bill_id is None:
            message = "is required with referencedLineItemId: name the bill that the line is on"
            yield Problem("referencedBillId", "required", message)
        start, end = self.service_period_start_date, self.service_period_end_date
        yield from in_order(start, end, "servicePeriodEndDate")

    def check_stored(self, tx: Transaction, old: Entity | None) -> Iterator[Problem]:
        """What it names exists, and a reason is chosen that is not archived."""
        field, wire_name, reason_type = self.own_reason
        reason_id = getattr(self, field)
        if reason_id is not None and (old is None or getattr(old, field) != reason_id):
            reason = tx.find_one(reason_type, id=reason_id)
            if reason is not None and reason.archived:
                yield Problem(wire_name, "archived", f"{reason.code} is archived; choose another reason")
        yield from known_currency(tx, "currency", self.currency)
        yield from self._references(tx)

    def _references(self, tx: Transaction) -> Iterator[Problem]:
        bill_id, line_id = self.referenced_bill_id, self.referenced_line_item_id
        if bill_id is None:
            return
        if tx.find_one(Bill, id=bill_id) is None:
            yield Problem("referencedBillId", "unknown_reference", f"{bill_id} is not the id of any bill")
        elif line_id is not None and tx.find_one(LineItem, id=line_id, bill_id=bill_id) is None:
            message = f"{line_id} is not the id of any line of the bill {bill_id}"
            yield Problem("referencedLineItemId", "unknown_reference", message)


def _lower(given: str | None) -> str | None:
    """Write an id as it is stored."""
    return given and given.lower()


@resource("creditlineitems", event="billing.creditlineitem", verbs=())
class CreditLineItem(Memo, kw_only=True):
    """A credit on a bill, for a reason: a CREDIT_MEMO line of the negative amount."""

    own_type = LineItemType.CREDIT_MEMO
    own_reason = ("credit_reason_id", "creditReasonId", CreditReason)

    credit_reason_id: Annotated[Id | None, Ref(CreditReason)] = None


@resource("debitlineitems", event="billing.debitlineitem", verbs=())
class DebitLineItem(Memo, kw_only=True):
    """A debit on a bill, for a reason: a DEBIT_MEMO line of the amount."""

    own_type = LineItemType.DEBIT_MEMO
    own_reason = ("debit_reason_id", "debitReasonId", DebitReason)

    debit_reason_id: Annotated[Id | None, Ref(DebitReason)] = None
