"""Time-weighted usage, a method beyond semantics §9, on both transports, against a plain loop."""

from datetime import timedelta
from decimal import Decimal
from typing import Any
from uuid import uuid4

import pytest
from hypothesis import HealthCheck, given, settings

from tallystick.kernel.decimals import divide
from tallystick.kernel.periods import Period
from tallystick.rating.method import Method
from tallystick.usage.store.model import ANY, Away, Filter, Usage
from tallystick.usage.store.store import UsageStore
from tallystick.usage.store.writer import GroupedWriter
from tests.unit.usage_store.test_aggregate import (
    ACCOUNTS,
    JANUARY,
    NUMBER,
    ROWS,
    TEXT,
    WINDOWS,
    ask,
    day,
    row,
    store_rows,
    values,
)

D = Decimal


def weighted(store: UsageStore, org: str, **more: Any) -> list[Usage]:
    return ask(store, org, Method.TIME_WEIGHTED, **more)


@pytest.mark.parametrize(
    ("rows", "expected"),
    [
        pytest.param([(0, 1), (1, 3)], 24 * (1 + 3 * 30), id="1 for a day, 3 for the thirty left"),
        pytest.param([(30, 2)], 24 * 2, id="nothing before the first level"),
        pytest.param([(-400, 5)], 24 * 5 * 31, id="no data in the window: what held before goes on"),
        pytest.param([(-2, 7), (-1, 1), (1, 0)], 24, id="the last level before the window, then none"),
        pytest.param([(-1, 9), (0, 1)], 24 * 31, id="a level at the very start takes over at once"),
        pytest.param([(0, 4), (31, 100)], 24 * 4 * 31, id="what comes at the end does not count"),
        pytest.param([(0, 2), (10, None), (30, 0)], 24 * 60, id="a missing value changes nothing"),
        pytest.param([(0, 2), (30, 1), (30, 5)], 24 * (60 + 5), id="of a tie the last received holds"),
        pytest.param([(0, "0.000000000001"), (1, 0)], "0.000000000024", id="no digit is lost"),
    ],
)
def test_unit_hours_of_a_month(
    store: UsageStore, writer: GroupedWriter, org: str, rows: list[Any], expected: Any
) -> None:
    store_rows(writer, org, [row(0, at, n=None if n is None else D(n)) for at, n in rows])
    assert values(weighted(store, org)) == [D(expected)]


def test_a_millisecond_is_divided_once(store: UsageStore, writer: GroupedWriter, org: str) -> None:
    store_rows(writer, org, [row(0, 0, n=D(1)), row(0, 0.001 / 86400, n=D(0))])
    assert values(weighted(store, org)) == [divide(D(1), D(3_600_000))]


def test_the_largest_number_for_four_centuries(store: UsageStore, writer: GroupedWriter, org: str) -> None:
    largest = D("99999999999999999999999999.999999999999")
    everything = Period(day(-40_000), day(100_000))
    store_rows(writer, org, [row(account, -40_000, n=largest) for account in range(3)])
    pooled = weighted(store, org, windows=(everything,), per_account=False)
    assert [(u.account_id, u.value) for u in pooled] == [(None, 3 * largest * 24 * 140_000)]


def test_pooled_accounts_have_a_level_each(store: UsageStore, writer: GroupedWriter, org: str) -> None:
    store_rows(writer, org, [row(0, 0, n=D(1)), row(1, 30, n=D(10))])
    assert values(weighted(store, org)) == [D(24 * 31), D(240)]
    assert values(weighted(store, org, per_account=False)) == [D(24 * 31 + 240)]
    assert weighted(store, org, account_ids=()) == []
    assert weighted(store, str(uuid4())) == []


def test_a_level_counts_for_nothing_while_its_account_is_away(
    store: UsageStore, writer: GroupedWriter, org: str
) -> None:
    """Semantics §17: away for ten days, in which the level changes: 2 for 10 days before, 5 for 11 after."""
    store_rows(writer, org, [row(0, 0, n=D(1)), row(1, 0, n=D(2)), row(1, 14, n=D(5))])
    filters = (Away(ACCOUNTS[1], Period(day(10), day(20))),)
    assert values(weighted(store, org, filters=filters)) == [D(24 * 31), D(24 * (20 + 55))]
    assert values(weighted(store, org, filters=filters, per_account=False)) == [D(24 * (31 + 75))]
    always = (Away(ACCOUNTS[1], Period(day(-1), day(40))),)
    assert values(weighted(store, org, filters=always, per_account=False)) == [D(24 * 31)]


def test_each_segment_has_a_level_of_its_own(store: UsageStore, writer: GroupedWriter, org: str) -> None:
    rows = [row(0, 0, n=D(1), s="a"), row(0, 1, n=D(2), s="b"), row(0, 2, n=D(0), s="a"), row(0, -9, n=D(4))]
    store_rows(writer, org, rows)
    segments = ({TEXT: "a"}, {TEXT: "b"})
    assert {u.segment: u.value for u in weighted(store, org, segments=segments)} == {
        0: D(48),
        1: D(2 * 24 * 30),
    }
    rest = (*segments, {TEXT: ANY})
    assert {u.segment: u.value for u in weighted(store, org, segments=rest)}[2] == D(4 * 24 * 31)
    only_a = (Filter(TEXT, ("a",)),)
    assert values(weighted(store, org, filters=only_a)) == [D(48)]


@settings(max_examples=40, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(rows=ROWS, windows=WINDOWS)
def test_equals_a_plain_loop(store: UsageStore, writer: GroupedWriter, rows: Any, windows: Any) -> None:
    org = str(uuid4())
    unique = list({each["uid"]: each for each in reversed(rows)}.values())[::-1]
    store_rows(writer, org, unique)
    expected = {}
    for account in ACCOUNTS:
        for text in ("a", "b", None):
            mine = [r for r in unique if (r["account"], r["fields"][TEXT]) == (account, text)]
            levels = sorted(
                ((r["ts"], r["fields"][NUMBER]) for r in mine if r["fields"][NUMBER] is not None),
                key=lambda level: level[0],
            )
            ends = [at for at, _ in levels[1:]]
            for position, window in enumerate(windows):
                total, held = D(0), 0
                for (at, level), end in zip(levels, [*ends, window.end], strict=bool(levels)):
                    lasts = min(end, window.end) - max(at, window.start)
                    if lasts > timedelta(0):
                        total += level * (lasts // timedelta(hours=1))  # eighths of days: whole hours
                        held += 1
                if held:
                    expected[account, position, text] = (total, held)
    answers = weighted(store, org, windows=windows, group_by=(TEXT,))
    assert {(u.account_id, u.window, u.group[0]): (u.value, u.count) for u in answers} == expected


def test_windows_of_january_and_parts_of_it_answer_for_themselves(
    store: UsageStore, writer: GroupedWriter, org: str
) -> None:
    store_rows(writer, org, [row(0, -1, n=D(2))])
    found = weighted(store, org, windows=(Period(day(3), day(4)), JANUARY, Period(day(5), day(5))))
    assert {u.window: u.value for u in found} == {0: D(48), 1: D(48 * 31)}
