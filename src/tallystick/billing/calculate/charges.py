"""Step: charges, as they were made."""

from tallystick.balances.charge import Charge, ChargeLineItemType
from tallystick.billing.calculate.draft import Draft, DraftLine
from tallystick.billing.derivation import ChargeFrom, Derivation
from tallystick.billing.line_item import LineItemType
from tallystick.kernel.decimals import ONE
from tallystick.kernel.periods import Period

_KINDS = {
    ChargeLineItemType.AD_HOC: LineItemType.AD_HOC,
    ChargeLineItemType.BALANCE_FEE: LineItemType.BALANCE_FEE,
}


def add_charges(draft: Draft) -> Draft:
    """Add a line for each charge that falls on the bill (semantics §20)."""
    return draft.add(_line(charge) for charge in draft.inputs.ledger.charges)


def _line(charge: Charge) -> DraftLine:
    kind = _KINDS[charge.line_item_type]
    units = charge.units if charge.amount is None and charge.units is not None else ONE
    why = ChargeFrom(code=charge.code, amount=charge.total, units=units, unit_price=charge.unit_price)
    return DraftLine(
        key=f"{kind.value}:{charge.id}",
        line_item_type=kind,
        currency=charge.currency,
        contract_id=charge.contract_id,
        description=charge.description or charge.name,
        service=Period(charge.service_period_start_date, charge.service_period_end_date),
        subtotal=charge.total,
        quantity=units,
        units=units,
        accounting_product_id=charge.accounting_product_id,
        charge_id=charge.id,
        balance_id=charge.entity_id,
        derivation=Derivation(charge=why),
    )
