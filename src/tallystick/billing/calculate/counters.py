"""Step: charge counters, such as seats: what is held, and what changes."""

from collections.abc import Iterable, Iterator, Sequence
from datetime import date
from decimal import Decimal

import msgspec

from tallystick.billing.calculate.draft import Draft, DraftLine, band_shares, bands_of, line_key, proration
from tallystick.billing.calculate.inputs import BillInputs, PlanTerms, PricedCounter
from tallystick.billing.calculate.slices import held_windows
from tallystick.billing.derivation import CounterFrom, Derivation
from tallystick.billing.line_item import LineItemType
from tallystick.kernel.decimals import ZERO
from tallystick.kernel.periods import BillingPeriod, DateSpan, Period
from tallystick.rating.bands import amount_of
from tallystick.rating.counters import (
    CounterCharge,
    CounterStep,
    CounterTerms,
    adjustment,
    counter_steps,
    running_total,
)


def charge_counters(draft: Draft) -> Draft:
    """Add the running totals and adjustments of each plan's counters.

    A running total is charged for the period that the bill closes, or in advance for those it opens; what
    changes, always on the bill of its period. Rule: semantics §16.
    """
    lines: list[DraftLine] = []
    for terms in draft.inputs.own_plans:
        if terms.own_counters or terms.inherited_counters:
            lines.extend(_lines(draft.inputs, terms))
    return draft.add(lines)


class Stretch(msgspec.Struct, frozen=True):
    """Some days of a period, for which one price of a counter holds."""

    priced: PricedCounter
    days: DateSpan

    def goes_on(self, step: CounterStep) -> bool:
        """Tell whether a change goes on to be charged at the next price: not if it was owed whole."""
        pricing = self.priced.pricing
        return pricing.pro_rate_adjustment_debit if step.is_increase else pricing.pro_rate_adjustment_credit


def _lines(inputs: BillInputs, terms: PlanTerms) -> Iterator[DraftLine]:
    for period in dict.fromkeys((terms.period, *terms.opened_periods())):
        held = terms.in_period(period)
        for stretches in _stretches(terms, period):
            yield from _of_counter(inputs, held, period, stretches)


def _stretches(terms: PlanTerms, period: BillingPeriod) -> Iterable[list[Stretch]]:
    """Give the stretches of each counter's prices in a period, each counter's in order."""
    found: dict[str, list[Stretch]] = {}
    for priced, window in counter_windows(terms, period):
        days = window.local_dates(terms.zone)
        if not days.is_empty:
            found.setdefault(priced.counter.id, []).append(Stretch(priced, days))
    return [sorted(stretches, key=lambda each: each.days.start) for stretches in found.values()]


def _of_counter(
    inputs: BillInputs, terms: PlanTerms, period: BillingPeriod, stretches: Sequence[Stretch]
) -> Iterator[DraftLine]:
    """Charge a counter in a period: what is carried into it, and each change from its day on.

    So a running total in advance is the same whatever changes later. Not prorated, it is owed for the period
    once, however often the price changes in it.
    """
    whole = DateSpan(stretches[0].days.start, stretches[-1].days.end)
    carried, changes = _values(inputs, terms, stretches[0].priced, whole)
    steps = counter_steps(carried, changes)
    for i, each in enumerate(stretches):
        is_owed = carried and (i == 0 or each.priced.pricing.pro_rate_running_total)
        if is_owed and _is_due(terms, each.priced, period):
            yield _running_total(terms, each, carried)
        if period == terms.period:
            before = [step for step in steps if step.day < each.days.start]
            yield from _gone_on(terms, stretches[:i], each, carried, before)
            yield from (_adjustment(terms, each, step) for step in steps if each.days.contains(step.day))


def _is_due(terms: PlanTerms, priced: PricedCounter, period: BillingPeriod) -> bool:
    """Tell whether this bill charges the period's running total."""
    in_advance = priced.pricing.running_total_bill_in_advance
    return period in terms.opened_periods() if in_advance else period == terms.period


def counter_windows(terms: PlanTerms, period: BillingPeriod) -> Iterator[tuple[PricedCounter, Period]]:
    """Cut a period by the prices of its counters; a plan's wins over its template's, while it holds."""
    billed = terms.active.intersect(period.dates.instants(terms.zone))
    yield from held_windows(_in_order(terms.own_counters), _in_order(terms.inherited_counters), billed)


def _in_order(counters: tuple[PricedCounter, ...]) -> list[PricedCounter]:
    return sorted(counters, key=lambda c: (c.counter.name, c.pricing.start_date, c.pricing.id))


def _running_total(terms: PlanTerms, each: Stretch, carried: Decimal) -> DraftLine:
    charge = running_total(carried, _rules(each.priced), each.days, terms.cycle)
    kind = LineItemType.COUNTER_RUNNING_TOTAL_CHARGE
    return _line(kind, terms, each.priced, each.days, charge, (carried, carried))


