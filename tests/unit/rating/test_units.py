"""From a quantity to units: quantityPerUnit, then rounding, and defaults (semantics §9)."""

from decimal import Decimal

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tallystick.rating.units import (
    QuantityPerUnitNotPositive,
    UsageRounding,
    quantity_or_default,
    to_units,
)

D = Decimal
QUANTITIES = st.decimals(-(10**12), 10**12, places=6)
PER_UNIT = st.decimals("0.000001", 10**6, places=6)


@pytest.mark.parametrize(
    ("quantity", "per_unit", "rounding", "units"),
    [
        pytest.param("48900", "500", "UP", "98", id="48900 / 500 = 97.8, up"),
        pytest.param("48900", "500", "DOWN", "97", id="down"),
        pytest.param("48900", "500", "NONE", "97.8", id="as it is"),
        pytest.param("49000", "500", "UP", "98", id="a whole number stays"),
        pytest.param("5.1", "1", "NEAREST", "5", id="5.1 is nearest to 5"),
        pytest.param("3.5", "1", "NEAREST", "4", id="a half goes up"),
        pytest.param("3.4999", "1", "NEAREST", "3", id="just below a half goes down"),
        pytest.param("0", "500", "UP", "0", id="nothing is nothing"),
        pytest.param("0.0001", "500", "UP", "1", id="anything is one"),
        pytest.param("-2.5", "1", "UP", "-2", id="up is the ceiling"),
        pytest.param("-2.5", "1", "DOWN", "-3", id="down is the floor"),
        pytest.param("-3.5", "1", "NEAREST", "-4", id="a negative half goes away from zero"),
        pytest.param("-3.4999", "1", "NEAREST", "-3", id="just above a negative half goes up"),
        pytest.param("0.3", "0.1", "DOWN", "3", id="no binary fractions"),
        pytest.param("1E+3", "1", "NEAREST", "1000", id="an exponent is a number"),
    ],
)
def test_to_units(quantity: str, per_unit: str, rounding: str, units: str) -> None:
    assert str(to_units(D(quantity), D(per_unit), UsageRounding(rounding))) == units


def test_units_are_converted_before_they_are_rounded_and_priced() -> None:
    assert to_units(D(48900), D(500), UsageRounding.UP) * D("0.25") == D("24.50")


@pytest.mark.parametrize("per_unit", ["0", "-1"])
def test_a_unit_of_nothing_is_refused(per_unit: str) -> None:
    with pytest.raises(QuantityPerUnitNotPositive) as caught:
        to_units(D(1), D(per_unit), UsageRounding.NONE)
    assert caught.value.code == "quantity_per_unit_not_positive"


@pytest.mark.parametrize(
    ("quantity", "default", "counted"),
    [
        pytest.param(None, None, None, id="no data, no default, no line"),
        pytest.param(None, D(0), D(0), id="no data, a default"),
        pytest.param(D(7), D(0), D(7), id="data wins"),
        pytest.param(D(0), D(3), D(0), id="a counted zero is data"),
    ],
)
def test_quantity_or_default(quantity: D | None, default: D | None, counted: D | None) -> None:
    assert quantity_or_default(quantity, default) == counted


@given(quantity=QUANTITIES, per_unit=PER_UNIT)
def test_rounded_units_enclose_the_quantity(quantity: D, per_unit: D) -> None:
    down, near, up = (to_units(quantity, per_unit, UsageRounding(r)) for r in ("DOWN", "NEAREST", "UP"))
    assert down * per_unit <= quantity <= up * per_unit
    assert near in (down, up)
    assert up - down in (0, 1)
    assert abs(near * per_unit - quantity) * 2 <= per_unit


@given(a=QUANTITIES, b=QUANTITIES, per_unit=PER_UNIT, rounding=st.sampled_from(UsageRounding))
def test_more_quantity_is_never_fewer_units(a: D, b: D, per_unit: D, rounding: UsageRounding) -> None:
    low, high = (to_units(q, per_unit, rounding) for q in sorted((a, b)))
    assert low <= high
