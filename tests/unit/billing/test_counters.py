"""Counters on bills (semantics §16), each with its arithmetic visible. June has 30 days, July 31."""

from datetime import date, timedelta
from decimal import Decimal
from typing import Any

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from tallystick.billing.calculate import BillInputs, Draft, calculate_bill
from tallystick.billing.calculate.inputs import PricedCounter
from tallystick.billing.calculate.slices import usage_slices
from tallystick.billing.explain import explain
from tallystick.billing.line_item import LineItemType
from tallystick.billing.lines import lines_of
from tallystick.pricing.counter_pricing import CounterPricing
from tests.unit.billing.drafts import (
    BILL_ID,
    OnPlan,
    amounts,
    balance,
    bill_inputs,
    counter,
    own_keys,
    priced,
    utc,
    with_ledger,
)

D = Decimal
RUNNING, DEBIT, CREDIT = (
    "COUNTER_RUNNING_TOTAL_CHARGE",
    "COUNTER_ADJUSTMENT_DEBIT",
    "COUNTER_ADJUSTMENT_CREDIT",
)
TIERED = (("0", "0", "2"), ("20", "0", "3"))
JUNE = utc(2024, 6, 1)
days = st.lists(st.tuples(st.integers(1, 30), st.integers(0, 60)), max_size=6, unique_by=lambda each: each[0])


def seats(
    *values: tuple[int, int, int],
    price: PricedCounter | list[PricedCounter] | None = None,
    number: int = 0,
    **on: Any,
) -> BillInputs:
    """Give June's bill, or a later one, of a plan from June 1. values: month, day, new number of seats."""
    counters = price if isinstance(price, list) else [price or counter()]
    terms = OnPlan(counters=counters, **{"start": JUNE} | on).terms(number)
    set_to = tuple((date(2024, month, day), D(value)) for month, day, value in values)
    return bill_inputs([terms], {}, counters={("account", "seats"): set_to})


def billed(inputs: BillInputs) -> list[tuple[str, str]]:
    return amounts(calculate_bill(inputs))


def test_the_first_values_of_a_counter_are_debits() -> None:
    assert billed(seats((6, 1, 15), (6, 15, 18))) == [(DEBIT, "30.00"), (DEBIT, "6.00")]  # 15 x 2, 3 x 2


def test_what_is_held_is_a_running_total_of_the_next_period() -> None:
    assert billed(seats((6, 1, 15), (6, 15, 18), number=1)) == [(RUNNING, "36.00")]  # 18 x 2


def test_a_decrease_is_a_credit() -> None:
    found = billed(seats((6, 1, 18), (7, 10, 15), number=1))
    assert found == [(RUNNING, "36.00"), (CREDIT, "-6.00")]  # 18 x 2, 3 x 2 back


@pytest.mark.parametrize(
    ("prorated", "lines"),
    [
        pytest.param({}, [(RUNNING, "30.00"), (DEBIT, "10.00"), (CREDIT, "-6.00")], id="none: whole period"),
        pytest.param(
            {"pro_rate_adjustment_debit": True},
            [(RUNNING, "30.00"), (DEBIT, "5.33"), (CREDIT, "-6.00")],
            id="debit: 5 x 2 x 16/30, from June 15 on",
        ),
        pytest.param(
            {"pro_rate_adjustment_credit": True},
            [(RUNNING, "30.00"), (DEBIT, "10.00"), (CREDIT, "-1.20")],
            id="credit: 3 x 2 x 6/30, from June 25 on",
        ),
    ],
)
def test_adjustments_are_prorated_if_asked(prorated: dict[str, bool], lines: list[tuple[str, str]]) -> None:
    found = seats((5, 1, 15), (6, 15, 20), (6, 25, 17), price=counter(**prorated))
    assert billed(found) == lines


def test_a_running_total_is_prorated_by_the_plans_days() -> None:
    whole, part = (counter(pro_rate_running_total=p) for p in (False, True))
    start = utc(2024, 6, 16)  # 15 of June's 30 days
    assert billed(seats((5, 1, 10), price=whole, start=start)) == [(RUNNING, "20.00")]
    assert billed(seats((5, 1, 10), price=part, start=start)) == [(RUNNING, "10.00")]


