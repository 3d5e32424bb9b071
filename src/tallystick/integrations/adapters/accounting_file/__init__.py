"""Accounting files: each bill as one CSV file, as accounting programs import them."""

from collections.abc import Iterator, Mapping, Sequence
from typing import Any, Final

from tallystick.accounts.account import Account
from tallystick.billing.bill import BillAnswer
from tallystick.billing.csv_file import XERO_COLUMNS, Books, bill_number, written, xero_rows
from tallystick.integrations.adapter import Option, Outgoing, Sent, System
from tallystick.integrations.errors import EntityRefused
from tallystick.kernel.problems import Problem
from tallystick.kernel.spreadsheet import cell_text
from tallystick.platform.files import Files

SYSTEM: Final = System(
    "ACCOUNTING_FILE",
    "Accounting file",
    ("Bill",),
    options=(
        Option("format", "CSV, or what Xero imports", values=("CSV", "XERO")),
        Option("accountCode", "The account of your books that lines go to"),
        Option("taxType", "The tax type of lines, as your books name it"),
    ),
    tables=("Contact", "File"),
    categories=("accounting",),
)
COLUMNS: Final = (
    *("InvoiceNumber", "InvoiceDate", "DueDate", "Contact", "AccountCode", "Email", "Currency", "LineType"),
    *("Product", "Description", "ServiceStart", "ServiceEnd", "Units", "Unit", "Amount", "Total"),
    "LedgerAccount",
)
DEFAULT_ACCOUNT_CODE: Final = "200"
DEFAULT_TAX_TYPE: Final = "Tax Exempt"


def drop_key(org_id: str, run_id: str) -> str:
    """Give the key of a run's file."""
    return f"drops/{org_id}/{run_id}.csv"


class AccountingFileAdapter:
    """Writes one file a bill. Written again under the same key it is the same file."""

    system = SYSTEM

    def __init__(self, files: Files) -> None:
        self._files = files

    def check(self, config: Mapping[str, Any]) -> Iterator[Problem]:
        """Nothing beyond what the options say."""
        yield from ()

    def send(self, outgoing: Outgoing) -> Sent:
        """Write the file. Raises EntityRefused."""
        bill, account = outgoing.bill, outgoing.account
        if bill is None or account is None:
            raise EntityRefused("Only bills can be written to accounting files.")
        config = outgoing.config
        books = Books(
            contact=outgoing.mapping("Account", account.id, "Contact") or account.name,
            ledger_account=str(config.get("accountCode") or DEFAULT_ACCOUNT_CODE),
            tax_type=str(config.get("taxType") or DEFAULT_TAX_TYPE),
        )
        if config.get("format") == "XERO":
            rows = [XERO_COLUMNS, *xero_rows(bill, account, bill.line_items or [], books)]
        else:
            rows = [COLUMNS, *_plain(bill, account, books)]
        draft = self._files.draft(drop_key(outgoing.org_id, outgoing.key))
        try:
            draft.write(written(rows))
            draft.keep()
        finally:
            draft.drop()
        number = bill_number(bill)
        return Sent(
            external_id=number,
            table="File",
            url=f"/organizations/{outgoing.org_id}/integrationruns/{outgoing.key}/file",
            log={"lines": len(rows) - 1, "invoiceNumber": number},
        )

    def known(
        self, entity_type: str, table: str | None, credentials: Mapping[str, str]
    ) -> Sequence[tuple[str, str]]:
        """Files know nothing by an id."""
        return ()


def _plain(bill: BillAnswer, account: Account, books: Books) -> Iterator[Sequence[object]]:
    """One row a line. Amount: in billing currency, rounded as on the bill; the amounts add up to Total."""
    head = (
        *(cell_text(bill_number(bill)), bill.external_invoice_date, bill.due_date),
        *(cell_text(text) for text in (books.contact, account.code, account.email_address, bill.currency)),
    )
    for line in bill.line_items or []:
        period = (line.service_period_start_date, line.service_period_end_date)
        product = line.accounting_product_code or line.product_code
        yield (
            *(*head, line.line_item_type.value, cell_text(product), cell_text(line.description)),
            *(instant.date() for instant in period),
            *(f"{line.units:f}", cell_text(line.unit), f"{line.converted_subtotal:f}"),
            *(f"{bill.bill_total:f}", cell_text(books.ledger_account)),
        )
