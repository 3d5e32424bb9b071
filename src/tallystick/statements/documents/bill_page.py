"""A bill as it is sent: lines by product, tiers, credits, totals, and how each amount came about. Pure."""

from collections.abc import Iterator, Sequence
from decimal import Decimal

import msgspec

from tallystick.accounts.account import Account
from tallystick.billing.bill import Bill
from tallystick.billing.explain import explain
from tallystick.billing.line_item import LineItem, LineItemType
from tallystick.kernel.decimals import ZERO, plain
from tallystick.statements.documents.formats import UNITLESS, Formats
from tallystick.statements.documents.page import (
    Group,
    Page,
    Row,
    Steps,
    customer_of,
    draft_of,
    facts_of,
    invoice_number,
    paragraphs,
    vendor_of,
)
from tallystick.statements.documents.settings import DocumentSettings
from tallystick.statements.documents.words import Words

CREDITS = frozenset(
    {
        LineItemType.COMMITMENT_CONSUMED,
        LineItemType.BALANCE_CONSUMED,
        LineItemType.CREDIT_MEMO,
        LineItemType.DEBIT_MEMO,
        LineItemType.CREDIT_DEDUCTION,
        LineItemType.MANUAL_ADJUSTMENT,
    }
)
"What is taken off, or put on, after the charges; it stands by itself, before the total."


MOST_EXPLAINED = 1000
"A bill with more lines has no appendix, and says so; each line can be explained by itself."


class BillDocument(msgspec.Struct, frozen=True, kw_only=True):
    """What a bill's document is made from."""

    bill: Bill
    lines: Sequence[LineItem]
    account: Account
    organization: str
    settings: DocumentSettings
    formats: Formats
    words: Words
    appendix: bool


def bill_page(made: BillDocument) -> Page:
    """Set out a bill."""
    bill, words, formats = made.bill, made.words, made.formats
    groups = list(_groups(made))
    appendix = made.appendix and 0 < len(made.lines) <= MOST_EXPLAINED
    summary = _summary(made)
    return Page(
        language=formats.locale.language,
        direction=formats.direction,
        paper=made.settings.paper.value,
        title=words.invoice,
        subject=formats.text(invoice_number(bill.sequential_invoice_number, bill.id)),
        draft=draft_of(bill, words),
        vendor=vendor_of(made.settings, made.organization, formats, words),
        customer_label=words.bill_to,
        customer=customer_of(made.account, formats),
        facts=[*facts_of(bill, formats, words), summary[-1]],  # the total may be many pages on
        columns=[words.description, words.quantity, words.price, words.amount],
        groups=groups,
        empty="" if groups else words.no_lines,
        summary=summary,
        notes=_notes(made),
        payment_title=words.payment,
        payment=paragraphs(made.settings.payment_instructions, formats) if bill.bill_total > 0 else [],
        footer=paragraphs(made.settings.footer, formats),
        page_of=words.page,
        appendix_title=words.appendix if appendix else "",
        appendix_note=words.appendix_note,
        appendix=[_steps(made, line) for line in made.lines] if appendix else [],
    )


def _groups(made: BillDocument) -> Iterator[Group]:
    """Give the charges by product, in the order in which products first come, and credits last."""
    by_product: dict[str, list[LineItem]] = {}
    for line in made.lines:
        if line.line_item_type not in CREDITS:
            by_product.setdefault(line.product_name or "", []).append(line)
    for product, lines in sorted(by_product.items(), key=lambda each: each[0] == ""):
        name = made.formats.text(product) or made.words.other
        yield _group(made, name, lines)
    credited = [line for line in made.lines if line.line_item_type in CREDITS]
    if credited:
        yield _group(made, made.words.credits, credited)


def _group(made: BillDocument, name: str, lines: Sequence[LineItem]) -> Group:
    total = sum((line.converted_subtotal for line in lines), ZERO)
    label = made.words.subtotal.format(name=name)
    rows = [row for line in lines for row in _rows(made, line)]
    subtotal = [label, made.formats.money(total, made.bill.currency)] if len(lines) > 1 else []
    return Group(name=name, rows=rows, subtotal=subtotal)


