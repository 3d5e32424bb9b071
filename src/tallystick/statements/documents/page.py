"""What stands on a document, as text that is ready to be set. Values only; the template adds no words."""

from collections.abc import Iterable, Iterator

import msgspec

from tallystick.accounts.account import Account, Address
from tallystick.billing.bill import Bill, BillStatus
from tallystick.statements.documents.formats import Formats
from tallystick.statements.documents.settings import DocumentSettings
from tallystick.statements.documents.words import Words

SHOWN_OF_ID = 4
_CODE_LAST = frozenset(
    {"us", "usa", "united states", "united states of america", "ca", "canada", "au", "australia", "gb"}
    | {"uk", "united kingdom", "in", "india"}
)
"Countries whose postal code follows the town, by code and English name."


class Party(msgspec.Struct, frozen=True):
    """Who sends a document, or gets it."""

    name: str
    lines: list[str]


class Row(msgspec.Struct, frozen=True, kw_only=True):
    """One row of a table. level: `line`, or `part` of the line above. note: small, below the first text."""

    level: str = "line"
    texts: list[str]
    note: str = ""


class Group(msgspec.Struct, frozen=True, kw_only=True):
    """Rows under a heading. subtotal: its label and amount; empty where there is none."""

    name: str
    rows: list[Row]
    subtotal: list[str] = []


class Steps(msgspec.Struct, frozen=True):
    """How one amount came about."""

    title: str
    amount: str
    steps: list[str]


class Page(msgspec.Struct, frozen=True, kw_only=True):
    """A whole document. columns: headings of the table; the first is wide and its texts stand at its start.

    facts: label and value. summary: label and amount, the last one strong.
    """

    language: str
    direction: str
    "ltr or rtl."
    paper: str
    title: str
    subject: str
    draft: str = ""
    vendor: Party
    customer_label: str
    customer: Party
    facts: list[list[str]]
    columns: list[str]
    groups: list[Group]
    empty: str = ""
    summary: list[list[str]]
    notes: list[str] = []
    payment_title: str = ""
    payment: list[str] = []
    footer: list[str] = []
    page_of: str
    appendix_title: str = ""
    appendix_note: str = ""
    appendix: list[Steps] = []


def address_lines(address: Address | None, formats: Formats) -> list[str]:
    """Give an address as it stands on an envelope."""
    if address is None:
        return []
    lines: Iterable[str | None] = (
        address.address_line1,
        address.address_line2,
        address.address_line3,
        address.address_line4,
        *_town(address),
        address.country,
    )
    return [formats.text(line) for line in lines if line and line.strip()]


def _town(address: Address) -> Iterator[str]:
    """Give town, region and postal code in the order that the country writes them."""
    if (address.country or "").strip().casefold() in _CODE_LAST:
        region = " ".join(part for part in (address.region, address.post_code) if part)
        yield ", ".join(part for part in (address.locality, region) if part)
    else:
        yield " ".join(part for part in (address.post_code, address.locality) if part)
        yield address.region or ""


def vendor_of(settings: DocumentSettings, organization: str, formats: Formats, words: Words) -> Party:
    """Give who sends the document."""
    lines = address_lines(settings.vendor_address, formats)
    if settings.tax_id:
        lines.append(f"{words.tax_id}: {formats.text(settings.tax_id)}")
    return Party(formats.text(settings.vendor_name or organization), lines)


def customer_of(account: Account, formats: Formats) -> Party:
    """Give who gets the document."""
    lines = [*address_lines(account.address, formats), formats.text(account.email_address)]
    return Party(formats.text(account.name), lines)


def invoice_number(number: str | None, bill_id: str) -> str:
    """Give a bill's number: without a prefix `INV-` and the end of its id (semantics §3)."""
    return number or f"INV-{bill_id[-SHOWN_OF_ID:]}"


def paragraphs(text: str | None, formats: Formats) -> list[str]:
    """Give the lines of a text that may have several."""
    return [formats.text(line) for line in (text or "").splitlines()]


def facts_of(bill: Bill, formats: Formats, words: Words) -> list[list[str]]:
    """Give what identifies a bill."""
    facts = [
        [words.invoice_number, formats.text(invoice_number(bill.sequential_invoice_number, bill.id))],
        [words.invoice_date, formats.day(bill.external_invoice_date)],
        [words.due_date, formats.day(bill.due_date)],
        [words.billing_period, formats.days(bill.start_date, bill.end_date)],
        [words.account, formats.text(bill.account_code)],
    ]
    if bill.purchase_order_number:
        facts.append([words.purchase_order, formats.text(bill.purchase_order_number)])
    return facts


def draft_of(bill: Bill, words: Words) -> str:
    """Give what warns that a bill may still change."""
    return "" if bill.status is BillStatus.APPROVED else words.draft
