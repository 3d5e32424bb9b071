"""Turn a draft into the bill and lines that are stored. Pure."""

from collections.abc import Iterable, Mapping
from decimal import Decimal
from functools import lru_cache
from hashlib import sha1
from string import hexdigits

from tallystick.billing.bill import Bill
from tallystick.billing.calculate import Draft, DraftLine
from tallystick.billing.line_item import BandUsage, LineItem
from tallystick.catalogue.product import Product
from tallystick.kernel.decimals import RoundingMode, plain, round_to
from tallystick.organizations.organization_config import CurrencyConversion
from tallystick.rating.bands import BandCharge, average_unit_price

SHOWN_PLACES = 12
"What is not a whole number of cents, such as a prorated subtotal, is shown to so many places."
_VARIANT = {digit: "89ab"[int(digit, 16) % 4] for digit in hexdigits.lower()}


def line_id(bill_id: str, key: str) -> str:
    """Make a line's id: the same for the same bill and key, and as new as its bill in lists.

    The time of the bill's id, then a UUIDv5 of bill and key (RFC 9562, 5.5), written without `uuid5`: a bill
    run makes millions.
    """
    name = bytes.fromhex(bill_id.replace("-", "")) + key.encode()
    made = sha1(name, usedforsecurity=False).hexdigest()
    return f"{bill_id[:13]}-5{made[13:16]}-{_VARIANT[made[16]]}{made[17:20]}-{made[20:32]}"


def bill_of(draft: Draft, bill_id: str) -> Bill:
    """Give the bill that a draft makes; when and by whom is not for this to know."""
    inputs, head = draft.inputs, draft.inputs.head
    return Bill(
        id=bill_id,
        account_id=inputs.account.id,
        account_code=inputs.account.code,
        grouping=head.grouping,
        start_date=head.dates.start,
        end_date=head.dates.end,
        start_date_time_utc=head.span.start,
        end_date_time_utc=head.span.end,
        bill_date=head.bill_date,
        due_date=head.due_date,
        billing_frequency=head.frequency,
        bill_frequency_interval=head.interval,
        timezone=head.timezone,
        currency=inputs.currency,
        currency_conversions=conversions_of(draft.lines, inputs.currency),
        purchase_order_number=head.purchase_order_number or inputs.account.purchase_order_number,
        external_invoice_date=head.external_invoice_date,
        bill_total=draft.total,
    )


def lines_of(draft: Draft, bill_id: str) -> list[LineItem]:
    """Give the lines of a draft, numbered from 1."""
    return [
        _line(line, bill_id, number, draft.inputs.products)
        for number, line in enumerate(draft.lines, start=1)
    ]


def conversions_of(lines: Iterable[DraftLine | LineItem], to: str) -> list[CurrencyConversion]:
    """Give the rates that lines used into the billing currency."""
    used = {line.currency: line.conversion_rate for line in lines}
    return [
        CurrencyConversion(from_currency=currency, to_currency=to, multiplier=rate)
        for currency, rate in sorted(used.items())
        if currency != to
    ]


def _line(line: DraftLine, bill_id: str, number: int, products: Mapping[str, Product]) -> LineItem:
    product = products.get(line.product_id or "")
    # Precedence: the line's own, then the plan's product (semantics §23).
    accounting = products.get(line.accounting_product_id or "") or product
    account_plan = line.terms.account_plan if line.terms else None
    return LineItem(
        id=line.own_id or line_id(bill_id, line.key),
        bill_id=bill_id,
        line_item_type=line.line_item_type,
        product_id=line.product_id,
        product_name=product.name if product else None,
        product_code=product.code if product else None,
        accounting_product_id=accounting.id if accounting else None,
        accounting_product_name=accounting.name if accounting else None,
        accounting_product_code=accounting.code if accounting else None,
        description=line.description,
        service_period_start_date=line.service.start,
        service_period_end_date=line.service.end,
        aggregation_id=line.aggregation_id,
        compound_aggregation_id=line.compound_aggregation_id,
        counter_id=line.counter_id,
        charge_id=line.charge_id,
        commitment_id=line.commitment_id,
        balance_id=line.balance_id,
        reason_id=line.reason_id,
        referenced_bill_id=line.referenced_bill_id,
        referenced_line_item_id=line.referenced_line_item_id,
        segment=dict(line.segment) if line.segment else None,
        meter_id=line.meter_id,
        plan_id=account_plan.plan_id if account_plan else None,
        plan_group_id=account_plan.plan_group_id if account_plan else None,
        quantity=_shown(line.quantity),
        units=_shown(line.units),
        unit=line.unit,
        subtotal=_shown(line.subtotal),
        currency=line.currency,
        conversion_rate=line.conversion_rate,
        converted_subtotal=line.converted,
        pricing_id=line.pricing_id,
        band_usage=[_band(charge, line) for charge in line.charges],
        contract_id=line.contract_id,
        average_unit_price=_shown(average_unit_price(line.subtotal, line.units)),
        sequence_number=number,
        child_account_id=line.child_account_id,
        child_account_code=line.child_account_code,
        account_plan_id=line.account_plan_id,
        derivation=line.derivation,
    )


def _band(charge: BandCharge, line: DraftLine) -> BandUsage:
    band = charge.band
    return BandUsage(
        pricing_band_id=band.id,
        lower_limit=band.lower_limit,
        fixed_price=band.fixed_price,
        unit_price=band.unit_price,
        unit_subtotal=_shown(charge.unit_amount),
        band_units=_shown(charge.units),
        band_quantity=_shown(charge.units * line.quantity_per_unit),
        band_subtotal=_shown(charge.amount),
        converted_band_subtotal=_shown(charge.amount * line.conversion_rate),
    )


@lru_cache(maxsize=8192)
def _shown(amount: Decimal) -> Decimal:
    return plain(round_to(amount, SHOWN_PLACES, RoundingMode.HALF_EVEN))
