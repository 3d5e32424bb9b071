"""What stands on a bill and on a statement."""

from datetime import UTC, datetime
from decimal import Decimal

import msgspec
import pytest

from tallystick.accounts.account import Address
from tallystick.billing.bill import BillStatus
from tallystick.billing.line_item import LineItem
from tallystick.billing.line_item import LineItemType as T
from tallystick.organizations.organization_config import CurrencyConversion
from tallystick.statements.documents.bill_page import MOST_EXPLAINED, bill_page
from tallystick.statements.documents.page import address_lines
from tallystick.statements.documents.settings import DocumentSettings
from tallystick.statements.documents.statement_page import MOST_ROWS, StatementDocument, statement_page
from tallystick.statements.documents.words import WORDS
from tallystick.statements.layout import StatementRow
from tests.unit.statements.documents.samples import band, document, line
from tests.unit.statements.test_csv_file import statement

D = Decimal


def texts(*lines: LineItem, group: int = 0) -> list[tuple[str, ...]]:
    return [tuple(row.texts) for row in bill_page(document(*lines)).groups[group].rows]


@pytest.mark.parametrize(
    ("item", "rows"),
    [
        pytest.param(
            line(
                "175.00",
                units=D(1500),
                unit="GB",
                band_usage=[band("0", "500", "0.15"), band("500", "1000", "0.10")],
            ),
            [
                ("Storage", "1,500 GB", "", "$175.00"),
                ("Tier from 0", "500 GB", "$0.15", "$75.00"),
                ("Tier from 500", "1,000 GB", "$0.10", "$100.00"),
            ],
            id="tiers",
        ),
        pytest.param(
            line("12.34", units=D(12345678), unit="req", band_usage=[band("0", "12345678", "0.000001")]),
            [("Storage", "12,345,678 req", "$0.000001", "$12.34")],
            id="one price, however small",
        ),
        pytest.param(
            line("20.25", units=D("10.5"), unit="1", band_usage=[band("10", "0.5", "0.5", fixed="20")]),
            [("Storage", "10.5", "", "$20.25"), ("Tier from 10", "0.5", "fixed $20.00 + $0.50", "$20.25")],
            id="a fixed price",
        ),
        pytest.param(
            line("48.39", T.STANDING_CHARGE), [("Storage", "", "", "$48.39")], id="what is not counted"
        ),
        pytest.param(
            line("-6.00", T.USAGE_CREDIT, units=D(3), unit="GB", average_unit_price=D(-2)),
            [("Storage", "3 GB", "-$2.00", "-$6.00")],
            id="a credit of a plan is a charge below zero",
        ),
    ],
)
def test_lines(item: LineItem, rows: list[tuple[str, ...]]) -> None:
    assert texts(item) == rows


def test_charges_stand_by_product_and_credits_last() -> None:
    page = bill_page(
        document(
            line("1.00", product_name=None, description="Fee"),
            line("2.00"),
            line("3.00"),
            line("-1.50", T.COMMITMENT_CONSUMED),
            line("4.00", product_name="Mail"),
        )
    )
    assert [(g.name, len(g.rows), g.subtotal) for g in page.groups] == [
        ("Cloud", 2, ["Subtotal Cloud", "$5.00"]),
        ("Mail", 1, []),
        ("Other charges", 1, []),
        ("Credits, commitments and balances", 1, []),
    ]
    assert page.summary == [
        ["Charges", "$10.00"],
        ["Credits, commitments and balances", "-$1.50"],
        ["Total due (USD)", "$8.50"],
    ]


def test_a_total_below_zero_is_in_the_customers_favour_and_asks_for_no_payment() -> None:
    settings = DocumentSettings(payment_instructions="Pay to …")
    page = bill_page(document(line("-5.00", T.CREDIT_MEMO), settings=settings))
    assert page.summary[-1] == ["Total in your favour (USD)", "$5.00"]
    assert (page.payment, bill_page(document(line("5.00"), settings=settings)).payment) == ([], ["Pay to …"])


def test_a_bill_without_lines_says_so() -> None:
    page = bill_page(document())
    assert (page.groups, page.empty, page.summary) == (
        [],
        "Nothing was charged in this period.",
        [["Total due (USD)", "$0.00"]],
    )
    assert page.appendix == []


def test_head() -> None:
    settings = DocumentSettings(
        vendor_name="Northwind GmbH", vendor_address=Address(locality="Bonn", post_code="53111"), tax_id="DE1"
    )
    page = bill_page(document(line("1.00"), settings=settings, purchase_order_number="PO-7"))
    assert (page.vendor.name, page.vendor.lines) == ("Northwind GmbH", ["53111 Bonn", "Tax ID: DE1"])
    assert page.customer.lines == ["200 Market Street", "10115 Berlin", "Germany", "bills@acme.example"]
    assert page.facts == [
        ["Invoice number", "INV-ab12"],
        ["Invoice date", "Jun 1, 2024"],
        ["Due date", "Jul 1, 2024"],
        ["Billing period", "May 1, 2024 \u2013 May 31, 2024"],
        ["Account", "acme"],
        ["Purchase order", "PO-7"],
        ["Total due (USD)", "$1.00"],
    ]
    assert page.draft == ""
    pending = bill_page(document(line("1.00"), status=BillStatus.PENDING, sequential_invoice_number="X-9"))
    assert pending.draft.startswith("Draft")
    assert (pending.subject, pending.facts[0]) == ("X-9", ["Invoice number", "X-9"])


