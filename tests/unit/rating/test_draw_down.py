"""Drawing charges down from commitments and balances (semantics §18, §19)."""

from collections.abc import Sequence
from datetime import date
from decimal import Decimal

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tallystick.kernel.decimals import ZERO, RoundingMode, plain, round_to
from tallystick.kernel.periods import DateSpan
from tallystick.rating.bands import Band, BandCharge, amount_of, rate
from tallystick.rating.draw_down import Coverable, DrawDown, Fund, Pot, draw_down, split_charges
from tallystick.rating.fees import spread_fees

D = Decimal
JANUARY = DateSpan(date(2024, 1, 1), date(2024, 2, 1))
YEAR = DateSpan(date(2024, 1, 1), date(2025, 1, 1))
CENTS = 2


def days(first: int, last: int) -> DateSpan:
    """Give days of January, both included."""
    return DateSpan(date(2024, 1, first), date.fromordinal(date(2024, 1, last).toordinal() + 1))


def charge(key: str, amount: str, *funds: str, span: DateSpan = JANUARY) -> Coverable:
    return Coverable(key=key, amount=D(amount), days=span, funds=frozenset(funds))


def fund(name: str, span: DateSpan = YEAR, pot: str | None = None, most: str | None = None) -> Fund:
    return Fund(id=name, pot=pot or name, days=span, most=D(most) if most else None)


def pot(name: str, left: str, rate: str = "1", places: int = 2, *, is_endless: bool = False) -> Pot:
    return Pot(id=name, left=D(left), places=places, rate=D(rate), is_endless=is_endless)


def drawn(charges: Sequence[Coverable], funds: Sequence[Fund], *pots: Pot) -> DrawDown:
    return draw_down(charges, funds, {p.id: p for p in pots}, CENTS)


def covers(found: DrawDown) -> list[tuple[str, str, str]]:
    return [(c.key, c.fund, f"{plain(c.amount):f}") for c in found.covers]


def left(found: DrawDown) -> list[tuple[str, str]]:
    return [(u.key, f"{plain(u.amount):f}") for u in found.uncovered]


@pytest.mark.parametrize(
    ("available", "covered", "beyond"),
    [
        pytest.param("15000", [("u", "c", "9200")], [], id="15000 - 9200 leaves 5800"),
        pytest.param("9200", [("u", "c", "9200")], [], id="used up to the cent"),
        pytest.param("5800", [("u", "c", "5800")], [("u", "3400")], id="9200 - 5800 is beyond"),
        pytest.param("0", [], [("u", "9200")], id="used up before"),
        pytest.param("-10", [], [("u", "9200")], id="overdrawn before"),
    ],
)
def test_a_fund_covers_as_far_as_it_goes(
    available: str, covered: list[tuple[str, str, str]], beyond: list[tuple[str, str]]
) -> None:
    found = drawn([charge("u", "9200", "c")], [fund("c")], pot("c", available))
    assert (covers(found), left(found)) == (covered, beyond)


def test_the_first_fund_is_used_up_first_and_charges_in_their_order() -> None:
    both = [charge("standing", "100", "a", "b"), charge("usage", "50", "a", "b"), charge("other", "5", "b")]
    found = drawn(both, [fund("a"), fund("b")], pot("a", "120"), pot("b", "33"))
    # a: 100 + 20 of 50. b: 30 of 50, 3 of 5.
    assert covers(found) == [
        ("standing", "a", "100"),
        ("usage", "a", "20"),
        ("usage", "b", "30"),
        ("other", "b", "3"),
    ]
    assert [(u.key, u.amount, u.funds) for u in found.uncovered] == [("other", D(2), ("b",))]


@pytest.mark.parametrize(
    ("left_of_a", "covered"),
    [
        pytest.param("10", [("u", "a", "70"), ("u", "b", "30")], id="10 + 30, and 60 below zero"),
        pytest.param("0", [("u", "b", "30"), ("u", "a", "70")], id="30, and 70 below zero"),
        pytest.param("-5", [("u", "b", "30"), ("u", "a", "70")], id="below zero already"),
        pytest.param("80", [("u", "a", "80"), ("u", "b", "20")], id="80 + 20: nothing is overdrawn"),
    ],
)
def test_what_may_go_below_zero_does_so_last(left_of_a: str, covered: list[tuple[str, str, str]]) -> None:
    """Semantics §19: negative only once all that there is, of other funds too, is used up."""
    found = drawn(
        [charge("u", "100", "a", "b")],
        [fund("a"), fund("b")],
        pot("a", left_of_a, is_endless=True),
        pot("b", "30"),
    )
    assert (covers(found), left(found)) == (covered, [])


