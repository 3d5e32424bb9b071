"""Every method (semantics §9) in segments (§10) and windows of local days, on both transports, by a loop."""

from datetime import UTC, datetime, timedelta
from decimal import Decimal
from itertools import pairwise
from typing import Any
from uuid import uuid4
from zoneinfo import ZoneInfo

from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from tallystick.catalogue.custom_sql import read_custom_sql
from tallystick.kernel.decimals import RoundingMode, divide, round_to
from tallystick.kernel.periods import Period
from tallystick.rating.method import Method
from tallystick.usage.store.custom import CustomQuery
from tallystick.usage.store.model import ANY, Slot, UsageQuery
from tallystick.usage.store.store import UsageStore
from tallystick.usage.store.writer import GroupedWriter
from tests.unit.usage_store.test_aggregate import ACCOUNTS, METER, NUMBER, OTHER, TEXT, store_rows

D = Decimal
Row = dict[str, Any]
Segment = dict[Slot, str]
SQL = "SELECT sum(distance) - min(distance) FROM measurements WHERE distance IS NOT NULL"
FIELDS = {"distance": NUMBER, "kind": TEXT}


def days(zone: str, month: int, first: int) -> list[Period]:
    """Three local days, the one in the middle of 23 or 25 hours, and all three together."""
    first_day = datetime(2024, month, first, tzinfo=ZoneInfo(zone))
    midnights = [(first_day + timedelta(days=i)).astimezone(UTC) for i in range(4)]  # wall time, then UTC
    each = [Period(start, end) for start, end in pairwise(midnights)]
    return [*each, Period(midnights[0], midnights[3])]


CHANGES = {
    "Berlin loses an hour": days("Europe/Berlin", 3, 30),
    "Berlin lives one twice": days("Europe/Berlin", 10, 26),
    "New York loses one": days("America/New_York", 3, 9),
    "Lord Howe half of one": days("Australia/Lord_Howe", 10, 5),
}
assert {(w[1].end - w[1].start) / timedelta(hours=1) for w in CHANGES.values()} == {23, 25, 23.5}

STEPS = st.sampled_from(
    [timedelta(0), timedelta(milliseconds=1), -timedelta(milliseconds=1), timedelta(hours=1)]
)


def rows_of(windows: list[Period]) -> Any:
    """Draw measurements at and beside the edges, with ties, missing values and repeated uids."""
    edges = st.sampled_from([w.start for w in windows] + [w.end for w in windows])
    number = st.none() | st.integers(-3, 3).map(D) | st.decimals(-1000, 1000, places=12)
    text = st.sampled_from(["a", "b", None])
    return st.lists(
        st.builds(
            lambda account, edge, step, hours, n, s, o, uid: {
                "account": ACCOUNTS[account],
                "ts": edge + step + timedelta(hours=hours),
                "uid": uid,
                "fields": {NUMBER: n, TEXT: s, OTHER: o},
            },
            *(st.integers(0, 1), edges, STEPS, st.integers(-2, 30), number, text, text),
            st.integers(0, 40).map(str),
        ),
        min_size=1,
        max_size=30,
    )


CASES = st.sampled_from(sorted(CHANGES)).flatmap(
    lambda name: st.tuples(st.just(CHANGES[name]), rows_of(CHANGES[name]))
)
TEXTS = st.sampled_from(["a", "b", ANY])
SEGMENTS = st.lists(
    st.tuples(TEXTS, TEXTS).map(lambda pair: {TEXT: pair[0], OTHER: pair[1]}),
    max_size=6,
    unique_by=lambda segment: (segment[TEXT], segment[OTHER]),
)


def segment_of(row: Row, segments: list[Segment]) -> int | None:
    """Find the one with fewest wildcards, of these the one whose leftmost value is fixed."""
    fitting = [
        ([v == ANY for v in s.values()].count(True), [v == ANY for v in s.values()], i)
        for i, s in enumerate(segments)
        if all(value in {ANY, row["fields"][slot]} for slot, value in s.items())
    ]
    return min(fitting)[2] if fitting else None


