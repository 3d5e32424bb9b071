"""Which prices hold when: a billing period cut by account plan and pricings (semantics §13, §14).

Pure and shared: `load` asks it which usage is needed, the steps ask it what to rate.
"""

from collections.abc import Iterable, Iterator

import msgspec

from tallystick.billing.calculate.inputs import PlanTerms, PricedAggregation, UsageKey
from tallystick.kernel.periods import BillingPeriod, Period, billing_period


class UsageSlice(msgspec.Struct, frozen=True):
    """A stretch of time for which one pricing prices one aggregation, or one segment of it.

    history: the same pricing's earlier stretches, where its tiers span the plan.
    """

    priced: PricedAggregation
    window: Period
    history: tuple[Period, ...] = ()

    def key(self, account_ids: tuple[str, ...]) -> UsageKey:
        """Name the usage that falls into it."""
        return UsageKey(self.priced.aggregation.id, account_ids, self.window, self.priced.segment)

    def history_keys(self, account_ids: tuple[str, ...]) -> list[UsageKey]:
        """Name the usage of the earlier stretches."""
        priced = self.priced
        return [UsageKey(priced.aggregation.id, account_ids, w, priced.segment) for w in self.history]


def usage_slices(terms: PlanTerms, period: BillingPeriod) -> list[UsageSlice]:
    """Cut a period: account plan ∩ pricing; a plan's pricing wins over its template's, while it holds.

    Slices of the same aggregation and segment never overlap. In order: the plan's pricings, then the
    template's, each by start.
    """
    billed = terms.active.intersect(period.dates.instants(terms.zone))
    return [
        UsageSlice(priced, window, _history(terms, priced, period) if priced.pricing.tiers_span_plan else ())
        for priced, window in _windows(terms, billed)
    ]


def _windows(terms: PlanTerms, billed: Period) -> Iterator[tuple[PricedAggregation, Period]]:
    held: dict[tuple[str, int | None], list[Period]] = {}
    for priced in _by_start(terms.own):
        window = billed.intersect(Period.of(priced.pricing.start_date, priced.pricing.end_date))
        if not window.is_empty:
            held.setdefault(priced.key, []).append(window)
            yield priced, window
    for priced in _by_start(terms.inherited):
        window = billed.intersect(Period.of(priced.pricing.start_date, priced.pricing.end_date))
        for left in outside(window, held.get(priced.key, [])):
            yield priced, left


def _by_start(pricings: Iterable[PricedAggregation]) -> list[PricedAggregation]:
    return sorted(pricings, key=lambda p: (p.pricing.start_date, p.pricing.id))


def outside(span: Period, taken: Iterable[Period]) -> Iterator[Period]:
    """Give the parts of `span` that none of `taken` covers, in order. taken: ascending, apart."""
    start = span.start
    for each in taken:
        if each.start > start:
            part = Period(start, min(each.start, span.end))
            if not part.is_empty:
                yield part
        start = max(start, min(each.end, span.end))
    if start < span.end:
        yield Period(start, span.end)


def _history(terms: PlanTerms, priced: PricedAggregation, period: BillingPeriod) -> tuple[Period, ...]:
    """Give the earlier periods' stretches of a pricing, from the account plan's start (semantics §14)."""
    starting = terms.active.local_dates(terms.zone).start
    earlier = (billing_period(terms.cycle, starting, number) for number in range(period.number))
    return tuple(
        window
        for each in earlier
        for other, window in _windows(terms, terms.active.intersect(each.dates.instants(terms.zone)))
        if other.pricing.id == priced.pricing.id
    )
