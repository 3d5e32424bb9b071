"""On which bills a standing charge falls, and how much it is (semantics §15)."""

from decimal import Decimal

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tallystick.rating.proration import DayShare
from tallystick.rating.standing import StandingChargeOffBounds, standing_charge, standing_charge_falls

D = Decimal


@pytest.mark.parametrize(
    ("interval", "offset", "bills"),
    [
        pytest.param(1, 0, [0, 1, 2, 3, 4, 5, 6], id="every bill"),
        pytest.param(2, 0, [0, 2, 4, 6], id="every second, from the first"),
        pytest.param(2, 1, [1, 3, 5], id="every second, from the second"),
        pytest.param(3, 2, [2, 5], id="every third, from the third"),
        pytest.param(2, 3, [3, 5], id="an offset longer than the interval lets bills pass first"),
        pytest.param(365, 364, [], id="not for a year of days"),
    ],
)
def test_standing_charge_falls(interval: int, offset: int, bills: list[int]) -> None:
    assert [n for n in range(7) if standing_charge_falls(n, interval, offset)] == bills


@pytest.mark.parametrize(("interval", "offset"), [(0, 0), (-1, 0), (1, -1)])
def test_a_standing_charge_on_no_bill_is_refused(interval: int, offset: int) -> None:
    with pytest.raises(StandingChargeOffBounds) as caught:
        standing_charge_falls(0, interval, offset)
    assert caught.value.code == "standing_charge_off_bounds"


def test_standing_charge() -> None:
    assert standing_charge(D(310), [DayShare(31, 31)]) == D(310)
    assert standing_charge(D(310), [DayShare(12, 31)]) == D(120)  # 310 * 12/31


@given(first=st.integers(0, 1000), interval=st.integers(1, 365), offset=st.integers(0, 364))
def test_once_begun_it_falls_once_in_every_interval(first: int, interval: int, offset: int) -> None:
    falls = [standing_charge_falls(first + offset + n, interval, offset) for n in range(interval)]
    assert sum(falls) == 1
