"""PDFs say what the bill says, whatever names are in it."""

from datetime import timedelta
from decimal import Decimal
from io import BytesIO

import pytest
from pypdf import PdfReader

from tallystick.billing.line_item import LineItem
from tallystick.billing.line_item import LineItemType as T
from tallystick.statements.documents.bill_page import BillDocument, bill_page
from tallystick.statements.documents.render import render_pdf
from tests.unit.statements.documents.samples import HOSTILE, JUNE, band, document, line

D = Decimal


def pdf(made: BillDocument) -> PdfReader:
    return PdfReader(BytesIO(render_pdf(bill_page(made), JUNE)))


def read(reader: PdfReader) -> str:
    """Give the text of all pages, with single spaces."""
    text = " ".join(page.extract_text() for page in reader.pages)
    for gone in ("\u200b", "\u2068", "\u2069", "\u200f", "\u200e"):
        text = text.replace(gone, "")
    return " ".join(text.split())


LINES = [
    line(
        "175.00", units=D(1500), unit="GB", band_usage=[band("0", "500", "0.15"), band("500", "1000", "0.10")]
    ),
    line("48.39", T.STANDING_CHARGE, description="Standing Charge"),
    line("-23.40", T.COMMITMENT_CONSUMED, description="Commitment"),
]


@pytest.mark.parametrize(
    ("locale", "total"),
    [("en", "$199.99"), ("de", "199,99 $"), ("ja", "$199.99"), ("ar", "199.99"), ("fr", "199,99 $US")],
)
def test_the_total_is_the_bills(locale: str, total: str) -> None:
    text = read(pdf(document(*LINES, locale=locale)))
    assert total in text
    assert "1042" in read(pdf(document(*LINES, locale=locale, sequential_invoice_number="N-1042")))


def test_every_amount_and_description_is_there() -> None:
    text = read(pdf(document(*LINES)))
    for shown in ("$175.00", "Tier from 500", "$100.00", "$48.39", "-$23.40", "$223.39", "Standing Charge"):
        assert shown in text
    assert "how each amount came about" in text


@pytest.mark.parametrize(
    "name", [HOSTILE, '#read("/etc/passwd")', "]\n#set page(width: 1cm)", "= Heading", "'; --"]
)
def test_names_are_text_and_nothing_else(name: str) -> None:
    made = document(line("1.00", description=name, product_name=name), account=name, organization=name)
    text = read(pdf(made))
    shown = " ".join(made.formats.text(name).replace("\u200b", "").split())
    assert text.replace(" ", "").count(shown.replace(" ", "")) >= 3
    assert "$1.00" in text


def test_the_same_bill_is_the_same_file() -> None:
    first, second = (render_pdf(bill_page(document(*LINES)), JUNE) for _ in range(2))
    assert first == second


def test_a_document_is_made_at_any_instant() -> None:
    page = bill_page(document(*LINES))
    assert render_pdf(page, JUNE + timedelta(microseconds=999_999)) == render_pdf(page, JUNE)


def test_many_lines_repeat_the_headings_on_every_page() -> None:
    lines = [line(f"{i}.00", description=f"Line {i}", product_name=f"P{i // 50}") for i in range(1, 201)]
    made = document(*lines)
    reader = pdf(made)
    pages = [page.extract_text() for page in reader.pages]
    table = [text for text in pages if "Description" in text]
    assert len(table) >= 5
    text = read(reader)
    assert "Line 200" in text
    assert "$20,100.00" in text  # 200 x 201 / 2
    assert f"Page {len(pages)} of {len(pages)}" in text


def test_a_sign_that_no_font_has_stops_nothing() -> None:
    text = read(pdf(document(line("1.00"), account="Acme \N{AIRPLANE DEPARTURE} Ltd")))
    assert "$1.00" in text


def test_documents_are_archivable() -> None:
    content = render_pdf(bill_page(document(*LINES)), JUNE)
    assert b"pdfaid" in content
    assert b"/StructTreeRoot" in content or PdfReader(BytesIO(content)).trailer["/Root"].get(
        "/StructTreeRoot"
    )


@pytest.mark.parametrize("amount", ["-1234567.89", "0.00", "99999999999.99"])
def test_totals_of_any_size(amount: str) -> None:
    item: LineItem = line(amount)
    text = read(pdf(document(item)))
    assert document(item).formats.money(abs(D(amount)), "USD") in text
