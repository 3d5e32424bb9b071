"""Bills as CSV: one row a line, in our own columns or in those that Xero imports (semantics §22).

The columns are documented in docs/bill-csv.md.
"""

import csv
import io
from collections.abc import Iterator, Sequence
from datetime import datetime, timedelta
from enum import StrEnum

import msgspec
from sqlalchemy import ColumnElement, func, select

from tallystick.accounts.account import Account, Address
from tallystick.billing.bill import Bill
from tallystick.billing.errors import TooManyBillsToDownload
from tallystick.billing.line_item import LineItem
from tallystick.billing.store import lines_by_bill
from tallystick.kernel.spreadsheet import cell_text
from tallystick.platform.resources import Transaction, resource_of

LONGEST = timedelta(days=31)
MOST_BILLS = 5000
AT_ONCE = 250
STANDARD_COLUMNS = (
    *("billId", "invoiceNumber", "accountCode", "accountName", "status", "locked", "startDate", "endDate"),
    *("billDate", "dueDate", "externalInvoiceDate", "billingFrequency", "billFrequencyInterval"),
    *("purchaseOrderNumber", "billCurrency", "billTotal", "lineItemId", "sequenceNumber", "lineItemType"),
    *("description", "productCode", "productName", "accountingProductCode", "accountingProductName"),
    *("childAccountCode", "segment", "servicePeriodStartDate", "servicePeriodEndDate"),
    *("quantity", "units", "unit", "averageUnitPrice", "subtotal", "currency", "conversionRate"),
    "convertedSubtotal",
)
XERO_COLUMNS = (
    *("*ContactName", "EmailAddress", "POAddressLine1", "POAddressLine2", "POAddressLine3", "POAddressLine4"),
    *("POCity", "PORegion", "POPostalCode", "POCountry", "*InvoiceNumber", "Reference", "*InvoiceDate"),
    *("*DueDate", "InventoryItemCode", "*Description", "*Quantity", "*UnitAmount", "Discount"),
    *("*AccountCode", "*TaxType", "TrackingName1", "TrackingOption1", "TrackingName2", "TrackingOption2"),
    *("Currency", "BrandingTheme"),
)
Row = Sequence[object]


class Books(msgspec.Struct, frozen=True):
    """How somebody's books name things. contact: the account; ledger_account: where lines go to."""

    contact: str | None = None
    ledger_account: str = ""
    tax_type: str = ""


NO_BOOKS = Books()


class ExternalSystem(StrEnum):
    """Whose columns the file has."""

    STANDARD = "STANDARD"
    XERO = "XERO"


class Wanted(msgspec.Struct, frozen=True):
    """Which bills: those with billDate, and externalInvoiceDate, in [start, end); None is no limit."""

    system: ExternalSystem
    start: datetime | None = None
    end: datetime | None = None
    invoice_start: datetime | None = None
    invoice_end: datetime | None = None

    def clauses(self) -> Iterator[ColumnElement[bool]]:
        """Give the conditions."""
        table = resource_of(Bill).table
        if self.start is not None:
            yield table.c.bill_date >= self.start.date()
        if self.end is not None:
            yield table.c.bill_date < self.end.date()
        if self.invoice_start is not None:
            yield table.c.external_invoice_date >= self.invoice_start.date()
        if self.invoice_end is not None:
            yield table.c.external_invoice_date < self.invoice_end.date()

    @property
    def is_short(self) -> bool:
        """Tell whether one of the spans is of 31 days or less."""
        spans = ((self.start, self.end), (self.invoice_start, self.invoice_end))
        return any(start and end and end - start <= LONGEST for start, end in spans)


def check_size(tx: Transaction, wanted: Wanted) -> None:
    """Let a download pass of 31 days or less, or of few bills. Raises TooManyBillsToDownload."""
    if wanted.is_short:
        return
    table = resource_of(Bill).table
    asked = select(func.count()).select_from(table).where(table.c.org_id == tx.org_id, *wanted.clauses())
    count = tx.execute(asked).scalar_one()
    if count > MOST_BILLS:
        raise TooManyBillsToDownload(count, MOST_BILLS, LONGEST.days)


