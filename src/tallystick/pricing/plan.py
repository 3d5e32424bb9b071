"""Plans: what accounts are on."""

from collections.abc import Iterator
from typing import Annotated, Self

import msgspec

from tallystick.catalogue.product import Product
from tallystick.kernel.problems import Problem
from tallystick.platform.resources import (
    By,
    Code,
    Computed,
    CustomFields,
    Entity,
    Id,
    Name,
    NonNegative,
    Ref,
    Transaction,
    resource,
)
from tallystick.platform.resources.fields import Description
from tallystick.pricing.plan_template import Ordinal, PlanTemplate


@resource(
    "plans",
    event="configuration.plan",
    unique=("code",),
    filters=(By("productId", "product_id"), By("accountId", "account_id", many=True)),
)
class Plan(Entity, kw_only=True):
    """A template, with its own charges where it says so; bespoke if made for one account (semantics §13)."""

    plan_template_id: Annotated[Id, Ref(PlanTemplate)]
    product_id: Annotated[Id | None, Ref(Product), Computed()] = None
    name: Name
    code: Code
    standing_charge: NonNegative | None = None
    standing_charge_description: Description | None = None
    standing_charge_bill_in_advance: bool | None = None
    standing_charge_accounting_product_id: Annotated[Id | None, Ref(Product)] = None
    minimum_spend: NonNegative | None = None
    minimum_spend_description: Description | None = None
    minimum_spend_bill_in_advance: bool | None = None
    minimum_spend_accounting_product_id: Annotated[Id | None, Ref(Product)] = None
    ordinal: Ordinal | None = None
    bespoke: bool | None = None
    account_id: Annotated[Id | None, Ref("accounts")] = None
    custom_fields: CustomFields = {}

    def settle(self, tx: Transaction, old: Self | None) -> Self:
        """Take the product from the template; a plan for one account is bespoke."""
        template = tx.find_one(PlanTemplate, id=self.plan_template_id)
        bespoke = self.bespoke if self.bespoke is not None else self.account_id is not None
        return msgspec.structs.replace(self, product_id=template and template.product_id, bespoke=bespoke)

    def check(self) -> Iterator[Problem]:
        """Only a bespoke plan names an account."""
        if self.account_id is not None and not self.bespoke:
            yield Problem("bespoke", "not_applicable", "must be true for a plan that names an accountId")

    def check_stored(self, tx: Transaction, old: Entity | None) -> Iterator[Problem]:
        """A plan is never re-pointed to an account, nor does it move to another template."""
        if isinstance(old, Plan):
            if old.account_id != self.account_id:
                message = "cannot change: a plan is made for one account, or for all"
                yield Problem("accountId", "immutable", message)
            if old.plan_template_id != self.plan_template_id:
                yield Problem(
                    "planTemplateId", "immutable", "cannot change: make a new plan from that template"
                )
