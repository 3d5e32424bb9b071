"""People's questions (semantics §31) on both transports, against a plain loop."""

from collections import defaultdict
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from typing import Any
from uuid import UUID, uuid4

import pytest
from hypothesis import HealthCheck, assume, given, settings
from hypothesis import strategies as st

from tallystick.kernel.decimals import divide
from tallystick.kernel.errors import InvariantBroken
from tallystick.kernel.periods import Period
from tallystick.rating.method import Method
from tallystick.usage.store.blocks import make_block
from tallystick.usage.store.exploring import (
    Bucket,
    Figure,
    MeterField,
    MeterPart,
    Selection,
    Summary,
    SummaryRow,
)
from tallystick.usage.store.model import Filter, Slot
from tallystick.usage.store.store import UsageStore
from tallystick.usage.store.writer import GroupedWriter

D = Decimal
METERS = [str(UUID(int=7)), str(UUID(int=9))]
ACCOUNTS = [str(UUID(int=100 + i)) for i in range(3)]
NUMBER, TEXT, FAR_NUMBER, FAR_TEXT = Slot.number(0), Slot.text(0), Slot.number(29), Slot.text(29)
ALWAYS = Period(datetime(1900, 1, 1, tzinfo=UTC), datetime(2299, 12, 31, 23, 59, tzinfo=UTC))
EDGES = [
    "1900-01-01T00:30:00",
    "1969-12-31T23:59:59.999",
    "2021-01-03T23:59:59.999",  # the Sunday of week 53 of 2020
    "2021-01-04T00:00:00",
    "2024-03-10T06:59:59.999",  # New York is about to skip an hour
    "2024-03-10T07:00:00",
    "2024-03-30T23:30:00",  # already March 31 in Berlin
    "2024-03-31T00:59:59.999",  # Berlin is about to skip an hour
    "2024-03-31T01:00:00",
    "2024-10-27T00:30:00",  # Berlin lives this hour …
    "2024-10-27T01:30:00",  # … twice
    "2024-12-31T23:30:00",
    "2107-07-01T00:00:00",  # beyond 32 bits of seconds
    "2299-12-31T23:00:00",
]
INSTANTS = [datetime.fromisoformat(f"{edge}+00:00") for edge in EDGES]
Row = dict[str, Any]


def row(account: int, ts: datetime, uid: str | None = None, meter: int = 0, **fields: Any) -> Row:
    slots = {"n": NUMBER, "s": TEXT, "far_n": FAR_NUMBER, "far_s": FAR_TEXT}
    kept = {slots[name]: value for name, value in fields.items()}
    return {
        "meter": METERS[meter],
        "account": ACCOUNTS[account],
        "ts": ts,
        "uid": uid or str(uuid4()),
        "fields": kept,
    }


def store_rows(writer: GroupedWriter, org: str, rows: list[Row]) -> list[Row]:
    """Store rows in this order; give those that were no duplicates."""
    slots = {slot for each in rows for slot in each["fields"]}
    block = make_block(
        org_id=org,
        meter_ids=[each["meter"] for each in rows],
        account_ids=[each["account"] for each in rows],
        ts=[each["ts"] for each in rows],
        uids=[each["uid"] for each in rows],
        fields={slot: [each["fields"].get(slot) for each in rows] for slot in slots},
    )
    [flags] = writer.submit([block]).result(timeout=30)
    return [each for each, flag in zip(rows, flags, strict=True) if not flag]


def selection(*meters: int, **more: Any) -> Selection:
    parts = tuple(MeterPart(METERS[i]) for i in meters or (0,))
    return Selection(meters=parts, window=ALWAYS, **more)


def figure(method: Method, slot: Slot = NUMBER, meter: int = 0) -> Figure:
    return Figure(method, MeterField(METERS[meter], slot))


def start_of(bucket: Bucket, ts: datetime) -> datetime:
    hour = ts.replace(minute=0, second=0, microsecond=0)
    day = hour.replace(hour=0)
    starts = {
        Bucket.HOUR: hour,
        Bucket.DAY: day,
        Bucket.WEEK: day - timedelta(days=day.weekday()),
        Bucket.MONTH: day.replace(day=1),
        Bucket.QUARTER: day.replace(day=1, month=[1, 1, 1, 4, 4, 4, 7, 7, 7, 10, 10, 10][day.month - 1]),
    }
    return starts[bucket]


