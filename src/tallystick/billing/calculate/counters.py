"""Step: charge counters, such as seats: what is held, and what changes."""

from collections.abc import Iterator
from datetime import date
from decimal import Decimal

from tallystick.billing.calculate.draft import Draft, DraftLine, band_shares, bands_of, line_key, proration
from tallystick.billing.calculate.inputs import BillInputs, PlanTerms, PricedCounter
from tallystick.billing.calculate.slices import held_windows
from tallystick.billing.derivation import CounterFrom, Derivation
from tallystick.billing.line_item import LineItemType
from tallystick.kernel.decimals import ZERO
from tallystick.kernel.periods import BillingPeriod, DateSpan, Period
from tallystick.rating.bands import amount_of
from tallystick.rating.counters import CounterCharge, CounterTerms, adjustment, counter_steps, running_total


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


def _lines(inputs: BillInputs, terms: PlanTerms) -> Iterator[DraftLine]:
    for period in dict.fromkeys((terms.period, *terms.opened_periods())):
        charged: set[str] = set()
        held = terms.pooled_throughout(period)
        for priced, window in counter_windows(terms, period):
            days = window.local_dates(terms.zone)
            if days.is_empty:
                continue
            if _is_due(terms, priced, period):
                pricing = priced.pricing
                # Not prorated, it is owed for the period once, however often the price changes in it.
                if pricing.pro_rate_running_total or priced.counter.id not in charged:
                    yield from _running_total(inputs, held, priced, days)
            charged.add(priced.counter.id)
            if period == terms.period:
                yield from _adjustments(inputs, held, priced, days)


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


def _running_total(
    inputs: BillInputs, terms: PlanTerms, priced: PricedCounter, days: DateSpan
) -> Iterator[DraftLine]:
    carried, _ = _values(inputs, terms, priced, days)
    if carried:
        charge = running_total(carried, _rules(priced), days, terms.cycle)
        kind = LineItemType.COUNTER_RUNNING_TOTAL_CHARGE
        yield _line(kind, terms, priced, days, charge, (carried, carried))


def _adjustments(
    inputs: BillInputs, terms: PlanTerms, priced: PricedCounter, days: DateSpan
) -> Iterator[DraftLine]:
    carried, changes = _values(inputs, terms, priced, days)
    for step in counter_steps(carried, changes):
        charge = adjustment(step, _rules(priced), days, terms.cycle)
        left = DateSpan(step.day, days.end)
        kind = LineItemType.COUNTER_ADJUSTMENT_CREDIT
        if step.is_increase:
            kind = LineItemType.COUNTER_ADJUSTMENT_DEBIT
        yield _line(kind, terms, priced, left, charge, (step.old, step.new))


def _values(
    inputs: BillInputs, terms: PlanTerms, priced: PricedCounter, days: DateSpan
) -> tuple[Decimal, list[tuple[date, Decimal]]]:
    """Give the value carried into some days, and each new value set in them; pooled accounts added up."""
    own = [inputs.counters.get((a, priced.counter.id), ()) for a in terms.account_ids]
    carried = [[value for day, value in each if day < days.start][-1:] for each in own]
    values = [each[0] if each else ZERO for each in carried]
    total, changes = sum(values, ZERO), {}
    steps = ((day, i, value) for i, each in enumerate(own) for day, value in each if days.contains(day))
    for day, i, value in sorted(steps):
        values[i] = value
        changes[day] = sum(values, ZERO)
    return total, list(changes.items())


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
