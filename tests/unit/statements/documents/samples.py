"""Bills to set out."""

from collections.abc import Sequence
from datetime import UTC, date, datetime
from decimal import Decimal
from typing import Any

import msgspec

from tallystick.accounts.account import Account, Address
from tallystick.billing.bill import Bill, BillStatus
from tallystick.billing.line_item import BandUsage, LineItem, LineItemType
from tallystick.kernel.periods import BillingFrequency
from tallystick.statements.documents.bill_page import BillDocument
from tallystick.statements.documents.formats import ENGLISH, Formats, parse_locale
from tallystick.statements.documents.settings import DocumentSettings
from tallystick.statements.documents.words import words_of

D = Decimal
MAY, JUNE = datetime(2024, 5, 1, tzinfo=UTC), datetime(2024, 6, 1, tzinfo=UTC)
PLACES = {"USD": 2, "EUR": 2, "JPY": 0, "TOKENS": 3}
HOSTILE = (
    '#panic("x") $x^2$ *b* _i_ `c` <label> @ref \\ // /* ]) #import "x" \u202edlrow\u202c \x00\x07 "quoted"'
)


def line(amount: str, kind: LineItemType = LineItemType.USAGE, **changes: Any) -> LineItem:
    made = LineItem(
        id="01939c1e-0000-7000-8000-000000000001",
        bill_id="b",
        line_item_type=kind,
        description="Storage",
        product_name="Cloud",
        service_period_start_date=MAY,
        service_period_end_date=JUNE,
        quantity=D(1),
        units=D(1),
        unit="1",
        subtotal=D(amount),
        currency="USD",
        conversion_rate=D(1),
        converted_subtotal=D(amount),
        average_unit_price=D(amount),
        sequence_number=1,
    )
    return msgspec.structs.replace(made, **changes)


def band(limit: str, units: str, price: str, fixed: str = "0") -> BandUsage:
    charged = D(units) * D(price)
    return BandUsage(
        lower_limit=D(limit),
        fixed_price=D(fixed),
        unit_price=D(price),
        unit_subtotal=charged,
        band_units=D(units),
        band_quantity=D(units),
        band_subtotal=D(fixed) + charged,
        converted_band_subtotal=D(fixed) + charged,
    )


def document(
    *lines: LineItem,
    locale: str = "en",
    currency: str = "USD",
    settings: DocumentSettings | None = None,
    account: str = "Acme",
    organization: str = "Northwind",
    **bill: Any,
) -> BillDocument:
    made = Bill(
        id="01939c1e-0000-7000-8000-00000000ab12",
        account_id="a",
        account_code="acme",
        start_date=date(2024, 5, 1),
        end_date=date(2024, 6, 1),
        start_date_time_utc=MAY,
        end_date_time_utc=JUNE,
        bill_date=date(2024, 6, 1),
        due_date=date(2024, 7, 1),
        billing_frequency=BillingFrequency.MONTHLY,
        bill_frequency_interval=1,
        timezone="UTC",
        currency=currency,
        external_invoice_date=date(2024, 6, 1),
        bill_total=sum((each.converted_subtotal for each in lines), D(0)),
        status=BillStatus.APPROVED,
    )
    formats = Formats(parse_locale(locale) or ENGLISH, PLACES, UTC)
    address = Address(
        address_line1="200 Market Street", locality="Berlin", post_code="10115", country="Germany"
    )
    return BillDocument(
        bill=msgspec.structs.replace(made, **bill),
        lines=numbered(lines),
        account=Account(name=account, code="acme", email_address="bills@acme.example", address=address),
        organization=organization,
        settings=settings or DocumentSettings(locale=locale),
        formats=formats,
        words=words_of(formats.locale.language),
        appendix=True,
    )


def numbered(lines: Sequence[LineItem]) -> list[LineItem]:
    return [msgspec.structs.replace(each, sequence_number=at) for at, each in enumerate(lines, start=1)]
