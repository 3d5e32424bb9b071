"""A query over bill lines, as the API takes and answers it. Pure."""

from collections.abc import Iterator
from datetime import date, datetime
from decimal import Decimal
from typing import Annotated, Any

import msgspec
from msgspec import Meta

from tallystick.billing.line_item import Amount, LineItemType
from tallystick.kernel.decimals import plain
from tallystick.kernel.problems import Problem
from tallystick.platform.resources.checks import in_order
from tallystick.platform.resources.declaration import VersionedRequest

LARGEST_ANSWER = 2000
"Rule: semantics §31."
ANY = "*"
"As a filter's value: whatever the dimension is."


class DimensionQuery(msgspec.Struct, kw_only=True, rename="camel"):
    """Only lines whose dimension has one of the values. attributes: dimensions; every row has all anyway."""

    name: Annotated[str, Meta(min_length=1)]
    attributes: list[str] = []
    filter: Annotated[list[str], Meta(min_length=1)]


class QueryBillDataRequest(VersionedRequest, kw_only=True, rename="camel"):
    """A question about the lines of bills whose period starts in [startDate, endDate)."""

    start_date: datetime
    end_date: datetime
    dimensions: Annotated[list[DimensionQuery], Meta(max_length=100)] = []
    line_item_types: Annotated[list[LineItemType], Meta(min_length=1)]
    limit: Annotated[int, Meta(ge=1, le=LARGEST_ANSWER)] | None = None

    def filters(self) -> list[tuple[str, list[str]]]:
        """Give what each named dimension has to be, those left open aside."""
        given = ((dimension_name(each.name), each.filter) for each in self.dimensions)
        return [(name, values) for name, values in given if name is not None and ANY not in values]

    def problems(self) -> Iterator[Problem]:
        """Find what is wrong with it."""
        yield from in_order(self.start_date, self.end_date)
        for i, each in enumerate(self.dimensions):
            names = {"name": each.name, **{f"attributes[{k}]": a for k, a in enumerate(each.attributes)}}
            for where, name in names.items():
                if dimension_name(name) is None:
                    message = f"must be one of {', '.join(_DIMENSION_NAMES.values())}"
                    yield Problem(f"dimensions[{i}].{where}", "unknown_value", message)


class LineItemDimensions(msgspec.Struct, kw_only=True, rename="camel"):
    """What a line is about. account: its code. Units are those of the measures of the same name."""

    account: str
    account_name: str
    account_id: str
    parent_account_code: str | None = None
    parent_account_name: str | None = None
    parent_account_id: str | None = None
    child_account_id: str | None = None
    description: str
    line_item_type: LineItemType
    product_name: str | None = None
    quantity_unit: str
    subtotal_unit: str
    converted_subtotal_unit: str
    bill_id: str
    external_invoice_reference: str | None = None
    commitment_id: str | None = None
    bill_line_item_id: str


class LineItemMeasures(msgspec.Struct, kw_only=True, rename="camel"):
    """A line's numbers. version: of the line."""

    converted_subtotal: Amount
    subtotal: Amount
    version: Amount
    conversion_rate: Amount
    quantity: Amount
    units: Amount


class BillDetails(msgspec.Struct, kw_only=True, rename="camel"):
    """A line's bill. day, week, month, year and yearMonth are those of its local startDate."""

    day: int
    week: str
    year: int
    month: str
    locked: str
    status: str
    due_date: str
    start_date: str
    end_date: str
    service_period_start_date: str
    service_period_end_date: str
    bill_date: str
    timezone: str
    year_month: str
    bill_currency: str
    billing_frequency: str


class BillData(msgspec.Struct, kw_only=True, rename="camel"):
    """One line of a bill."""

    updated_date: datetime
    dimensions: LineItemDimensions
    measures: LineItemMeasures
    bill_details: BillDetails


class BillDataResponse(msgspec.Struct):
    """The lines, those of the newest bills first."""

    values: list[BillData]


_DIMENSION_NAMES = {
    f.encode_name.casefold(): f.encode_name for f in msgspec.structs.fields(LineItemDimensions)
}


def dimension_name(given: str) -> str | None:
    """Give a dimension's own name: `product name` and `productName` are the same. None: there is none."""
    return _DIMENSION_NAMES.get(given.replace(" ", "").casefold())


def bill_data(row: Any) -> BillData:
    """Make an answer's row. row: the columns of `store.bill_lines`."""
    values = row._asdict()
    dimensions = {f.name: values[f.encode_name] for f in msgspec.structs.fields(LineItemDimensions)}
    measures = {f.name: plain(Decimal(values[f.name])) for f in msgspec.structs.fields(LineItemMeasures)}
    dimensions["line_item_type"] = LineItemType(dimensions["line_item_type"])
    return BillData(
        updated_date=row.updated_date,
        dimensions=LineItemDimensions(**dimensions),
        measures=LineItemMeasures(**measures),
        bill_details=_details(row),
    )


def _details(row: Any) -> BillDetails:
    starts: date = row.start_date
    iso = starts.isocalendar()
    return BillDetails(
        day=starts.day,
        week=f"{iso.year}-W{iso.week:02}",
        year=starts.year,
        month=f"{starts.month:02}",
        locked="true" if row.locked else "false",
        status=row.status,
        due_date=row.due_date.isoformat(),
        start_date=starts.isoformat(),
        end_date=row.end_date.isoformat(),
        service_period_start_date=_instant(row.service_period_start_date),
        service_period_end_date=_instant(row.service_period_end_date),
        bill_date=row.bill_date.isoformat(),
        timezone=row.timezone,
        year_month=f"{starts.year}-{starts.month:02}",
        bill_currency=row.convertedSubtotalUnit,
        billing_frequency=row.billing_frequency,
    )


def _instant(value: datetime) -> str:
    return str(msgspec.to_builtins(value))
