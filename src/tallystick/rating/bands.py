"""Pricing bands: what a number of units costs (semantics §14)."""

from collections.abc import Iterable, Sequence
from decimal import Decimal

import msgspec

from tallystick.kernel.decimals import ZERO, divide
from tallystick.kernel.errors import Invalid, invariant


class NegativeUnits(Invalid):
    """Fewer than zero units were to be priced."""

    code = "negative_units"


class Band(msgspec.Struct, frozen=True, rename="camel", omit_defaults=True):
    """One step of a price: what units above `lower_limit` cost, in pricing currency.

    lower_limit: in units, after quantityPerUnit and rounding. fixed_price: once, when the band is
    reached. unit_price: for each unit. Both may be negative.
    """

    lower_limit: Decimal
    fixed_price: Decimal
    unit_price: Decimal
    id: str | None = None


class BandCharge(msgspec.Struct, frozen=True):
    """What one band adds to a line: its units, and their exact amount in pricing currency.

    In a difference of two charges both can be negative.
    """

    band: Band
    units: Decimal
    amount: Decimal

    @property
    def unit_amount(self) -> Decimal:
        """Give the part charged by unit."""
        return self.band.unit_price * self.units

    @property
    def fixed_amount(self) -> Decimal:
        """Give the part charged once for reaching the band."""
        return self.amount - self.unit_amount


def rate_tiered(units: Decimal, bands: Sequence[Band]) -> list[BandCharge]:
    """Price each band reached on the units that fall inside it.

    units: billable units >= 0, after quantityPerUnit and rounding. bands: ascending, first at 0.
    Returns one charge per band reached, in pricing currency, exact: the bill rounds, not this.
    Raises NegativeUnits.
    Rule: semantics §14 — a band is reached when units > its lower limit, the first one always.
    """
    if units < 0:
        raise NegativeUnits(f"units must be zero or more, got {units}")
    uppers = [*(band.lower_limit for band in bands[1:]), units]
    charges: list[BandCharge] = []
    for band, upper in zip(bands, uppers, strict=True):
        if charges and units <= band.lower_limit:
            break
        inside = min(units, upper) - band.lower_limit
        charges.append(BandCharge(band, inside, band.fixed_price + band.unit_price * inside))
    invariant(sum(c.units for c in charges) == units, "a unit was lost or priced twice")
    return charges


def rate_volume(units: Decimal, bands: Sequence[Band]) -> list[BandCharge]:
    """Price all units at the highest band reached: volume, stairstep and custom volume.

    units and bands as for `rate_tiered`. Returns that band's one charge. Raises NegativeUnits.
    Rule: semantics §14 — units exactly at a limit still belong to the band below it.
    """
    if units < 0:
        raise NegativeUnits(f"units must be zero or more, got {units}")
    band = [bands[0], *(band for band in bands[1:] if units > band.lower_limit)][-1]
    return [BandCharge(band, units, band.fixed_price + band.unit_price * units)]


def rate(units: Decimal, bands: Sequence[Band], *, cumulative: bool) -> list[BandCharge]:
    """Price units by the pricing's own type; a negative number of them costs nothing, without bands.

    cumulative: True prices each band's own units, False all of them at the band reached.
    Rule: semantics §11 — a calculation may end below zero, and then rates to 0; §14.
    """
    if units < 0:
        return []
    return rate_tiered(units, bands) if cumulative else rate_volume(units, bands)


def amount_of(charges: Iterable[BandCharge]) -> Decimal:
    """Add up what the bands charge, exact, in pricing currency."""
    return sum((charge.amount for charge in charges), ZERO)


def difference(after: Sequence[BandCharge], before: Sequence[BandCharge]) -> list[BandCharge]:
    """Give, band by band, what `after` charges beyond `before`; bands that do not change are left out.

    after, before: charges under the same bands, at most one per band. Negative where it fell.
    """
    units: dict[Band, Decimal] = {}
    amounts: dict[Band, Decimal] = {}
    for sign, charges in ((1, after), (-1, before)):
        for charge in charges:
            units[charge.band] = units.get(charge.band, ZERO) + sign * charge.units
            amounts[charge.band] = amounts.get(charge.band, ZERO) + sign * charge.amount
    by_limit = sorted(units, key=lambda band: band.lower_limit)
    return [BandCharge(b, units[b], amounts[b]) for b in by_limit if units[b] or amounts[b]]


def average_unit_price(subtotal: Decimal, units: Decimal) -> Decimal:
    """Give the line's price per unit over all bands, 0 where there are no units (semantics §23)."""
    return divide(subtotal, units) if units else ZERO
