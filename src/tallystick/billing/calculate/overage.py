"""Charge usage that goes beyond commitments and balances: by a surcharge, or on its own lines (§18)."""

from collections.abc import Iterable, Iterator, Sequence
from decimal import Decimal
from typing import TypeVar

import msgspec

from tallystick.billing.calculate.break_down import charge_shares, exactly
from tallystick.billing.calculate.convert import billed, converted_to
from tallystick.billing.calculate.draft import Draft, DraftLine, band_shares, bands_of
from tallystick.billing.calculate.inputs import BillInputs, PlanTerms
from tallystick.billing.calculate.ledger_inputs import Reserve
from tallystick.billing.derivation import Derivation, OverageFrom
from tallystick.billing.line_item import LineItemType
from tallystick.kernel.decimals import ZERO, allocate, divide, round_to
from tallystick.pricing.pricing import PricingBand
from tallystick.rating.bands import BandCharge, amount_of, rate_tiered
from tallystick.rating.draw_down import split_charges

K = TypeVar("K")
SURCHARGE = "Overage Surcharge"
OVERAGE = "Overage"
PERCENT = Decimal("0.01")


class Overage(msgspec.Struct, frozen=True):
    """What of a line nothing was left for, and the reserves that were there for it, in their order."""

    line: DraftLine
    amount: Decimal
    reserves: tuple[Reserve, ...]


def charge_overage(draft: Draft, beyond: Iterable[Overage]) -> Draft:
    """Charge what is beyond, of usage, as the last exhausted reserve says that says something.

    A surcharge wins over bands; it may be negative. Where nobody says anything, it is owed as it is.
    """
    surcharged: dict[tuple[str, str], Overage] = {}
    split: dict[str, Overage] = {}
    for each in beyond:
        reserve = _who_says(each) if each.line.line_item_type is LineItemType.USAGE else None
        if reserve is None:
            continue
        said = Overage(each.line, each.amount, (reserve,))
        if reserve.of.overage_surcharge_percent:
            _add(surcharged, (each.line.key, reserve.of.id), said)
        else:
            _add(split, each.line.key, said)
    parts = {key: _parts(each) for key, each in split.items()}
    by_bands = _by_bands(draft.inputs, parts.values())
    lines: list[DraftLine] = []
    for line in draft.lines:
        told_apart = line.key in parts
        lines.extend(_split(draft.inputs, parts[line.key], by_bands.get(line.key)) if told_apart else (line,))
    return draft.with_lines([*lines, *(_surcharge(draft.inputs, each) for each in surcharged.values())])


def _add(found: dict[K, Overage], key: K, each: Overage) -> None:
    """Add up what is beyond of one line: on different days, different reserves were there for it."""
    before = found.get(key)
    amount = each.amount + (before.amount if before else ZERO)
    found[key] = msgspec.structs.replace(each, amount=amount)


def _who_says(each: Overage) -> Reserve | None:
    return next((r for r in reversed(each.reserves) if _says_something(r, each.line)), None)


def _says_something(reserve: Reserve, line: DraftLine) -> bool:
    if reserve.of.overage_surcharge_percent:
        return True
    if reserve.commitment is not None:
        return reserve.commitment.separate_overage_usage
    return reserve.of.overage_surcharge_percent is None and bool(overage_bands(line))


def overage_bands(line: DraftLine) -> Sequence[PricingBand]:
    """Give the bands that a line's pricing has for what is beyond; none is the usual price."""
    terms = line.terms
    own = (*terms.own, *terms.inherited) if isinstance(terms, PlanTerms) else ()
    return next((p.pricing.overage_pricing_bands for p in own if p.pricing.id == line.pricing_id), ())


# --- a surcharge --------------------------------------------------------------------------------


def _surcharge(inputs: BillInputs, each: Overage) -> DraftLine:
    """Give a percentage of what is beyond, on top of it: at 1 %, $0.46 becomes $0.4646 a unit."""
    (reserve,) = each.reserves
    percent = reserve.of.overage_surcharge_percent or ZERO
    exact = each.amount * percent * PERCENT
    line = _of(
        inputs,
        each.line,
        reserve,
        kind=LineItemType.OVERAGE_SURCHARGE,
        description=reserve.of.overage_description or f"{SURCHARGE}: {each.line.description}",
    )
    why = OverageFrom(
        of=each.line.converted, beyond=each.amount, percent=percent, charge=each.line.description
    )
    line = msgspec.structs.replace(line, subtotal=exact, derivation=Derivation(overage=why))
    rule = inputs.rounding
    return converted_to(inputs, line, round_to(exact, rule.places, rule.mode))


def _of(
    inputs: BillInputs, line: DraftLine, reserve: Reserve, *, kind: LineItemType, description: str
) -> DraftLine:
    """Start a line for what is beyond: of the same plan, product and child, in billing currency."""
    return DraftLine(
        key=f"{kind.value}:{reserve.of.id}:{line.key}",
        line_item_type=kind,
        currency=inputs.currency,
        terms=line.terms,
        product_id=line.product_id,
        contract_id=line.contract_id,
        description=description,
        service=line.service,
        subtotal=ZERO,
        accounting_product_id=line.accounting_product_id,
        commitment_id=reserve.commitment.id if reserve.commitment else None,
        balance_id=None if reserve.commitment else reserve.of.id,
        child_account_id=line.child_account_id,
        child_account_code=line.child_account_code,
        derivation=Derivation(),
    )


# --- lines of its own ---------------------------------------------------------------------------


