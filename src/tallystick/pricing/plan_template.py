"""Plan templates: what the plans of a product share."""

from collections.abc import Iterator
from typing import Annotated

from msgspec import Meta

from tallystick.catalogue.product import Product
from tallystick.kernel.periods import BillingFrequency
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

Interval = Annotated[int, Meta(ge=1, le=365)]
Offset = Annotated[int, Meta(ge=0, le=364)]
Ordinal = Annotated[int, Meta(ge=0, le=2**63 - 1)]


@resource(
    "plantemplates",
    event="configuration.plantemplate",
    unique=("code",),
    filters=(By("productId", "product_id"),),
)
class PlanTemplate(Entity, kw_only=True):
    """How often, in which currency and with what charges a product's plans bill (semantics §13)."""

    product_id: Annotated[Id, Ref(Product)]
    name: Name
    code: Code | None = None
    currency: Annotated[str, Meta(min_length=3, max_length=3)]
    bill_frequency: BillingFrequency
    bill_frequency_interval: Interval | None = None
    standing_charge: NonNegative
    standing_charge_description: Description | None = None
    standing_charge_interval: Interval | None = None
    standing_charge_offset: Offset | None = None
    standing_charge_bill_in_advance: bool | None = None
    minimum_spend: NonNegative | None = None
    minimum_spend_description: Description | None = None
    minimum_spend_bill_in_advance: bool | None = None
    ordinal: Ordinal | None = None
    custom_fields: CustomFields = {}

    def check(self) -> Iterator[Problem]:
        """A plan has a frequency of its own; MIXED only describes consolidated bills."""
        if self.bill_frequency is BillingFrequency.MIXED:
            yield Problem(
                "billFrequency", "unknown_value", "MIXED describes a bill, not a plan; choose another"
            )

    def check_stored(self, tx: Transaction, old: Entity | None) -> Iterator[Problem]:
        """The currency exists; plans that hang on the template keep their product."""
        yield from known_currency(tx, "currency", self.currency)
        if isinstance(old, PlanTemplate) and old.product_id != self.product_id:
            from tallystick.pricing.plan import Plan  # noqa: PLC0415 - the two know each other

            if tx.find(Plan, limit=1, plan_template_id=old.id):
                yield Problem("productId", "in_use", "cannot change while plans are made from this template")
