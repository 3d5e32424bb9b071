"""Rounding, dividing and splitting: each by table, then as a property."""

import decimal
import threading
from decimal import Decimal

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tallystick.kernel.decimals import (
    PRECISION,
    RoundingMode,
    RoundingNecessary,
    allocate,
    divide,
    plain,
    round_to,
)
from tallystick.kernel.errors import InvariantBroken

D = Decimal
LOSSY = [mode for mode in RoundingMode if mode is not RoundingMode.UNNECESSARY]
AMOUNTS = st.decimals(-(10**15), 10**15, places=12)


@pytest.mark.parametrize(
    ("mode", "of_2_345", "of_minus_2_345", "of_2_341", "of_2_355"),
    [
        pytest.param("UP", "2.35", "-2.35", "2.35", "2.36", id="up is away from zero"),
        pytest.param("DOWN", "2.34", "-2.34", "2.34", "2.35", id="down is towards zero"),
        pytest.param("CEILING", "2.35", "-2.34", "2.35", "2.36", id="ceiling is towards plus"),
        pytest.param("FLOOR", "2.34", "-2.35", "2.34", "2.35", id="floor is towards minus"),
        pytest.param("HALF_UP", "2.35", "-2.35", "2.34", "2.36", id="halves go away from zero"),
        pytest.param("HALF_DOWN", "2.34", "-2.34", "2.34", "2.35", id="halves go towards zero"),
        pytest.param("HALF_EVEN", "2.34", "-2.34", "2.34", "2.36", id="halves go to the even digit"),
    ],
)
def test_round_to(mode: str, of_2_345: str, of_minus_2_345: str, of_2_341: str, of_2_355: str) -> None:
    for value, rounded in {
        "2.345": of_2_345,
        "-2.345": of_minus_2_345,
        "2.341": of_2_341,
        "2.355": of_2_355,
        "2.34": "2.34",
    }.items():
        assert str(round_to(D(value), 2, RoundingMode(mode))) == rounded


def test_round_to_tens_and_to_whole_numbers() -> None:
    assert str(round_to(D("1249.5"), -2, RoundingMode.HALF_UP)) == "1200"
    assert str(round_to(D(1250), -2, RoundingMode.HALF_UP)) == "1300"
    assert str(round_to(D("0.5"), 0, RoundingMode.HALF_UP)) == "1"


@pytest.mark.parametrize("value", ["-0.001", "-0", "-0.00"])
def test_rounding_gives_no_negative_zero(value: str) -> None:
    assert str(round_to(D(value), 2, RoundingMode.HALF_UP)) == "0.00"


def test_a_currency_that_forbids_rounding_refuses_only_what_would_be_lost() -> None:
    assert str(round_to(D("1.500"), 1, RoundingMode.UNNECESSARY)) == "1.5"
    with pytest.raises(RoundingNecessary, match=r"1\.51 has more than 1 decimal places"):
        round_to(D("1.51"), 1, RoundingMode.UNNECESSARY)


@given(value=AMOUNTS, places=st.integers(0, 5), mode=st.sampled_from(LOSSY))
def test_rounding_moves_less_than_one_step_and_stays_put(value: D, places: int, mode: RoundingMode) -> None:
    rounded = round_to(value, places, mode)
    step = D(1).scaleb(-places)
    assert abs(rounded - value) < step
    assert round_to(rounded, places, mode) == rounded
    if mode.name.startswith("HALF"):
        assert abs(rounded - value) * 2 <= step


@given(a=AMOUNTS, b=AMOUNTS, places=st.integers(0, 5), mode=st.sampled_from(LOSSY))
def test_rounding_keeps_order(a: D, b: D, places: int, mode: RoundingMode) -> None:
    low, high = sorted((a, b))
    assert round_to(low, places, mode) <= round_to(high, places, mode)


