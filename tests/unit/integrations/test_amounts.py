"""Amounts reach Stripe to the digit, or not at all."""

from decimal import Decimal

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tallystick.integrations.adapters.stripe.amounts import minor_units
from tallystick.integrations.errors import EntityRefused

D = Decimal


@pytest.mark.parametrize(
    ("amount", "currency", "units"),
    [
        ("48.39", "USD", 4839),
        ("-0.01", "eur", -1),
        ("0", "USD", 0),
        ("1234.50", "GBP", 123450),
        ("5000", "JPY", 5000),
        ("5000.0", "JPY", 5000),
        ("1.230", "KWD", 1230),
        ("100", "UGX", 10000),
    ],
)
def test_minor_units(amount: str, currency: str, units: int) -> None:
    assert minor_units(D(amount), currency) == units


@pytest.mark.parametrize(
    ("amount", "currency"),
    [("0.001", "USD"), ("5000.5", "JPY"), ("1.234", "KWD"), ("1.50", "UGX"), ("1000000000", "USD")],
)
def test_what_cannot_be_said_is_refused(amount: str, currency: str) -> None:
    with pytest.raises(EntityRefused):
        minor_units(D(amount), currency)


@given(cents=st.lists(st.integers(-(10**8), 10**8), max_size=20))
def test_the_sum_of_lines_is_the_total(cents: list[int]) -> None:
    amounts = [D(each).scaleb(-2) for each in cents]
    assert sum(minor_units(each, "USD") for each in amounts) == minor_units(sum(amounts, D(0)), "USD")
