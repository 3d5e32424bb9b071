"""Step: standing charges."""

from collections.abc import Iterator

from tallystick.billing.calculate.draft import Draft, DraftLine, line_key, proration
from tallystick.billing.calculate.inputs import Charging, Fixed
from tallystick.billing.derivation import Derivation
from tallystick.billing.line_item import LineItemType
from tallystick.kernel.decimals import ZERO
from tallystick.kernel.periods import BillingPeriod
from tallystick.rating.standing import standing_charge, standing_charge_falls

DESCRIPTION = "Standing Charge"


def add_standing_charges(draft: Draft) -> Draft:
    """Add each plan's standing charge: of the period the bill closes, or in advance of those it opens.

    A plan group's own follows those of its plans. Prorated by active local days; on every so many bills
    (semantics §15).
    """
    charging: tuple[Charging, ...] = (*draft.inputs.own_plans, *draft.inputs.groups)
    return draft.add(line for terms in charging for line in _lines(terms))


def _lines(terms: Charging) -> Iterator[DraftLine]:
    charge = terms.standing_charge
    for period in terms.opened_periods() if charge.in_advance else (terms.period,):
        yield from _line(terms, charge, period)


def _line(terms: Charging, charge: Fixed, period: BillingPeriod) -> Iterator[DraftLine]:
    days = terms.active_dates(period)
    falls = standing_charge_falls(period.number, charge.interval, charge.offset)
    if charge.amount == ZERO or days.is_empty or not falls:
        return
    shares = terms.shares(days)
    amount = standing_charge(charge.amount, shares)
    service = days.instants(terms.zone)
    kind = LineItemType.STANDING_CHARGE
    yield DraftLine(
        key=line_key(kind, terms.key, None, service),
        line_item_type=kind,
        terms=terms,
        currency=terms.currency,
        product_id=terms.product_id,
        contract_id=terms.account_plan.contract_id,
        description=charge.description or DESCRIPTION,
        service=service,
        subtotal=amount,
        accounting_product_id=charge.accounting_product_id,
        derivation=Derivation(proration=proration(charge.amount, shares, amount)),
    )
