"""What holds for every bill."""

from datetime import UTC, date, datetime, timedelta
from decimal import Decimal
from itertools import pairwise
from uuid import UUID, uuid5

from hypothesis import given, settings
from hypothesis import strategies as st

from tallystick.billing.calculate import calculate_bill
from tallystick.billing.calculate.slices import usage_slices
from tallystick.billing.diff import Existing, Outcome, Stamp, create_bill, diff_bill
from tallystick.billing.line_item import LineItemType
from tallystick.billing.lines import bill_of, line_id, lines_of
from tallystick.kernel.periods import Period
from tests.unit.billing.drafts import BILL_ID, OnPlan, priced, utc

D = Decimal
STAMP = Stamp(at=utc(2024, 2, 1), by=BILL_ID)
quantities = st.decimals(0, 10**9, places=6).map(str)
money = st.decimals(0, 10**5, places=4).map(str)
starts = st.integers(0, 700).map(lambda days: datetime(2023, 1, 1, tzinfo=UTC) + timedelta(days=days))
epochs = st.dates(date(2022, 1, 1), date(2024, 12, 31))


@st.composite
def plans(draw: st.DrawFn) -> OnPlan:
    start = draw(starts)
    end = draw(st.none() | st.integers(1, 500).map(lambda days: start + timedelta(days=days)))
    return OnPlan(
        standing=draw(money),
        minimum=draw(st.none() | money.filter(lambda m: D(m) > 0)),
        prices=[priced(minimum_spend=D(draw(money)))],
        start=start,
        end=end,
        epoch=draw(epochs),
        in_advance=draw(st.booleans()),
    )


@given(plans(), quantities, st.integers(0, 5))
def test_the_rounded_lines_sum_to_the_total(on: OnPlan, used: str, number: int) -> None:
    """A bill's total is the sum of its rounded lines (semantics §25)."""
    draft = calculate_bill(on.bill(used, number))
    lines = lines_of(draft, BILL_ID)
    assert bill_of(draft, BILL_ID).bill_total == sum(line.converted_subtotal for line in lines)
    assert [line.sequence_number for line in lines] == list(range(1, len(lines) + 1))


@given(plans(), quantities, st.integers(0, 5))
def test_recalculating_the_same_changes_nothing(on: OnPlan, used: str, number: int) -> None:
    """Running again updates the same bill (semantics §22)."""
    created = create_bill(calculate_bill(on.bill(used, number)), BILL_ID, STAMP)
    stored = Existing(created.new, {line.id: line for line in created.inserted})
    again = diff_bill(stored, calculate_bill(on.bill(used, number)), STAMP)
    assert again.outcome is Outcome.UNCHANGED


@given(plans(), quantities, quantities)
def test_recalculating_gives_the_bill_that_creating_would(on: OnPlan, before: str, after: str) -> None:
    created = create_bill(calculate_bill(on.bill(before)), BILL_ID, STAMP)
    stored = Existing(created.new, {line.id: line for line in created.inserted})
    change = diff_bill(stored, calculate_bill(on.bill(after)), STAMP)
    fresh = create_bill(calculate_bill(on.bill(after)), BILL_ID, STAMP)
    lines = {**stored.lines, **{x.id: x for x in [*change.inserted, *change.updated]}}
    left = {i: x for i, x in lines.items() if i not in change.deleted}
    expected = {x.id: x.converted_subtotal for x in fresh.inserted}
    assert {i: x.converted_subtotal for i, x in left.items()} == expected
    assert change.new.bill_total == fresh.new.bill_total


@given(quantities, quantities)
def test_more_usage_never_costs_less_under_tiers(a: str, b: str) -> None:
    on = OnPlan(minimum="50", prices=[priced()])
    low, high = (calculate_bill(on.bill(used)).total for used in sorted((a, b), key=D))
    assert low <= high


@given(quantities)
def test_usage_and_top_up_come_to_the_minimum_to_the_cent(used: str) -> None:
    """max(usage, minimum): semantics §15, decision 0014."""
    bill = calculate_bill(OnPlan(minimum="50", prices=[priced()]).bill(used))
    usage = sum((x.converted for x in bill.lines if x.line_item_type is LineItemType.USAGE), D(0))
    assert bill.total == max(usage, D(50))


@given(plans(), st.integers(0, 5))
def test_slices_tile_what_is_billed_without_overlap(on: OnPlan, number: int) -> None:
    on.inherited = [priced(name="inherited")]
    on.prices = [priced(name="own", start_date=utc(2023, 6, 10), end_date=utc(2024, 2, 20))]
    terms = on.terms(number)
    billed = terms.active.intersect(terms.period.dates.instants(terms.zone))
    windows = sorted((s.window for s in usage_slices(terms, terms.period)), key=lambda w: w.start)
    assert list(billed.outside(windows)) == []
    assert sum(((w.end - w.start) for w in windows), timedelta(0)) == billed.end - billed.start


def _contract(on: OnPlan) -> list[Period]:
    """Give the service periods of all standing charges over a contract that ends."""
    bills = []
    for number in range(60):
        terms = on.terms(number)
        if terms.active.intersect(terms.period.dates.instants(terms.zone)).is_empty:
            break
        bills.append(calculate_bill(on.bill(number=number)))
    kind = LineItemType.STANDING_CHARGE
    return sorted(
        (x.service for b in bills for x in b.lines if x.line_item_type is kind), key=lambda p: p.start
    )


@settings(max_examples=50)
@given(plans(), st.integers(1, 400), st.integers(1, 3))
def test_every_period_is_charged_exactly_once_in_either_mode(on: OnPlan, days: int, interval: int) -> None:
    """Standing charges, in advance or in arrears (semantics §15)."""
    on.end = on.start + timedelta(days=days)
    on.standing = "10"
    on.template = {"standing_charge_interval": interval}
    on.in_advance = False
    arrears = _contract(on)
    on.in_advance = True
    assert _contract(on) == arrears
    if interval == 1:
        assert arrears[0].start == on.start
        assert arrears[-1].end == on.end
        assert all(a.end == b.start for a, b in pairwise(arrears))


@settings(max_examples=50)
@given(st.integers(1, 300), quantities, money.filter(lambda m: D(m) > 0))
def test_minimums_come_to_the_same_in_either_mode(days: int, used: str, minimum: str) -> None:
    totals = []
    for in_advance in (False, True):
        end = utc(2024, 1, 1) + timedelta(days=days)
        on = OnPlan(minimum=minimum, in_advance=in_advance, end=end, prices=[priced()])
        bills = 0
        total = D(0)
        while not on.terms(bills).active_dates(on.period(bills)).is_empty:
            total += calculate_bill(on.bill(used, bills)).total
            bills += 1
        totals.append(total)
    assert totals[0] == totals[1]


@given(st.text(max_size=40))
def test_line_ids_are_ids_and_follow_their_bill(key: str) -> None:
    made = line_id(BILL_ID, key)
    assert str(UUID(made)) == made
    assert made == line_id(BILL_ID, key)
    assert made[:13] == BILL_ID[:13]
    assert made[13:] == str(uuid5(UUID(BILL_ID), key))[13:]


def test_what_is_taken_after_a_span_leaves_nothing_more_of_it() -> None:
    span = Period(utc(2024, 1, 1), utc(2024, 1, 10))
    assert list(span.outside([span, Period(utc(2024, 1, 12), utc(2024, 1, 15))])) == []
