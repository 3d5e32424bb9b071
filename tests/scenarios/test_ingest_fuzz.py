"""Whatever is sent as a batch (semantics §6): never a 500, nothing valid lost, nothing invalid stored."""

import json
import re
from collections.abc import Iterator
from datetime import UTC, datetime
from decimal import Decimal, InvalidOperation
from typing import Any

import httpx
import pyarrow as pa
import pytest
from hypothesis import HealthCheck, Phase, given, settings
from hypothesis import strategies as st

from tallystick.kernel.periods import Period
from tests.support.clock import START
from tests.support.world import World

TIME = settings(
    max_examples=150,
    deadline=None,
    phases=(Phase.explicit, Phase.reuse, Phase.generate),
    suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.too_slow],
)
PATH = "measurements"
ALWAYS = Period(datetime(1900, 1, 1, tzinfo=UTC), datetime(2299, 1, 1, tzinfo=UTC))
CODE = re.compile(r"[^\s\x00-\x1f\x7f-\x9f](?:[^\s\x00-\x1f\x7f-\x9f]| )*(?<! )")
_calls = iter(range(1, 10**9))

ODD_TEXT = st.text(max_size=8) | st.sampled_from(
    ["", " ", "a b", "a\tb", "\x00", "x" * 81, "é", "\u2028", "\ud800"]
)
NUMBERS = (
    st.integers(-(10**9), 10**9)
    | st.decimals(-1000, 1000, places=3)
    | st.sampled_from(["1e400", "-0", "1E+2", "0.0000000000001", "9" * 26, "9" * 27, "1e-13", "1e25", "1e26"])
)
ODD = st.none() | st.booleans() | ODD_TEXT | NUMBERS | st.just([]) | st.just({}) | st.just([[[1]]])
GOOD_TIMES = st.datetimes(datetime(1990, 1, 1), datetime(2025, 5, 31)).map(lambda t: f"{t.isoformat()}Z")  # noqa: DTZ001 - written with its zone
ODD_TIMES = st.sampled_from(
    [
        "2025-06-01T00:05:00Z",
        "2025-06-01T00:05:00.001Z",
        "1899-12-31T23:59:59Z",
        "9999-12-31T23:59:59-12:00",
        "0001-01-01T00:00:00+12:00",
        "2025-02-30T00:00:00Z",
        "2025-05-01T00:00:00",
        "2025-05-01T00:00:00+05:30",
        "2025-05-01",
        "soon",
    ]
)


def mostly(usual: Any, odd: Any) -> Any:
    """Draw what is usual nineteen times in twenty."""
    return st.integers(0, 19).flatmap(lambda n: odd if n == 19 else usual)


def objects(**fields: Any) -> Any:
    """Draw an object that may miss a field or have another."""
    whole = st.fixed_dictionaries(fields)
    lacking = st.fixed_dictionaries({}, optional=fields)
    return mostly(whole, lacking | st.dictionaries(ODD_TEXT, ODD, max_size=3))


MEASURE = objects(distance=mostly(NUMBERS, ODD), delay=mostly(NUMBERS, ODD))
ROWS = objects(
    meter=mostly(st.just("flights"), ODD),
    account=mostly(st.sampled_from(["acme", "b", "Acme"]), ODD),
    ts=mostly(GOOD_TIMES, ODD_TIMES | ODD),
    measure=mostly(MEASURE, ODD),
    where=mostly(objects(destination=mostly(st.text(max_size=5), ODD | st.just("x" * 1025))), ODD),
).flatmap(
    lambda row: st.fixed_dictionaries({}, optional={"ets": ODD_TIMES, "what": ODD, "more": ODD}).map(
        lambda more: {**row, **more}
    )
)
BATCHES = mostly(st.lists(ROWS, max_size=6), ODD).map(lambda rows: {"measurements": rows})


def written(value: Any) -> bytes:
    """Write JSON, numbers as they were drawn: `1e400` is a number here."""
    marks: dict[str, str] = {}

    def marked(each: Any) -> Any:
        if isinstance(each, dict):
            return {key: marked(inner) for key, inner in each.items()}
        if isinstance(each, list):
            return [marked(inner) for inner in each]
        if isinstance(each, Decimal) or (isinstance(each, str) and is_number(each)):
            mark = f"@{len(marks)}@"
            marks[json.dumps(mark)] = str(each)
            return mark
        return each

    text = json.dumps(marked(value))
    for mark, number in marks.items():
        text = text.replace(mark, number)
    return text.encode()


