"""Credits take no more than there is to lower (semantics §14)."""

from decimal import Decimal

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tallystick.rating.credits import NegativeCredit, cap_credits

D = Decimal
CREDIT = st.decimals(0, 10**6, places=6)


@pytest.mark.parametrize(
    ("rated", "total", "lines"),
    [
        pytest.param("30", "100", "-30", id="inside the total"),
        pytest.param("100", "100", "-100", id="exactly the total"),
        pytest.param("120", "100", "-100", id="more than the total"),
        pytest.param("60 60 60", "100", "-60 -40 0", id="in their order, until it is used up"),
        pytest.param("10", "0", "0", id="nothing to lower"),
        pytest.param("10", "-5", "0", id="less than nothing to lower"),
        pytest.param("", "100", "", id="no credits"),
    ],
)
def test_cap_credits(rated: str, total: str, lines: str) -> None:
    granted = cap_credits([D(c) for c in rated.split()], D(total))
    assert " ".join(map(str, granted)) == lines


def test_a_credit_that_would_charge_is_refused() -> None:
    with pytest.raises(NegativeCredit) as caught:
        cap_credits([D(1), D("-0.01")], D(100))
    assert caught.value.code == "negative_credit"


@given(rated=st.lists(CREDIT, max_size=8), total=st.decimals(-(10**6), 10**6, places=6))
def test_credits_never_drive_a_total_below_zero(rated: list[D], total: D) -> None:
    lines = cap_credits(rated, total)
    assert all(-credit <= line <= 0 for credit, line in zip(rated, lines, strict=True))
    given_back = -sum(lines, D(0))
    assert given_back == min(sum(rated, D(0)), max(total, D(0)))
