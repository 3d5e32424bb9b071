"""Commitments: what a customer has promised to spend, and pays ahead for."""

from collections.abc import Iterator
from datetime import date, datetime
from decimal import Decimal
from enum import StrEnum
from typing import Annotated, Self

import msgspec
from msgspec import Meta

from tallystick.accounts.account import Account
from tallystick.accounts.account_plan import ChildBillingMode
from tallystick.accounts.contract import Contract
from tallystick.balances.checks import contract_of, each_once, known_products
from tallystick.balances.filters import ActiveOn, EndsBefore, EndsFrom, Holds
from tallystick.catalogue.product import Product
from tallystick.kernel.decimals import ZERO
from tallystick.kernel.periods import BillingFrequency
from tallystick.kernel.problems import Problem
from tallystick.organizations.currency import chosen_currency
from tallystick.platform.resources import (
    AMOUNT,
    By,
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
from tallystick.platform.resources.fields import Description
from tallystick.pricing.plan import Plan
from tallystick.pricing.plan_template import PlanTemplate

LEAST_PERCENT = Decimal(-100)
"What is beyond a commitment can be free; it never pays the customer."


class CommitmentLineItemType(StrEnum):
    """The kinds of charges that a commitment can cover (semantics §18)."""

    STANDING_CHARGE = "STANDING_CHARGE"
    USAGE = "USAGE"
    MINIMUM_SPEND = "MINIMUM_SPEND"
    COUNTER_RUNNING_TOTAL_CHARGE = "COUNTER_RUNNING_TOTAL_CHARGE"
    COUNTER_ADJUSTMENT_DEBIT = "COUNTER_ADJUSTMENT_DEBIT"


class CommitmentFee(msgspec.Struct, kw_only=True, frozen=True, rename="camel"):
    """A fee on a day of its own, and the span that it is for (end exclusive)."""

    date: date
    amount: Positive
    service_period_start_date: datetime
    service_period_end_date: datetime


@resource(
    "commitments",
    event="configuration.commitment",
    filters=(
        By("accountId", "account_id"),
        Holds("productId", "product_ids"),
        ActiveOn("date"),
        EndsFrom(),
        EndsBefore(),
        By("contractId", "contract_id"),
    ),
)
class Commitment(Entity, kw_only=True):
    """An amount that the customer owes in fees, and that covers charges until it is spent (semantics §18).

    startDate, endDate: local dates of the organization's zone, the end exclusive. amountSpent: the sum of
    what bills have drawn, in the commitment's currency. productIds, lineItemTypes: empty is all.
    """

    account_id: Annotated[Id, Ref(Account)]
    billing_plan_id: Annotated[Id | None, Ref(Plan)] = None
    product_ids: Annotated[list[Id], Meta(max_length=100)] = []
    start_date: date
    end_date: date
    currency: Annotated[str, Meta(min_length=1)]
    amount: Positive
    amount_pre_paid: NonNegative | None = None
    amount_first_bill: NonNegative | None = None
    amount_spent: Annotated[Decimal, AMOUNT, Computed()] = ZERO
    overage_surcharge_percent: Annotated[Decimal | None, AMOUNT] = None
    separate_overage_usage: bool = False
    billing_interval: Annotated[int, Meta(ge=1, le=365)] | None = None
    billing_offset: Annotated[int, Meta(ge=0, le=364)] | None = None
    commitment_fee_description: Description | None = None
    commitment_usage_description: Description | None = None
    overage_description: Description | None = None
    commitment_fee_bill_in_advance: bool | None = None
    bill_epoch: date | None = None
    contract_id: Annotated[Id | None, Ref(Contract)] = None
    accounting_product_id: Annotated[Id | None, Ref(Product)] = None
    fees_accounting_product_id: Annotated[Id | None, Ref(Product)] = None
    drawdowns_accounting_product_id: Annotated[Id | None, Ref(Product)] = None
    fee_dates: list[CommitmentFee] = []
    child_billing_mode: ChildBillingMode = ChildBillingMode.PARENT_BREAKDOWN
    line_item_types: list[CommitmentLineItemType] = []

    @property
    def outstanding(self) -> Decimal:
        """What is billed in fees: the amount less what was paid before."""
        return self.amount - (self.amount_pre_paid or ZERO)

    def settle(self, tx: Transaction, old: Self | None) -> Self:
        """Keep what bills have drawn."""
        return msgspec.structs.replace(self, amount_spent=old.amount_spent) if old is not None else self

    def check(self) -> Iterator[Problem]:
        """It has days; its amounts fit each other; fees come by plan or by dates, overage in one way."""
        yield from in_order(self.start_date, self.end_date)
        yield from each_once("productIds", self.product_ids)
        yield from each_once("lineItemTypes", self.line_item_types)
        yield from self._amounts()
        yield from self._fees()
        yield from surcharge_in_bounds(self.overage_surcharge_percent)
        if self.separate_overage_usage and self.overage_surcharge_percent:
            message = "cannot be combined with an overageSurchargePercent: choose one"
            yield Problem("separateOverageUsage", "not_applicable", message)

    def _amounts(self) -> Iterator[Problem]:
        if self.outstanding < ZERO:
            yield Problem("amountPrePaid", "out_of_range", f"is more than the amount of {self.amount}")
        elif self.amount_first_bill is not None and self.amount_first_bill > self.outstanding:
            message = f"is more than the {self.outstanding} that is still to be billed"
            yield Problem("amountFirstBill", "out_of_range", message)

    def _fees(self) -> Iterator[Problem]:
        if self.fee_dates and self.billing_plan_id is not None:
            message = "give billingPlanId or feeDates: fees are billed with a plan or on dates of their own"
            yield Problem("feeDates", "exactly_one", message)
        if self.fee_dates and self.amount_first_bill:
            message = "is of fees that are billed with a plan; feeDates have their own amounts"
            yield Problem("amountFirstBill", "not_applicable", message)
        for i, fee in enumerate(self.fee_dates):
            if fee.service_period_start_date > fee.service_period_end_date:
                message = "must not be before servicePeriodStartDate; the end is exclusive"
                yield Problem(f"feeDates[{i}].servicePeriodEndDate", "ends_before_start", message)

    def check_stored(self, tx: Transaction, old: Entity | None) -> Iterator[Problem]:
        """What it names exists and fits the account; what bills have drawn stays true."""
        yield from chosen_currency(tx, self.currency, old)
        yield from known_products(tx, self.product_ids)
        yield from contract_of(tx, self.account_id, self.contract_id)
        yield from self._plan_has_periods(tx)
        if isinstance(old, Commitment):
            yield from self._keeps_what_was_spent(old)

    def _plan_has_periods(self, tx: Transaction) -> Iterator[Problem]:
        plan = tx.find_one(Plan, id=self.billing_plan_id) if self.billing_plan_id else None
        template = tx.find_one(PlanTemplate, id=plan.plan_template_id) if plan else None
        if template is not None and template.bill_frequency is BillingFrequency.AD_HOC:
            message = "is billed AD_HOC, so no fees come with its bills: give feeDates instead"
            yield Problem("billingPlanId", "not_applicable", message)

    def _keeps_what_was_spent(self, old: "Commitment") -> Iterator[Problem]:
        if self.account_id != old.account_id:
            yield Problem("accountId", "immutable", "cannot change: make a new commitment for that account")
        if old.amount_spent == ZERO:
            return
        if self.currency != old.currency:
            yield Problem("currency", "immutable", "cannot change: bills have drawn on this commitment")
        if self.amount < old.amount_spent:
            yield Problem("amount", "below_spent", f"bills have drawn {old.amount_spent} already")

    def check_delete(self, tx: Transaction) -> Iterator[Problem]:
        """What bills have drawn on stays, so that they can be explained."""
        if self.amount_spent != ZERO:
            message = f"bills have drawn {self.amount_spent} on it; delete those bills first"
            yield Problem("amountSpent", "drawn_on", message)


def surcharge_in_bounds(percent: Decimal | None) -> Iterator[Problem]:
    """A surcharge may be a discount, of everything at most."""
    if percent is not None and percent < LEAST_PERCENT:
        message = f"must be {LEAST_PERCENT} or more: -100 makes what is beyond free"
        yield Problem("overageSurchargePercent", "out_of_range", message)


SEARCH_KEYS = {
    "startDate": "start_date",
    "endDate": "end_date",
    "contractId": "contract_id",
    "accountId": "account_id",
    "productId": "product_ids",
    "productIds": "product_ids",
    "id": "id",
    "createdBy": "created_by",
    "dtCreated": "dt_created",
    "lastModifiedBy": "last_modified_by",
    "ids": "id",
}
"What a search may ask for (semantics §1)."
