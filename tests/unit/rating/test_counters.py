"""Running totals and adjustments of counters (semantics §16)."""

from datetime import date
from decimal import Decimal

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tallystick.kernel.decimals import RoundingMode, round_to
from tallystick.kernel.errors import InvariantBroken
from tallystick.kernel.periods import BillingCycle, BillingFrequency, DateSpan
from tallystick.rating.bands import Band
from tallystick.rating.counters import (
    CounterCharge,
    CounterStep,
    CounterTerms,
    NegativeCounter,
    adjustment,
    counter_steps,
    running_total,
)
from tallystick.rating.proration import DayShare

D = Decimal
MONTHLY = BillingCycle(date(2022, 1, 1), BillingFrequency.MONTHLY)
JUNE = DateSpan(date(2024, 6, 1), date(2024, 7, 1))
FLAT = (Band(D(0), D(0), D(2)),)  # $ per seat
TIERS = (Band(D(0), D(0), D(2)), Band(D(20), D(0), D(3)))  # up to 20 seats $2, 21 and above $3
SETUP = (Band(D(0), D(10), D(2)),)  # $10 once there are any, $2 per seat
VOLUME = (Band(D(0), D(0), D(2)), Band(D(20), D(0), D(1)))
WHOLE_PERIODS = {"prorate_running_total": False, "prorate_debit": False, "prorate_credit": False}


def terms(bands: tuple[Band, ...], *, by_days: bool = True) -> CounterTerms:
    return CounterTerms(bands, cumulative=True, **({} if by_days else WHOLE_PERIODS))


def step(day: int, old: int, new: int) -> CounterStep:
    return CounterStep(date(2024, 6, day), D(old), D(new))


def cents(charge: CounterCharge) -> str:
    return str(round_to(charge.amount, 2, RoundingMode.HALF_UP))


@pytest.mark.parametrize(
    ("carried", "adjustments", "steps"),
    [
        pytest.param(0, [(1, 15)], [step(1, 0, 15)], id="the first ever, from 0"),
        pytest.param(15, [], [], id="no change"),
        pytest.param(15, [(10, 20), (20, 10)], [step(10, 15, 20), step(20, 20, 10)], id="each from the last"),
        pytest.param(15, [(20, 10), (10, 20)], [step(10, 15, 20), step(20, 20, 10)], id="in order of date"),
        pytest.param(15, [(10, 15), (20, 16)], [step(20, 15, 16)], id="the same value is no change"),
        pytest.param(15, [(10, 0)], [step(10, 15, 0)], id="to nothing"),
    ],
)
def test_counter_steps(carried: int, adjustments: list[tuple[int, int]], steps: list[CounterStep]) -> None:
    assert counter_steps(D(carried), [(date(2024, 6, d), D(v)) for d, v in adjustments]) == steps


def test_a_counter_below_zero_is_refused() -> None:
    with pytest.raises(NegativeCounter) as caught:
        counter_steps(D(5), [(date(2024, 6, 1), D(-1))])
    assert caught.value.code == "negative_counter"


def test_two_adjustments_on_one_day_are_a_bug() -> None:
    with pytest.raises(InvariantBroken, match="two adjustments"):
        counter_steps(D(5), [(date(2024, 6, 1), D(1)), (date(2024, 6, 1), D(2))])


@pytest.mark.parametrize(
    ("bands", "value", "active", "by_days", "amount"),
    [
        pytest.param(FLAT, 15, JUNE, True, "30.00", id="15 * 2"),
        pytest.param(TIERS, 25, JUNE, True, "55.00", id="20 * 2 + 5 * 3"),
        pytest.param(FLAT, 15, DateSpan(JUNE.start, date(2024, 6, 16)), True, "15.00", id="30 * 15/30"),
        pytest.param(FLAT, 15, DateSpan(JUNE.start, date(2024, 6, 16)), False, "30.00", id="not prorated"),
        pytest.param(SETUP, 1, JUNE, True, "12.00", id="a fixed price"),
        pytest.param(SETUP, 0, JUNE, True, "0.00", id="nothing held owes no fixed price"),
    ],
)
def test_running_total(
    bands: tuple[Band, ...], value: int, active: DateSpan, *, by_days: bool, amount: str
) -> None:
    charge = running_total(D(value), terms(bands, by_days=by_days), active, MONTHLY)
    assert (charge.units, cents(charge)) == (D(value), amount)


