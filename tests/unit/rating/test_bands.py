"""What units cost under tiered, volume, stairstep and custom bands (semantics §14)."""

from decimal import Decimal
from itertools import accumulate

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from tallystick.rating.bands import (
    Band,
    BandCharge,
    NegativeUnits,
    amount_of,
    average_unit_price,
    difference,
    rate,
    rate_tiered,
    rate_volume,
)

D = Decimal
STORAGE = [Band(D(0), D(0), D("0.15")), Band(D(500), D(0), D("0.10"))]  # $ per GB
SETUP = [Band(D(0), D(5), D(1)), Band(D(10), D(20), D("0.5"))]  # $ once, then $ per seat
STAIRS = [Band(D(0), D(12), D(0)), Band(D(4), D(25), D(0)), Band(D(6), D(50), D(0))]  # $ by length in s
SEATS = [Band(D(0), D(0), D(2)), Band(D(20), D(0), D(3))]  # $ per seat

UNITS = st.decimals(0, 10**9, places=6)
PRICES = st.decimals(0, 1000, places=6)


@st.composite
def any_bands(draw: st.DrawFn) -> list[Band]:
    steps = draw(st.lists(st.decimals("0.000001", 1000, places=6), max_size=5))
    limits = accumulate(steps, initial=D(0))
    return [Band(limit, draw(PRICES), draw(PRICES)) for limit in limits]


@pytest.mark.parametrize(
    ("bands", "units", "per_band"),
    [
        pytest.param(STORAGE, "500", ["75.00"], id="on a limit stays in the lower band"),
        pytest.param(STORAGE, "1000", ["75.00", "50.00"], id="each band prices its own units"),
        pytest.param(STORAGE, "500.000001", ["75.00", "0.0000001"], id="a millionth above is in the next"),
        pytest.param(SETUP, "0", ["5"], id="an explicit zero owes the first fixed price"),
        pytest.param(SETUP, "10", ["15"], id="on a limit the next fixed price is not owed"),
        pytest.param(SETUP, "10.5", ["15", "20.25"], id="fixed price once its band is reached"),
        pytest.param(SEATS, "21", ["40", "3"], id="21 and above at 3"),
    ],
)
def test_rate_tiered(bands: list[Band], units: str, per_band: list[str]) -> None:
    assert [c.amount for c in rate_tiered(D(units), bands)] == [D(a) for a in per_band]


@pytest.mark.parametrize(
    ("bands", "units", "amount"),
    [
        pytest.param(STORAGE, "500", "75.00", id="on a limit: 500 * 0.15"),
        pytest.param(STORAGE, "501", "50.10", id="above it all units change price: 501 * 0.10"),
        pytest.param(STAIRS, "4", "12", id="up to 4 s"),
        pytest.param(STAIRS, "4.1", "25", id="up to 6 s"),
        pytest.param(STAIRS, "6", "25", id="exactly 6 s"),
        pytest.param(STAIRS, "60", "50", id="above 6 s, and as long as you like"),
        pytest.param(SETUP, "0", "5", id="an explicit zero owes the first fixed price"),
        pytest.param(SETUP, "11", "25.5", id="custom volume: 20 + 11 * 0.5"),
    ],
)
def test_rate_volume(bands: list[Band], units: str, amount: str) -> None:
    (charge,) = rate_volume(D(units), bands)
    assert (charge.units, charge.amount) == (D(units), D(amount))


@pytest.mark.parametrize("rate_by", [rate_tiered, rate_volume])
def test_negative_units_are_refused(rate_by: type) -> None:
    with pytest.raises(NegativeUnits, match="-1") as caught:
        rate_by(D(-1), STORAGE)
    assert caught.value.code == "negative_units"


@pytest.mark.parametrize(
    ("units", "cumulative", "amount"),
    [
        pytest.param("1000", True, "125.00", id="tiered: 500 * 0.15 + 500 * 0.10"),
        pytest.param("1000", False, "100.00", id="volume: 1000 * 0.10"),
        pytest.param("-3", True, "0", id="a calculation below zero costs nothing"),
        pytest.param("-3", False, "0", id="by volume too"),
    ],
)
def test_rate(units: str, *, cumulative: bool, amount: str) -> None:
    assert amount_of(rate(D(units), STORAGE, cumulative=cumulative)) == D(amount)


