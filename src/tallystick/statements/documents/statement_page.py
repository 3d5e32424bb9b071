"""A statement as it is sent: each line by spans of time and dimensions. Pure."""

from collections.abc import Iterator

import msgspec

from tallystick.accounts.account import Account
from tallystick.billing.bill import Bill
from tallystick.statements.documents.formats import Formats
from tallystick.statements.documents.page import (
    Group,
    Page,
    Row,
    customer_of,
    draft_of,
    facts_of,
    invoice_number,
    paragraphs,
    vendor_of,
)
from tallystick.statements.documents.settings import DocumentSettings
from tallystick.statements.documents.words import Words
from tallystick.statements.layout import Statement, StatementBucket, StatementLine, StatementRow
from tallystick.usage.store.model import ANY

MOST_ROWS = 2000
"A document with more rows shows spans only; the files have every row."


class StatementDocument(msgspec.Struct, frozen=True, kw_only=True):
    """What a statement's document is made from: the file, and who it is from and for."""

    statement: Statement
    bill: Bill
    account: Account
    organization: str
    settings: DocumentSettings
    formats: Formats
    words: Words


def statement_page(made: StatementDocument) -> Page:
    """Set out a statement."""
    statement, words, formats = made.statement, made.words, made.formats
    rows = sum(len(bucket.rows) for line in statement.lines for bucket in line.buckets)
    groups = [_group(made, line, whole=rows > MOST_ROWS) for line in statement.lines]
    summary = [[f"{words.total} ({formats.text(statement.currency)})", _money(made, statement)]]
    if statement.total != statement.bill_total:
        whole_bill = formats.money(statement.bill_total, statement.currency)
        summary.insert(0, [words.whole_bill, whole_bill])
    number = invoice_number(statement.sequential_invoice_number, statement.bill_id)
    return Page(
        language=formats.locale.language,
        direction=formats.direction,
        paper=made.settings.paper.value,
        title=words.statement,
        subject=formats.text(number),
        draft=draft_of(made.bill, words),
        vendor=vendor_of(made.settings, made.organization, formats, words),
        customer_label=words.bill_to,
        customer=customer_of(made.account, formats),
        facts=facts_of(made.bill, formats, words),
        columns=[words.span, words.quantity, words.units, words.amount],
        groups=groups,
        empty="" if groups else words.no_lines,
        summary=summary,
        footer=paragraphs(made.settings.footer, formats),
        page_of=words.page,
    )


def _money(made: StatementDocument, statement: Statement) -> str:
    return made.formats.money(statement.total, statement.currency)


def _group(made: StatementDocument, line: StatementLine, *, whole: bool) -> Group:
    words, formats = made.words, made.formats
    parts = (line.description, line.product_name, line.child_account_code)
    name = " · ".join(formats.text(part) for part in parts if part)
    rows = [row for bucket in line.buckets for row in _rows(made, line, bucket, whole=whole)]
    amount = formats.money(line.charge, made.statement.currency)
    subtotal = [words.subtotal.format(name=formats.text(line.description)), amount] if len(rows) > 1 else []
    return Group(name=name, rows=rows, subtotal=subtotal)


def _rows(
    made: StatementDocument, line: StatementLine, bucket: StatementBucket, *, whole: bool
) -> Iterator[Row]:
    """Give a span with its rows under it, or beside it where there is but one without dimensions."""
    formats, currency = made.formats, made.statement.currency
    span = formats.service(bucket.start, bucket.end)
    amount = formats.money(bucket.charge, currency)
    only = bucket.rows[0] if len(bucket.rows) == 1 and not bucket.rows[0].dimensions else None
    quantity = formats.number(only.quantity) if only else ""
    yield Row(texts=[span, quantity, formats.units(bucket.units, line.unit), amount])
    if only is not None or whole:
        return
    for row in bucket.rows:
        texts = [_dimensions(made, row), formats.number(row.quantity), formats.number(row.units)]
        yield Row(level="part", texts=[*texts, formats.money(row.charge, currency)])


def _dimensions(made: StatementDocument, row: StatementRow) -> str:
    words = made.words
    told = {None: words.none, ANY: words.everything_else}
    return ", ".join(
        f"{made.formats.text(code)}: {told.get(value) or made.formats.text(value)}"
        for code, value in row.dimensions.items()
    )
