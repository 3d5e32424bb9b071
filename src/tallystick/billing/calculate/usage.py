"""Step: rate the usage of each slice."""

from collections.abc import Iterator, Mapping
from decimal import Decimal

from tallystick.billing.calculate.draft import Draft, DraftLine, band_shares, line_key
from tallystick.billing.calculate.inputs import PlanTerms, UsageKey
from tallystick.billing.calculate.slices import UsageSlice, usage_slices
from tallystick.billing.derivation import Derivation, UnitsFrom, UsageSource
from tallystick.billing.line_item import LineItemType
from tallystick.catalogue.aggregation import Aggregation
from tallystick.kernel.decimals import ZERO
from tallystick.pricing.pricing import PricingType
from tallystick.rating.bands import Band, BandCharge, amount_of
from tallystick.rating.spanning import rate_spanning
from tallystick.rating.units import quantity_or_default, to_units


def rate_usage(draft: Draft) -> Draft:
    """Add a USAGE line for each slice that had usage, or has a default; credits as USAGE_CREDIT, uncapped.

    A credit's subtotal is minus what it is priced at; later steps cap it.
    Rule: semantics §9 and §14. Several pricings over time are rated apart, each on its own line.
    """
    lines: list[DraftLine] = []
    for terms in draft.inputs.plans:
        for piece in usage_slices(terms, terms.period):
            lines.extend(_line(terms, piece, draft.inputs.quantities))
    return draft.add(lines)


def _line(terms: PlanTerms, piece: UsageSlice, quantities: Mapping[UsageKey, Decimal]) -> Iterator[DraftLine]:
    aggregation, pricing = piece.priced.aggregation, piece.priced.pricing
    found = quantities.get(piece.key(terms.account_ids))
    quantity = quantity_or_default(found, aggregation.default_value)
    if quantity is None:
        return
    units = _units(aggregation, quantity)
    before = units_before(terms, piece, quantities)
    charges = _charges(piece, units, before)
    is_credit = pricing.type is not PricingType.DEBIT
    kind = LineItemType.USAGE_CREDIT if is_credit else LineItemType.USAGE
    amount = amount_of(charges)
    yield DraftLine(
        key=line_key(kind, terms.account_plan.id, pricing.id, piece.window),
        line_item_type=kind,
        terms=terms,
        description=describe(piece),
        service=piece.window,
        subtotal=-amount if is_credit else amount,
        quantity=quantity,
        units=units,
        unit=aggregation.unit,
        accounting_product_id=pricing.accounting_product_id or aggregation.accounting_product_id,
        pricing_id=pricing.id,
        aggregation_id=aggregation.id,
        meter_id=aggregation.meter_id,
        segment=pricing.segment,
        charges=tuple(charges),
        quantity_per_unit=aggregation.quantity_per_unit,
        is_global_credit=pricing.type is PricingType.GLOBAL_CREDIT,
        derivation=Derivation(
            usage=_source(terms, piece),
            units=UnitsFrom(
                quantity=quantity,
                quantity_per_unit=aggregation.quantity_per_unit,
                rounding=aggregation.rounding,
                units=units,
                unit=aggregation.unit,
                is_default=found is None,
            ),
            cumulative=pricing.cumulative,
            units_before=before,
            bands=band_shares(charges),
        ),
    )


def describe(piece: UsageSlice) -> str:
    """Give the line's text: the pricing's own, else the aggregation's name, with the segment's values."""
    pricing, name = piece.priced.pricing, piece.priced.aggregation.name
    values = f" ({', '.join(pricing.segment.values())})" if pricing.segment else ""
    return pricing.description or f"{name}{values}"


def units_before(
    terms: PlanTerms, piece: UsageSlice, quantities: Mapping[UsageKey, Decimal]
) -> Decimal | None:
    """Add up the units of earlier periods, where tiers span the plan; None when none was ever rated."""
    if not piece.history:
        return None
    aggregation = piece.priced.aggregation
    earlier = [
        quantity_or_default(quantities.get(key), aggregation.default_value)
        for key in piece.history_keys(terms.account_ids)
    ]
    rated = [max(_units(aggregation, quantity), ZERO) for quantity in earlier if quantity is not None]
    return sum(rated, ZERO) if rated else None


def _units(aggregation: Aggregation, quantity: Decimal) -> Decimal:
    return to_units(quantity, aggregation.quantity_per_unit, aggregation.rounding)


def _charges(piece: UsageSlice, units: Decimal, before: Decimal | None) -> list[BandCharge]:
    pricing = piece.priced.pricing
    bands = [Band(b.lower_limit, b.fixed_price, b.unit_price, b.id) for b in pricing.pricing_bands]
    return rate_spanning(before, units, bands, cumulative=pricing.cumulative)


def _source(terms: PlanTerms, piece: UsageSlice) -> UsageSource:
    aggregation, meter = piece.priced.aggregation, piece.priced.meter
    return UsageSource(
        meter_id=meter.id,
        meter_code=meter.code,
        aggregation_id=aggregation.id,
        aggregation_name=aggregation.name,
        method=aggregation.aggregation.value,
        field=aggregation.target_field,
        start=piece.window.start,
        end=piece.window.end,
        account_ids=terms.account_ids,
        segment=piece.priced.pricing.segment,
    )
