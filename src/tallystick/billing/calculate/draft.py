"""The bill while it is being calculated: its inputs, and the lines so far."""

from collections.abc import Iterable, Mapping
from decimal import Decimal

import msgspec

from tallystick.billing.calculate.inputs import BillInputs, Terms
from tallystick.billing.derivation import BandShare, Days, Derivation, Proration
from tallystick.billing.line_item import LineItemType
from tallystick.kernel.decimals import ONE, ZERO
from tallystick.kernel.periods import Period
from tallystick.pricing.pricing import PricingBand
from tallystick.rating.bands import Band, BandCharge
from tallystick.rating.proration import DayShare

UNITY = "1"
"The unit of a line that counts nothing: UCUM's dimensionless one."


class Share(msgspec.Struct, frozen=True):
    """What one account used of a pooled quantity. code: the child's; None is the parent itself."""

    account_id: str
    code: str | None
    quantity: Decimal


class Drawn(msgspec.Struct, frozen=True, kw_only=True):
    """What a line draws on a commitment or balance, in its currency. is_rollover: since the balance's end."""

    of_id: str
    is_rollover: bool
    amount: Decimal


class DraftLine(msgspec.Struct, frozen=True, kw_only=True):
    """One line. subtotal: exact, in `currency`, the pricing currency; signed as it is owed.

    terms: the plan or group that charges it, if one does. product_id, contract_id: what it counts for.

    key: stable over recalculations and unique on the bill; the line's id is made from it, unless it has
    an own_id, as a memo's line has.
    converted: billing currency, rounded; None until the lines are converted.
    """

    key: str
    own_id: str | None = None
    line_item_type: LineItemType
    currency: str
    terms: Terms | None = None
    product_id: str | None = None
    contract_id: str | None = None
    description: str
    service: Period
    subtotal: Decimal
    derivation: Derivation
    quantity: Decimal = ONE
    units: Decimal = ONE
    unit: str = UNITY
    accounting_product_id: str | None = None
    pricing_id: str | None = None
    aggregation_id: str | None = None
    compound_aggregation_id: str | None = None
    counter_id: str | None = None
    charge_id: str | None = None
    commitment_id: str | None = None
    balance_id: str | None = None
    reason_id: str | None = None
    referenced_bill_id: str | None = None
    referenced_line_item_id: str | None = None
    meter_id: str | None = None
    segment: Mapping[str, str] | None = None
    charges: tuple[BandCharge, ...] = ()
    shares: tuple[Share, ...] = ()
    child_account_id: str | None = None
    child_account_code: str | None = None
    quantity_per_unit: Decimal = ONE
    is_global_credit: bool = False
    drawn: Drawn | None = None
    conversion_rate: Decimal = ONE
    converted: Decimal = ZERO

    def is_under(self, terms: Terms) -> bool:
        """Tell whether it is charged under these terms."""
        return self.terms is not None and self.terms.key == terms.key

    @property
    def account_plan_id(self) -> str | None:
        """The account plan that it is of, if any."""
        return self.terms.account_plan.id if self.terms else None


class Draft(msgspec.Struct, frozen=True):
    """What each step takes and gives: the inputs never change, lines are added or replaced."""

    inputs: BillInputs
    lines: tuple[DraftLine, ...] = ()

    def add(self, lines: Iterable[DraftLine]) -> "Draft":
        """Give the draft with more lines at its end."""
        return Draft(self.inputs, (*self.lines, *lines))

    def with_lines(self, lines: Iterable[DraftLine]) -> "Draft":
        """Give the draft with these lines instead."""
        return Draft(self.inputs, tuple(lines))

    @property
    def total(self) -> Decimal:
        """Add up the rounded lines, billing currency."""
        return sum((line.converted for line in self.lines), ZERO)


def line_key(kind: LineItemType, terms_key: str, thing_id: str | None, service: Period) -> str:
    """Make the key of a line: what it is, under which terms, for what, from when."""
    return f"{kind.value}:{terms_key}:{thing_id or ''}:{service.start.isoformat()}"


def band_shares(charges: Iterable[BandCharge]) -> tuple[BandShare, ...]:
    """Keep what each band charges."""
    return tuple(
        BandShare(
            lower_limit=charge.band.lower_limit,
            fixed_price=charge.band.fixed_price,
            unit_price=charge.band.unit_price,
            units=charge.units,
            amount=charge.amount,
        )
        for charge in charges
    )


def bands_of(bands: Iterable[PricingBand]) -> tuple[Band, ...]:
    """Give a pricing's bands as they are rated."""
    return tuple(Band(b.lower_limit, b.fixed_price, b.unit_price, b.id) for b in bands)


def proration(whole: Decimal, shares: Iterable[DayShare], amount: Decimal) -> Proration:
    """Keep how an amount was prorated."""
    return Proration(whole=whole, shares=tuple(Days(s.days, s.of) for s in shares), amount=amount)
