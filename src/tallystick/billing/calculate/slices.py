"""Which prices hold when: a billing period cut by account plan and pricings (semantics §13, §14).

Pure and shared: `load` asks it which usage is needed, the steps ask it what to rate.
"""

from collections.abc import Hashable, Iterable, Iterator
from datetime import datetime
from typing import TypeVar

import msgspec

from tallystick.accounts.contract import UsageFilter
from tallystick.billing.calculate.inputs import (
    Part,
    PlanTerms,
    Pool,
    PricedAggregation,
    PricedCounter,
    UsageKey,
)
from tallystick.kernel.periods import BillingPeriod, Period, billing_period
from tallystick.pricing.pricing import PricingType

P = TypeVar("P", PricedAggregation, PricedCounter)


class UsageSlice(msgspec.Struct, frozen=True):
    """A stretch of time for which one pricing prices one aggregation, or one segment of it.

    history: the same pricing's earlier stretches, where its tiers span the plan. filters: which usage counts.
    """

    priced: PricedAggregation
    window: Period
    history: tuple[Period, ...] = ()
    filters: tuple[UsageFilter, ...] = ()

    def keys(self, terms: PlanTerms) -> Iterator[tuple[Part, UsageKey]]:
        """Name the usage of it and of the earlier stretches; each account's, where it is told apart."""
        pool = terms.pool(self.window)
        yield from self._keys(self.window, pool)
        if terms.is_pooled:
            for account_id in pool.account_ids:
                yield from self._keys(self.window, pool.own(account_id))
        for window in self.history:
            yield from self._keys(window, terms.pool(window))

    def _keys(self, window: Period, pool: Pool) -> Iterator[tuple[Part, UsageKey]]:
        for part in self.priced.parts:
            yield part, part.key(pool.account_ids, window, self.filters, pool.away)


def usage_slices(terms: PlanTerms, period: BillingPeriod) -> list[UsageSlice]:
    """Cut a period: account plan ∩ pricing; a plan's pricing wins over its template's, while it holds.

    Slices of the same aggregation and segment never overlap. The plan's pricings come before the template's.
    """
    billed = terms.active.intersect(period.dates.instants(terms.zone))
    return [
        UsageSlice(
            priced,
            window,
            _history(terms, priced, period, window) if priced.pricing.tiers_span_plan else (),
            terms.usage_filters,
        )
        for priced, window in _windows(terms, billed)
    ]


def _windows(terms: PlanTerms, billed: Period) -> Iterator[tuple[PricedAggregation, Period]]:
    yield from held_windows(_in_order(terms.own), _in_order(terms.inherited), billed)


def held_windows(own: Iterable[P], inherited: Iterable[P], billed: Period) -> Iterator[tuple[P, Period]]:
    """Give when each pricing holds: a plan's own wherever it does, its template's where no own one does."""
    held: dict[Hashable, list[Period]] = {}
    for priced in own:
        window = billed.intersect(Period.of(priced.pricing.start_date, priced.pricing.end_date))
        if not window.is_empty:
            held.setdefault(priced.key, []).append(window)
            yield priced, window
    for priced in inherited:
        window = billed.intersect(Period.of(priced.pricing.start_date, priced.pricing.end_date))
        for left in window.outside(held.get(priced.key, [])):
            yield priced, left


def _in_order(pricings: Iterable[PricedAggregation]) -> list[PricedAggregation]:
    """Sort as they are to stand on the bill: charges before credits, by name, by segment, by time."""
    return sorted(pricings, key=_place)


def _place(each: PricedAggregation) -> tuple[bool, str, int, datetime, str]:
    pricing, segment = each.pricing, -1 if each.segment is None else each.segment
    is_credit = pricing.type is not PricingType.DEBIT
    return is_credit, each.aggregation.name, segment, pricing.start_date, pricing.id


def _history(
    terms: PlanTerms, priced: PricedAggregation, period: BillingPeriod, before: Period
) -> tuple[Period, ...]:
    """Give a pricing's stretches before one of its own, from the account plan's start (semantics §14).

    In the same period, too: a template's pricing goes on after one of the plan that held for some days.
    """
    starting = terms.active.local_dates(terms.zone).start
    numbers = range(period.number + 1)
    periods = (billing_period(terms.cycle, starting, number) for number in numbers)
    return tuple(
        window
        for each in periods
        for other, window in _windows(terms, terms.active.intersect(each.dates.instants(terms.zone)))
        if other.pricing.id == priced.pricing.id and window.start < before.start
    )
