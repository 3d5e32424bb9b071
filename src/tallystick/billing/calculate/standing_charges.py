"""Step: standing charges."""

from collections.abc import Iterator

from tallystick.billing.calculate.draft import Draft, DraftLine, line_key, proration
from tallystick.billing.calculate.inputs import PlanTerms
from tallystick.billing.derivation import Derivation
from tallystick.billing.line_item import LineItemType
from tallystick.kernel.decimals import ZERO
from tallystick.kernel.periods import BillingPeriod
from tallystick.rating.standing import standing_charge, standing_charge_falls

DESCRIPTION = "Standing Charge"


def add_standing_charges(draft: Draft) -> Draft:
    """Add each plan's standing charge: of the period the bill closes, or in advance of those it opens.

    Prorated by active local days; on every so many bills (semantics §15).
    """
    return draft.add(line for terms in draft.inputs.own_plans for line in _lines(terms))


def _lines(terms: PlanTerms) -> Iterator[DraftLine]:
    for period in terms.opened_periods() if terms.standing_charge_in_advance else (terms.period,):
        yield from _line(terms, period)


def _line(terms: PlanTerms, period: BillingPeriod) -> Iterator[DraftLine]:
    plan, template = terms.plan, terms.template
    whole = plan.standing_charge if plan.standing_charge is not None else template.standing_charge
    interval, offset = template.standing_charge_interval or 1, template.standing_charge_offset or 0
    days = terms.active_dates(period)
    if whole == ZERO or days.is_empty or not standing_charge_falls(period.number, interval, offset):
        return
    shares = terms.shares(days)
    amount = standing_charge(whole, shares)
    service = days.instants(terms.zone)
    kind = LineItemType.STANDING_CHARGE
    yield DraftLine(
        key=line_key(kind, terms.key, None, service),
        line_item_type=kind,
        terms=terms,
        currency=terms.currency,
        product_id=terms.product_id,
        contract_id=terms.account_plan.contract_id,
        description=plan.standing_charge_description or template.standing_charge_description or DESCRIPTION,
        service=service,
        subtotal=amount,
        accounting_product_id=plan.standing_charge_accounting_product_id,
        derivation=Derivation(proration=proration(whole, shares, amount)),
    )