@pytest.mark.parametrize(
    ("bands", "change", "by_days", "amount"),
    [
        pytest.param(FLAT, step(1, 0, 15), False, "30.00", id="15 * 2"),
        pytest.param(FLAT, step(15, 15, 18), False, "6.00", id="3 * 2, for the whole period"),
        pytest.param(FLAT, step(15, 15, 18), True, "3.20", id="6 * 16/30: the day of the change counts"),
        pytest.param(FLAT, step(1, 15, 18), True, "6.00", id="on the first day, whole"),
        pytest.param(FLAT, step(30, 15, 18), True, "0.20", id="on the last day, 6 * 1/30"),
        pytest.param(TIERS, step(1, 18, 22), True, "10.00", id="across a limit: 2 * 2 + 2 * 3"),
        pytest.param(FLAT, step(15, 15, 10), True, "-5.33", id="a credit: -10 * 16/30"),
        pytest.param(FLAT, step(15, 15, 10), False, "-10.00", id="a credit, for the whole period"),
        pytest.param(SETUP, step(1, 0, 3), True, "16.00", id="the first ever owes the fixed price"),
        pytest.param(SETUP, step(1, 3, 4), True, "2.00", id="which is owed once"),
        pytest.param(SETUP, step(1, 3, 0), True, "-16.00", id="and given back with the last"),
    ],
)
def test_adjustment(bands: tuple[Band, ...], change: CounterStep, *, by_days: bool, amount: str) -> None:
    charge = adjustment(change, terms(bands, by_days=by_days), JUNE, MONTHLY)
    assert (charge.units, cents(charge)) == (change.new - change.old, amount)


def test_june_with_15_seats_from_the_1st_and_18_from_the_15th() -> None:
    changes = counter_steps(D(0), [(date(2024, 6, 1), D(15)), (date(2024, 6, 15), D(18))])
    charges = [adjustment(c, terms(TIERS, by_days=False), JUNE, MONTHLY) for c in changes]
    assert [c.amount for c in charges] == [30, 6]
    assert sum(c.amount for c in charges) == 36


def test_debits_and_credits_are_prorated_each_by_its_own_switch() -> None:
    debits_only = CounterTerms(FLAT, cumulative=True, prorate_debit=True, prorate_credit=False)
    assert adjustment(step(16, 0, 15), debits_only, JUNE, MONTHLY).amount == 15  # 30 * 15/30
    assert adjustment(step(16, 15, 0), debits_only, JUNE, MONTHLY).amount == -30


def test_a_line_keeps_its_derivation() -> None:
    charge = adjustment(step(15, 18, 22), terms(TIERS), JUNE, MONTHLY)
    assert [(c.units, c.amount) for c in charge.charges] == [(D(2), D(4)), (D(2), D(6))]
    assert charge.shares == (DayShare(16, 30),)


def test_an_increase_can_get_cheaper_by_volume_and_is_still_a_debit() -> None:
    change = step(1, 20, 21)
    assert change.is_increase
    assert adjustment(change, CounterTerms(VOLUME), JUNE, MONTHLY).amount == 21 * 1 - 20 * 2


def test_a_change_outside_its_period_is_a_bug() -> None:
    with pytest.raises(InvariantBroken, match="outside its period"):
        adjustment(CounterStep(date(2024, 7, 1), D(1), D(2)), terms(FLAT), JUNE, MONTHLY)


VALUES = st.integers(0, 100).map(D)


@given(
    carried=VALUES,
    values=st.lists(st.tuples(st.dates(JUNE.start, date(2024, 6, 30)), VALUES), unique_by=lambda a: a[0]),
)
def test_steps_lead_from_the_carried_value_to_the_last(carried: D, values: list[tuple[date, D]]) -> None:
    steps = counter_steps(carried, values)
    last = max(values)[1] if values else carried
    assert carried + sum((s.new - s.old for s in steps), D(0)) == last
    assert [s.day for s in steps] == sorted({s.day for s in steps})


@given(
    carried=VALUES, values=st.lists(VALUES, max_size=10), bands=st.sampled_from([FLAT, TIERS, SETUP, VOLUME])
)
def test_not_prorated_lines_sum_to_the_price_of_the_last_value(
    carried: D, values: list[D], bands: tuple[Band, ...]
) -> None:
    by_whole = terms(bands, by_days=False)
    changes = counter_steps(carried, [(date(2024, 6, d), v) for d, v in enumerate(values, start=1)])
    billed = running_total(carried, by_whole, JUNE, MONTHLY).amount
    billed += sum((adjustment(c, by_whole, JUNE, MONTHLY).amount for c in changes), D(0))
    last = values[-1] if values else carried
    assert billed == running_total(last, by_whole, JUNE, MONTHLY).amount


@given(day=st.integers(1, 30), old=VALUES, new=VALUES)
def test_up_and_down_on_one_day_cancel(day: int, old: D, new: D) -> None:
    there, back = (
        adjustment(CounterStep(date(2024, 6, day), a, b), terms(TIERS), JUNE, MONTHLY)
        for a, b in ((old, new), (new, old))
    )
    assert there.amount + back.amount == 0