def test_what_rolls_over_is_capped_below_zero_too() -> None:
    """100 of a main fund that ended, at most 80 after it: 310 - 100 = 210 are left, 130 of them beyond."""
    funds = [fund("main", days(1, 10), "b"), fund("rollover", days(11, 31), "b", most="80")]
    found = drawn([charge("u", "310", "main", "rollover")], funds, pot("b", "0", is_endless=True))
    assert covers(found) == [("u", "main", "100"), ("u", "rollover", "80")]
    assert left(found) == [("u", "130")]


@pytest.mark.parametrize(
    ("span", "amount", "expected"),
    [
        pytest.param(days(1, 31), "310", "310", id="all of January"),
        pytest.param(days(1, 10), "310", "100.00", id="310 x 10/31"),
        pytest.param(days(31, 31), "310", "10.00", id="310 x 1/31"),
        pytest.param(days(1, 15), "100", "48.39", id="100 x 15/31 = 48.387"),
    ],
)
def test_only_charges_for_active_days_are_covered(span: DateSpan, amount: str, expected: str) -> None:
    found = drawn([charge("u", amount, "b")], [fund("b", span)], pot("b", "1000"))
    assert sum(c.amount for c in found.covers) == D(expected)
    assert found.uncovered == ()  # what is before or after is not beyond it: it was not there


def test_funds_of_other_days_share_a_charge() -> None:
    found = drawn(
        [charge("u", "31", "a", "b")],
        [fund("a", days(1, 20)), fund("b", days(11, 31))],
        pot("a", "15"),
        pot("b", "100"),
    )
    # a: 15 of the 20 of its days, from the first on; b: the 5 left of days 11 to 20, and 11 of 21 to 31.
    assert covers(found) == [("u", "a", "15"), ("u", "b", "16")]


def test_a_charge_without_days_is_of_its_date() -> None:
    at = DateSpan(date(2024, 1, 15), date(2024, 1, 15))
    for span, amounts in ((days(15, 15), [D(5)]), (days(1, 14), [])):
        found = drawn([charge("fee", "5", "b", span=at)], [fund("b", span)], pot("b", "9"))
        assert [c.amount for c in found.covers] == amounts


def test_what_rolls_over_is_capped_and_from_the_same_pot() -> None:
    funds = [fund("main", days(1, 10), "b"), fund("rollover", days(11, 31), "b", most="80")]
    found = drawn([charge("u", "310", "main", "rollover")], funds, pot("b", "170"))
    # 100 in the first ten days; 70 are left, less than the 80 that may roll over: 210 - 70 is beyond.
    assert covers(found) == [("u", "main", "100"), ("u", "rollover", "70")]
    assert left(found) == [("u", "140")]
    found = drawn([charge("u", "310", "main", "rollover")], funds, pot("b", "1000"))
    assert covers(found) == [("u", "main", "100"), ("u", "rollover", "80")]


def test_another_currency_is_drawn_in_cents_of_its_own() -> None:
    three = [charge(str(i), "0.05", "eur") for i in range(3)]
    found = drawn(three, [fund("eur")], pot("eur", "10", rate="1.12"))
    # 0.05 / 1.12 = 0.0446, 0.10: 0.0893, 0.15: 0.1339; so 0.04, 0.09, 0.13 in all.
    assert [c.drawn for c in found.covers] == [D("0.04"), D("0.05"), D("0.04")]
    exhausted = drawn([charge("u", "100", "eur")], [fund("eur")], pot("eur", "10", rate="1.1234"))
    assert [(c.amount, c.drawn) for c in exhausted.covers] == [(D("11.23"), D("10.00"))]


amounts = st.integers(1, 10**7).map(lambda cents: D(cents).scaleb(-2))
spans = st.tuples(st.integers(1, 31), st.integers(1, 31)).map(lambda s: days(min(s), max(s)))
NAMES = ("a", "b", "c")


@st.composite
def drawings(draw: st.DrawFn) -> tuple[list[Coverable], list[Fund], dict[str, Pot]]:
    charges = [
        Coverable(key=str(i), amount=amount, days=span, funds=funds)
        for i, (amount, span, funds) in enumerate(
            draw(st.lists(st.tuples(amounts, spans, st.frozensets(st.sampled_from(NAMES))), max_size=6))
        )
    ]
    funds = [Fund(id=name, pot=name, days=draw(spans)) for name in draw(st.permutations(NAMES))]
    rates = st.sampled_from([D(1), D("1.12"), D("0.0067"), D("151.3")])
    pots = {n: Pot(id=n, left=draw(amounts), places=draw(st.integers(0, 3)), rate=draw(rates)) for n in NAMES}
    return charges, funds, pots


