"""Aggregates (semantics §9) and segments (§10), on both transports, against a plain loop over the rows."""

from collections import defaultdict
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from typing import Any
from uuid import UUID, uuid4

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from tallystick.kernel.decimals import divide
from tallystick.kernel.periods import Period
from tallystick.platform.clickhouse.transport import ClickHouse
from tallystick.rating.method import Method
from tallystick.usage.store.blocks import make_block
from tallystick.usage.store.model import ANY, Away, Filter, Slot, Usage, UsageQuery
from tallystick.usage.store.store import UsageStore
from tallystick.usage.store.writer import GroupedWriter

D = Decimal
METER = str(UUID(int=7))
ACCOUNTS = [str(UUID(int=100 + i)) for i in range(3)]
START = datetime(2024, 1, 1, tzinfo=UTC)
NUMBER, TEXT, OTHER = Slot.number(0), Slot.text(0), Slot.text(1)
FAR_NUMBER, FAR_TEXT = Slot.number(29), Slot.text(29)
JANUARY = Period(START, START + timedelta(days=31))


def day(number: float) -> datetime:
    return START + timedelta(days=number)


def store_rows(writer: GroupedWriter, org: str, rows: list[dict[str, Any]]) -> list[bool]:
    """Store rows of account, ts, uid and fields; give the duplicate flags."""
    slots = {slot for row in rows for slot in row["fields"]}
    block = make_block(
        org_id=org,
        meter_ids=[METER] * len(rows),
        account_ids=[row["account"] for row in rows],
        ts=[row["ts"] for row in rows],
        uids=[row.get("uid") or str(uuid4()) for row in rows],
        fields={slot: [row["fields"].get(slot) for row in rows] for slot in slots},
    )
    [flags] = writer.submit([block]).result(timeout=30)
    return [bool(flag) for flag in flags]


def row(account: int, at: float, **fields: Any) -> dict[str, Any]:
    slots = {"n": NUMBER, "s": TEXT, "o": OTHER, "far_n": FAR_NUMBER, "far_s": FAR_TEXT}
    return {"account": ACCOUNTS[account], "ts": day(at), "fields": {slots[k]: v for k, v in fields.items()}}


def ask(store: UsageStore, org: str, method: Method, **more: Any) -> list[Usage]:
    query: dict[str, Any] = {
        "meter_id": METER,
        "method": method,
        "windows": (JANUARY,),
        "field": NUMBER,
    } | more
    return sorted(
        store.aggregate(org, UsageQuery(**query)),
        key=lambda u: (u.account_id or "", u.window, u.segment or 0, [g or "" for g in u.group]),
    )


def values(usages: list[Usage]) -> list[Decimal]:
    return [usage.value for usage in usages]


FIVE = [row(0, 1, n=D("0.1")), row(0, 2, n=D("0.2")), row(0, 3, n=D("-1")), row(0, 4), row(0, 4, n=D("0.2"))]


@pytest.mark.parametrize(
    ("method", "expected"),
    [
        pytest.param(Method.SUM, "-0.5", id="0.1 + 0.2 - 1 + 0.2"),
        pytest.param(Method.MIN, "-1", id="least"),
        pytest.param(Method.MAX, "0.2", id="greatest"),
        pytest.param(Method.COUNT, "4", id="a missing value is not counted"),
        pytest.param(Method.LATEST, "0.2", id="a missing value is never the latest"),
        pytest.param(Method.MEAN, "-0.125", id="-0.5 / 4"),
        pytest.param(Method.UNIQUE, "3", id="0.1, 0.2, -1"),
    ],
)
def test_each_method(
    store: UsageStore, writer: GroupedWriter, org: str, method: Method, expected: str
) -> None:
    store_rows(writer, org, FIVE)
    assert [(u.value, u.count) for u in ask(store, org, method)] == [(D(expected), 4)]


@pytest.mark.parametrize(
    ("method", "expected"),
    [
        pytest.param(Method.SUM, "35", id="1 + 4 + 30; 2 was away"),
        pytest.param(Method.COUNT, "3", id="three of four"),
        pytest.param(Method.MIN, "1", id="least"),
        pytest.param(Method.LATEST, "4", id="of those that count"),
        pytest.param(Method.UNIQUE, "3", id="distinct"),
    ],
)
def test_an_account_may_be_away_for_a_part_of_the_window(
    store: UsageStore, writer: GroupedWriter, org: str, method: Method, expected: str
) -> None:
    """Semantics §17: a child does not pool while it has a plan of its own, from the 10th up to the 20th."""
    rows = [row(0, 10, n=D(30)), row(1, 9.999, n=D(1)), row(1, 10, n=D(2)), row(1, 20, n=D(4))]
    store_rows(writer, org, rows)
    filters = (Away(ACCOUNTS[1], Period(day(10), day(20))),)
    assert values(ask(store, org, method, filters=filters, per_account=False)) == [D(expected)]


