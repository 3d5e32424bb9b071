"""Step: the minimum spend of plans."""

from collections.abc import Iterator
from decimal import Decimal

from tallystick.billing.calculate.convert import billed
from tallystick.billing.calculate.draft import Draft, DraftLine
from tallystick.billing.calculate.inputs import Charging, PlanTerms
from tallystick.billing.calculate.minimum import Minimum, advance_line, closing_lines
from tallystick.billing.calculate.pricing_minimums import has_minimum, pricing_minimums, usage_of
from tallystick.kernel.decimals import ZERO
from tallystick.kernel.periods import BillingPeriod
from tallystick.rating.minimum import minimum_top_up


def add_plan_minimums(draft: Draft) -> Draft:
    """Top up, or bill in advance and refund, each plan's minimum (semantics §15)."""
    return draft.add(line for terms in draft.inputs.own_plans for line in _lines(draft, terms))


def _lines(draft: Draft, terms: PlanTerms) -> Iterator[DraftLine]:
    if not terms.minimum_spend.amount:
        return
    product = draft.inputs.products.get(terms.product_id or "")
    name = product.name if product else terms.plan.name
    closing = minimum_of(terms, terms.period, name)
    yield from closing_lines(draft.inputs, closing, counted(draft, terms))
    for period in terms.opened_periods():
        yield from advance_line(minimum_of(terms, period, name))


def minimum_of(terms: Charging, period: BillingPeriod, name: str) -> Minimum:
    """Give the minimum of a plan or a group in a period, by its active days. name: of what it is for."""
    days, minimum = terms.active_dates(period), terms.minimum_spend
    return Minimum(
        terms=terms,
        whole=minimum.amount,
        shares=terms.minimum_shares([days]),
        service=days.instants(terms.zone),
        in_advance=minimum.in_advance,
        description=minimum.description or f"{name} Minimum Spend Adjustment",
        accounting_product_id=minimum.accounting_product_id,
    )


def counted(draft: Draft, terms: PlanTerms) -> Decimal:
    """Add up what counts toward a plan's minimum: its usage less its credits, and its pricings' top-ups.

    As billed: rounded, in billing currency.
    Standing charges and counters do not count (semantics §15). A pricing's top-up counts for the period
    it belongs to, also where it is billed in advance.
    """
    own = [x for x in draft.lines if x.is_under(terms)]
    usage = sum((x.converted for x in own if x.derivation.is_of_usage and not x.is_global_credit), ZERO)
    if not any(has_minimum(p.pricing) for p in (*terms.own, *terms.inherited)):
        return usage
    top_ups = [
        minimum_top_up(
            usage_of(draft.lines, terms, m.pricing_id),
            billed(draft.inputs, m.amount, terms.currency),
        )
        for m in pricing_minimums(terms, terms.period)
    ]
    return usage + sum(top_ups, ZERO)