def test_an_increase_over_a_tier_is_split() -> None:
    draft = calculate_bill(seats((5, 1, 15), (6, 10, 25), price=counter(TIERED, cumulative=True)))
    assert amounts(draft) == [(RUNNING, "30.00"), (DEBIT, "25.00")]  # 5 x 2 + 5 x 3
    assert [charge.units for charge in draft.lines[1].charges] == [5, 5]


def test_volume_prices_the_held_ones_anew() -> None:
    found = billed(seats((5, 1, 20), (6, 10, 21), price=counter(TIERED)))
    assert found == [(RUNNING, "40.00"), (DEBIT, "23.00")]  # 21 x 3 - 20 x 2


def test_in_advance_the_bill_that_closes_a_period_opens_the_next() -> None:
    price = counter(running_total_bill_in_advance=True)
    draft = calculate_bill(seats((5, 1, 10), (6, 10, 12), price=price))
    found = [(x.line_item_type.value, x.service.start.date(), x.converted) for x in draft.lines]
    assert found == [
        (RUNNING, date(2024, 6, 1), D("20.00")),  # the plan's first bill holds its own period, too
        (DEBIT, date(2024, 6, 10), D("4.00")),
        (RUNNING, date(2024, 7, 1), D("24.00")),
    ]
    assert billed(seats((5, 1, 10), (6, 10, 12), price=price, number=1)) == [(RUNNING, "24.00")]  # August


def test_a_change_on_the_first_day_of_a_period_belongs_to_it() -> None:
    price = counter(running_total_bill_in_advance=True)
    assert billed(seats((7, 1, 10), price=price)) == []
    assert billed(seats((7, 1, 10), price=price, number=1)) == [(DEBIT, "20.00"), (RUNNING, "20.00")]


def test_a_price_change_charges_each_stretch_by_days_and_a_whole_period_once() -> None:
    def both(**values: Any) -> list[PricedCounter]:
        old = counter(name="old", end_date=utc(2024, 6, 16), **values)
        return [old, counter((("0", "0", "4"),), name="new", start_date=utc(2024, 6, 16), **values)]

    found = billed(seats((5, 1, 10), price=both(pro_rate_running_total=True)))
    assert found == [(RUNNING, "10.00"), (RUNNING, "20.00")]  # 10 x 2 x 15/30, 10 x 4 x 15/30
    assert billed(seats((5, 1, 10), price=both())) == [(RUNNING, "20.00")]  # 10 x 2


@pytest.mark.parametrize(
    "values",
    [
        pytest.param([], id="never set"),
        pytest.param([(5, 1, 7), (5, 20, 0)], id="nothing held"),
        pytest.param([(7, 1, 7)], id="set after the period"),
    ],
)
def test_nothing_held_is_no_line(values: list[tuple[int, int, int]]) -> None:
    assert billed(seats(*values)) == []


def test_counters_do_not_count_toward_the_minimum() -> None:
    found = billed(seats((5, 1, 10), minimum="50"))
    assert found == [(RUNNING, "20.00"), ("MINIMUM_SPEND", "50.00")]


def two_prices(**values: Any) -> list[PricedCounter]:
    """Give $2 a seat up to June 15 and $4 from the 16th on."""
    old = counter(name="old", end_date=utc(2024, 6, 16), **values)
    return [old, counter((("0", "0", "4"),), name="new", start_date=utc(2024, 6, 16), **values)]


@pytest.mark.parametrize(
    ("prorated", "lines"),
    [
        pytest.param(
            {"pro_rate_running_total": True, "pro_rate_adjustment_debit": True},
            [(RUNNING, "10.00"), (DEBIT, "3.33"), (RUNNING, "20.00"), (DEBIT, "10.00")],
            id="all by days: 10 x 2 x 15/30, 5 x 2 x 10/30, 10 x 4 x 15/30, 5 x 4 x 15/30",
        ),
        pytest.param(
            {"pro_rate_running_total": True},
            [(RUNNING, "10.00"), (DEBIT, "10.00"), (RUNNING, "20.00")],
            id="the increase for the whole period, once: 5 x 2",
        ),
        pytest.param(
            {"pro_rate_adjustment_debit": True},
            [(RUNNING, "20.00"), (DEBIT, "3.33"), (DEBIT, "10.00")],
            id="the running total once: 10 x 2",
        ),
        pytest.param({}, [(RUNNING, "20.00"), (DEBIT, "10.00")], id="nothing by days"),
    ],
)
def test_an_increase_goes_on_at_the_next_price(
    prorated: dict[str, bool], lines: list[tuple[str, str]]
) -> None:
    """10 seats are carried into June, 15 are held from the 6th on; the price changes on the 16th."""
    assert billed(seats((5, 1, 10), (6, 6, 15), price=two_prices(**prorated))) == lines


