"""Plan groups: plans of several products that are attached together, with charges over all of them."""

from collections.abc import Iterator
from typing import Annotated

from msgspec import Meta

from tallystick.catalogue.product import Product
from tallystick.kernel.problems import Problem
from tallystick.organizations.currency import chosen_currency
from tallystick.platform.resources import (
    By,
    Code,
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


@resource(
    "plangroups",
    event="configuration.plangroup",
    unique=("code",),
    filters=(By("accountId", "account_id", many=True),),
    max_page_size=200,
)
class PlanGroup(Entity, kw_only=True):
    """Plans to attach as one, with a standing charge and a minimum over all; bespoke if it names an account.

    Its plans are billed as if each were attached by itself (semantics §13).
    """

    name: Name
    code: Code | None = None
    minimum_spend: NonNegative | None = None
    minimum_spend_description: Description | None = None
    standing_charge: NonNegative | None = None
    standing_charge_description: Description | None = None
    currency: Annotated[str, Meta(min_length=3, max_length=3)]
    standing_charge_bill_in_advance: bool | None = None
    minimum_spend_bill_in_advance: bool | None = None
    account_id: Annotated[Id | None, Ref("accounts")] = None
    minimum_spend_accounting_product_id: Annotated[Id | None, Ref(Product)] = None
    standing_charge_accounting_product_id: Annotated[Id | None, Ref(Product)] = None
    custom_fields: CustomFields = {}

    def check_stored(self, tx: Transaction, old: Entity | None) -> Iterator[Problem]:
        """The currency exists, and is that of the group's plans; the group is never re-pointed."""
        yield from chosen_currency(tx, self.currency, old)
        if not isinstance(old, PlanGroup):
            return
        if old.account_id != self.account_id:
            message = "cannot change: a group is made for one account, or for all"
            yield Problem("accountId", "immutable", message)
        from tallystick.pricing.plan_group_link import PlanGroupLink  # noqa: PLC0415 - the two know each other

        if old.currency != self.currency and tx.find(PlanGroupLink, limit=1, plan_group_id=old.id):
            yield Problem("currency", "in_use", "cannot change while plans are in this group")
