"""Amounts, numbers and dates as a language writes them. Pure: the rules are Babel's, the digits our own."""

import unicodedata
from collections.abc import Mapping
from copy import copy
from datetime import date, datetime, timedelta, tzinfo
from decimal import Decimal
from functools import lru_cache

from babel import Locale, UnknownLocaleError
from babel.dates import format_date
from babel.numbers import NumberPattern, format_decimal, get_currency_symbol

from tallystick.kernel.decimals import RoundingMode, plain, round_to

ENGLISH = Locale("en")
PRICE_PLACES = 12
DEFAULT_PLACES = 2
UNITLESS = "1"
"UCUM's unit of what has none."
UNBROKEN = 24
"After so many characters without a place to break a line, one is given."
_NO_BREAK, _BREAK, _ISOLATE, _ISOLATED = "\u00a0", "\u200b", "\u2068", "\u2069"
_TO = "\u2013"
_RIGHT_TO_LEFT = frozenset({"ar", "he", "fa", "ur"})


@lru_cache(maxsize=100)
def parse_locale(name: str) -> Locale | None:
    """Give the locale that a tag such as `de`, `de-DE` or `pt_BR` names; None if there is none."""
    try:
        return Locale.parse(name.replace("-", "_"))
    except (ValueError, UnknownLocaleError):
        return None


class Formats:
    """How one document writes what it says. places: decimal places of each currency, by code."""

    def __init__(self, locale: Locale, places: Mapping[str, int], zone: tzinfo) -> None:
        self.locale = locale
        self._places = places
        self._zone = zone

    @property
    def direction(self) -> str:
        """Which way the language is written: ltr or rtl."""
        return "rtl" if self.locale.language in _RIGHT_TO_LEFT else "ltr"

    def text(self, text: str | None) -> str:
        """Give someone's text on one line, with places to break what is long, and in a direction of its own.

        Signs that control others are left out: a name could turn what follows it, or hide what it says.
        """
        kept = "".join(" " if c.isspace() else c for c in text or "" if c.isspace() or not _controls(c))
        words = []
        for word in kept.split():
            pieces = [word[at : at + UNBROKEN] for at in range(0, len(word), UNBROKEN)]
            words.append(_BREAK.join(pieces))
        whole = " ".join(words)
        turned = self.direction == "rtl" or any(unicodedata.bidirectional(c) in {"R", "AL"} for c in whole)
        return f"{_ISOLATE}{whole}{_ISOLATED}" if turned and whole else whole

    def units(self, value: Decimal, unit: str) -> str:
        """Write a number with its unit, as one text; the unit `1` is none."""
        number = self.number(value)
        return number if unit == UNITLESS else self.text(f"{number} {unit}")

    def money(self, value: Decimal, currency: str) -> str:
        """Write an amount or a price with every digit that it has, at least the currency's."""
        return self._money(round_to(value, PRICE_PLACES, RoundingMode.HALF_EVEN), currency)

    def rounded(self, value: Decimal, currency: str) -> str:
        """Write an amount that is beside the bill's own ones, such as a tier's, to its currency's places."""
        return self._money(round_to(value, self.places(currency), RoundingMode.HALF_UP), currency)

    def number(self, value: Decimal) -> str:
        """Write a number with every digit it has."""
        exact = plain(round_to(value, PRICE_PLACES, RoundingMode.HALF_EVEN))
        return str(format_decimal(exact, locale=self.locale, decimal_quantization=False))

    def day(self, day: date) -> str:
        """Write a date."""
        return str(format_date(day, format="medium", locale=self.locale))

    def days(self, start: date, end: date) -> str:
        """Write a span of dates by its first and last day. end: exclusive."""
        last = max(start, end - timedelta(days=1))
        return self.day(start) if last == start else f"{self.day(start)} {_TO} {self.day(last)}"

    def service(self, start: datetime, end: datetime) -> str:
        """Write a service period by its first and last local day. end: exclusive."""
        last = max(start, end - timedelta(microseconds=1)).astimezone(self._zone).date()
        return self.days(start.astimezone(self._zone).date(), last + timedelta(days=1))

    def places(self, currency: str) -> int:
        """Give a currency's decimal places."""
        return self._places.get(currency, DEFAULT_PLACES)

    def _money(self, value: Decimal, currency: str) -> str:
        digits = max(self.places(currency), _digits(plain(value)))
        pattern: NumberPattern = copy(self.locale.currency_formats["standard"])  # Babel keeps the original
        pattern.frac_prec = (digits, digits)
        written = pattern.apply(value, self.locale, currency=_MARK, currency_digits=False)
        return _spaced(str(written), str(get_currency_symbol(currency, locale=self.locale)))


_MARK = "\ue000"
"Stands for the symbol until its place is known."


def _spaced(written: str, symbol: str) -> str:
    """Put the symbol in its place, with a space where a code would touch a digit."""
    before, _, after = written.partition(_MARK)
    starts, ends = symbol[:1].isalnum(), symbol[-1:].isalnum()
    left = _NO_BREAK if starts and before[-1:].isdigit() else ""
    right = _NO_BREAK if ends and after[:1].isdigit() else ""
    return f"{before}{left}{symbol}{right}{after}"


def _controls(character: str) -> bool:
    return unicodedata.category(character) in {"Cc", "Cf", "Co", "Cs", "Cn"}


def _digits(value: Decimal) -> int:
    exponent = value.as_tuple().exponent
    return max(0, -exponent) if isinstance(exponent, int) else 0
