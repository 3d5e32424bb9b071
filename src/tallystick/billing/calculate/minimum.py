"""The lines of a minimum spend: a top-up in arrears; in advance, all of it first and a refund at the end."""

from collections.abc import Iterator
from decimal import Decimal

import msgspec

from tallystick.billing.calculate.convert import billed, converted_to
from tallystick.billing.calculate.draft import DraftLine, line_key, proration
from tallystick.billing.calculate.inputs import BillInputs, Charging
from tallystick.billing.derivation import Derivation, MinimumFrom
from tallystick.billing.line_item import LineItemType
from tallystick.kernel.decimals import ZERO, divide
from tallystick.kernel.periods import Period
from tallystick.rating.minimum import minimum_in_advance, minimum_refund, minimum_top_up
from tallystick.rating.proration import DayShare, prorate


class Minimum(msgspec.Struct, frozen=True, kw_only=True):
    """A minimum spend of one period. whole: of a whole period; shares: the days it is owed for."""

    terms: Charging
    whole: Decimal
    shares: tuple[DayShare, ...]
    service: Period
    in_advance: bool
    description: str
    pricing_id: str | None = None
    aggregation_id: str | None = None
    compound_aggregation_id: str | None = None
    accounting_product_id: str | None = None

    @property
    def amount(self) -> Decimal:
        """The minimum of this period, exact: by active days, or whole (semantics §15)."""
        return prorate(self.whole, self.shares)


def closing_lines(inputs: BillInputs, minimum: Minimum, counted: Decimal) -> Iterator[DraftLine]:
    """Give what closes a period: the top-up in arrears, the refund where it was paid in advance.

    counted: what counts toward the minimum as it is billed, so that usage and top-up come to the minimum
    to the cent, however each of them is rounded (decision 0014). A zero is no line.
    """
    currency = minimum.terms.currency
    if not minimum.in_advance and counted >= minimum.amount * inputs.rate_from(currency):
        return
    floor = billed(inputs, minimum.amount, currency)
    if minimum.in_advance:
        kind, amount = LineItemType.MINIMUM_SPEND_REFUND, minimum_refund(counted, floor)
    else:
        kind, amount = LineItemType.MINIMUM_SPEND, minimum_top_up(counted, floor)
    if amount:
        why = MinimumFrom(minimum=floor, counted=counted, in_advance=minimum.in_advance)
        priced = divide(amount, inputs.rate_from(currency))
        yield converted_to(inputs, _line(kind, minimum, why, priced), amount)


def advance_line(minimum: Minimum) -> Iterator[DraftLine]:
    """Give what opens a period that is paid in advance: the whole minimum."""
    amount = minimum_in_advance(minimum.amount)
    if minimum.in_advance and amount:
        why = MinimumFrom(minimum=minimum.amount, counted=ZERO, in_advance=True)
        yield _line(LineItemType.MINIMUM_SPEND, minimum, why, amount)


def _line(kind: LineItemType, minimum: Minimum, why: MinimumFrom, amount: Decimal) -> DraftLine:
    terms = minimum.terms
    return DraftLine(
        key=line_key(kind, terms.key, minimum.pricing_id, minimum.service),
        line_item_type=kind,
        terms=terms,
        currency=terms.currency,
        product_id=terms.product_id,
        contract_id=terms.account_plan.contract_id,
        description=minimum.description,
        service=minimum.service,
        subtotal=amount,
        pricing_id=minimum.pricing_id,
        aggregation_id=minimum.aggregation_id,
        compound_aggregation_id=minimum.compound_aggregation_id,
        accounting_product_id=minimum.accounting_product_id,
        derivation=Derivation(
            proration=proration(minimum.whole, minimum.shares, minimum.amount),
            minimum=why,
        ),
    )
