"""Pricings: how a quantity of usage becomes an amount of money."""

from collections.abc import Iterator, Sequence
from datetime import datetime
from decimal import Decimal
from enum import StrEnum
from typing import Annotated, Any, Self

import msgspec
from msgspec import Meta

from tallystick.catalogue.aggregation import Aggregation, Segment, segment_users
from tallystick.catalogue.compound_aggregation import CompoundAggregation
from tallystick.catalogue.product import Product
from tallystick.catalogue.scope import elsewhere_priced
from tallystick.kernel.problems import Problem
from tallystick.platform.ids import new_id
from tallystick.platform.resources import (
    AMOUNT,
    ActiveAt,
    By,
    Code,
    Computed,
    Entity,
    Id,
    NonNegative,
    Ref,
    Transaction,
    resource,
    resource_of,
)
from tallystick.platform.resources.checks import exactly_one, in_order, overlap
from tallystick.platform.resources.fields import Description
from tallystick.pricing.plan import Plan
from tallystick.pricing.plan_template import PlanTemplate
from tallystick.pricing.scope import first_elsewhere, suits_plan


class PricingType(StrEnum):
    """Whether usage is charged or credited (semantics §14)."""

    DEBIT = "DEBIT"
    PRODUCT_CREDIT = "PRODUCT_CREDIT"
    GLOBAL_CREDIT = "GLOBAL_CREDIT"


class AggregationType(StrEnum):
    """What a pricing prices."""

    SIMPLE = "SIMPLE"
    COMPOUND = "COMPOUND"


class PricingBand(msgspec.Struct, kw_only=True, rename="camel"):
    """Prices from more than `lowerLimit` units on."""

    id: Id | None = None
    lower_limit: NonNegative
    fixed_price: Annotated[Decimal, AMOUNT]
    unit_price: Annotated[Decimal, AMOUNT]
    credit_type_id: str | None = None


@resource(
    "pricings",
    event="configuration.pricing",
    filters=(
        ActiveAt("date"),
        By("planId", "plan_id"),
        By("planTemplateId", "plan_template_id"),
        By("aggregationId", "aggregation_id"),
    ),
)
class Pricing(Entity, kw_only=True):
    """The price of an aggregation's units on a plan, or on all plans of a template (semantics §14)."""

    plan_id: Annotated[Id | None, Ref(Plan)] = None
    plan_template_id: Annotated[Id | None, Ref(PlanTemplate)] = None
    aggregation_id: Annotated[Id | None, Ref(Aggregation)] = None
    compound_aggregation_id: Annotated[Id | None, Ref("compoundaggregations")] = None
    aggregation_type: Annotated[AggregationType, Computed()] = AggregationType.SIMPLE
    code: Code | None = None
    description: Description | None = None
    accounting_product_id: Annotated[Id | None, Ref(Product)] = None
    start_date: datetime
    end_date: datetime | None = None
    type: PricingType = PricingType.DEBIT
    cumulative: bool = False
    "True prices each band's own units (tiered); False prices all units at the band reached (volume)."
    tiers_span_plan: bool = False
    pricing_bands: Annotated[list[PricingBand], Meta(min_length=1)]
    overage_pricing_bands: list[PricingBand] = []
    segment: Segment | None = None
    segment_string: Annotated[str | None, Computed()] = None
    minimum_spend: NonNegative | None = None
    minimum_spend_description: Description | None = None
    minimum_spend_bill_in_advance: bool | None = None

    def settle(self, tx: Transaction, old: Self | None) -> Self:
        """Give each new band an id, and tell what is priced."""
        compound = self.compound_aggregation_id is not None
        return msgspec.structs.replace(
            self,
            aggregation_type=AggregationType.COMPOUND if compound else AggregationType.SIMPLE,
            segment_string=segment_text(self.segment) if self.segment else None,
            pricing_bands=[with_id(b) for b in self.pricing_bands],
            overage_pricing_bands=[with_id(b) for b in self.overage_pricing_bands],
        )

    def check(self) -> Iterator[Problem]:
        """One thing is priced in one place, in ascending bands; overage only extends tiers."""
        yield from exactly_one(self, "plan_id", "plan_template_id")
        yield from exactly_one(self, "aggregation_id", "compound_aggregation_id")
        yield from in_order(self.start_date, self.end_date)
        yield from ascending_bands("pricingBands", self.pricing_bands)
        yield from ascending_bands("overagePricingBands", self.overage_pricing_bands)
        if self.overage_pricing_bands and not self.cumulative:
            yield Problem(
                "overagePricingBands", "not_applicable", "needs tiered pricing: set cumulative to true"
            )
        if self.overage_pricing_bands and self.tiers_span_plan:
            yield Problem("overagePricingBands", "not_applicable", "cannot be combined with tiersSpanPlan")
        if self.type is not PricingType.DEBIT:
            yield from no_negative_prices("pricingBands", self.pricing_bands)

    def check_stored(self, tx: Transaction, old: Entity | None) -> Iterator[Problem]:
        """The aggregation has the segment and suits the plan's product; no two prices hold at once."""
        aggregation = tx.find_one(Aggregation, id=self.aggregation_id) if self.aggregation_id else None
        if aggregation is not None:
            yield from self._priced_segment(aggregation)
            yield from suits_plan(tx, self, aggregation, aggregation.name, "aggregationId")
        compound_id = self.compound_aggregation_id
        compound = tx.find_one(CompoundAggregation, id=compound_id) if compound_id else None
        if compound is not None:
            yield from self._priced_segment(compound)
            yield from suits_plan(tx, self, compound, compound.name, "compoundAggregationId")
        yield from self._no_overlap(tx)

    def _priced_segment(self, aggregation: Aggregation | CompoundAggregation) -> Iterator[Problem]:
        if aggregation.segments and self.segment is None:
            yield Problem(
                "segment", "required", f"{aggregation.name} is segmented; name the segment to price"
            )
        elif self.segment is not None and self.segment not in aggregation.segments:
            yield Problem("segment", "unknown_segment", f"{aggregation.name} has no such segment")

    def _no_overlap(self, tx: Transaction) -> Iterator[Problem]:
        same: dict[str, Any] = {
            "plan_id": self.plan_id,
            "plan_template_id": self.plan_template_id,
            "aggregation_id": self.aggregation_id,
            "compound_aggregation_id": self.compound_aggregation_id,
        }
        for other in tx.find(Pricing, **same):
            if other.id != self.id and other.segment == self.segment and overlap(self, other):
                since = other.start_date.isoformat()
                message = f"another pricing of the same usage holds from {since}; end it first"
                yield Problem("startDate", "overlapping_pricing", message)
                return


