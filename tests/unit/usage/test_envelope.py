"""The form of a request (semantics §6): what is accepted, and every fault by its path."""

import json
from datetime import UTC, datetime, timedelta, timezone
from decimal import Decimal
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tallystick.platform.resources.wire import InvalidBody, MalformedJson
from tallystick.usage.envelope import (
    EARLIEST,
    LATEST,
    Measurement,
    is_storable,
    read_measurements,
    utc,
    write_measurement,
)
from tallystick.usage.store.blocks import make_block
from tallystick.usage.store.model import Slot, fits

ID = "0196a000-0000-7000-8000-000000000000"
NOW = datetime(2025, 5, 1, tzinfo=UTC)
GOOD = {"meter": "flights", "account": "ORD", "ts": "2025-05-01T00:00:00Z"}


def read(**changes: Any) -> Measurement:
    return read_measurements(json.dumps({"measurements": [{**GOOD, **changes}]}).encode())[0]


def faults(*measurements: Any) -> dict[str, str]:
    with pytest.raises(InvalidBody) as refused:
        read_measurements(json.dumps({"measurements": measurements}).encode())
    return {problem.field.removeprefix("measurements"): problem.code for problem in refused.value.problems}


def number(text: str) -> Any:
    row = json.dumps({**GOOD, "measure": {"x": "@"}}).replace('"@"', text)
    body = f'{{"measurements": [{row}]}}'
    return (read_measurements(body.encode())[0].measure or {})["x"]


@pytest.mark.parametrize(
    ("changes", "name", "expected"),
    [
        pytest.param({}, "uid", None, id="a uid may be missing"),
        pytest.param({"uid": None, "who": None}, "who", None, id="null is missing"),
        pytest.param(
            {"ts": "2025-05-01T02:00:00"}, "ts", datetime(2025, 5, 1, 2, tzinfo=UTC), id="no offset is UTC"
        ),
        pytest.param(
            {"ts": "2025-05-01T02:00:00+02:00"}, "ts", datetime(2025, 5, 1, tzinfo=UTC), id="offset"
        ),
        pytest.param({"uid": "x" * 50}, "uid", "x" * 50, id="longest uid"),
        pytest.param({"account": "A cme/é-1"}, "account", "A cme/é-1", id="spaces inside a code"),
        pytest.param({"meter": "m" * 80}, "meter", "m" * 80, id="longest code"),
        pytest.param({"what": {"any code": "ü"}}, "what", {"any code": "ü"}, id="any field"),
        pytest.param({"extra": {"is": "ignored"}}, "other", None, id="unknown members are ignored"),
    ],
)
def test_reads(changes: dict[str, Any], name: str, expected: Any) -> None:
    value = getattr(read(**changes), name)
    assert (utc(value) if isinstance(value, datetime) else value) == expected


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        pytest.param("1", "1", id="integer"),
        pytest.param("-12.5", "-12.5", id="negative"),
        pytest.param("0.1", "0.1", id="exactly a tenth"),
        pytest.param(
            "99999999999999999999999999.999999999999", "99999999999999999999999999.999999999999", id="largest"
        ),
        pytest.param("1e-12", "0.000000000001", id="smallest"),
        pytest.param("1E+25", "1e25", id="exponent"),
        pytest.param("1.50000000000000000", "1.5", id="zeros behind the last place"),
    ],
)
def test_reads_numbers_exactly(text: str, expected: str) -> None:
    assert number(text) == Decimal(expected)


@pytest.mark.parametrize(
    ("text", "code"),
    [
        pytest.param('"1"', "wrong_type", id="a string"),
        pytest.param("true", "wrong_type", id="a boolean"),
        pytest.param("null", "wrong_type", id="null"),
        pytest.param("{}", "wrong_type", id="an object"),
        pytest.param("100000000000000000000000000", "out_of_range", id="27 digits before the point"),
        pytest.param("0.0000000000001", "out_of_range", id="13 digits after the point"),
        pytest.param("1e400", "out_of_range", id="beyond any double"),
        pytest.param("1e999999999", "out_of_range", id="a huge exponent"),
        pytest.param("1e-51", "out_of_range", id="Arrow would make it 0"),
        pytest.param("1e-99999999", "out_of_range", id="Arrow would end the process"),
    ],
)
def test_refuses_values_that_are_no_number_or_do_not_fit(text: str, code: str) -> None:
    with pytest.raises(InvalidBody) as refused:
        number(text)
    assert [(p.field, p.code) for p in refused.value.problems] == [("measurements[0].measure.x", code)]


