"""Documents of bills and statements: load, set out, render. Nothing is stored."""

from datetime import datetime

import msgspec

from tallystick.accounts.account import Account
from tallystick.billing.bill import Bill
from tallystick.billing.service import lines_of_bill
from tallystick.kernel.zones import parse_zone
from tallystick.organizations.currency import Currency
from tallystick.organizations.organization import Organization
from tallystick.platform.files import Files
from tallystick.platform.resources import Transaction
from tallystick.platform.resources.wire import parse
from tallystick.statements.documents.bill_page import BillDocument, bill_page
from tallystick.statements.documents.formats import ENGLISH, Formats, parse_locale
from tallystick.statements.documents.render import render_pdf
from tallystick.statements.documents.settings import DocumentSettings, document_settings
from tallystick.statements.documents.statement_page import StatementDocument, statement_page
from tallystick.statements.documents.words import words_of
from tallystick.statements.layout import Statement
from tallystick.statements.service import latest_statement


def bill_document(tx: Transaction, bill_id: str, *, appendix: bool | None) -> BillDocument:
    """Load a bill as it is sent. appendix: how each amount came about; None as the settings say.

    tx: a snapshot. Raises ResourceNotFound.
    """
    bill = tx.get(Bill, bill_id)
    lines = lines_of_bill(tx, bill.id)
    settings = document_settings(tx)
    formats = _formats(tx, settings, bill)
    wanted = settings.appendix if appendix is None else appendix
    return BillDocument(
        bill=bill,
        lines=lines,
        account=tx.get(Account, bill.account_id),
        organization=tx.find(Organization)[0].name,
        settings=settings,
        formats=formats,
        words=words_of(formats.locale.language),
        appendix=wanted,
    )


def render_bill(made: BillDocument) -> bytes:
    """Give the document as PDF: the same bytes while the bill and the settings are the same."""
    return render_pdf(bill_page(made), _made_at(made.bill))


def statement_document(tx: Transaction, files: Files, bill_id: str) -> StatementDocument:
    """Load the newest statement of a bill, by its JSON file, as it is sent.

    tx: a snapshot. Raises ResourceNotFound, StatementNotFound, FileNotKept.
    """
    job = latest_statement(tx, bill_id, csv=False)
    bill = tx.get(Bill, bill_id)
    settings = document_settings(tx)
    formats = _formats(tx, settings, bill)
    file = files.path(job.file_key("json")).read_bytes()
    return StatementDocument(
        statement=msgspec.convert(parse(file), Statement),
        bill=bill,
        account=tx.get(Account, bill.account_id),
        organization=tx.find(Organization)[0].name,
        settings=settings,
        formats=formats,
        words=words_of(formats.locale.language),
    )


def render_statement(made: StatementDocument) -> bytes:
    """Give the document as PDF."""
    return render_pdf(statement_page(made), _made_at(made.bill))


def _made_at(bill: Bill) -> datetime:
    return bill.last_calculated_date or bill.start_date_time_utc


def _formats(tx: Transaction, settings: DocumentSettings, bill: Bill) -> Formats:
    places = {currency.code: currency.max_decimal_places for currency in tx.find(Currency) if currency.code}
    return Formats(parse_locale(settings.locale) or ENGLISH, places, parse_zone(bill.timezone))
