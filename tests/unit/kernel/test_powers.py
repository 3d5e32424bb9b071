"""Remainders and powers of decimals."""

import decimal
from decimal import Decimal

import pytest

from tallystick.kernel.decimals import power, remainder
from tallystick.kernel.errors import InvariantBroken

D = Decimal


@pytest.mark.parametrize(
    ("dividend", "divisor", "left"),
    [("7", "3", "1"), ("-7", "3", "-1"), ("7", "-3", "1"), ("5.5", "2", "1.5")],
)
def test_a_remainder_has_the_sign_of_the_dividend(dividend: str, divisor: str, left: str) -> None:
    assert remainder(D(dividend), D(divisor)) == D(left)


@pytest.mark.parametrize(
    ("base", "exponent", "expected"),
    [
        ("2", "10", "1024"),
        ("2", "-2", "0.25"),
        ("-2", "3", "-8"),
        ("0", "0", "1"),
        ("0", "2", "0"),
        ("2.25", "0.5", "1.5"),
        ("1.1", "20", "6.72749994932560009201"),
    ],
)
def test_powers(base: str, exponent: str, expected: str) -> None:
    assert power(D(base), D(exponent)) == D(expected)


def test_what_has_to_be_refused_before() -> None:
    with pytest.raises(InvariantBroken):
        remainder(D(1), D(0))
    with pytest.raises(InvariantBroken):
        power(D(0), D(-1))
    with pytest.raises(decimal.Overflow):
        power(D(10), D(10) ** 10)
    with pytest.raises(decimal.InvalidOperation):
        power(D(-8), D("0.5"))
