"""Tiers that fill up from the account plan's start: tiersSpanPlan (semantics §14)."""

from decimal import Decimal

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tallystick.kernel.errors import InvariantBroken
from tallystick.rating.bands import Band, amount_of, rate
from tallystick.rating.spanning import rate_spanning

D = Decimal
STORAGE = [Band(D(0), D(0), D("0.15")), Band(D(500), D(0), D("0.10"))]  # $ per GB
SETUP = [Band(D(0), D(5), D(1)), Band(D(10), D(20), D("0.5"))]  # $ once, then $ per seat


@pytest.mark.parametrize(
    ("bands", "before", "units", "amount"),
    [
        pytest.param(STORAGE, None, "400", "60.00", id="first period: 400 * 0.15"),
        pytest.param(STORAGE, "400", "200", "25.00", id="across a limit: 100 * 0.15 + 100 * 0.10"),
        pytest.param(STORAGE, "400", "100", "15.00", id="up to the limit"),
        pytest.param(STORAGE, "500", "100", "10.00", id="from the limit"),
        pytest.param(STORAGE, "600", "0", "0", id="nothing more"),
        pytest.param(STORAGE, "600", "-9", "0", id="below zero"),
        pytest.param(SETUP, None, "0", "5", id="an explicit zero owes the first fixed price"),
        pytest.param(SETUP, "0", "4", "4", id="which is then not owed again"),
        pytest.param(SETUP, "4", "8", "27.0", id="6 * 1, and once 20, and 2 * 0.5"),
        pytest.param(SETUP, "12", "8", "4.0", id="later only 8 * 0.5"),
    ],
)
def test_rate_spanning(bands: list[Band], before: str | None, units: str, amount: str) -> None:
    charges = rate_spanning(None if before is None else D(before), D(units), bands, cumulative=True)
    assert amount_of(charges) == D(amount)


def test_the_bands_show_only_this_periods_units_and_fixed_prices() -> None:
    low, high = rate_spanning(D(4), D(8), SETUP, cumulative=True)
    assert [low.units, low.fixed_amount, low.unit_amount] == [6, 0, 6]
    assert [high.units, high.fixed_amount, high.unit_amount] == [2, 20, 1]


def test_volume_gives_back_what_earlier_units_cost_too_much() -> None:
    charges = rate_spanning(D(500), D(100), STORAGE, cumulative=False)
    assert [(c.units, c.amount) for c in charges] == [(D(-500), D("-75.00")), (D(600), D("60.00"))]


def test_less_than_nothing_rated_before_is_a_bug() -> None:
    with pytest.raises(InvariantBroken, match="rated earlier"):
        rate_spanning(D(-1), D(1), STORAGE, cumulative=True)


@given(
    slices=st.lists(st.decimals(0, 100, places=6), min_size=1, max_size=12),
    bands=st.sampled_from([STORAGE, SETUP]),
    cumulative=st.booleans(),
)
def test_slices_sum_to_the_whole(slices: list[D], bands: list[Band], *, cumulative: bool) -> None:
    before: D | None = None
    billed = D(0)
    for units in slices:
        billed += amount_of(rate_spanning(before, units, bands, cumulative=cumulative))
        before = units if before is None else before + units
    assert billed == amount_of(rate(sum(slices, D(0)), bands, cumulative=cumulative))


@given(before=st.decimals(0, 100, places=6), units=st.decimals(0, 100, places=6))
def test_an_increment_under_tiers_is_never_negative(before: D, units: D) -> None:
    charges = rate_spanning(before, units, SETUP, cumulative=True)
    assert all(c.units >= 0 and c.fixed_amount >= 0 and c.unit_amount >= 0 for c in charges)