def test_below_zero_not_even_the_first_fixed_price_is_owed() -> None:
    assert rate(D("-0.1"), SETUP, cumulative=True) == []


def test_a_charge_tells_its_fixed_part_from_its_part_by_unit() -> None:
    last = rate_tiered(D("10.5"), SETUP)[-1]
    assert (last.fixed_amount, last.unit_amount) == (D(20), D("0.25"))


@pytest.mark.parametrize(
    ("after", "before", "per_band"),
    [
        pytest.param("18", "15", [("3", "6")], id="inside one band: 3 * 2"),
        pytest.param("22", "18", [("2", "4"), ("2", "6")], id="across a limit: 2 * 2 + 2 * 3"),
        pytest.param("18", "22", [("-2", "-4"), ("-2", "-6")], id="and back"),
        pytest.param("20", "20", [], id="no change"),
    ],
)
def test_difference(after: str, before: str, per_band: list[tuple[str, str]]) -> None:
    change = difference(rate_tiered(D(after), SEATS), rate_tiered(D(before), SEATS))
    assert [(c.units, c.amount) for c in change] == [(D(u), D(a)) for u, a in per_band]


def test_average_unit_price() -> None:
    assert average_unit_price(D("125.00"), D(1000)) == D("0.125")
    assert average_unit_price(D("5"), D(0)) == 0


def test_a_band_is_its_json() -> None:
    wire = b'{"lowerLimit":0,"fixedPrice":0.10,"unitPrice":1234567890.123456789012}'
    band = msgspec.json.decode(wire, type=Band)
    assert band == Band(D(0), D("0.10"), D("1234567890.123456789012"))
    assert msgspec.json.Encoder(decimal_format="number").encode(band) == wire


@given(a=UNITS, b=UNITS)
def test_more_units_never_cost_less(a: D, b: D) -> None:
    low, high = (sum(c.amount for c in rate_tiered(u, SETUP)) for u in sorted((a, b)))
    assert low <= high


@given(bands=any_bands(), a=UNITS, b=UNITS)
def test_more_units_never_cost_less_under_any_tiers(bands: list[Band], a: D, b: D) -> None:
    low, high = (amount_of(rate(u, bands, cumulative=True)) for u in sorted((a, b)))
    assert low <= high


@given(bands=any_bands(), units=UNITS, tiered=st.booleans())
def test_every_unit_is_priced_once_and_the_parts_make_the_amount(
    bands: list[Band], units: D, *, tiered: bool
) -> None:
    charges = rate(units, bands, cumulative=tiered)
    assert sum(c.units for c in charges) == units
    for charge in charges:
        assert charge.fixed_amount == charge.band.fixed_price
        assert charge.fixed_amount + charge.unit_amount == charge.amount


@given(bands=any_bands(), units=UNITS)
def test_one_band_costs_the_same_by_tier_and_by_volume(bands: list[Band], units: D) -> None:
    assert rate_tiered(units, bands[:1]) == rate_volume(units, bands[:1])


@given(bands=any_bands(), a=UNITS, b=UNITS, tiered=st.booleans())
def test_a_difference_adds_up_to_what_changed(bands: list[Band], a: D, b: D, *, tiered: bool) -> None:
    after, before = (rate(u, bands, cumulative=tiered) for u in (a, b))
    change = difference(after, before)
    assert amount_of(change) == amount_of(after) - amount_of(before)
    assert sum(c.units for c in change) == a - b
    assert difference(before, after) == [BandCharge(c.band, -c.units, -c.amount) for c in change]


@given(bands=any_bands(), units=UNITS.filter(bool))
def test_the_average_price_times_units_is_the_subtotal(bands: list[Band], units: D) -> None:
    subtotal = amount_of(rate_tiered(units, bands))
    assert abs(average_unit_price(subtotal, units) * units - subtotal) < D("1e-20")