class _Parts(msgspec.Struct, frozen=True, kw_only=True):
    """A usage line told apart. kept, exact: what is within, as billed and in pricing currency."""

    of: Overage
    kept: Decimal
    exact: Decimal
    within: Sequence[BandCharge]
    beyond: Sequence[BandCharge]

    @property
    def units(self) -> Decimal:
        """The units that are beyond."""
        return max(ZERO, _units(self.beyond))


class _Priced(msgspec.Struct, frozen=True):
    """What is beyond of a line, by the bands for it. amount: as it is billed.

    together: the units that the bands price at once, where they are of several accounts.
    """

    charges: Sequence[BandCharge]
    exact: Decimal
    amount: Decimal
    together: Decimal | None = None


def _parts(each: Overage) -> _Parts:
    """Tell apart what is within: units fall within in the order of the bands, as far as it pays for them."""
    line = each.line
    kept = line.converted - each.amount
    exact = divide(line.subtotal * kept, line.converted)
    within, beyond = split_charges(line.charges, max(ZERO, min(exact, amount_of(line.charges))))
    return _Parts(of=each, kept=kept, exact=exact, within=within, beyond=beyond)


def _by_bands(inputs: BillInputs, parts: Iterable[_Parts]) -> dict[str, _Priced]:
    """Price what is beyond of each line by the bands for it: of pooled accounts as one block, split by units.

    Rule: semantics §17, §18 — a family reaches the tiers that it reaches together, also beyond.
    """
    blocks: dict[tuple[object, ...], list[_Parts]] = {}
    for each in parts:
        line, (reserve,) = each.of.line, each.of.reserves
        if overage_bands(line):
            terms_key = line.terms.key if line.terms else None
            block = reserve.of.id, terms_key, line.pricing_id, line.service.start
            blocks.setdefault(block, []).append(each)
    return {key: priced for block in blocks.values() for key, priced in _block(inputs, block)}


def _block(inputs: BillInputs, block: Sequence[_Parts]) -> Iterator[tuple[str, _Priced]]:
    first = block[0].of.line
    charges = rate_tiered(sum((each.units for each in block), ZERO), bands_of(overage_bands(first)))
    exact = amount_of(charges)
    amount = billed(inputs, exact, first.currency)
    if len(block) == 1:
        yield first.key, _Priced(charges, exact, amount)
        return
    units = [each.units for each in block]
    weights = units if any(units) else [each.of.amount for each in block]
    exacts, amounts = exactly(exact, weights), allocate(amount, weights, inputs.rounding.places)
    shares = [charge_shares(charge, weights) for charge in charges]
    for i, each in enumerate(block):
        own = tuple(of_band[i] for of_band in shares)
        yield each.of.line.key, _Priced(own, exacts[i], amounts[i], sum(units, ZERO))


def _split(inputs: BillInputs, parts: _Parts, by_bands: _Priced | None) -> Iterator[DraftLine]:
    """Leave on the usage line what was within, and give what was beyond a line of its own."""
    line = parts.of.line
    if parts.kept:
        yield _within(inputs, line, parts.kept, parts.exact, parts.within)
    usual = _Priced(parts.beyond, line.subtotal - parts.exact, parts.of.amount)
    yield _beyond(inputs, parts.of, parts.units, by_bands or usual, has_bands=by_bands is not None)


def _within(
    inputs: BillInputs,
    line: DraftLine,
    kept: Decimal,
    exact: Decimal,
    charges: Sequence[BandCharge],
) -> DraftLine:
    units = _units(charges)
    why = OverageFrom(of=line.converted, beyond=line.converted - kept, units=units, of_units=line.units)
    changed = msgspec.structs.replace(
        line,
        subtotal=exact,
        units=units,
        quantity=_quantity(line, units),
        charges=tuple(charges),
        derivation=msgspec.structs.replace(line.derivation, bands=band_shares(charges), overage=why),
    )
    return converted_to(inputs, changed, kept)


def _beyond(
    inputs: BillInputs, each: Overage, units: Decimal, priced: _Priced, *, has_bands: bool
) -> DraftLine:
    line, (reserve,) = each.line, each.reserves
    why = OverageFrom(
        of=line.converted,
        beyond=each.amount,
        units=units,
        of_units=line.units,
        has_bands=has_bands,
        together=priced.together,
        is_own=True,
    )
    usage = line.derivation
    made = _of(
        inputs,
        line,
        reserve,
        kind=LineItemType.OVERAGE_USAGE,
        description=reserve.of.overage_description or f"{OVERAGE}: {line.description}",
    )
    changed = msgspec.structs.replace(
        made,
        currency=line.currency,
        subtotal=priced.exact,
        units=units,
        quantity=_quantity(line, units),
        unit=line.unit,
        pricing_id=line.pricing_id,
        aggregation_id=line.aggregation_id,
        compound_aggregation_id=line.compound_aggregation_id,
        meter_id=line.meter_id,
        segment=line.segment,
        charges=tuple(priced.charges),
        quantity_per_unit=line.quantity_per_unit,
        derivation=Derivation(
            usage=usage.usage,
            calculation=usage.calculation,
            units=usage.units,
            cumulative=True if has_bands else usage.cumulative,
            bands=band_shares(priced.charges),
            share=usage.share,
            overage=why,
        ),
    )
    return converted_to(inputs, changed, priced.amount)


def _units(charges: Iterable[BandCharge]) -> Decimal:
    return sum((charge.units for charge in charges), ZERO)


def _quantity(line: DraftLine, units: Decimal) -> Decimal:
    return divide(line.quantity * units, line.units) if line.units else line.quantity