def ascending_bands(field: str, bands: Sequence[PricingBand]) -> Iterator[Problem]:
    """Bands start at 0 and rise."""
    for i, band in enumerate(bands):
        where = f"{field}[{i}].lowerLimit"
        if i == 0 and band.lower_limit != 0:
            yield Problem(where, "first_band_not_at_zero", "the first band has to start at 0")
        elif i > 0 and band.lower_limit <= bands[i - 1].lower_limit:
            message = f"must be more than the band before it, {bands[i - 1].lower_limit}"
            yield Problem(where, "bands_not_ascending", message)


def no_negative_prices(field: str, bands: Sequence[PricingBand]) -> Iterator[Problem]:
    """A credit gives back; with a negative price it would charge."""
    for i, band in enumerate(bands):
        for name, price in (("fixedPrice", band.fixed_price), ("unitPrice", band.unit_price)):
            if price < 0:
                message = f"must be zero or more: a credit of {price} would be a charge"
                yield Problem(f"{field}[{i}].{name}", "out_of_range", message)


def with_id(band: PricingBand) -> PricingBand:
    """Give a band that has none an id."""
    return band if band.id else msgspec.structs.replace(band, id=new_id())


def segment_text(segment: Segment) -> str:
    """Write a segment in one line: `region=EU, tier=gold`."""
    return ", ".join(f"{k}={v}" for k, v in sorted(segment.items()))


def pricing_of_segment(tx: Transaction, aggregation_id: str, segment: Segment | None) -> str | None:
    """Name a pricing of the segment (None: the whole) of an aggregation, compound or not, if there is one."""
    compound = tx.find(Pricing, compound_aggregation_id=aggregation_id)
    for pricing in [*tx.find(Pricing, aggregation_id=aggregation_id), *compound]:
        if pricing.segment == segment:
            return f"pricing {pricing.code or pricing.id}"
    return None


segment_users.append(pricing_of_segment)


def priced_elsewhere(tx: Transaction, quantity: type, quantity_id: str, product_id: str) -> str | None:
    """Name a pricing of an aggregation, compound or not, on a plan of another product, if there is one."""
    table = resource_of(Pricing).table
    columns = {Aggregation: table.c.aggregation_id, CompoundAggregation: table.c.compound_aggregation_id}
    if quantity not in columns:
        return None
    found = first_elsewhere(tx, table, columns[quantity] == quantity_id, product_id)
    return f"pricing {found}" if found else None


elsewhere_priced.append(priced_elsewhere)
