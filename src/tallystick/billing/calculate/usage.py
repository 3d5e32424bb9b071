"""Step: rate the usage of each slice."""

from collections.abc import Iterator
from decimal import Decimal

from tallystick.billing.calculate.break_down import shares_of
from tallystick.billing.calculate.draft import Draft, DraftLine, Share, band_shares, bands_of, line_key
from tallystick.billing.calculate.inputs import BillInputs, PlanTerms, Pool, PricedAggregation
from tallystick.billing.calculate.quantities import quantity_of
from tallystick.billing.calculate.slices import UsageSlice, usage_slices
from tallystick.billing.derivation import Derivation, UnitsFrom
from tallystick.billing.line_item import LineItemType
from tallystick.calc.errors import CalculationError
from tallystick.kernel.decimals import ZERO
from tallystick.pricing.pricing import PricingType
from tallystick.rating.bands import BandCharge, amount_of
from tallystick.rating.spanning import rate_spanning
from tallystick.rating.units import to_units
from tallystick.usage.store.custom import CustomSqlFailed


def rate_usage(draft: Draft) -> Draft:
    """Add a USAGE line for each slice that had usage, or has a default; credits as USAGE_CREDIT, uncapped.

    A credit's subtotal is minus what it is priced at; later steps cap it. Raises CalculationError.
    Rule: semantics §9, §11 and §14. Several pricings over time are rated apart, each on its own line.
    """
    lines: list[DraftLine] = []
    for terms in draft.inputs.plans:
        for piece in usage_slices(terms, terms.period):
            lines.extend(_line(draft.inputs, terms, piece))
    return draft.add(lines)


def _line(inputs: BillInputs, terms: PlanTerms, piece: UsageSlice) -> Iterator[DraftLine]:
    aggregation, pricing = piece.priced.aggregation, piece.priced.pricing
    found = quantity_of(inputs, terms, piece.priced, piece.window, terms.pool(piece.window))
    if found is None:
        return
    units = _units(piece.priced, found.amount)
    before = units_before(inputs, terms, piece)
    charges = _charges(piece, units, before)
    is_credit = pricing.type is not PricingType.DEBIT
    kind = LineItemType.USAGE_CREDIT if is_credit else LineItemType.USAGE
    amount = amount_of(charges)
    yield DraftLine(
        key=line_key(kind, terms.key, pricing.id, piece.window),
        line_item_type=kind,
        terms=terms,
        currency=terms.currency,
        product_id=terms.product_id,
        contract_id=terms.account_plan.contract_id,
        description=describe(piece),
        service=piece.window,
        subtotal=-amount if is_credit else amount,
        quantity=found.amount,
        units=units,
        unit=aggregation.unit,
        accounting_product_id=pricing.accounting_product_id or aggregation.accounting_product_id,
        pricing_id=pricing.id,
        aggregation_id=piece.priced.aggregation_id,
        compound_aggregation_id=piece.priced.compound_aggregation_id,
        meter_id=piece.priced.meter.id if piece.priced.meter else None,
        segment=pricing.segment,
        charges=tuple(charges),
        quantity_per_unit=aggregation.quantity_per_unit,
        shares=_shares(inputs, terms, piece),
        is_global_credit=pricing.type is PricingType.GLOBAL_CREDIT,
        derivation=Derivation(
            usage=found.usage,
            calculation=found.calculation,
            units=UnitsFrom(
                quantity=found.amount,
                quantity_per_unit=aggregation.quantity_per_unit,
                rounding=aggregation.rounding,
                units=units,
                unit=aggregation.unit,
                is_default=found.is_default,
            ),
            cumulative=pricing.cumulative,
            units_before=before,
            bands=band_shares(charges),
        ),
    )


def _shares(inputs: BillInputs, terms: PlanTerms, piece: UsageSlice) -> tuple[Share, ...]:
    """Find what each of the pooled accounts used, where their lines are to be told apart."""
    if not terms.is_pooled or piece.priced.pricing.type is PricingType.GLOBAL_CREDIT:
        return ()
    pool = terms.pool(piece.window)
    return shares_of(
        [
            Share(
                account_id,
                terms.child_codes.get(account_id),
                _used(inputs, terms, piece, pool.own(account_id)),
            )
            for account_id in pool.account_ids
        ]
    )


def _used(inputs: BillInputs, terms: PlanTerms, piece: UsageSlice, own: Pool) -> Decimal:
    """Give one account's quantity; zero where there is none, or none can be calculated of it alone."""
    try:
        found = quantity_of(inputs, terms, piece.priced, piece.window, own)
    except (CalculationError, CustomSqlFailed):
        return ZERO
    return ZERO if found is None or found.is_default else found.amount


def describe(piece: UsageSlice) -> str:
    """Give the line's text: the pricing's own, else the aggregation's name, with the segment's values."""
    pricing, name = piece.priced.pricing, piece.priced.aggregation.name
    segment = pricing.segment or {}  # what is stored keeps no order of its fields: their aggregation does
    cut = (part.aggregation.segmented_fields for part in piece.priced.parts)
    ordered = next((fields for fields in cut if fields), [])
    values = f" ({', '.join(segment[code] for code in ordered)})" if segment else ""
    return pricing.description or f"{name}{values}"


def units_before(inputs: BillInputs, terms: PlanTerms, piece: UsageSlice) -> Decimal | None:
    """Add up the units of earlier periods, where tiers span the plan; None when none was ever rated."""
    if not piece.history:
        return None
    earlier = [quantity_of(inputs, terms, piece.priced, w, terms.pool(w)) for w in piece.history]
    rated = [max(_units(piece.priced, found.amount), ZERO) for found in earlier if found is not None]
    return sum(rated, ZERO) if rated else None


def _units(priced: PricedAggregation, quantity: Decimal) -> Decimal:
    return to_units(quantity, priced.aggregation.quantity_per_unit, priced.aggregation.rounding)


def _charges(piece: UsageSlice, units: Decimal, before: Decimal | None) -> list[BandCharge]:
    pricing = piece.priced.pricing
    return rate_spanning(before, units, bands_of(pricing.pricing_bands), cumulative=pricing.cumulative)
