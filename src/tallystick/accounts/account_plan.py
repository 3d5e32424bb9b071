"""Account plans: which account is on which plan, and from when to when."""

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import date, datetime
from enum import StrEnum
from typing import Annotated, Any, Self

import msgspec
from sqlalchemy import ColumnElement, Table

from tallystick.accounts.account import Account
from tallystick.accounts.contract import Contract, of_account
from tallystick.catalogue.product import Product
from tallystick.kernel.problems import Problem
from tallystick.organizations.organization_config import OrganizationConfig
from tallystick.platform.resources import (
    ActiveAt,
    By,
    Code,
    Computed,
    CustomFields,
    Entity,
    Id,
    Ref,
    Transaction,
    resource,
)
from tallystick.platform.resources.checks import exactly_one, in_order, overlap
from tallystick.platform.resources.filters import Values, active_at
from tallystick.pricing.plan import Plan


class ChildBillingMode(StrEnum):
    """Where a child's charges go when its parent holds the plan (semantics §17)."""

    PARENT_SUMMARY = "PARENT_SUMMARY"
    PARENT_BREAKDOWN = "PARENT_BREAKDOWN"
    CHILD = "CHILD"


@dataclass(frozen=True)
class IncludeAll:
    """Keep only what is active now, unless asked for all, for chosen ids or for a date."""

    name: str = "includeall"
    kind: Any = bool

    def clauses(self, table: Table, values: Values, now: datetime) -> Iterator[ColumnElement[bool]]:
        """Keep the active ones where nothing wider was asked for."""
        wider = (
            values.get(self.name, ["false"])[0].lower() == "true" or values.get("ids") or values.get("date")
        )
        if not wider:
            yield active_at(table, now)


@resource(
    "accountplans",
    event="configuration.accountplan",
    filters=(
        ActiveAt("date"),
        By("account", "account_id"),
        By("plan", "plan_id"),
        By("product", "product_id"),
        By("contract", "contract_id"),
        IncludeAll(),
    ),
)
class AccountPlan(Entity, kw_only=True):
    """A plan, or a plan group, attached to an account for [startDate, endDate) (semantics §13)."""

    account_id: Annotated[Id, Ref(Account)]
    plan_id: Annotated[Id | None, Ref(Plan)] = None
    plan_group_id: Annotated[Id | None, Ref("plangroups")] = None
    product_id: Annotated[Id | None, Ref(Product), Computed()] = None
    start_date: datetime
    end_date: datetime | None = None
    code: Code | None = None
    bill_epoch: date | None = None
    contract_id: Annotated[Id | None, Ref(Contract)] = None
    child_billing_mode: ChildBillingMode = ChildBillingMode.PARENT_BREAKDOWN
    custom_fields: CustomFields = {}

    def settle(self, tx: Transaction, old: Self | None) -> Self:
        """Take the product from the plan; a group has none."""
        plan = tx.find_one(Plan, id=self.plan_id) if self.plan_id else None
        return msgspec.structs.replace(self, product_id=plan and plan.product_id)

    def check(self) -> Iterator[Problem]:
        """One plan or one group, for a span that has days."""
        yield from exactly_one(self, "plan_id", "plan_group_id")
        yield from in_order(self.start_date, self.end_date)

    def check_stored(self, tx: Transaction, old: Entity | None) -> Iterator[Problem]:
        """A bespoke plan goes to its own account only; one plan a product at a time; whose contract it is."""
        plan = tx.find_one(Plan, id=self.plan_id) if self.plan_id else None
        if plan is not None and plan.account_id not in {None, self.account_id}:
            yield Problem("planId", "bespoke_plan", "this plan was made for another account")
        # The account is locked, so that two requests cannot attach overlapping plans at the same time.
        account = tx.find_one(Account, id=self.account_id, lock=True)
        if account is not None:
            yield from self._no_overlap(tx)
            yield from of_account(tx, self.contract_id, account)

    def _no_overlap(self, tx: Transaction) -> Iterator[Problem]:
        config = tx.find_one(OrganizationConfig)
        if self.product_id is None or (config is not None and config.allow_overlapping_plans):
            return
        for other in tx.find(AccountPlan, account_id=self.account_id, product_id=self.product_id):
            if other.id != self.id and overlap(self, other):
                message = (
                    f"the account is on another plan of this product from {other.start_date.isoformat()}"
                )
                yield Problem("startDate", "overlapping_plan", message)
                return
