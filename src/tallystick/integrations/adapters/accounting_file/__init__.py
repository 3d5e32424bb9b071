"""Accounting files: each bill as one CSV file, as accounting programs import them."""

import csv
import io
from collections.abc import Iterator, Mapping, Sequence
from typing import Any, Final

from tallystick.accounts.account import Account
from tallystick.billing.bill import BillAnswer
from tallystick.integrations.adapter import Option, Outgoing, Sent, System
from tallystick.integrations.errors import EntityRefused
from tallystick.kernel.problems import Problem
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
        contact = outgoing.mapping("Account", account.id, "Contact") or account.name
        layout = _xero if outgoing.config.get("format") == "XERO" else _plain
        rows = layout(bill, account, contact, outgoing.config)
        draft = self._files.draft(drop_key(outgoing.org_id, outgoing.key))
        try:
            draft.write(_csv(rows))
            draft.keep()
        finally:
            draft.drop()
        number = _number(bill)
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


def _csv(rows: Sequence[Sequence[str]]) -> bytes:
    text = io.StringIO(newline="")
    csv.writer(text, lineterminator="\r\n").writerows([[_safe(cell) for cell in row] for row in rows])
    return text.getvalue().encode()


def _safe(cell: str) -> str:
    """Keep a text from being taken for a formula where the file is opened; numbers stay numbers."""
    is_number = cell.lstrip("-").replace(".", "", 1).isdigit()
    return f"'{cell}" if cell[:1] in {"=", "+", "-", "@", "\t", "\r"} and not is_number else cell


def _number(bill: BillAnswer) -> str:
    return bill.sequential_invoice_number or bill.id


def _plain(bill: BillAnswer, account: Account, contact: str, config: Mapping[str, Any]) -> list[list[str]]:
    """One row a line. Amount: in billing currency, rounded as on the bill; the amounts add up to Total."""
    head = (
        "InvoiceNumber",
        "InvoiceDate",
        "DueDate",
        "Contact",
        "AccountCode",
        "Email",
        "Currency",
        "LineType",
        "Product",
        "Description",
        "ServiceStart",
        "ServiceEnd",
        "Units",
        "Unit",
        "Amount",
        "Total",
        "LedgerAccount",
    )
    return [
        list(head),
        *(
            [
                _number(bill),
                bill.external_invoice_date.isoformat(),
                bill.due_date.isoformat(),
                contact,
                account.code,
                account.email_address,
                bill.currency,
                line.line_item_type.value,
                line.accounting_product_code or line.product_code or "",
                line.description,
                line.service_period_start_date.date().isoformat(),
                line.service_period_end_date.date().isoformat(),
                f"{line.units:f}",
                line.unit,
                f"{line.converted_subtotal:f}",
                f"{bill.bill_total:f}",
                _ledger_account(config),
            ]
            for line in bill.line_items or []
        ),
    ]


def _xero(bill: BillAnswer, account: Account, contact: str, config: Mapping[str, Any]) -> list[list[str]]:
    """Give the columns of Xero's import of sales invoices. A line is one piece, so no cent is lost."""
    head = (
        "*ContactName",
        "EmailAddress",
        "POAddressLine1",
        "POAddressLine2",
        "POAddressLine3",
        "POAddressLine4",
        "POCity",
        "PORegion",
        "POPostalCode",
        "POCountry",
        "*InvoiceNumber",
        "Reference",
        "*InvoiceDate",
        "*DueDate",
        "InventoryItemCode",
        "*Description",
        "*Quantity",
        "*UnitAmount",
        "Discount",
        "*AccountCode",
        "*TaxType",
        "TrackingName1",
        "TrackingOption1",
        "TrackingName2",
        "TrackingOption2",
        "Currency",
        "BrandingTheme",
    )
    return [
        list(head),
        *(
            [
                contact,
                account.email_address,
                *_address(account),
                _number(bill),
                bill.purchase_order_number or "",
                bill.external_invoice_date.isoformat(),
                bill.due_date.isoformat(),
                line.accounting_product_code or "",
                line.description,
                "1",
                f"{line.converted_subtotal:f}",
                "",
                _ledger_account(config),
                str(config.get("taxType") or DEFAULT_TAX_TYPE),
                *[""] * 4,
                bill.currency,
                "",
            ]
            for line in bill.line_items or []
        ),
    ]


def _address(account: Account) -> list[str]:
    address = account.address
    if address is None:
        return [""] * 8
    lines = (address.address_line1, address.address_line2, address.address_line3, address.address_line4)
    rest = (address.locality, address.region, address.post_code, address.country)
    return [each or "" for each in (*lines, *rest)]


def _ledger_account(config: Mapping[str, Any]) -> str:
    return str(config.get("accountCode") or DEFAULT_ACCOUNT_CODE)
