"""CUSTOM_SQL (semantics §9) over stored measurements, on both transports."""
# ruff: noqa: S608, E501 - queries, one a line

import time
from decimal import Decimal
from typing import Any
from uuid import UUID, uuid4

import pytest

from tallystick.catalogue.custom_sql import read_custom_sql
from tallystick.kernel.periods import Period
from tallystick.platform.clickhouse.errors import error_from
from tallystick.usage.store import custom
from tallystick.usage.store.blocks import make_block
from tallystick.usage.store.custom import CustomQuery, CustomSqlFailed, failure
from tallystick.usage.store.model import ANY, Away, Slot
from tallystick.usage.store.store import UsageStore
from tallystick.usage.store.writer import GroupedWriter
from tests.unit.usage_store.test_aggregate import (
    ACCOUNTS,
    FAR_NUMBER,
    FAR_TEXT,
    JANUARY,
    METER,
    NUMBER,
    TEXT,
    day,
    row,
    store_rows,
)

D = Decimal
COLUMNS = {"distance": NUMBER, "origin": TEXT, "far": FAR_NUMBER, "note": FAR_TEXT}


def ask(store: UsageStore, org: str, text: str, **more: Any) -> Decimal | None:
    read = read_custom_sql(text, more.get("columns", COLUMNS))
    asked: dict[str, Any] = {
        "meter_id": METER,
        "account_ids": (ACCOUNTS[0],),
        "window": JANUARY,
        "columns": COLUMNS,
    } | more
    return store.custom_number(org, CustomQuery(around=read.around, answer=read.answer, **asked))


@pytest.fixture
def stored(writer: GroupedWriter, org: str) -> str:
    rows = [
        row(0, 1, n=D("0.1"), s="a", far_n=D(7), far_s="x"),
        row(0, 1.5, n=D("0.2"), s="b"),
        row(0, 2, n=D(3), s="a"),
        row(0, 3, s="a"),
        row(0, 31, n=D(1000), s="a"),  # February
        row(0, -1, n=D(1000), s="a"),  # December
        row(1, 2, n=D(100), s="a"),
    ]
    store_rows(writer, org, rows)
    store_rows(writer, str(uuid4()), [row(0, 2, n=D(100_000), s="a")])
    block = make_block(
        org_id=org,
        meter_ids=[str(UUID(int=9))],
        account_ids=[ACCOUNTS[0]],
        ts=[day(2)],
        uids=["other meter"],
        fields={NUMBER: [D(10_000)]},
    )
    writer.submit([block]).result(timeout=30)
    return org


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("SELECT sum(distance) FROM measurements", "3.3"),
        ("SELECT sum(distance) * 0.1 AS distance2 FROM measurements", "0.33"),
        ("SELECT sum(m.distance) AS value FROM measurements AS m", "3.3"),
        ("SELECT sum(distance) / count(distance) FROM measurements", "1.1"),
        ("SELECT count(*) FROM measurements", "4"),
        ("SELECT count() FROM measurements WHERE distance IS NULL", "1"),
        ("SELECT countIf(origin = 'a') - count(DISTINCT origin) FROM measurements", "1"),
        ("SELECT avg(distance) FROM measurements WHERE distance > 1.5", "3"),
        ("SELECT sum(far) + length(max(note)) FROM measurements", "8"),
        (
            "SELECT max(t) FROM (SELECT toStartOfDay(ts) AS d, sum(distance) t FROM measurements GROUP BY d)",
            "3",
        ),
        ("SELECT sum(distance) AS s FROM measurements GROUP BY origin ORDER BY s DESC LIMIT 1", "3.1"),
        ("SELECT quantileExact(0.5)(distance) FROM measurements", "0.2"),
        (
            "SELECT max(w) FROM (SELECT distance - lag(distance) OVER (ORDER BY ts) w FROM measurements)",
            "2.8",
        ),
        ("SELECT sum(CASE WHEN origin = 'a' THEN distance ELSE 0 END) FROM measurements", "3.1"),
        ("SELECT sum(if(ts < toDateTime('2024-01-02 12:00:00'), 1, 0)) FROM measurements", "1"),
        (
            "SELECT max(distance) FROM measurements WHERE distance < (SELECT max(distance) FROM measurements)",
            "0.2",
        ),
        ("SELECT sum(distance) FROM measurements WHERE origin IN (SELECT origin FROM measurements)", "3.3"),
        ("SELECT dateDiff('hour', min(ts), max(ts) + INTERVAL 1 DAY) FROM measurements", "72"),
        ("SELECT round(sum(distance), 0) FROM measurements", "3"),
        ("SELECT sqrt(16) + pow(2, 0.5) * 0 FROM measurements LIMIT 1", "4"),
        ("SELECT -max(distance) FROM measurements", "-3"),
        ("SELECT sum(distance) FROM measurements WHERE origin = 'none'", None),
        ("SELECT distance FROM measurements WHERE origin = 'none'", None),
        ("SELECT max(distance) FROM measurements WHERE origin LIKE '%a%' AND NOT uid = ''", "3"),
    ],
)
def test_a_query_sees_one_account_meter_and_window(
    store: UsageStore, stored: str, text: str, expected: str | None
) -> None:
    assert ask(store, stored, text) == (None if expected is None else D(expected))