def test_a_running_total_in_advance_does_not_wait_for_what_changes_later() -> None:
    """May's bill opens June: 10 x 2 x 15/30 and 10 x 4 x 15/30. June's charges the rest of 40 for June."""
    by_days = {"pro_rate_running_total": True, "pro_rate_adjustment_debit": True}
    price = two_prices(running_total_bill_in_advance=True, **by_days)
    on: dict[str, Any] = {"price": price, "start": utc(2024, 4, 1)}
    opening = calculate_bill(seats((4, 1, 10), number=1, **on))
    june = [x for x in opening.lines if x.service.start >= JUNE]
    assert [x.converted for x in june] == [D("10.00"), D("20.00")]
    again = calculate_bill(seats((4, 1, 10), (6, 6, 15), number=1, **on))
    assert [x.converted for x in again.lines] == [x.converted for x in opening.lines]
    closing = calculate_bill(seats((4, 1, 10), (6, 6, 15), number=2, **on))
    assert [x.converted for x in closing.lines if x.service.start < utc(2024, 7, 1)] == [
        D("3.33"),
        D("10.00"),
    ]


def test_a_decrease_goes_on_and_what_nobody_priced_counts_from_the_next_price_on() -> None:
    """10 seats; 4 from the 6th on. No price holds from the 11th to the 15th, when 7 are held."""
    by_days = {"pro_rate_running_total": True, "pro_rate_adjustment_credit": True}
    old, new = two_prices(**by_days)
    old = msgspec.structs.replace(
        old, pricing=msgspec.structs.replace(old.pricing, end_date=utc(2024, 6, 11))
    )
    found = billed(seats((5, 1, 10), (6, 6, 4), (6, 12, 7), price=[old, new]))
    assert found == [
        (RUNNING, "6.67"),  # 10 x 2 x 10/30
        (CREDIT, "-2.00"),  # 6 x 2 x 5/30
        (RUNNING, "20.00"),  # 10 x 4 x 15/30
        (CREDIT, "-6.00"),  # 3 x 4 x 15/30
    ]


def test_not_by_days_the_price_that_holds_first_is_owed() -> None:
    """The template's $2, in which the plan's own $4 holds from the 10th to the 19th (decision 0011)."""
    own = counter((("0", "0", "4"),), name="own", start_date=utc(2024, 6, 10), end_date=utc(2024, 6, 20))
    inputs = seats((5, 1, 10), price=own)
    (terms,) = inputs.plans
    inherited = msgspec.structs.replace(terms, inherited_counters=(counter(name="template"),))
    assert billed(msgspec.structs.replace(inputs, plans=(inherited,))) == [(RUNNING, "20.00")]


@given(
    changes=days,
    switch=st.integers(2, 30),
    first=st.integers(1, 30),
    length=st.integers(1, 30),
    cumulative=st.booleans(),
    in_advance=st.booleans(),
)
def test_by_days_each_day_costs_what_is_held_on_it_at_its_price(
    changes: list[tuple[int, int]],
    switch: int,
    first: int,
    length: int,
    *,
    cumulative: bool,
    in_advance: bool,
) -> None:
    """Also where the price changes, in a plan's days, and where the bill that opened June knew no change."""
    values: dict[str, Any] = {
        "cumulative": cumulative,
        "running_total_bill_in_advance": in_advance,
        "pro_rate_running_total": True,
        "pro_rate_adjustment_debit": True,
        "pro_rate_adjustment_credit": True,
    }
    last = min(30, first + length - 1)
    old = counter(TIERED, name="old", end_date=utc(2024, 6, switch), **values)
    new = counter((("0", "0", "3"), ("20", "0", "1")), name="new", start_date=utc(2024, 6, switch), **values)
    months = {
        "price": [old, new],
        "start": utc(2024, 5, first),
        "end": utc(2024, 6, last) + timedelta(days=1),
    }
    opening = calculate_bill(seats((5, 1, 10), number=0, **months)).lines
    closing = calculate_bill(seats((5, 1, 10), *((6, d, v) for d, v in changes), number=1, **months)).lines
    june = [x for x in (*opening, *closing) if x.service.start >= JUNE]
    held, by_day = 10, []
    for day in range(1, last + 1):
        held = dict(changes).get(day, held)
        below, above = (2, 3) if day < switch else (3, 1)
        over = max(held - 20, 0) if cumulative else held if held > 20 else 0
        by_day.append(below * (held - over) + above * over)
    assert abs(sum(x.subtotal for x in june) * 30 - sum(by_day)) < D("1e-30")


