"""Counter pricings: what the units of a counter, such as seats, cost in each billing period."""

from collections.abc import Iterator
from datetime import datetime
from typing import Annotated, Any, Self

import msgspec
from msgspec import Meta

from tallystick.catalogue.counter import Counter
from tallystick.catalogue.product import Product
from tallystick.catalogue.scope import elsewhere_priced
from tallystick.kernel.problems import Problem
from tallystick.platform.resources import (
    ActiveAt,
    By,
    Code,
    Entity,
    Id,
    Ref,
    Transaction,
    resource,
    resource_of,
)
from tallystick.platform.resources.checks import exactly_one, in_order, overlap
from tallystick.platform.resources.fields import Description
from tallystick.pricing.plan import Plan
from tallystick.pricing.plan_template import PlanTemplate
from tallystick.pricing.pricing import PricingBand, ascending_bands, with_id
from tallystick.pricing.scope import first_elsewhere, suits_plan


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
        counter = tx.find_one(Counter, id=self.counter_id)
        if counter is not None:
            yield from suits_plan(tx, self, counter, counter.name, "counterId")
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


def counter_priced_elsewhere(
    tx: Transaction, quantity: type, quantity_id: str, product_id: str
) -> str | None:
    """Name a pricing of a counter on a plan of another product, if there is one."""
    if quantity is not Counter:
        return None
    table = resource_of(CounterPricing).table
    found = first_elsewhere(tx, table, table.c.counter_id == quantity_id, product_id)
    return f"counter pricing {found}" if found else None


elsewhere_priced.append(counter_priced_elsewhere)