@pytest.mark.parametrize(
    ("text", "of_one"),
    [
        pytest.param("SELECT 6 / count() FROM measurements", "1.5", id="divided by the number of none"),
        pytest.param("SELECT count() / uniqExact(origin) FROM measurements", "2", id="none in none"),
        pytest.param("SELECT avg(length(uid)) - avg(length(uid)) FROM measurements", "0", id="no mean"),
    ],
)
def test_what_cannot_be_told_of_no_measurements_is_no_data(
    store: UsageStore, stored: str, text: str, of_one: str
) -> None:
    """No data is null, and no line (semantics §9): an account that used nothing has a bill all the same."""
    assert ask(store, stored, text) == D(of_one)
    assert ask(store, stored, text, account_ids=(ACCOUNTS[2],)) is None
    assert ask(store, stored, "SELECT count() FROM measurements", account_ids=(ACCOUNTS[2],)) == 0


def test_pooled_accounts_are_seen_together(store: UsageStore, stored: str) -> None:
    text = "SELECT sum(distance) FROM measurements"
    assert ask(store, stored, text, account_ids=tuple(ACCOUNTS)) == D("103.3")
    assert ask(store, stored, text, account_ids=()) is None
    away = (Away(ACCOUNTS[1], Period(day(1), day(3))),)  # as children with a plan of their own (§17)
    assert ask(store, stored, text, account_ids=tuple(ACCOUNTS), filters=away) == D("3.3")
    assert ask(store, str(uuid4()), text) is None


def test_a_segment_is_all_that_is_seen(store: UsageStore, stored: str) -> None:
    segments = ({TEXT: "b"}, {TEXT: ANY})
    text = "SELECT sum(distance) FROM measurements"
    assert [ask(store, stored, text, segments=segments, segment=at) for at in (0, 1)] == [D("0.2"), D("3.1")]


def test_fields_called_like_columns_of_the_store_open_nothing(store: UsageStore, stored: str) -> None:
    """An alias wins over a column in a WHERE: a field named org_id must not decide whose rows are seen."""
    names = ["org_id", "meter_id", "account_id", "n0", "s0", "uid_hash", "received", "more_n", "measurements"]
    columns = {name: Slot.number(at) for at, name in enumerate(names)} | {"n1": NUMBER, "ts2": Slot.text(3)}
    for text in ("SELECT sum(n1) FROM measurements", "SELECT sum(org_id) FROM measurements"):
        assert ask(store, stored, text, columns=columns) == D("3.3")
    assert ask(store, stored, "SELECT count(meter_id) FROM measurements", columns=columns) == 0
    own = {"ts": NUMBER, "uid": NUMBER, "distance": NUMBER}
    assert ask(store, stored, "SELECT count(ts) FROM measurements WHERE uid != ''", columns=own) == 4


@pytest.mark.parametrize(
    ("text", "told"),
    [
        pytest.param("SELECT distance FROM measurements", "more than one row", id="rows"),
        pytest.param("SELECT min(origin) FROM measurements", "gave a, which is not a number", id="text"),
        pytest.param("SELECT min(ts) FROM measurements", "which is not a number", id="time"),
        pytest.param("SELECT 1 / (count(*) - 4) FROM measurements", "which is not a number", id="inf"),
        pytest.param("SELECT 1e300 FROM measurements LIMIT 1", "too large", id="large"),
        pytest.param("SELECT origin + 1 FROM measurements", "cannot be run", id="types"),
        pytest.param("SELECT sum(distance, 1) FROM measurements", "cannot be run", id="arguments"),
        pytest.param("SELECT system.distance FROM measurements", "cannot be run", id="unknown qualifier"),
        pytest.param(
            "SELECT tallystick.uid FROM measurements", "cannot be run", id="the database as qualifier"
        ),
        pytest.param("SELECT sum(sum(distance)) FROM measurements", "cannot be run", id="sum of a sum"),
        pytest.param(f"SELECT {' * '.join(['max(distance)'] * 9)} FROM measurements", "Scale 84", id="scale"),
    ],
)
def test_a_failure_says_what(store: UsageStore, stored: str, text: str, told: str) -> None:
    with pytest.raises(CustomSqlFailed, match=told):
        ask(store, stored, text)