def test_what_is_held_and_added_is_drawn_and_what_is_given_back_is_not() -> None:
    found = seats((5, 1, 15), (6, 10, 20), (6, 20, 18))
    draft = calculate_bill(with_ledger(found, balance("1000")))
    assert amounts(draft)[:3] == [(RUNNING, "30.00"), (DEBIT, "10.00"), (CREDIT, "-4.00")]
    assert sorted(x.converted for x in draft.lines if x.drawn) == [-30, -10]


def test_seats_and_usage_of_a_plan_share_its_bill() -> None:
    terms = OnPlan(counters=[counter()], prices=[priced([("0", "0", "1")])], start=JUNE).terms()
    used = {key: D(7) for piece in usage_slices(terms, terms.period) for key in own_keys(piece)}
    held = {("account", "seats"): ((date(2024, 5, 1), D(10)),)}
    assert billed(bill_inputs([terms], used, counters=held)) == [("USAGE", "7.00"), (RUNNING, "20.00")]


def test_a_counters_price_is_in_advance_and_by_days_unless_told() -> None:
    price = CounterPricing(counter_id="seats", start_date=JUNE, pricing_bands=[])
    assert price.running_total_bill_in_advance
    assert price.pro_rate_running_total
    assert price.pro_rate_adjustment_debit
    assert price.pro_rate_adjustment_credit
    assert not price.cumulative


def test_the_explanation_shows_the_change_and_its_days() -> None:
    price = counter(TIERED, cumulative=True, pro_rate_adjustment_debit=True)
    line = lines_of(calculate_bill(seats((5, 1, 15), (6, 15, 25), price=price)), BILL_ID)[1]
    assert (line.counter_id, line.unit, line.description) == ("seats", "seats", "Seats: 15 to 25")
    assert explain(line)[1:6] == [
        "counter Seats: from 15 to 25 on 2024-06-15",
        "band from 0: 5 x 2 = 10 USD",
        "band from 20: 5 x 3 = 15 USD",
        "bands together: 25 USD",
        "by days: 25 x (16/30) = 13.333333333333 USD",
    ]


@given(changes=days, cumulative=st.booleans(), in_advance=st.booleans())
def test_a_month_costs_each_day_what_is_held_on_it(
    changes: list[tuple[int, int]], *, cumulative: bool, in_advance: bool
) -> None:
    """Prorated by days, all lines together are the sum over the days of price(held) / 30."""
    price = counter(
        TIERED,
        cumulative=cumulative,
        running_total_bill_in_advance=in_advance,
        pro_rate_running_total=True,
        pro_rate_adjustment_debit=True,
        pro_rate_adjustment_credit=True,
    )
    draft: Draft = calculate_bill(seats((5, 1, 10), *((6, d, v) for d, v in changes), price=price))
    june = [x for x in draft.lines if x.service.start < utc(2024, 7, 1)]
    held, by_day = 10, []
    for day in range(1, 31):
        held = dict(changes).get(day, held)
        over = max(held - 20, 0) if cumulative else held if held > 20 else 0
        by_day.append(2 * (held - over) + 3 * over)
    assert abs(sum(x.subtotal for x in june) * 30 - sum(by_day)) < D("1e-30")
    assert all(
        (x.subtotal < 0) is (x.line_item_type is LineItemType.COUNTER_ADJUSTMENT_CREDIT)
        for x in june
        if cumulative
    )


def test_a_price_that_holds_for_no_whole_day_charges_nothing() -> None:
    old = counter([("0", "0", "2")], name="old", end_date=utc(2024, 6, 10, 6))
    short = counter(
        [("0", "0", "50")], name="short", start_date=utc(2024, 6, 10, 6), end_date=utc(2024, 6, 10, 9)
    )
    new = counter([("0", "0", "3")], name="new", start_date=utc(2024, 6, 10, 9))
    found = billed(seats((6, 1, 15), price=[old, short, new]))
    assert found == [(DEBIT, "30.00")]  # 15 x 2; nobody pays 50