def expected_value(method: Method, values: list[Any]) -> Decimal | None:
    """Aggregate values in order of (ts, receipt)."""
    if method in {Method.COUNT, Method.UNIQUE}:
        return D(len(values if method is Method.COUNT else set(values)))
    if not values:
        return None
    answers: dict[Method, Any] = {
        Method.SUM: lambda: sum(values, D(0)),
        Method.MIN: lambda: min(values),
        Method.MAX: lambda: max(values),
        Method.LATEST: lambda: values[-1],
        Method.MEAN: lambda: divide(sum(values, D(0)), D(len(values))),
    }
    return D(answers[method]())


def plain_loop(rows: list[Row], asked: Selection, summary: Summary) -> dict[Any, tuple[Decimal | None, ...]]:
    """Group and aggregate; rows in the order of their receipt."""
    groups: dict[Any, list[Row]] = defaultdict(list)
    filters = {part.meter_id: part.filters for part in asked.meters}
    for each in sorted(rows, key=lambda each: each["ts"]):  # stable
        wanted = each["meter"] in filters and asked.window.contains(each["ts"])
        wanted = wanted and (asked.account_ids is None or each["account"] in asked.account_ids)
        if wanted and all(each["fields"].get(f.slot) in f.values for f in filters[each["meter"]]):
            start = start_of(summary.bucket, each["ts"]) if summary.bucket else None
            texts = tuple(
                each["fields"].get(t.slot) if t.meter_id == each["meter"] else None for t in summary.texts
            )
            groups[each["account"] if summary.per_account else None, start, texts].append(each)

    def values(found: list[Row], field: MeterField) -> list[Any]:
        read = [each["fields"].get(field.slot) for each in found if each["meter"] == field.meter_id]
        return [value for value in read if value is not None]

    return {
        key: tuple(expected_value(f.method, values(found, f.field)) for f in summary.figures)
        for key, found in groups.items()
    }


ROWS = st.lists(
    st.builds(
        row,
        st.integers(0, 2),
        st.sampled_from(INSTANTS),  # few: many ties
        st.integers(0, 60).map(str),  # few: many duplicates
        st.integers(0, 1),
        n=st.none() | st.decimals(-(10**9), 10**9, places=12) | st.integers(-3, 3).map(D),
        s=st.sampled_from(["a", "b", None]),
        far_n=st.none() | st.integers(-3, 3).map(D),
        far_s=st.sampled_from(["x", None]),
    ),
    min_size=1,
    max_size=40,
)
METHODS = st.sampled_from([m for m in Method if m not in {Method.CUSTOM_SQL, Method.TIME_WEIGHTED}])
FIGURES = st.builds(figure, METHODS, st.sampled_from([NUMBER, FAR_NUMBER]), st.integers(0, 1)) | st.builds(
    figure, st.sampled_from([Method.COUNT, Method.UNIQUE]), st.sampled_from([TEXT, FAR_TEXT])
)
SUMMARIES = st.builds(
    Summary,
    figures=st.lists(FIGURES, min_size=1, max_size=4).map(tuple),
    per_account=st.booleans(),
    bucket=st.none() | st.sampled_from(Bucket),
    texts=st.sampled_from([(), (MeterField(METERS[0], TEXT),), (MeterField(METERS[1], FAR_TEXT),)]),
)
FILTERS = st.sampled_from([(), (Filter(TEXT, ("a",)),), (Filter(TEXT, ("a", "b")), Filter(FAR_TEXT, ("x",)))])


def asked_about(
    filters: tuple[Filter, ...],
    account_ids: tuple[str, ...] | None,
    span: tuple[datetime, datetime] | None,
    meters: tuple[int, ...],
) -> Selection:
    parts = tuple(MeterPart(METERS[i], filters if i == 0 else ()) for i in meters)
    window = Period(min(span), max(span)) if span else ALWAYS
    return Selection(meters=parts, window=window, account_ids=account_ids)


SELECTIONS = st.builds(
    asked_about,
    FILTERS,
    st.none() | st.just(tuple(ACCOUNTS[:2])),
    st.none() | st.tuples(st.sampled_from(INSTANTS), st.sampled_from(INSTANTS)),
    st.sampled_from([(0,), (0, 1)]),
)


