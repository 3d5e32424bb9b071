"""Counter pricings: what the units of a counter, such as seats, cost in each billing period."""

from collections.abc import Iterator
from datetime import datetime
from typing import Annotated, Any, Self

import msgspec
from msgspec import Meta

from tallystick.catalogue.counter import Counter
from tallystick.catalogue.product import Product
from tallystick.kernel.problems import Problem
from tallystick.platform.resources import ActiveAt, By, Code, Entity, Id, Ref, Transaction, resource
from tallystick.platform.resources.checks import exactly_one, in_order, overlap
from tallystick.platform.resources.fields import Description
from tallystick.pricing.plan import Plan
from tallystick.pricing.plan_template import PlanTemplate
from tallystick.pricing.pricing import PricingBand, ascending_bands, with_id


@resource(
    "counterpricings",
    event="configuration.counterpricing",
    filters=(ActiveAt("date"), By("planId", "plan_id"), By("planTemplateId", "plan_template_id")),
    max_page_size=200,
)
class CounterPricing(Entity, kw_only=True):
    """The price of a counter's units on a plan, or on all plans of a template (semantics §16)."""

    plan_id: Annotated[Id | None, Ref(Plan)] = None
    plan_template_id: Annotated[Id | None, Ref(PlanTemplate)] = None
    counter_id: Annotated[Id, Ref(Counter)]
    code: Code | None = None
    description: Description | None = None
    accounting_product_id: Annotated[Id | None, Ref(Product)] = None
    start_date: datetime
    end_date: datetime | None = None
    cumulative: bool = False
    "True prices each band's own units (tiered); False prices all units at the band reached (volume)."
    pricing_bands: Annotated[list[PricingBand], Meta(min_length=1)]
    running_total_bill_in_advance: bool = True
    pro_rate_running_total: bool = True
    pro_rate_adjustment_debit: bool = True
    pro_rate_adjustment_credit: bool = True

    def settle(self, tx: Transaction, old: Self | None) -> Self:
        """Give each new band an id."""
        return msgspec.structs.replace(self, pricing_bands=[with_id(b) for b in self.pricing_bands])

    def check(self) -> Iterator[Problem]:
        """One counter is priced in one place, in ascending bands."""
        yield from exactly_one(self, "plan_id", "plan_template_id")
        yield from in_order(self.start_date, self.end_date)
        yield from ascending_bands("pricingBands", self.pricing_bands)

    def check_stored(self, tx: Transaction, old: Entity | None) -> Iterator[Problem]:
        """The counter suits the plan's product; no two prices of it hold at once."""
        yield from self._of_same_product(tx)
        same: dict[str, Any] = {
            "plan_id": self.plan_id,
            "plan_template_id": self.plan_template_id,
            "counter_id": self.counter_id,
        }
        for other in tx.find(CounterPricing, **same):
            if other.id != self.id and overlap(self, other):
                since = other.start_date.isoformat()
                message = f"another pricing of the same counter holds from {since}; end it first"
                yield Problem("startDate", "overlapping_pricing", message)
                return

    def _of_same_product(self, tx: Transaction) -> Iterator[Problem]:
        """A counter of a product prices that product's plans only; a global one any."""
        counter = tx.find_one(Counter, id=self.counter_id)
        on = tx.find_one(Plan, id=self.plan_id) if self.plan_id else None
        template = tx.find_one(PlanTemplate, id=self.plan_template_id) if self.plan_template_id else None
        product_id = (on and on.product_id) or (template and template.product_id)
        own_id = counter.product_id if counter else None
        if counter is not None and own_id is not None and product_id not in {None, own_id}:
            message = f"{counter.name} belongs to another product than the plan"
            yield Problem("counterId", "wrong_product", message)