def _rows(made: BillDocument, line: LineItem) -> Iterator[Row]:
    formats = made.formats
    tiers = [*_tiers(made, line)]
    is_counted = not (line.unit == UNITLESS and line.units == 1)
    quantity = formats.units(line.units, line.unit) if is_counted else ""
    price = formats.money(_price(line), line.currency) if is_counted and not tiers else ""
    amount = formats.money(line.converted_subtotal, made.bill.currency)
    yield Row(texts=[made.formats.text(line.description), quantity, price, amount], note=_note(made, line))
    yield from tiers


def _price(line: LineItem) -> Decimal:
    """Give the unit price: the only tier's own, else the average."""
    if len(line.band_usage) == 1 and not line.band_usage[0].fixed_price:
        return line.band_usage[0].unit_price
    return line.average_unit_price


def _tiers(made: BillDocument, line: LineItem) -> Iterator[Row]:
    """Give what each tier charges, in the line's own currency, where there is more to say than one price."""
    formats, bands = made.formats, line.band_usage
    if len(bands) < 2 and not any(band.fixed_price for band in bands):  # noqa: PLR2004 - one tier is no tier
        return
    for band in bands:
        limit = made.words.tier.format(limit=formats.number(band.lower_limit))
        fixed_part = plain(band.band_subtotal - band.unit_subtotal)
        fixed = f"{made.words.fixed} {formats.money(fixed_part, line.currency)}" if fixed_part else ""
        price = formats.money(band.unit_price, line.currency) if band.band_units or not fixed else ""
        parts = " + ".join(part for part in (fixed, price) if part)
        quantity = formats.units(band.band_units, line.unit)
        yield Row(
            level="part", texts=[limit, quantity, parts, formats.rounded(band.band_subtotal, line.currency)]
        )


def _note(made: BillDocument, line: LineItem) -> str:
    """Give whose a line is, where it is a child's, and when, where that is not the bill's own period."""
    bill = made.bill
    parts = [made.formats.text(line.child_account_code)] if line.child_account_code else []
    own = (line.service_period_start_date, line.service_period_end_date)
    if own != (bill.start_date_time_utc, bill.end_date_time_utc):
        parts.append(made.formats.service(*own))
    return " · ".join(parts)


def _summary(made: BillDocument) -> list[list[str]]:
    bill, words, formats = made.bill, made.words, made.formats
    credited = [line.converted_subtotal for line in made.lines if line.line_item_type in CREDITS]
    taken = sum(credited, ZERO)
    rows = []
    if credited:
        rows.append([words.charges, formats.money(bill.bill_total - taken, bill.currency)])
        rows.append([words.credits, formats.money(taken, bill.currency)])
    label = words.in_your_favour if bill.bill_total < 0 else words.total_due
    rows.append(
        [f"{label} ({made.formats.text(bill.currency)})", formats.money(abs(bill.bill_total), bill.currency)]
    )
    return rows


def _notes(made: BillDocument) -> list[str]:
    """Say at which rates prices were converted, and that an appendix was left out."""
    count = len(made.lines)
    left_out = made.words.appendix_left_out.format(count=made.formats.number(Decimal(count)))
    rates = [
        made.words.rate.format(
            from_currency=made.formats.text(each.from_currency),
            rate=made.formats.number(each.multiplier),
            to_currency=made.formats.text(each.to_currency),
        )
        for each in made.bill.currency_conversions
    ]
    return [*rates, left_out] if made.appendix and count > MOST_EXPLAINED else rates


def _steps(made: BillDocument, line: LineItem) -> Steps:
    amount = made.formats.money(line.converted_subtotal, made.bill.currency)
    _, *steps = explain(line)
    title = f"{line.sequence_number}. {made.formats.text(line.description)}"
    return Steps(title, amount, [made.formats.text(step) for step in steps])
