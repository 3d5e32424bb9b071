"""Step: the minimum spend of single pricings."""

from collections.abc import Iterable, Iterator
from decimal import Decimal
from itertools import groupby

from tallystick.billing.calculate.draft import Draft, DraftLine
from tallystick.billing.calculate.inputs import PlanTerms
from tallystick.billing.calculate.minimum import Minimum, advance_line, closing_lines
from tallystick.billing.calculate.slices import UsageSlice, usage_slices
from tallystick.billing.calculate.usage import describe
from tallystick.kernel.decimals import ZERO
from tallystick.kernel.periods import BillingPeriod, Period
from tallystick.pricing.pricing import Pricing, PricingType


def add_pricing_minimums(draft: Draft) -> Draft:
    """Top up, or bill in advance and refund, each pricing's own minimum (semantics §14, §15)."""
    return draft.add(line for terms in draft.inputs.own_plans for line in _lines(draft, terms))


def _lines(draft: Draft, terms: PlanTerms) -> Iterator[DraftLine]:
    if not any(has_minimum(p.pricing) for p in (*terms.own, *terms.inherited)):
        return
    for minimum in pricing_minimums(terms, terms.period):
        yield from closing_lines(draft.inputs, minimum, usage_of(draft.lines, terms, minimum.pricing_id))
    for period in terms.opened_periods():
        for minimum in pricing_minimums(terms, period):
            yield from advance_line(minimum)


def pricing_minimums(terms: PlanTerms, period: BillingPeriod) -> Iterator[Minimum]:
    """Give the minimum of each pricing that holds in a period, by the days on which it holds."""
    slices = [s for s in usage_slices(terms, period) if has_minimum(s.priced.pricing)]
    slices.sort(key=lambda s: s.priced.pricing.id)
    for _, group in groupby(slices, key=lambda s: s.priced.pricing.id):
        yield _minimum(terms, list(group))


def _minimum(terms: PlanTerms, slices: list[UsageSlice]) -> Minimum:
    pricing = slices[0].priced.pricing
    return Minimum(
        terms=terms,
        whole=pricing.minimum_spend or ZERO,
        shares=terms.minimum_shares(s.window.local_dates(terms.zone) for s in slices),
        service=Period(slices[0].window.start, slices[-1].window.end),
        in_advance=terms.pricing_minimum_in_advance(pricing),
        description=pricing.minimum_spend_description or f"{describe(slices[0])} Minimum Spend Adjustment",
        pricing_id=pricing.id,
        aggregation_id=slices[0].priced.aggregation_id,
        compound_aggregation_id=slices[0].priced.compound_aggregation_id,
        accounting_product_id=pricing.accounting_product_id,
    )


def has_minimum(pricing: Pricing) -> bool:
    """Tell whether usage under this pricing has a minimum of its own."""
    return bool(pricing.minimum_spend) and pricing.type is PricingType.DEBIT


def usage_of(lines: Iterable[DraftLine], terms: PlanTerms, pricing_id: str | None) -> Decimal:
    """Add up what usage under a pricing is billed as: rounded, in billing currency."""
    own = (x for x in lines if x.pricing_id == pricing_id and x.is_under(terms))
    return sum((line.converted for line in own if line.derivation.is_of_usage), ZERO)
