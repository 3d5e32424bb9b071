"""Money, numbers, dates and texts as a language writes them."""

from datetime import UTC, date
from decimal import Decimal
from zoneinfo import ZoneInfo

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tallystick.statements.documents.formats import Formats, parse_locale
from tests.unit.statements.documents.samples import HOSTILE, JUNE, MAY, PLACES

D = Decimal


def formats(locale: str = "en") -> Formats:
    found = parse_locale(locale)
    assert found is not None
    return Formats(found, PLACES, UTC)


@pytest.mark.parametrize(
    ("locale", "amount", "currency", "written"),
    [
        pytest.param("en", "-1234567.5", "USD", "-$1,234,567.50", id="English"),
        pytest.param("de", "-1234567.5", "EUR", "-1.234.567,50\u00a0€", id="German"),
        pytest.param("pt-BR", "1234.5", "EUR", "€\u00a01.234,50", id="a region's own way"),
        pytest.param("hi", "1234567.5", "EUR", "€12,34,567.50", id="lakhs"),
        pytest.param("ja", "123456", "JPY", "￥123,456", id="no decimals"),
        pytest.param("en", "0.00000015", "USD", "$0.00000015", id="a price keeps its digits"),
        pytest.param("en", "12.345", "USD", "$12.345", id="what is stored is never rounded away"),
        pytest.param("en", "5.1", "TOKENS", "TOKENS\u00a05.100", id="a currency of one's own"),
        pytest.param("de", "5.1", "TOKENS", "5,100\u00a0TOKENS", id="and behind the number"),
        pytest.param("en", "3", "X1", "X1\u00a03.00", id="a code that ends with a digit"),
        pytest.param("en", "0", "USD", "$0.00", id="zero"),
    ],
)
def test_money(locale: str, amount: str, currency: str, written: str) -> None:
    assert formats(locale).money(D(amount), currency) == written


def test_money_beside_a_bill_is_rounded() -> None:
    assert formats().rounded(D("33.335"), "USD") == "$33.34"


@given(st.decimals(-(10**12), 10**12, places=5))
def test_no_digit_is_lost(amount: D) -> None:
    written = formats().money(amount, "USD").replace("$", "").replace(",", "")
    assert D(written) == amount


def test_spans_name_their_last_day() -> None:
    en = formats("en-GB")
    assert en.days(date(2024, 5, 1), date(2024, 6, 1)) == "1 May 2024 \u2013 31 May 2024"
    assert en.days(date(2024, 5, 1), date(2024, 5, 2)) == "1 May 2024"
    assert en.service(MAY, MAY) == "1 May 2024"
    berlin = Formats(en.locale, PLACES, ZoneInfo("Europe/Berlin"))
    assert berlin.service(MAY, JUNE) == "1 May 2024 \u2013 1 Jun 2024"  # until 02:00 there


@pytest.mark.parametrize("name", ["", "xx", "de-DE-DE-DE", "../etc", "en\n", "12"])
def test_no_locale(name: str) -> None:
    assert parse_locale(name) is None


@pytest.mark.parametrize("name", ["de", "de-DE", "pt_BR", "zh-Hans-CN", "ar-AE"])
def test_locales(name: str) -> None:
    assert parse_locale(name) is not None


def test_texts_cannot_turn_or_hide_others() -> None:
    assert formats().text("a\u202eb\u2066c\x00d\u200be") == "abcde"
    assert formats().text("two\n lines\u2028here") == "two lines here"
    assert formats().text(None) == ""
    assert "\u202e" not in formats().text(HOSTILE)


def test_texts_of_another_direction_stand_by_themselves() -> None:
    assert formats().text("\u05e9\u05dc") == "\u2068\u05e9\u05dc\u2069"
    assert formats("ar").text("1 Harbour Way") == "\u20681 Harbour Way\u2069"
    assert (formats().direction, formats("ar-AE").direction) == ("ltr", "rtl")


@given(st.text())
def test_any_text_can_be_broken_and_read_again(text: str) -> None:
    shown = formats().text(text)
    assert all(len(part) <= 24 + 2 for word in shown.split(" ") for part in word.split("\u200b"))
    assert "\n" not in shown