def test_count_without_field_counts_measurements(store: UsageStore, writer: GroupedWriter, org: str) -> None:
    store_rows(writer, org, FIVE)
    assert values(ask(store, org, Method.COUNT, field=None)) == [D(5)]


def test_a_tie_of_latest_goes_to_the_last_received(
    store: UsageStore, writer: GroupedWriter, org: str
) -> None:
    for number in (1, 3, 2):
        store_rows(writer, org, [row(0, 5, n=D(number))])
    assert values(ask(store, org, Method.LATEST)) == [D(2)]


def test_windows_are_half_open(store: UsageStore, writer: GroupedWriter, org: str) -> None:
    store_rows(
        writer, org, [row(0, 0, n=D(1)), row(0, 30.999, n=D(2)), row(0, 31, n=D(4)), row(0, 32, n=D(8))]
    )
    february = Period(day(31), day(60))
    assert values(ask(store, org, Method.SUM)) == [D(3)]
    assert values(ask(store, org, Method.SUM, windows=(february, JANUARY))) == [D(12), D(3)]
    everything = Period.of(day(0), None)
    assert values(ask(store, org, Method.SUM, windows=(JANUARY, everything))) == [D(3), D(15)]


def test_sums_beyond_38_digits_are_exact(store: UsageStore, writer: GroupedWriter, org: str) -> None:
    largest = D("99999999999999999999999999.999999999999")
    store_rows(writer, org, [row(0, 1, n=largest), row(0, 2, n=largest), row(0, 3, n=D("0.000000000001"))])
    assert values(ask(store, org, Method.SUM)) == [2 * largest + D("0.000000000001")]


def test_slots_without_a_column_are_like_the_others(
    store: UsageStore, writer: GroupedWriter, org: str
) -> None:
    store_rows(writer, org, [row(0, 1, far_n=D(5), far_s="x"), row(0, 2, far_n=D(6), far_s="y"), row(0, 3)])
    assert values(ask(store, org, Method.SUM, field=FAR_NUMBER)) == [D(11)]
    only_x = (Filter(FAR_TEXT, ("x",)),)
    assert values(ask(store, org, Method.SUM, field=FAR_NUMBER, filters=only_x)) == [D(5)]
    assert values(ask(store, org, Method.UNIQUE, field=FAR_TEXT)) == [D(2)]
    [page] = store.measurements(org, METER, JANUARY)
    assert page["more_n"].to_pylist() == [[(29, D(5))], [(29, D(6))], []]


def test_filters_include_and_exclude(store: UsageStore, writer: GroupedWriter, org: str) -> None:
    store_rows(writer, org, [row(0, 1, n=D(1), s="a"), row(0, 2, n=D(2), s="b"), row(0, 3, n=D(4))])
    without_a = (Filter(TEXT, ("a",), include=False),)
    assert values(ask(store, org, Method.SUM, filters=(Filter(TEXT, ("a", "b")),))) == [D(3)]
    assert values(ask(store, org, Method.SUM, filters=without_a)) == [D(6)]
    assert values(ask(store, org, Method.SUM, filters=(Filter(TEXT, ()),))) == []


def test_a_measurement_counts_in_its_most_specific_segment(
    store: UsageStore, writer: GroupedWriter, org: str
) -> None:
    rows = [("a", "x", 1), ("a", "y", 2), ("b", "x", 4), ("b", "y", 8), (None, "x", 16)]
    store_rows(writer, org, [row(0, 1, n=D(n), s=s, o=o) for s, o, n in rows])
    some = ({TEXT: ANY, OTHER: "x"}, {TEXT: "a", OTHER: ANY}, {TEXT: "b", OTHER: "x"})
    got = {u.segment: u.value for u in ask(store, org, Method.SUM, segments=some)}
    assert got == {0: D(16), 1: D(3), 2: D(4)}  # (a, x): the leftmost fixed value wins; (b, y): in none
    with_rest = (*some, {TEXT: ANY, OTHER: ANY})
    assert {u.segment: u.value for u in ask(store, org, Method.SUM, segments=with_rest)} == got | {3: D(8)}


@pytest.mark.parametrize(
    "text", ["it's", "back\\slash", "\\'", "tab\tline\n", "ключ", "🛫", "a:1", "", "{x:y}"]
)
def test_any_text_can_be_asked_for(store: UsageStore, writer: GroupedWriter, org: str, text: str) -> None:
    store_rows(writer, org, [row(0, 1, n=D(1), s=text), row(0, 1, n=D(2), s=f"{text}!")])
    assert values(ask(store, org, Method.SUM, filters=(Filter(TEXT, (text,)),))) == [D(1)]
    assert values(ask(store, org, Method.SUM, segments=({TEXT: text},))) == [D(1)]
    groups = [u.group for u in ask(store, org, Method.SUM, group_by=(TEXT,))]
    assert groups == [(text,), (f"{text}!",)]


