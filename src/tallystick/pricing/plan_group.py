"""Plan groups: plans of several products that are attached together, with charges over all of them."""

from collections.abc import Iterator
from typing import Annotated

from msgspec import Meta

from tallystick.catalogue.product import Product
from tallystick.kernel.problems import Problem
from tallystick.organizations.currency import known_currency
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
        """The currency exists, and is that of the group's plans; a bespoke group is never re-pointed."""
        yield from known_currency(tx, "currency", self.currency)
        if not isinstance(old, PlanGroup):
            return
        if old.account_id is not None and old.account_id != self.account_id:
            yield Problem("accountId", "immutable", "cannot change: the group was made for one account")
        from tallystick.pricing.plan_group_link import PlanGroupLink  # noqa: PLC0415 - the two know each other

        is_linked = bool(tx.find(PlanGroupLink, limit=1, plan_group_id=old.id))
        if is_linked and old.currency != self.currency:
            yield Problem("currency", "in_use", "cannot change while plans are in this group")
        if is_linked and old.account_id is None and self.account_id is not None:
            yield Problem("accountId", "in_use", "cannot be set while plans are in this group")
