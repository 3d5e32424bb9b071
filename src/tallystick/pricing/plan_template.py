"""Plan templates: what the plans of a product share."""

from collections.abc import Iterator
from typing import Annotated

from msgspec import Meta

from tallystick.catalogue.product import Product
from tallystick.kernel.periods import BillingFrequency
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

    @property
    def frequency(self) -> tuple[BillingFrequency, int]:
        """How often it bills: every so many days, weeks, months or years."""
        return self.bill_frequency, self.bill_frequency_interval or 1

    def check(self) -> Iterator[Problem]:
        """A plan has a frequency of its own; MIXED only describes consolidated bills."""
        if self.bill_frequency is BillingFrequency.MIXED:
            yield Problem(
                "billFrequency", "unknown_value", "MIXED describes a bill, not a plan; choose another"
            )

    def check_stored(self, tx: Transaction, old: Entity | None) -> Iterator[Problem]:
        """The currency exists; plans keep their product, and in a group their currency and frequency."""
        yield from chosen_currency(tx, self.currency, old)
        if not isinstance(old, PlanTemplate):
            return
        if old.product_id != self.product_id:
            yield from _product_stays(tx, old)
        from tallystick.pricing.plan import Plan  # noqa: PLC0415 - the two know each other

        changed = [
            name
            for name, before, now in (
                ("currency", old.currency, self.currency),
                ("billFrequency", old.frequency, self.frequency),
            )
            if before != now
        ]
        if changed and _is_in_group(tx, [plan.id for plan in tx.find(Plan, plan_template_id=old.id)]):
            message = "cannot change while a plan made from this template is in a plan group"
            yield from (Problem(name, "in_use", message) for name in changed)


def _product_stays(tx: Transaction, template: PlanTemplate) -> Iterator[Problem]:
    """What is made from a template, and priced on it, is of its product (semantics §5)."""
    from tallystick.pricing.counter_pricing import CounterPricing  # noqa: PLC0415 - the two know each other
    from tallystick.pricing.plan import Plan  # noqa: PLC0415 - the same
    from tallystick.pricing.pricing import Pricing  # noqa: PLC0415 - the same

    users: tuple[tuple[type[Entity], str], ...] = (
        (Plan, "plans are made from this template"),
        (Pricing, "usage is priced on this template"),
        (CounterPricing, "counters are priced on this template"),
    )
    for cls, what in users:
        if tx.find(cls, limit=1, plan_template_id=template.id):
            yield Problem("productId", "in_use", f"cannot change while {what}")
            return


def _is_in_group(tx: Transaction, plan_ids: list[str]) -> bool:
    from tallystick.pricing.plan_group_link import PlanGroupLink  # noqa: PLC0415 - the two know each other

    return bool(plan_ids) and bool(tx.find(PlanGroupLink, limit=1, plan_id=plan_ids))