def test_organizations_never_see_each_other(store: UsageStore, writer: GroupedWriter, org: str) -> None:
    other = str(uuid4())
    same = {**row(0, 1, n=D(1)), "uid": "same"}
    assert store_rows(writer, org, [same]) == [False]
    assert store_rows(writer, other, [same]) == [False]
    store_rows(writer, other, [row(0, 2, n=D(2))])
    assert values(ask(store, org, Method.SUM)) == [D(1)]
    assert (store.count(org), store.count(other)) == (1, 2)
    [page] = store.measurements(org, METER, JANUARY)
    assert page["uid"].to_pylist() == ["same"]


def test_no_rows_give_no_answers(store: UsageStore, org: str) -> None:
    assert ask(store, org, Method.SUM) == []
    assert ask(store, org, Method.SUM, account_ids=()) == []
    [page] = store.measurements(org, METER, JANUARY)
    assert page.num_rows == 0


NUMBERS = st.none() | st.decimals(-(10**9), 10**9, places=12) | st.integers(-3, 3).map(D)
ROWS = st.lists(
    st.builds(
        lambda account, minute, n, s, uid: {**row(account, minute / 8, n=n, s=s), "uid": uid},
        st.integers(0, 2),
        st.integers(0, 24),  # eighths of a day: many ties
        NUMBERS,
        st.sampled_from(["a", "b", None]),
        st.integers(0, 40).map(str),  # few: many duplicates
    ),
    min_size=1,
    max_size=40,
)
WINDOWS = st.lists(
    st.tuples(st.integers(0, 24), st.integers(0, 24)).map(
        lambda pair: Period(day(min(pair) / 8), day(max(pair) / 8))
    ),
    min_size=1,
    max_size=4,
).map(tuple)


METHODS = st.sampled_from([m for m in Method if m not in {Method.CUSTOM_SQL, Method.TIME_WEIGHTED}])


def expected_value(method: Method, found: list[Decimal]) -> Decimal:
    """Aggregate values in order of (ts, receipt)."""
    answers = {
        Method.SUM: lambda: sum(found, D(0)),
        Method.MIN: lambda: min(found),
        Method.MAX: lambda: max(found),
        Method.COUNT: lambda: D(len(found)),
        Method.LATEST: lambda: found[-1],
        Method.MEAN: lambda: divide(sum(found, D(0)), D(len(found))),
        Method.UNIQUE: lambda: D(len(set(found))),
    }
    return answers[method]()


@settings(max_examples=25, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(batches=st.lists(ROWS, min_size=1, max_size=3), windows=WINDOWS, method=METHODS)
def test_equals_a_plain_loop(
    store: UsageStore, writer: GroupedWriter, batches: Any, windows: Any, method: Method
) -> None:
    org = str(uuid4())
    seen: dict[str, Any] = {}
    for rows in batches:
        flags = store_rows(writer, org, rows)
        for each, flag in zip(rows, flags, strict=True):
            assert flag == (each["uid"] in seen)
            seen.setdefault(each["uid"], each)
    found = defaultdict(list)
    for each in sorted(seen.values(), key=lambda each: each["ts"]):  # stable: keeps the order of receipt
        for position, window in enumerate(windows):
            if window.contains(each["ts"]) and each["fields"][NUMBER] is not None:
                key = (each["account"], position, each["fields"][TEXT])
                found[key].append(each["fields"][NUMBER])
    answers = ask(store, org, method, windows=windows, group_by=(TEXT,))
    assert {(u.account_id, u.window, u.group[0]): (u.value, u.count) for u in answers} == {
        key: (expected_value(method, numbers), len(numbers)) for key, numbers in found.items()
    }


def test_pages_skip_and_repeat_nothing(clickhouse: ClickHouse, writer: GroupedWriter, org: str) -> None:
    store_rows(writer, org, [{**row(i % 3, i % 2, n=D(i)), "uid": str(i)} for i in range(25)])
    pages = list(UsageStore(clickhouse, page_rows=7).measurements(org, METER, JANUARY))
    assert [page.num_rows for page in pages] == [7, 7, 7, 4]
    listed = [(str(r["account_id"]), r["ts"], int(r["uid"])) for page in pages for r in page.to_pylist()]
    assert listed == sorted((ACCOUNTS[i % 3], day(i % 2), i) for i in range(25))
