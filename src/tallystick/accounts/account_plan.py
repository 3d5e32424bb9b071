"""Account plans: which account is on which plan, and from when to when."""

from collections.abc import Iterator, Sequence
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
from tallystick.pricing.plan_group import PlanGroup
from tallystick.pricing.plan_group_link import PlanGroupLink, link_checks, plans_of_group


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
    plan_group_id: Annotated[Id | None, Ref(PlanGroup)] = None
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
        """The bespoke goes to its own account only; one plan a product at a time; whose contract it is."""
        plan = tx.find_one(Plan, id=self.plan_id) if self.plan_id else None
        if plan is not None and plan.account_id not in {None, self.account_id}:
            yield Problem("planId", "bespoke_plan", "this plan was made for another account")
        # Locked, so that no plan comes into the group while it is attached beside one of the same product.
        group = tx.find_one(PlanGroup, id=self.plan_group_id, lock=True) if self.plan_group_id else None
        if group is not None and group.account_id not in {None, self.account_id}:
            yield Problem("planGroupId", "bespoke_plan", "this plan group was made for another account")
        # The account is locked, so that two requests cannot attach overlapping plans at the same time.
        account = tx.find_one(Account, id=self.account_id, lock=True)
        if account is not None:
            yield from self._no_overlap(tx)
            yield from of_account(tx, self.contract_id, account)

    def _no_overlap(self, tx: Transaction) -> Iterator[Problem]:
        products = self.products(tx)
        if not products or _may_overlap(tx):
            return
        for other in tx.find(AccountPlan, account_id=self.account_id):
            if other.id != self.id and overlap(self, other) and products & other.products(tx):
                since = other.start_date.isoformat()
                message = f"the account is on another plan of this product from {since}"
                yield Problem("startDate", "overlapping_plan", message)
                return

    def products(self, tx: Transaction) -> set[str]:
        """Give the products whose plans are attached by it: one, or those of the group's plans."""
        if self.plan_group_id is None:
            return {self.product_id} if self.product_id else set()
        return {plan.product_id for plan in plans_of_group(tx, self.plan_group_id) if plan.product_id}


def members(tx: Transaction, attached: Sequence[AccountPlan]) -> list[AccountPlan]:
    """Give account plans with each plan group in the place of which each of its plans stands.

    Such a plan keeps the id and the group of what it came from.
    """
    groups = {each.plan_group_id for each in attached if each.plan_group_id}
    links = tx.find(PlanGroupLink, plan_group_id=groups)
    plans = tx.by_id(Plan, (link.plan_id for link in links))
    linked: dict[str, list[Plan]] = {}
    for link in sorted(links, key=lambda link: link.id):
        linked.setdefault(link.plan_group_id, []).append(plans[link.plan_id])
    return [
        each if plan is None else msgspec.structs.replace(each, plan_id=plan.id, product_id=plan.product_id)
        for each in attached
        for plan in (linked.get(each.plan_group_id, []) if each.plan_group_id else [None])
    ]


def _may_overlap(tx: Transaction) -> bool:
    config = tx.find_one(OrganizationConfig)
    return config is not None and config.allow_overlapping_plans


def _no_overlap_by_link(tx: Transaction, group: PlanGroup, plan: Plan) -> Iterator[Problem]:
    """A plan comes into an attached group only where no account has its product beside the group."""
    attached = tx.find(AccountPlan, plan_group_id=group.id)
    if not attached or _may_overlap(tx):
        return
    accounts = sorted({each.account_id for each in attached})
    tx.find(Account, lock=True, id=accounts)
    for other in members(tx, tx.find(AccountPlan, account_id=accounts)):
        if other.plan_group_id == group.id or other.product_id != plan.product_id:
            continue
        if any(other.account_id == each.account_id and overlap(other, each) for each in attached):
            message = "an account of this group is on another plan of this product at the same time"
            yield Problem("planId", "overlapping_plan", message)
            return


link_checks.append(_no_overlap_by_link)