@settings(max_examples=40, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(batches=st.lists(ROWS, min_size=1, max_size=2), asked=SELECTIONS, summary=SUMMARIES)
def test_equals_a_plain_loop(
    store: UsageStore, writer: GroupedWriter, batches: list[list[Row]], asked: Selection, summary: Summary
) -> None:
    named = {field.meter_id for field in (*(f.field for f in summary.figures), *summary.texts)}
    assume(named <= {part.meter_id for part in asked.meters})
    org = str(uuid4())
    stored = [each for rows in batches for each in store_rows(writer, org, rows)]
    answer = store.summarize(org, asked, summary, 1000)
    found = {(each.account_id, each.start, each.texts): each.values for each in answer}
    assert len(found) == len(answer)
    assert found == plain_loop(stored, asked, summary)
    starts = [each.start for each in answer if each.start is not None]
    assert starts == sorted(starts, reverse=True)


def test_the_first_groups_are_the_newest(store: UsageStore, writer: GroupedWriter, org: str) -> None:
    store_rows(writer, org, [row(i % 3, INSTANTS[i], n=D(i)) for i in range(len(INSTANTS))])
    summary = Summary(figures=(figure(Method.SUM),), per_account=True, bucket=Bucket.MONTH)
    months = [each.start for each in store.summarize(org, selection(), summary, 3)]
    assert months == [datetime(*month, 1, tzinfo=UTC) for month in ((2299, 12), (2107, 7), (2024, 12))]


def test_nothing_is_answered_about_nothing(store: UsageStore, org: str) -> None:
    summary = Summary(figures=(figure(Method.COUNT),))
    assert store.summarize(org, selection(), summary, 10) == []
    assert store.newest(org, selection(), [NUMBER], 10).num_rows == 0
    nothing = Selection(meters=(), window=ALWAYS)
    assert store.newest(org, nothing, [], 10).num_rows == 0


def test_organizations_never_see_each_other(store: UsageStore, writer: GroupedWriter, org: str) -> None:
    store_rows(writer, str(uuid4()), [row(0, INSTANTS[5], n=D(2), s="theirs")])
    store_rows(writer, org, [row(0, INSTANTS[5], n=D(1), s="ours")])
    summary = Summary(figures=(figure(Method.SUM),), texts=(MeterField(METERS[0], TEXT),))
    assert store.summarize(org, selection(), summary, 10) == [SummaryRow(None, None, ("ours",), (D(1),))]
    assert store.newest(org, selection(), [TEXT], 10)["s0"].to_pylist() == ["ours"]


def test_the_newest_come_first_and_ties_by_receipt(
    store: UsageStore, writer: GroupedWriter, org: str
) -> None:
    for uid, instant in (("a", 5), ("b", 7), ("c", 5), ("d", 6)):
        store_rows(writer, org, [row(0, INSTANTS[instant], uid, n=D(1), far_s=f"far {uid}")])
    store_rows(writer, org, [row(1, INSTANTS[8], "other meter", meter=1, n=D(2))])
    slots = [NUMBER, FAR_TEXT]
    answer = store.newest(org, selection(), slots, 3)
    assert answer["uid"].to_pylist() == ["b", "d", "c"]
    assert answer["s29"].to_pylist() == ["far b", "far d", "far c"]
    both = store.newest(org, selection(0, 1), slots, 10)
    assert both["uid"].to_pylist() == ["other meter", "b", "d", "c", "a"]
    assert both["n0"].to_pylist() == [D(2), D(1), D(1), D(1), D(1)]
    of_one = Selection(meters=selection(0, 1).meters, window=ALWAYS, account_ids=(ACCOUNTS[1],))
    assert store.newest(org, of_one, slots, 10)["uid"].to_pylist() == ["other meter"]


@pytest.mark.parametrize(
    "summary",
    [
        pytest.param(Summary(figures=()), id="no figure"),
        pytest.param(Summary(figures=(figure(Method.SUM, meter=1),)), id="another meter"),
        pytest.param(Summary(figures=(figure(Method.SUM, TEXT),)), id="a sum of texts"),
        pytest.param(
            Summary(figures=(figure(Method.SUM),), texts=(MeterField(METERS[0], NUMBER),)), id="by a number"
        ),
    ],
)
def test_senseless_questions_are_bugs(store: UsageStore, org: str, summary: Summary) -> None:
    with pytest.raises(InvariantBroken):
        store.summarize(org, selection(), summary, 10)