def test_a_query_that_needs_too_much_memory_ends(store: UsageStore, writer: GroupedWriter, org: str) -> None:
    store_rows(writer, org, [row(0, 1 + at / 5000, n=D(at), s="x" * 200) for at in range(20_000)])
    grown = "concat(" + ", ".join(["origin"] * 150) + ", uid)"
    with pytest.raises(CustomSqlFailed, match="more than 256 MiB of memory"):
        ask(store, org, f"SELECT max(length(x)) FROM (SELECT {grown} AS x FROM measurements ORDER BY x)")
    assert ask(store, org, "SELECT count() FROM measurements") == 20_000


@pytest.mark.parametrize(
    "text",
    [
        pytest.param(
            "SELECT max(q) FROM (SELECT quantileExact(0.5)(distance) OVER (ORDER BY ts) AS q FROM measurements)",
            id="all rows again for each row",
        ),
        pytest.param(
            f"SELECT count() FROM measurements WHERE concat({','.join(['origin'] * 150)}) LIKE '%x%y%z%a%b%c%d%'",
            id="long texts, slow pattern",
        ),
    ],
)
def test_a_query_that_runs_on_is_ended(
    store: UsageStore, writer: GroupedWriter, org: str, monkeypatch: pytest.MonkeyPatch, text: str
) -> None:
    monkeypatch.setitem(custom._SETTINGS, "max_execution_time", 0.2)  # noqa: SLF001 - a test waits less long
    store_rows(writer, org, [row(0, 1 + at / 50_000, n=D(at % 7), s="x" * 50) for at in range(60_000)])
    begun = time.monotonic()
    with pytest.raises(CustomSqlFailed, match="takes longer than"):
        ask(store, org, text)
    assert time.monotonic() - begun < 10


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        pytest.param(
            "SELECT sum(distance) FROM (SELECT distance FROM measurements) AS measurements", "3.3", id="name"
        ),
        pytest.param(
            "SELECT sum(distance) AS org_id FROM measurements", "3.3", id="alias of a column of the store"
        ),
        pytest.param(
            "SELECT sum(distance) AS account_id FROM measurements HAVING account_id > 0", "3.3", id="having"
        ),
        pytest.param(
            "SELECT sum(m) FROM (SELECT distance AS m, distance AS org_id, uid AS meter_id FROM measurements)",
            "3.3",
            id="aliases of all that chooses rows",
        ),
        pytest.param(
            "SELECT max(m) FROM (SELECT distance AS m, toDateTime('2024-02-01') AS ts FROM measurements WHERE m < 5000)",
            "3",
            id="another time",
        ),
        pytest.param(
            "SELECT count() /* ) FROM tallystick.measurements */ FROM measurements -- x", "4", id="comments"
        ),
        pytest.param("SELECT countIf(origin = 'a'') OR 1=1 --') FROM measurements", "0", id="quotes"),
        pytest.param("SELECT count() FROM measurements WHERE uid LIKE '%' OR origin IS NULL", "4", id="or"),
        pytest.param(
            "SELECT max(distance) FROM measurements a WHERE distance < (SELECT max(b.distance) FROM measurements b)",
            "0.2",
            id="subquery",
        ),
    ],
)
def test_no_name_opens_what_is_not_shown(store: UsageStore, stored: str, text: str, expected: str) -> None:
    """Others' rows have 100 and more, other months 1,000, other meters 10,000, organizations 100,000."""
    assert ask(store, stored, text) == D(expected)


@pytest.mark.parametrize("number", [159, 209])
def test_a_query_that_takes_too_long_has_failed(number: int) -> None:
    error = error_from(f"Code: {number}. DB::Exception: Timeout exceeded")
    assert "longer than 5 seconds" in str(failure(error))
    assert failure(error_from("Code: 999. DB::Exception: Keeper is away")) is None


def test_the_window_ends_where_it_ends(store: UsageStore, stored: str) -> None:
    text = "SELECT count(*) FROM measurements"
    assert ask(store, stored, text, window=Period(day(1), day(2))) == 2
    assert ask(store, stored, text, window=Period(day(2), day(2))) == 0