@given(drawings())
def test_nothing_is_lost_and_nothing_overdrawn(
    drawing: tuple[list[Coverable], list[Fund], dict[str, Pot]],
) -> None:
    charges, funds, pots = drawing
    found = draw_down(charges, funds, pots, CENTS)
    for each in charges:
        covered = sum((c.amount for c in found.covers if c.key == each.key), ZERO)
        beyond = sum((u.amount for u in found.uncovered if u.key == each.key), ZERO)
        assert ZERO <= covered + beyond <= each.amount
    for one in pots.values():
        mine = [c for c in found.covers if c.fund == one.id]
        assert sum((c.drawn for c in mine), ZERO) <= one.left
    for cover in found.covers:
        assert cover.amount == round_to(cover.amount, CENTS, RoundingMode.DOWN) > ZERO
        assert cover.drawn >= ZERO


@given(st.lists(amounts, min_size=1, max_size=6), amounts)
def test_the_order_of_charges_does_not_change_what_is_covered(
    owed: list[Decimal], available: Decimal
) -> None:
    charges = [charge(str(i), f"{a}", "c") for i, a in enumerate(owed)]
    totals = [
        sum((c.amount for c in drawn(order, [fund("c")], pot("c", f"{available}")).covers), ZERO)
        for order in (charges, charges[::-1])
    ]
    assert totals == [min(sum(owed, ZERO), available)] * 2


# --- what is beyond, in units -------------------------------------------------------------------

TIERS = [Band(D(0), D(0), D(1)), Band(D(10), D(5), D("0.5"))]
STEPS = [Band(D(0), D(12), D(0)), Band(D(4), D(25), D(0))]


def told(charges: Sequence[BandCharge]) -> list[tuple[str, str]]:
    return [(f"{c.units.normalize():f}", f"{c.amount.normalize():f}") for c in charges]


@pytest.mark.parametrize(
    ("bands", "units", "cumulative", "amount", "within", "beyond"),
    [
        pytest.param(TIERS, "30", True, "8", [("8", "8")], [("2", "2"), ("20", "15")], id="inside a band"),
        pytest.param(TIERS, "30", True, "10", [("10", "10")], [("20", "15")], id="at a band's end"),
        pytest.param(
            TIERS, "30", True, "12", [("10", "10"), ("0", "2")], [("20", "13")], id="a part of a fixed price"
        ),
        pytest.param(
            TIERS, "30", True, "17", [("10", "10"), ("4", "7")], [("16", "8")], id="5 fixed, then 2 / 0.5"
        ),
        pytest.param(TIERS, "30", True, "0", [], [("10", "10"), ("20", "15")], id="nothing"),
        pytest.param(TIERS, "30", True, "25", [("10", "10"), ("20", "15")], [], id="all"),
        pytest.param(STEPS, "5", False, "10", [("2", "10")], [("3", "15")], id="a step: 5 x 10/25"),
    ],
)
def test_charges_are_split_by_amount(
    bands: list[Band],
    units: str,
    cumulative: bool,  # noqa: FBT001 - a table
    amount: str,
    within: list[tuple[str, str]],
    beyond: list[tuple[str, str]],
) -> None:
    found = split_charges(rate(D(units), bands, cumulative=cumulative), D(amount))
    assert tuple(map(told, found)) == (within, beyond)


@given(st.decimals(0, 10**6, places=3), st.integers(0, 100), st.booleans())
def test_a_split_loses_no_unit(units: Decimal, percent: int, cumulative: bool) -> None:  # noqa: FBT001 - a table
    charges = rate(units, TIERS, cumulative=cumulative)
    amount = amount_of(charges) * percent * D("0.01")
    within, beyond = split_charges(charges, amount)
    assert amount_of(within) == amount
    assert amount_of([*within, *beyond]) == amount_of(charges)
    assert abs(sum(c.units for c in (*within, *beyond)) - units) < D("1e-30")


# --- fees ---------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("outstanding", "count", "first", "fees"),
    [
        pytest.param("15000", 12, None, ["1250.00"] * 12, id="15000 / 12"),
        pytest.param("100", 3, None, ["33.34", "33.33", "33.33"], id="cents go to the first"),
        pytest.param("100", 3, "50", ["50", "25.00", "25.00"], id="50 first, 50 / 2"),
        pytest.param("100", 1, "50", ["100.00"], id="one bill takes all"),
        pytest.param("100", 0, None, [], id="no bill"),
        pytest.param("0", 2, None, ["0.00", "0.00"], id="all was paid before"),
        pytest.param("0.005", 2, None, ["0.003", "0.002"], id="more places than the currency"),
    ],
)
def test_fees_spread(outstanding: str, count: int, first: str | None, fees: list[str]) -> None:
    assert spread_fees(D(outstanding), count, CENTS, D(first) if first else None) == [D(f) for f in fees]


@given(amounts, st.integers(1, 400), st.none() | st.integers(0, 100))
def test_fees_sum_to_what_is_owed(outstanding: Decimal, count: int, percent: int | None) -> None:
    first = None if percent is None else round_to(outstanding * percent * D("0.01"), 2, RoundingMode.DOWN)
    fees = spread_fees(outstanding, count, CENTS, first)
    assert (sum(fees), len(fees)) == (outstanding, count)