@pytest.mark.parametrize(
    ("changes", "expected"),
    [
        pytest.param({"meter": None}, {"[0].meter": "required"}, id="no meter"),
        pytest.param({"account": ""}, {"[0].account": "wrong_length"}, id="empty account"),
        pytest.param({"account": "a" * 81}, {"[0].account": "wrong_length"}, id="long account"),
        pytest.param({"account": " a"}, {"[0].account": "wrong_format"}, id="leading space"),
        pytest.param({"account": "a\n"}, {"[0].account": "wrong_format"}, id="line end"),
        pytest.param({"meter": "a\tb"}, {"[0].meter": "wrong_format"}, id="tab"),
        pytest.param({"uid": "x" * 51}, {"[0].uid": "wrong_length"}, id="long uid"),
        pytest.param({"uid": "a\0"}, {"[0].uid": "wrong_format"}, id="NUL in a uid"),
        pytest.param({"what": {"x": "a\0"}}, {"[0].what.x": "wrong_format"}, id="NUL in a text"),
        pytest.param({"what": {"x": 1}}, {"[0].what.x": "wrong_type"}, id="number in a text"),
        pytest.param({"what": []}, {"[0].what": "wrong_type"}, id="a list of texts"),
        pytest.param({"ts": "yesterday"}, {"[0].ts": "wrong_format"}, id="no date-time"),
        pytest.param({"ts": 1746057600}, {"[0].ts": "wrong_type"}, id="a number as date-time"),
        pytest.param({"ts": "1899-12-31T23:59:59Z"}, {"[0].ts": "out_of_range"}, id="too early"),
        pytest.param({"ets": "9999-12-31T23:59:59-10:00"}, {"[0].ets": "out_of_range"}, id="ends too late"),
    ],
)
def test_refuses(changes: dict[str, Any], expected: dict[str, str]) -> None:
    assert faults({**GOOD, **changes}) == expected


def test_names_every_fault_of_every_measurement() -> None:
    found = faults(GOOD, {"meter": "m", "measure": {"x": "1", "y": True}}, {**GOOD, "uid": 3}, "none")
    assert list(found) == ["[1].account", "[1].measure.x", "[1].measure.y", "[1].ts", "[2].uid", "[3]"]


@pytest.mark.parametrize("count", [0, 1001])
def test_refuses_too_few_and_too_many(count: int) -> None:
    assert faults(*[GOOD] * count) == {"": "wrong_length"}


def test_takes_a_thousand() -> None:
    assert len(read_measurements(json.dumps({"measurements": [GOOD] * 1000}).encode())) == 1000


@pytest.mark.parametrize("body", [b"[]", b"{}", b'{"measurements": 3}', b"null"])
def test_refuses_what_is_no_batch(body: bytes) -> None:
    with pytest.raises(InvalidBody):
        read_measurements(body)


@pytest.mark.parametrize(
    "text", ["NaN", "Infinity", "-Infinity", "01", "1e-400000000000000000000", '"\\ud800"']
)
def test_refuses_what_is_not_json(text: str) -> None:
    with pytest.raises(MalformedJson):
        number(text)


@pytest.mark.parametrize("body", [b"", b"{", b'{"measurements": [', b"\xff", b"[" * 5000])
def test_refuses_broken_json(body: bytes) -> None:
    with pytest.raises(MalformedJson):
        read_measurements(body)


def test_writes_a_measurement_as_it_was_sent() -> None:
    sent = {**GOOD, "uid": "u", "measure": {"x": 1.25, "y": 3}, "what": {"z": "ü"}}
    assert json.loads(bytes(write_measurement(read(**sent)))) == sent


@given(
    digits=st.text("00009", min_size=1, max_size=70).map(lambda text: text.lstrip("0") or "0"),
    places=st.integers(0, 90),
    sign=st.sampled_from(["", "-"]),
    as_exponent=st.booleans(),
)
def test_a_number_is_stored_as_it_was_sent_or_refused(
    digits: str, places: int, sign: str, *, as_exponent: bool
) -> None:
    padded = digits.rjust(places + 1, "0")
    plain = f"{padded[: len(padded) - places]}.{padded[len(padded) - places :]}".rstrip(".")
    text = sign + (f"{digits}e-{places}" if as_exponent else plain)
    try:
        read = number(text)
    except InvalidBody:
        assert not fits(Decimal(text)) or len(digits) > 38 or places > 24
        return
    block = make_block(
        org_id=ID, meter_ids=[ID], account_ids=[ID], ts=[NOW], uids=["u"], fields={Slot.number(0): [read]}
    )
    assert block["n0"].to_pylist() == [Decimal(text)]


@given(value=st.integers(-(10**30), 10**30), ts=st.datetimes(timezones=st.just(UTC)))
def test_the_glance_lets_nothing_pass_that_cannot_be_stored(value: int, ts: datetime) -> None:
    passes = is_storable([Measurement(meter="m", account="a", ts=ts, measure={"x": value})])
    assert not passes or (abs(value) < 10**26 and EARLIEST <= ts < LATEST + timedelta(days=1))


def test_other_offsets_are_told_in_utc() -> None:
    assert utc(datetime(2025, 1, 1, tzinfo=timezone(timedelta(hours=-5)))).hour == 5