def csv_pieces(tx: Transaction, wanted: Wanted) -> Iterator[bytes]:
    """Write the file piece by piece, in the order of the bills' ids. tx: a snapshot that stays open.

    A bill without lines has no row.
    """
    is_xero = wanted.system is ExternalSystem.XERO
    rows, columns = (xero_rows, XERO_COLUMNS) if is_xero else (_standard_rows, STANDARD_COLUMNS)
    yield written([columns])
    table, after = resource_of(Bill).table, None
    while True:
        more = () if after is None else (table.c.id > after,)
        statement = tx.select(Bill, *wanted.clauses(), *more).order_by(None).order_by(table.c.id)
        bills = tx.load(Bill, statement.limit(AT_ONCE))
        lines = lines_by_bill(tx, [bill.id for bill in bills])
        accounts = tx.by_id(Account, (bill.account_id for bill in bills))
        found = [row for b in bills for row in rows(b, accounts[b.account_id], lines[b.id])]
        if found:
            yield written(found)
        if len(bills) < AT_ONCE:
            return
        after = bills[-1].id


def written(rows: Sequence[Row]) -> bytes:
    """Write rows as CSV."""
    buffer = io.StringIO()
    csv.writer(buffer).writerows(rows)
    return buffer.getvalue().encode()


def bill_number(bill: Bill) -> str:
    """Give what a bill is called towards its customer."""
    return bill.sequential_invoice_number or bill.id


def _standard_rows(bill: Bill, account: Account, lines: Sequence[LineItem]) -> Iterator[Row]:
    head = (
        *(bill.id, cell_text(bill_number(bill)), cell_text(bill.account_code), cell_text(account.name)),
        *(bill.status.value, str(bill.locked).lower(), bill.start_date, bill.end_date, bill.bill_date),
        *(bill.due_date, bill.external_invoice_date, bill.billing_frequency.value),
        *(bill.bill_frequency_interval, cell_text(bill.purchase_order_number), cell_text(bill.currency)),
        f"{bill.bill_total:f}",
    )
    for line in lines:
        segment = ", ".join(f"{name}={value}" for name, value in (line.segment or {}).items())
        texts = (line.description, line.product_code, line.product_name, line.accounting_product_code)
        more = (line.accounting_product_name, line.child_account_code, segment)
        period = (line.service_period_start_date, line.service_period_end_date)
        yield (
            *head,
            *(line.id, line.sequence_number, line.line_item_type.value),
            *(cell_text(text) for text in (*texts, *more)),
            *(instant.isoformat().replace("+00:00", "Z") for instant in period),
            *(f"{line.quantity:f}", f"{line.units:f}", cell_text(line.unit), f"{line.average_unit_price:f}"),
            *(f"{line.subtotal:f}", cell_text(line.currency), f"{line.conversion_rate:f}"),
            f"{line.converted_subtotal:f}",
        )


def xero_rows(
    bill: Bill, account: Account, lines: Sequence[LineItem], books: Books = NO_BOOKS
) -> Iterator[Row]:
    """Give a row a line: one of it at its converted amount, so that the invoice comes to the bill's total."""
    at = account.address or Address()
    street = (at.address_line1, at.address_line2, at.address_line3, at.address_line4)
    address = (*street, at.locality, at.region, at.post_code, at.country)
    contact = books.contact or account.name
    head = (contact, account.email_address, *address, bill_number(bill), bill.purchase_order_number)
    for line in lines:
        yield (
            *(cell_text(text) for text in head),
            *(bill.external_invoice_date, bill.due_date, cell_text(line.accounting_product_code)),
            *(cell_text(line.description), 1, f"{line.converted_subtotal:f}", ""),
            *(cell_text(books.ledger_account), cell_text(books.tax_type), "", "", "", ""),
            *(cell_text(bill.currency), ""),
        )