def is_number(text: str) -> bool:
    return re.fullmatch(r"-?(0|[1-9]\d*)(\.\d+)?([eE][+-]?\d+)?", text) is not None


def fits(value: Any) -> bool:
    """Tell whether a number has at most 26 digits before the point and 12 after it."""
    return (
        isinstance(value, int | Decimal)
        and not isinstance(value, bool)
        and abs(value) < 10**26
        and Decimal(value) * 10**12 == int(Decimal(value) * 10**12)
    )


def has_place(row: dict[str, Any]) -> bool:
    """Tell, by ten lines of its own, whether a row that was accepted has to be stored. Accounts aside."""
    where, measure = row.get("where") or {}, row.get("measure") or {}
    codes = [*where, *measure, *(row.get("what") or {})]
    ts = datetime.fromisoformat(row["ts"])
    return (
        row["meter"] == "flights"
        and {"distance", "delay"} <= measure.keys()
        and "destination" in where
        and len(codes) == len(set(codes))
        and len(where["destination"]) <= 1024
        and (ts if ts.tzinfo else ts.replace(tzinfo=UTC)) <= START.replace(minute=5)
    )


@pytest.fixture(scope="module")
def open_calls(live: Any) -> Iterator[tuple[World, str]]:
    live.clock.instant = START
    world = World(live)
    meter = world.meter()
    world.account("acme")
    yield world, meter["id"]
    world.close()


def stored(world: World, meter_id: str) -> dict[str, dict[str, Any]]:
    pages = world.live.services.usage.measurements(world.org_id, meter_id, ALWAYS)  # type: ignore[attr-defined]
    return {row["uid"]: row for row in pa.concat_tables(pages).to_pylist()}


def post(
    world: World, body: bytes, path: str = PATH, content_type: str = "application/json"
) -> httpx.Response:
    where = f"/organizations/{world.org_id}/{path}"
    return world.http.post(where, content=body, headers={"content-type": content_type})


@TIME
@given(batch=BATCHES)
def test_a_batch_is_refused_as_a_whole_or_each_of_it_has_its_place(
    open_calls: tuple[World, str], batch: dict[str, Any]
) -> None:
    world, meter_id = open_calls
    drawn = batch["measurements"]
    rows = [row for row in drawn if isinstance(row, dict)] if isinstance(drawn, list) else []
    for row in rows:
        row["uid"] = f"fuzz-{next(_calls)}"
    answer = post(world, written(batch))
    assert answer.status_code in {200, 400}, answer.text
    uids = {row["uid"] for row in rows}
    now = {uid: row for uid, row in stored(world, meter_id).items() if uid in uids}
    if answer.status_code == 400:
        assert answer.json()["code"] in {"invalid_body", "malformed_json"}
        assert not now
        return
    sent = json.loads(written(batch), parse_float=Decimal)["measurements"]
    known = {a["code"] for a in world.get("accounts")["data"]}
    for row in sent:
        assert CODE.fullmatch(row["account"])
        assert all(map(fits, (row.get("measure") or {}).values()))
        assert (row["uid"] in now) == (has_place(row) and row["account"] in known)
        if row["uid"] in now:
            kept = now[row["uid"]]
            assert (kept["n0"], kept["n1"]) == (row["measure"]["distance"], row["measure"]["delay"])
            assert kept["s0"] == row["where"]["destination"]


@TIME
@given(body=st.binary(max_size=200) | ODD.map(lambda v: written({"measurements": [v]})))
def test_no_bytes_break_any_way_in(open_calls: tuple[World, str], body: bytes) -> None:
    world, _ = open_calls
    for path, content_type in (
        (PATH, "application/json"),
        ("measurements/csv", "text/csv"),
        ("measurements/cloudevents", "application/cloudevents-batch+json"),
        ("measurements/cloudevents", "application/json"),
    ):
        answer = post(world, body, path, content_type)
        assert answer.status_code in {200, 400}, (path, answer.text)


def test_the_oracle_tells_numbers_apart() -> None:
    assert [fits(Decimal(n)) for n in ("9" * 26, "1e26", "0.000000000001", "1e-13")] == [
        True,
        False,
        True,
        False,
    ]
    with pytest.raises(InvalidOperation):
        Decimal("many")