def hours_held(mine: list[Row], window: Period) -> tuple[Decimal, int] | None:
    """Add up level times hours, each level until the next one."""
    total, count = D(0), 0
    for row, until in zip(mine, [*(r["ts"] for r in mine[1:]), window.end], strict=False):
        lasts = min(until, window.end) - max(row["ts"], window.start)
        if lasts > timedelta(0):
            total += row["fields"][NUMBER] * (lasts // timedelta(milliseconds=1))
            count += 1
    return (divide(total, D(3_600_000)), count) if count else None


def plain(mine: list[Row], window: Period, method: Method) -> tuple[Decimal, int] | None:
    """Aggregate one account's rows of one segment, in order of (ts, receipt)."""
    if method is Method.TIME_WEIGHTED:
        return hours_held(mine, window)
    found = [row["fields"][NUMBER] for row in mine if window.contains(row["ts"])]
    if not found:
        return None
    answers = {
        Method.SUM: lambda: sum(found, D(0)),
        Method.MIN: lambda: min(found),
        Method.MAX: lambda: max(found),
        Method.COUNT: lambda: D(len(found)),
        Method.LATEST: lambda: found[-1],
        Method.MEAN: lambda: divide(sum(found, D(0)), D(len(found))),
        Method.UNIQUE: lambda: D(len(set(found))),
        Method.CUSTOM_SQL: lambda: sum(found, D(0)) - min(found),
    }
    return answers[method](), len(found)


@settings(max_examples=30, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(case=CASES, segments=SEGMENTS, method=st.sampled_from(Method))
def test_each_method_equals_a_plain_loop(
    store: UsageStore,
    writer: GroupedWriter,
    case: tuple[list[Period], list[Row]],
    segments: list[Segment],
    method: Method,
) -> None:
    windows, rows = case
    org = str(uuid4())
    flags = store_rows(writer, org, rows)
    kept = [row for row, flag in zip(rows, flags, strict=True) if not flag]
    assert len({row["uid"] for row in rows}) == len(kept)
    numbers = [row for row in kept if row["fields"][NUMBER] is not None]
    numbers.sort(key=lambda row: row["ts"])  # stable: keeps the order of receipt
    expected = {}
    for account in ACCOUNTS[:2]:
        for segment in range(len(segments)) if segments else [None]:
            mine = [r for r in numbers if r["account"] == account]
            mine = [r for r in mine if not segments or segment_of(r, segments) == segment]
            for at, window in enumerate(windows):
                if answer := plain(mine, window, method):
                    expected[account, at, segment] = answer
    asked = asked_by_sql if method is Method.CUSTOM_SQL else asked_at_once
    assert asked(store, org, method, windows, segments) == (
        expected if method is not Method.CUSTOM_SQL else {key: value for key, (value, _) in expected.items()}
    )


def asked_at_once(
    store: UsageStore, org: str, method: Method, windows: list[Period], segments: list[Segment]
) -> dict[Any, Any]:
    query = UsageQuery(
        meter_id=METER, method=method, field=NUMBER, windows=tuple(windows), segments=tuple(segments)
    )
    return {(u.account_id, u.window, u.segment): (u.value, u.count) for u in store.aggregate(org, query)}


def asked_by_sql(
    store: UsageStore, org: str, _: Method, windows: list[Period], segments: list[Segment]
) -> dict[Any, Any]:
    read = read_custom_sql(SQL, FIELDS)
    found = {}
    for account in ACCOUNTS[:2]:
        for at, window in enumerate(windows):
            for segment in range(len(segments)) if segments else [None]:
                query = CustomQuery(
                    around=read.around,
                    answer=read.answer,
                    meter_id=METER,
                    account_ids=(account,),
                    window=window,
                    columns=FIELDS,
                    segments=tuple(segments),
                    segment=segment,
                )
                answer = store.custom_number(org, query)
                if answer is not None:
                    found[account, at, segment] = round_to(answer, 12, RoundingMode.HALF_EVEN)
    return found
