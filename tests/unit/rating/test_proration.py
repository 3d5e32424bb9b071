"""Shares of a period by whole local days (semantics §15, periods of §4)."""

from datetime import date, timedelta
from decimal import Decimal
from itertools import pairwise

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tallystick.kernel.decimals import RoundingMode, round_to
from tallystick.kernel.errors import InvariantBroken
from tallystick.kernel.periods import BillingCycle, BillingFrequency, DateSpan, billing_periods
from tallystick.rating.proration import WHOLE, DayShare, day_share, day_shares, prorate

D = Decimal
MONTHLY = BillingCycle(date(2022, 1, 1), BillingFrequency.MONTHLY)
FROM_MID_FEBRUARY = BillingCycle(date(2022, 2, 15), BillingFrequency.MONTHLY)
DATES = st.dates(date(2000, 1, 1), date(2060, 1, 1))
CYCLES = st.builds(
    BillingCycle,
    epoch=DATES,
    frequency=st.sampled_from(["DAILY", "WEEKLY", "MONTHLY", "ANNUALLY"]).map(BillingFrequency),
    interval=st.integers(1, 12),
)


def span(start: str, end: str) -> DateSpan:
    return DateSpan(date.fromisoformat(start), date.fromisoformat(end))


def cents(amount: D) -> str:
    return str(round_to(amount, 2, RoundingMode.HALF_UP))


@pytest.mark.parametrize(
    ("active", "days"),
    [
        pytest.param(span("2024-01-01", "2024-02-01"), 31, id="all of it"),
        pytest.param(span("2024-01-01", "2024-01-16"), 15, id="its start"),
        pytest.param(span("2024-01-31", "2024-03-01"), 1, id="its last day"),
        pytest.param(span("2023-01-01", "2025-01-01"), 31, id="more than it"),
        pytest.param(span("2024-02-01", "2024-03-01"), 0, id="the next one"),
        pytest.param(span("2024-01-10", "2024-01-10"), 0, id="nothing"),
    ],
)
def test_day_share(active: DateSpan, days: int) -> None:
    assert day_share(active, span("2024-01-01", "2024-02-01")) == DayShare(days, 31)


def test_a_share_of_nothing_is_a_bug() -> None:
    with pytest.raises(InvariantBroken, match="no share"):
        day_share(span("2024-01-01", "2024-01-02"), span("2024-01-01", "2024-01-01"))
    with pytest.raises(InvariantBroken, match="no share"):
        DayShare(32, 31)
    with pytest.raises(InvariantBroken, match="no share"):
        DayShare(-1, 31)


@pytest.mark.parametrize(
    ("cycle", "active", "shares"),
    [
        pytest.param(MONTHLY, span("2024-02-01", "2024-03-01"), [(29, 29)], id="a whole leap February"),
        pytest.param(MONTHLY, span("2024-01-20", "2024-02-01"), [(12, 31)], id="a stub, of its whole month"),
        pytest.param(
            FROM_MID_FEBRUARY,
            span("2022-01-01", "2022-02-15"),
            [(14, 31), (31, 31)],
            id="a first bill from before the epoch: part of Dec 15 to Jan 15, all of Jan 15 to Feb 15",
        ),
        pytest.param(MONTHLY, span("2024-01-20", "2024-01-20"), [], id="no days"),
    ],
)
def test_day_shares(cycle: BillingCycle, active: DateSpan, shares: list[tuple[int, int]]) -> None:
    assert [(s.days, s.of) for s in day_shares(active, cycle)] == shares


@pytest.mark.parametrize(
    ("amount", "shares", "owed"),
    [
        pytest.param("100", [(15, 31)], "48.39", id="100 * 15/31 = 48.387"),
        pytest.param("100", [(31, 31)], "100.00", id="a whole period"),
        pytest.param("100", [(0, 31)], "0.00", id="no day"),
        pytest.param("100", [], "0.00", id="no period"),
        pytest.param("31", [(14, 31), (31, 31)], "45.00", id="14 + 31"),
        pytest.param("-100", [(15, 31)], "-48.39", id="a credit"),
    ],
)
def test_prorate(amount: str, shares: list[tuple[int, int]], owed: str) -> None:
    assert cents(prorate(D(amount), [DayShare(*s) for s in shares])) == owed


def test_what_is_not_prorated_is_owed_whole() -> None:
    assert prorate(D("99.99"), WHOLE) == D("99.99")


def test_shares_that_make_a_whole_lose_no_digit() -> None:
    assert prorate(D("0.005"), [DayShare(1, 3), DayShare(2, 3)]) == D("0.005")


@given(
    amount=st.decimals(0, 10**9, places=5),
    of=st.integers(1, 366),
    cuts=st.lists(st.integers(0, 366), max_size=8),
)
def test_slices_sum_to_the_whole(amount: D, of: int, cuts: list[int]) -> None:
    period = DateSpan(date(2024, 1, 1), date(2024, 1, 1) + timedelta(days=of))
    days = sorted({0, of, *(cut for cut in cuts if cut < of)})
    edges = [period.start + timedelta(days=d) for d in days]
    shares = [day_share(DateSpan(a, b), period) for a, b in pairwise(edges)]
    assert prorate(amount, shares) == amount
    assert abs(sum(prorate(amount, [share]) for share in shares) - amount) < D("1e-30")


@given(amount=st.decimals(0, 10**9, places=5), of=st.integers(1, 366), a=st.integers(0), b=st.integers(0))
def test_more_days_never_cost_less(amount: D, of: int, a: int, b: int) -> None:
    low, high = sorted((min(a, of), min(b, of)))
    assert 0 <= prorate(amount, [DayShare(low, of)]) <= prorate(amount, [DayShare(high, of)]) <= amount


@given(cycle=CYCLES, starting=DATES)
def test_every_full_bill_holds_one_whole_nominal_period(cycle: BillingCycle, starting: date) -> None:
    until = cycle.boundary(max(cycle.number_at(starting), 0) + 4)
    for period in list(billing_periods(cycle, starting, until))[1:]:
        assert day_shares(period.dates, cycle) == [DayShare(period.dates.days, period.dates.days)]