def _adjustment(terms: PlanTerms, each: Stretch, step: CounterStep) -> DraftLine:
    charge = adjustment(step, _rules(each.priced), each.days, terms.cycle)
    left = DateSpan(step.day, each.days.end)
    return _line(_kind(step), terms, each.priced, left, charge, (step.old, step.new))


def _gone_on(
    terms: PlanTerms,
    earlier: Sequence[Stretch],
    each: Stretch,
    carried: Decimal,
    before: Iterable[CounterStep],
) -> Iterator[DraftLine]:
    """Charge what changed earlier in the period at the price that holds now, for its days: in one line.

    before: the changes before these days. One that no price held for counts from here on.
    """
    held = carried
    for step in before:
        there = next((x for x in earlier if x.days.contains(step.day)), None)
        if there is None or there.goes_on(step):
            held += step.new - step.old
    if held == carried:
        return
    step = CounterStep(each.days.start, carried, held)
    by_days = msgspec.structs.replace(_rules(each.priced), prorate_debit=True, prorate_credit=True)
    charge = adjustment(step, by_days, each.days, terms.cycle)
    line = _line(_kind(step), terms, each.priced, each.days, charge, (step.old, step.new))
    yield msgspec.structs.replace(line, key=f"{line.key}:goes-on")


def _kind(step: CounterStep) -> LineItemType:
    if step.is_increase:
        return LineItemType.COUNTER_ADJUSTMENT_DEBIT
    return LineItemType.COUNTER_ADJUSTMENT_CREDIT


def _values(
    inputs: BillInputs, terms: PlanTerms, priced: PricedCounter, days: DateSpan
) -> tuple[Decimal, list[tuple[date, Decimal]]]:
    """Give the value carried into some days, and each new value set in them; pooled accounts added up.

    A child's goes when it gets a plan of its own, and is back when it has none (semantics §17).
    """
    own = [
        _of_account(inputs.counters.get((a, priced.counter.id), ()), terms.away_days(a), days)
        for a in terms.account_ids
    ]
    values = [carried for carried, _ in own]
    total, changes = sum(values, ZERO), {}
    for day, i, value in sorted((day, i, value) for i, (_, steps) in enumerate(own) for day, value in steps):
        values[i] = value
        changes[day] = sum(values, ZERO)
    return total, list(changes.items())


def _of_account(
    values: Sequence[tuple[date, Decimal]], away: Sequence[DateSpan], days: DateSpan
) -> tuple[Decimal, list[tuple[date, Decimal]]]:
    """Give what one account brings into some days, and what it holds from each day on that changes it.

    values: what the counter was set to. Nothing is held while it is away.
    """
    values = sorted(values)
    before = [value for day, value in values if day < days.start]
    is_away = any(span.contains(days.start) for span in away)
    carried = ZERO if is_away or not before else before[-1]
    moves = {day for day, _ in values} | {day for span in away for day in (span.start, span.end)}
    steps: list[tuple[date, Decimal]] = []
    for move in sorted(day for day in moves if days.contains(day)):
        held = [value for day, value in values if day <= move]
        gone = any(span.contains(move) for span in away)
        steps.append((move, ZERO if gone or not held else held[-1]))
    return carried, steps


def _rules(priced: PricedCounter) -> CounterTerms:
    pricing = priced.pricing
    return CounterTerms(
        bands=bands_of(pricing.pricing_bands),
        cumulative=pricing.cumulative,
        prorate_running_total=pricing.pro_rate_running_total,
        prorate_debit=pricing.pro_rate_adjustment_debit,
        prorate_credit=pricing.pro_rate_adjustment_credit,
    )


def _line(
    kind: LineItemType,
    terms: PlanTerms,
    priced: PricedCounter,
    days: DateSpan,
    charge: CounterCharge,
    values: tuple[Decimal, Decimal],
) -> DraftLine:
    """Make a line. values: before and after; the same where nothing changes."""
    pricing, counter = priced.pricing, priced.counter
    service, (old, new) = days.instants(terms.zone), values
    name = pricing.description or counter.name
    return DraftLine(
        key=line_key(kind, terms.key, pricing.id, service),
        line_item_type=kind,
        terms=terms,
        currency=terms.currency,
        product_id=terms.product_id,
        contract_id=terms.account_plan.contract_id,
        description=name if old == new else f"{name}: {old:f} to {new:f}",
        service=service,
        subtotal=charge.amount,
        quantity=charge.units,
        units=charge.units,
        unit=counter.unit,
        accounting_product_id=pricing.accounting_product_id,
        pricing_id=pricing.id,
        counter_id=counter.id,
        charges=charge.charges,
        derivation=Derivation(
            counter=CounterFrom(
                counter_id=counter.id,
                name=counter.name,
                old=old,
                new=new,
                day=None if old == new else days.start,
                account_ids=terms.account_ids,
            ),
            cumulative=pricing.cumulative,
            bands=band_shares(charge.charges),
            proration=proration(amount_of(charge.charges), charge.shares, charge.amount),
        ),
    )