def test_notes_of_lines_and_of_the_bill() -> None:
    own = line(
        "1.00", child_account_code="berlin", service_period_start_date=datetime(2024, 5, 17, tzinfo=UTC)
    )
    rates = [CurrencyConversion(from_currency="USD", to_currency="EUR", multiplier=D("0.92"))]
    page = bill_page(document(own, line("2.00"), currency="EUR", currency_conversions=rates))
    assert [row.note for row in page.groups[0].rows] == [
        "berlin · May 17, 2024 \u2013 May 31, 2024",
        "",
    ]
    assert page.notes == ["Converted at 1 USD = 0.92 EUR."]
    assert page.groups[0].rows[0].texts[-1] == "€1.00"


def test_the_appendix_explains_each_line() -> None:
    page = bill_page(document(line("1.00"), line("2.00", description="Mail")))
    assert [(each.title, each.amount) for each in page.appendix] == [
        ("1. Storage", "$1.00"),
        ("2. Mail", "$2.00"),
    ]


def test_a_bill_too_long_for_an_appendix_says_so() -> None:
    page = bill_page(document(*(line("1.00") for _ in range(MOST_EXPLAINED + 1))))
    assert page.appendix == []
    assert page.notes[0].startswith("This invoice has 1,001 lines, too many for an appendix.")
    without = document(*(line("1.00") for _ in range(MOST_EXPLAINED + 1)))
    assert bill_page(msgspec.structs.replace(without, appendix=False)).notes == []


@pytest.mark.parametrize(
    ("country", "town"),
    [
        pytest.param("USA", ["Seattle, WA 98101", "USA"], id="code last"),
        pytest.param("Germany", ["98101 Seattle", "WA", "Germany"], id="code first"),
        pytest.param(None, ["98101 Seattle", "WA"], id="no country"),
    ],
)
def test_towns(country: str | None, town: list[str]) -> None:
    address = Address(address_line2=" ", locality="Seattle", region="WA", post_code="98101", country=country)
    assert address_lines(address, document().formats) == town


@pytest.mark.parametrize("language", WORDS)
def test_every_language_fills_in_the_same_things(language: str) -> None:
    for field in msgspec.structs.fields(type(WORDS["en"])):
        english, own = (getattr(WORDS[each], field.name) for each in ("en", language))
        assert own
        assert {part.partition("}")[0] for part in own.split("{")[1:]} == {
            part.partition("}")[0] for part in english.split("{")[1:]
        }


# --- statements -----------------------------------------------------------------------------------


def statement_of(*rows: StatementRow, total: str = "10.00") -> StatementDocument:
    made = statement()
    bucket = msgspec.structs.replace(made.lines[0].buckets[0], rows=list(rows), charge=D(total), units=D(4))
    own = msgspec.structs.replace(made.lines[0], buckets=[bucket], charge=D(total))
    shown = msgspec.structs.replace(made, lines=[own], total=D(total), bill_total=D("12.00"), timezone="UTC")
    bill = document()
    return StatementDocument(
        statement=shown,
        bill=bill.bill,
        account=bill.account,
        organization=bill.organization,
        settings=bill.settings,
        formats=bill.formats,
        words=bill.words,
    )


def row(charge: str, **dimensions: str | None) -> StatementRow:
    return StatementRow(dimensions=dimensions, quantity=D(2), units=D(2), charge=D(charge))


def test_a_statement_shows_spans_and_what_is_in_them() -> None:
    page = statement_page(
        statement_of(row("4.00", city="ORD"), row("5.00", city=None), row("1.00", city="*"))
    )
    assert [(r.level, *r.texts) for r in page.groups[0].rows] == [
        ("line", "Jan 1, 2024 \u2013 Jan 31, 2024", "", "4 mi", "$10.00"),
        ("part", "city: ORD", "2", "2", "$4.00"),
        ("part", "city: none", "2", "2", "$5.00"),
        ("part", "city: everything else", "2", "2", "$1.00"),
    ]
    assert page.groups[0].subtotal == ["Subtotal Miles", "$10.00"]
    assert page.summary == [["Total of the bill", "$12.00"], ["Total (USD)", "$10.00"]]


def test_a_span_without_dimensions_is_one_row() -> None:
    page = statement_page(statement_of(row("10.00")))
    assert [r.texts for r in page.groups[0].rows] == [
        ["Jan 1, 2024 \u2013 Jan 31, 2024", "2", "4 mi", "$10.00"]
    ]


def test_of_too_many_rows_only_spans_are_shown() -> None:
    page = statement_page(statement_of(*[row("0.00", city=str(i)) for i in range(MOST_ROWS + 1)]))
    assert len(page.groups[0].rows) == 1
