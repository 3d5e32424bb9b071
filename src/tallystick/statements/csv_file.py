"""A statement as CSV: one row for each row of each span of each line. Pure."""

import csv
from collections.abc import Iterator
from datetime import datetime, tzinfo
from decimal import Decimal
from io import StringIO

from tallystick.kernel.spreadsheet import cell_text
from tallystick.kernel.zones import parse_zone
from tallystick.statements.layout import Statement, StatementBucket, StatementLine, StatementRow

_FIXED = (
    *("billId", "sequentialInvoiceNumber", "accountCode", "accountName", "sequenceNumber", "lineItemType"),
    *("description", "productCode", "productName", "childAccountCode", "meterCode", "aggregation", "segment"),
    *("start", "end"),
)
_LAST = ("quantity", "units", "unit", "charge", "currency")


def write_csv(statement: Statement) -> bytes:
    """Write the CSV: UTF-8, comma, CRLF, one header. Starts and ends are local, with their offset.

    The columns `dimension.…` and `measure.….…` are those of all its lines, in the order they first come.
    """
    dimensions = list(dict.fromkeys(code for row in _rows(statement) for code in row.dimensions))
    measures = list(
        dict.fromkeys(
            (code, function)
            for row in _rows(statement)
            for code, figures in row.measures.items()
            for function in figures
        )
    )
    priced = ("pricePerUnit",) if any(line.price_per_unit is not None for line in statement.lines) else ()
    text = StringIO(newline="")
    writer = csv.writer(text)
    named = (f"dimension.{code}" for code in dimensions)
    measured = (f"measure.{code}.{function}" for code, function in measures)
    writer.writerow([*_FIXED, *named, *_LAST, *priced, *measured])
    zone = parse_zone(statement.timezone)
    for line in statement.lines:
        for bucket in line.buckets:
            for row in bucket.rows:
                cells: list[object] = [*_fixed(statement, line, bucket, zone)]
                cells += [cell_text(row.dimensions.get(code)) for code in dimensions]
                cells += [*_numbers(row, line), row.charge, statement.currency]
                cells += [line.price_per_unit for _ in priced]
                cells += [row.measures.get(code, {}).get(function) for code, function in measures]
                writer.writerow([_plain(cell) for cell in cells])
    return text.getvalue().encode()


def _rows(statement: Statement) -> Iterator[StatementRow]:
    return (row for line in statement.lines for bucket in line.buckets for row in bucket.rows)


def _fixed(
    statement: Statement, line: StatementLine, bucket: StatementBucket, zone: tzinfo
) -> Iterator[str | int]:
    segment = ", ".join(f"{code}={value}" for code, value in line.segment.items())
    yield statement.bill_id
    yield cell_text(statement.sequential_invoice_number)
    yield cell_text(statement.account_code)
    yield cell_text(statement.account_name)
    yield line.sequence_number
    yield line.line_item_type.value
    yield cell_text(line.description)
    yield cell_text(line.product_code)
    yield cell_text(line.product_name)
    yield cell_text(line.child_account_code)
    yield cell_text(line.meter_code)
    yield cell_text(line.aggregation)
    yield cell_text(segment)
    yield _local(bucket.start, zone)
    yield _local(bucket.end, zone)


def _numbers(row: StatementRow, line: StatementLine) -> tuple[Decimal, Decimal, str]:
    return row.quantity, row.units, cell_text(line.unit)


def _plain(cell: object) -> object:
    return f"{cell:f}" if isinstance(cell, Decimal) else cell


def _local(at: datetime, zone: tzinfo) -> str:
    return at.astimezone(zone).isoformat()
