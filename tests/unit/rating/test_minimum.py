"""The customer pays the larger of usage and minimum, in arrears and in advance (semantics §15)."""

from decimal import Decimal

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tallystick.rating.minimum import NegativeMinimum, minimum_in_advance, minimum_refund, minimum_top_up

D = Decimal
USAGE = st.decimals(-(10**9), 10**9, places=6)
MINIMUM = st.decimals(0, 10**9, places=6)


@pytest.mark.parametrize(
    ("usage", "minimum", "top_up"),
    [
        pytest.param("800", "1000", "200", id="below"),
        pytest.param("1000", "1000", "0", id="exactly"),
        pytest.param("1000.01", "1000", "0", id="above"),
        pytest.param("0", "1000", "1000", id="no usage"),
        pytest.param("5", "0", "0", id="no minimum"),
    ],
)
def test_minimum_top_up(usage: str, minimum: str, top_up: str) -> None:
    assert minimum_top_up(D(usage), D(minimum)) == D(top_up)


@pytest.mark.parametrize(
    ("usage", "minimum", "refund"),
    [
        pytest.param("800", "1000", "-800", id="1000 + 800 - 800 = 1000"),
        pytest.param("1000", "1000", "-1000", id="1000 + 1000 - 1000 = 1000"),
        pytest.param("1200", "1000", "-1000", id="1000 + 1200 - 1000 = 1200"),
        pytest.param("0", "1000", "0", id="1000 + 0 - 0 = 1000"),
        pytest.param("800", "0", "0", id="0 + 800 - 0 = 800"),
    ],
)
def test_minimum_refund(usage: str, minimum: str, refund: str) -> None:
    """Semantics §15, CONFLICT: a refund of 200 for the first row would bill 1000 + 800 - 200 = 1600."""
    assert str(minimum_refund(D(usage), D(minimum))) == refund


def test_a_group_counts_its_plans_top_ups() -> None:
    plans = [(D(100), D(250)), (D(300), D(0))]  # usage and own minimum
    counting = sum((usage + minimum_top_up(usage, minimum) for usage, minimum in plans), D(0))
    assert counting == 250 + 300
    assert minimum_top_up(counting, D(1000)) == 450


def test_a_minimum_below_zero_is_refused() -> None:
    with pytest.raises(NegativeMinimum) as caught:
        minimum_top_up(D(1), D(-1))
    assert caught.value.code == "negative_minimum"
    with pytest.raises(NegativeMinimum):
        minimum_in_advance(D(-1))
    with pytest.raises(NegativeMinimum):
        minimum_refund(D(1), D(-1))


@given(usage=USAGE, minimum=MINIMUM)
def test_the_customer_pays_the_larger_one_either_way(usage: D, minimum: D) -> None:
    in_arrears = usage + minimum_top_up(usage, minimum)
    in_advance = minimum_in_advance(minimum) + usage + minimum_refund(usage, minimum)
    assert in_arrears == in_advance == max(usage, minimum)