@given(value=AMOUNTS, places=st.integers(0, 5))
def test_floor_and_ceiling_enclose_the_value(value: D, places: int) -> None:
    low, high = (round_to(value, places, mode) for mode in (RoundingMode.FLOOR, RoundingMode.CEILING))
    assert low <= value <= high
    assert -round_to(-value, places, RoundingMode.FLOOR) == high


def test_divide_gives_fifty_digits() -> None:
    assert divide(D(1), D(3)) == D("0." + "3" * PRECISION)
    assert divide(D(48900), D(500)) == D("97.8")


def test_divide_by_zero_is_a_bug() -> None:
    with pytest.raises(InvariantBroken, match="division by zero"):
        divide(D(1), D(0))


@given(a=AMOUNTS, b=AMOUNTS.filter(bool))
def test_dividing_undoes_multiplying(a: D, b: D) -> None:
    assert abs(divide(a * b, b) - a) <= D("1e-20")


@pytest.mark.parametrize(
    ("value", "shown"),
    [("75.00", "75"), ("1E+2", "100"), ("0.10", "0.1"), ("-0.00", "0"), ("-5.50", "-5.5"), ("0E-12", "0")],
)
def test_plain(value: str, shown: str) -> None:
    assert str(plain(D(value))) == shown


@given(value=AMOUNTS)
def test_plain_changes_how_a_number_looks_never_what_it_is(value: D) -> None:
    short = plain(value)
    assert short == value
    assert "." not in f"{short:f}" or not f"{short:f}".endswith("0")
    assert "E+" not in str(short)


@pytest.mark.parametrize(
    ("total", "weights", "shares"),
    [
        pytest.param("10.00", "1 1 1", "3.34 3.33 3.33", id="a tie goes to the earlier"),
        pytest.param("0.05", "1 1 2", "0.01 0.01 0.03", id="the largest remainder gets the cent"),
        pytest.param("-10.00", "1 1 1", "-3.33 -3.33 -3.34", id="a credit splits too"),
        pytest.param("1.00", "0 5", "0.00 1.00", id="no weight, no share"),
        pytest.param("0.01", "1 1 1", "0.01 0.00 0.00", id="fewer cents than shares"),
        pytest.param("7", "1.5", "7.00", id="one share is everything"),
    ],
)
def test_allocate(total: str, weights: str, shares: str) -> None:
    split = allocate(D(total), [D(w) for w in weights.split()], 2)
    assert split == [D(s) for s in shares.split()]


@pytest.mark.parametrize("weights", [[], [D(0)], [D(2), D(-1)]])
def test_weights_that_say_nothing_are_a_bug(weights: list[D]) -> None:
    with pytest.raises(InvariantBroken, match="weights"):
        allocate(D(1), weights, 2)


def test_a_total_with_more_places_than_its_shares_is_a_bug() -> None:
    with pytest.raises(InvariantBroken, match="lost or made money"):
        allocate(D("1.005"), [D(1), D(1)], 2)


@given(
    total=st.decimals(-(10**12), 10**12, places=5),
    weights=st.lists(st.decimals(0, 10**20, places=12), min_size=1, max_size=40).filter(any),
    places=st.integers(0, 5),
)
def test_allocation_conserves_and_is_fair(total: D, weights: list[D], places: int) -> None:
    total = round_to(total, places, RoundingMode.DOWN)
    shares = allocate(total, weights, places)
    assert sum(shares) == total
    step, weight = D(1).scaleb(-places), sum(weights, D(0))
    for share, w in zip(shares, weights, strict=True):
        assert abs(share - divide(total * w, weight)) <= step


def test_new_threads_count_in_fifty_digits_and_refuse_floats() -> None:
    seen: list[object] = []

    def look() -> None:
        seen.append(decimal.getcontext().prec)
        try:
            seen.append(Decimal("1.5") < 1.5)
        except decimal.FloatOperation:
            seen.append("refused")

    thread = threading.Thread(target=look)
    thread.start()
    thread.join()
    assert seen == [50, "refused"]
    assert decimal.getcontext().prec == PRECISION
