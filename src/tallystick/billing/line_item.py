"""Line items: one row a line, in the two forms that the API has of it."""

from datetime import datetime
from decimal import Decimal
from enum import StrEnum
from typing import TYPE_CHECKING, Annotated, Any

import msgspec

from tallystick.billing.derivation import Derivation
from tallystick.platform.resources import AMOUNT, Entity, Hidden, Id, Ref, resource
from tallystick.platform.resources.declaration import part_of

Amount = Annotated[Decimal, AMOUNT]


class LineItemType(StrEnum):
    """What a line is for (semantics §23)."""

    STANDING_CHARGE = "STANDING_CHARGE"
    USAGE = "USAGE"
    COUNTER_RUNNING_TOTAL_CHARGE = "COUNTER_RUNNING_TOTAL_CHARGE"
    COUNTER_ADJUSTMENT_DEBIT = "COUNTER_ADJUSTMENT_DEBIT"
    COUNTER_ADJUSTMENT_CREDIT = "COUNTER_ADJUSTMENT_CREDIT"
    USAGE_CREDIT = "USAGE_CREDIT"
    MINIMUM_SPEND = "MINIMUM_SPEND"
    MINIMUM_SPEND_REFUND = "MINIMUM_SPEND_REFUND"
    CREDIT_DEDUCTION = "CREDIT_DEDUCTION"
    MANUAL_ADJUSTMENT = "MANUAL_ADJUSTMENT"
    CREDIT_MEMO = "CREDIT_MEMO"
    DEBIT_MEMO = "DEBIT_MEMO"
    COMMITMENT_CONSUMED = "COMMITMENT_CONSUMED"
    COMMITMENT_FEE = "COMMITMENT_FEE"
    OVERAGE_SURCHARGE = "OVERAGE_SURCHARGE"
    OVERAGE_USAGE = "OVERAGE_USAGE"
    BALANCE_CONSUMED = "BALANCE_CONSUMED"
    BALANCE_FEE = "BALANCE_FEE"
    AD_HOC = "AD_HOC"


class BandUsage(msgspec.Struct, frozen=True, kw_only=True, rename="camel"):
    """What one pricing band charges on a line; amounts in pricing currency but the last (semantics §23).

    convertedBandSubtotal: in billing currency, exact; only the line is rounded.
    """

    pricing_band_id: str | None = None
    lower_limit: Amount
    fixed_price: Amount
    unit_subtotal: Amount
    unit_price: Amount
    band_units: Amount
    band_quantity: Amount
    band_subtotal: Amount
    credit_type_id: str | None = None
    converted_band_subtotal: Amount


@resource("bill_line_items", event="billing.lineitem", verbs=())
class LineItem(Entity, kw_only=True):
    """One line of a bill. subtotal: pricing currency; convertedSubtotal: billing currency, rounded.

    The bill's total is the sum of its convertedSubtotals. servicePeriodEndDate is exclusive.
    """

    bill_id: Annotated[Id, Ref("bills")]
    line_item_type: LineItemType
    product_id: str | None = None
    description: str
    service_period_start_date: datetime
    service_period_end_date: datetime
    referenced_bill_id: str | None = None
    referenced_line_item_id: str | None = None
    product_name: str | None = None
    product_code: str | None = None
    accounting_product_id: str | None = None
    accounting_product_name: str | None = None
    accounting_product_code: str | None = None
    aggregation_id: str | None = None
    compound_aggregation_id: str | None = None
    counter_id: str | None = None
    charge_id: str | None = None
    segment: dict[str, str] | None = None
    group: dict[str, str] | None = None
    meter_id: str | None = None
    plan_id: str | None = None
    plan_group_id: str | None = None
    commitment_id: str | None = None
    balance_id: str | None = None
    quantity: Amount
    units: Amount
    unit: str
    subtotal: Amount
    currency: str
    conversion_rate: Amount
    converted_subtotal: Amount
    credit_type_id: str | None = None
    pricing_id: str | None = None
    band_usage: list[BandUsage] = []
    reason_id: str | None = None
    contract_id: str | None = None
    json_usage_generated: bool = False
    average_unit_price: Amount
    sequence_number: int
    additional: dict[str, Any] | None = None
    child_account_id: Annotated[str | None, Hidden()] = None
    child_account_code: Annotated[str | None, Hidden()] = None
    account_plan_id: Annotated[str | None, Hidden()] = None
    derivation: Annotated[Derivation | None, Hidden()] = None


_ONLY_STORED = {"bill_id", "json_usage_generated", "account_plan_id", "derivation", *Entity.__struct_fields__}
_IN_BILL = {name: name for name in LineItem.__struct_fields__ if name == "id" or name not in _ONLY_STORED}
_IN_BILL["band_usage"] = "usage_per_pricing_band"

if TYPE_CHECKING:
    BillLineItem = LineItem
else:
    BillLineItem = part_of(LineItem, "BillLineItem", _IN_BILL)
    BillLineItem.__doc__ = "A line as it stands inside its bill."


def embedded(line: LineItem) -> BillLineItem:
    """Give a line in the form it has inside its bill."""
    return BillLineItem(**{inside: getattr(line, own) for own, inside in _IN_BILL.items()})
