"""What a statement says: the JSON of the file, as docs/statements.md describes it. Values only."""

from datetime import date, datetime
from decimal import Decimal
from typing import Any

import msgspec

from tallystick.billing.line_item import LineItemType
from tallystick.statements.definition import AggregationFrequency


class StatementRow(msgspec.Struct, frozen=True, kw_only=True, rename="camel", omit_defaults=True):
    """What one combination of dimension values used and costs, in one span.

    dimensions: a missing value is null, `*` is every value that the definition does not name.
    """

    dimensions: dict[str, str | None] = {}
    quantity: Decimal
    units: Decimal
    charge: Decimal
    measures: dict[str, dict[str, Decimal | None]] = {}


class StatementBucket(msgspec.Struct, frozen=True, kw_only=True, rename="camel"):
    """One span of local days, cut to the line's service period. charge: of its rows, billing currency."""

    start_date: date
    start: datetime
    end: datetime
    units: Decimal
    charge: Decimal
    rows: list[StatementRow]


class StatementLine(msgspec.Struct, frozen=True, kw_only=True, rename="camel", omit_defaults=True):
    """A line of the bill. charge: in billing currency, what its buckets sum to."""

    line_item_id: str | None = None
    sequence_number: int
    line_item_type: LineItemType
    description: str
    product_id: str | None = None
    product_code: str | None = None
    product_name: str | None = None
    child_account_code: str | None = None
    meter_id: str | None = None
    meter_code: str | None = None
    aggregation_id: str | None = None
    aggregation: str | None = None
    segment: dict[str, str] = {}
    service_period_start: datetime
    service_period_end: datetime
    quantity: Decimal
    units: Decimal
    unit: str
    price_per_unit: Decimal | None = None
    subtotal: Decimal
    currency: str
    conversion_rate: Decimal
    charge: Decimal
    buckets: list[StatementBucket]


class Statement(msgspec.Struct, frozen=True, kw_only=True, rename="camel", omit_defaults=True):
    """A bill's statement. total: of the lines shown; billTotal: of the bill. Both in `currency`.

    endDate: exclusive, as on the bill.
    """

    bill_id: str
    account_id: str
    account_code: str
    account_name: str
    organization_name: str
    sequential_invoice_number: str | None = None
    purchase_order_number: str | None = None
    bill_date: date
    start_date: date
    end_date: date
    timezone: str
    currency: str
    last_calculated_date: datetime | None = None
    statement_definition_id: str | None = None
    statement_definition_name: str | None = None
    aggregation_frequency: AggregationFrequency
    filters: dict[str, Any] | None = None
    total: Decimal
    bill_total: Decimal
    lines: list[StatementLine]
