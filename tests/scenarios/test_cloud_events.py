"""CloudEvents through the API: counted once, or refused with every problem; measurements of semantics §6."""

import json
from decimal import Decimal
from typing import Any

import httpx
import pyarrow as pa
import pytest

from tallystick.kernel.periods import Period
from tests.support.clock import START
from tests.support.world import World

STRUCTURED = "application/cloudevents+json"
BATCH = "application/cloudevents-batch+json"
CALLS = "measurements/cloudevents"


def event(number: int = 1, **more: Any) -> dict[str, Any]:
    changed = {
        "specversion": "1.0",
        "type": "prompt",
        "id": f"{number:05}",
        "source": "service-0",
        "subject": "customer-1",
        "time": "2025-05-01T00:00:00.001Z",
        "data": {"tokens": {"total": 812}, "model": "gpt", "items": [{"unit price": "0.5"}]},
        **more,
    }
    return {name: value for name, value in changed.items() if value is not None}


def send(world: World, body: Any, content_type: str = STRUCTURED, **headers: str) -> httpx.Response:
    content = body if isinstance(body, bytes) else json.dumps(body).encode()
    return world.http.post(
        f"/organizations/{world.org_id}/{CALLS}",
        content=content,
        headers={"content-type": content_type, **headers},
    )


def told(answer: httpx.Response) -> list[tuple[str, str]]:
    assert answer.status_code == 400, answer.text
    return [(e["field"], e["code"]) for e in answer.json()["errors"]]


def prompts(world: World, code: str = "prompts", **mapping: Any) -> Any:
    fields = [
        {"category": "MEASURE", "code": "tokens", "name": "Tokens", "unit": "1"},
        {"category": "MEASURE", "code": "price", "name": "Price", "unit": "USD"},
        {"category": "WHAT", "code": "model", "name": "Model"},
    ]
    paths = {"tokens": "$.tokens.total", "price": "$.items[0]['unit price']"}
    body = {"name": code, "code": code, "dataFields": fields, "derivedFields": []}
    return world.post("meters", {**body, "cloudEvents": {"eventType": "prompt", "fields": paths, **mapping}})


def rows(world: World, meter: Any) -> list[dict[str, Any]]:
    period = Period(START.replace(year=2000), START.replace(year=2100))
    pages = world.live.services.usage.measurements(world.org_id, meter["id"], period)  # type: ignore[attr-defined]
    return list(pa.concat_tables(pages).to_pylist())


def failures(world: World) -> list[tuple[str, str]]:
    found = []
    for each in world.get("events", eventName="ingest.validation.failure")["data"]:
        file = each["m3terEvent"]["eventData"]["getDownloadUrl"].rpartition("=")[2]
        url = world.get("measurements/failedIngest/getDownloadUrl", file=file)["url"]
        found += [(f["type"], f["message"]) for f in httpx.get(url).json()]
    return found


def test_an_event_is_a_measurement_of_each_meter_that_counts_its_type(world: World) -> None:
    meter, second = prompts(world), prompts(world, "cost")
    assert meter["cloudEvents"]["fields"]["tokens"] == "$.tokens.total"
    assert send(world, event()).json() == {"result": "accepted"}
    [row] = rows(world, meter)
    assert (row["n0"], row["n1"], row["s0"]) == (812, Decimal("0.5"), "gpt")
    assert row["ts"].isoformat() == "2025-05-01T00:00:00.001000+00:00"
    [account] = world.get("accounts")["data"]
    assert (account["code"], account["id"]) == ("customer-1", str(row["account_id"]))
    assert len(rows(world, second)) == 1
    assert failures(world) == []


def test_events_come_in_batches_in_headers_and_as_plain_json(world: World) -> None:
    meter = prompts(world)
    assert send(world, [event(1), event(2)], BATCH).status_code == 200
    assert send(world, [event(3)], "application/json").status_code == 200
    assert send(world, event(4), "application/json; charset=utf-8").status_code == 200
    attributes = {f"ce-{name}": value for name, value in event(5, data=None).items()}
    data = event()["data"]
    named = {**attributes, "ce-source": "service%2D0"}
    assert send(world, data, "application/json", **named).status_code == 200
    assert len(rows(world, meter)) == 5
    # Source and id are those of the event in headers, percent signs decoded: it is not counted again.
    assert send(world, event(5)).status_code == 200
    assert len(rows(world, meter)) == 5


def test_an_event_that_is_sent_twice_counts_once_and_sources_tell_events_apart(world: World) -> None:
    meter = prompts(world)
    for sent in (event(1), event(1), event(1, source="service-1")):
        send(world, sent)
    assert len(rows(world, meter)) == 2
    assert [kind for kind, _ in failures(world)] == ["DuplicateUid"]


def test_the_time_of_an_event_without_one_is_its_receipt(world: World) -> None:
    meter = prompts(world)
    send(world, event(time=None))
    assert rows(world, meter)[0]["ts"] == START


def test_a_field_that_is_not_mapped_stands_under_its_code(world: World) -> None:
    meter = prompts(world, fields={})
    send(world, event(data={"tokens": "1e3", "price": -2, "model": True}))
    [row] = rows(world, meter)
    assert (row["n0"], row["n1"], row["s0"]) == (1000, -2, "true")
    send(world, event(2, data={"tokens": 1, "price": 1, "model": 3.50}))
    assert {row["s0"] for row in rows(world, meter)} == {"true", "3.5"}


@pytest.mark.parametrize(
    ("changed", "kind", "message"),
    [
        ({"type": "request"}, "UndefinedMeter", "no meter counts events of the type request"),
        ({"data": None}, "MissingField", "the meter prompts also needs tokens, price, model"),
        ({"data": {"tokens": 1, "price": 1}}, "MissingField", "the meter prompts also needs model"),
        (
            {"data": {"tokens": "\u0661", "price": 1, "model": "a"}},
            "InvalidField",
            "measure.tokens: must be a number",
        ),
        (
            {"data": {"tokens": "many", "price": 1, "model": "a"}},
            "InvalidField",
            "measure.tokens: must be a number",
        ),
        (
            {"data": {"tokens": True, "price": 1, "model": "a"}},
            "InvalidField",
            "measure.tokens: must be a number",
        ),
        ({"data": {"tokens": 1, "price": 1, "model": {}}}, "InvalidField", "what.model: must be str"),
        (
            {"data": {"tokens": "1e99", "price": 1, "model": "a"}},
            "InvalidField",
            "measure.tokens: must have at most 26",
        ),
        ({"data": {"tokens": 1, "price": 1, "model": "\u0000"}}, "InvalidField", "NUL"),
        (
            {"time": "2025-06-02T00:00:00Z", "data": {"tokens": 1, "price": 1, "model": "a"}},
            "FutureTimestamp",
            "ts lies more than 5 minutes ahead",
        ),
    ],
)
def test_an_event_that_cannot_be_counted_is_kept_with_its_reason(
    world: World, changed: dict[str, Any], kind: str, message: str
) -> None:
    meter = prompts(world, fields={})
    assert send(world, event(**changed)).status_code == 200
    assert rows(world, meter) == []
    [(found, why)] = failures(world)
    assert found == kind
    assert message in why


@pytest.mark.parametrize(
    ("changed", "problem"),
    [
        ({"specversion": "0.3"}, ("specversion", "unknown_value")),
        ({"specversion": None}, ("specversion", "required")),
        ({"id": ""}, ("id", "wrong_length")),
        ({"source": None}, ("source", "required")),
        ({"type": None}, ("type", "required")),
        ({"subject": None}, ("subject", "required")),
        ({"subject": " x"}, ("subject", "wrong_format")),
        ({"time": "soon"}, ("time", "wrong_format")),
        ({"time": "1800-01-01T00:00:00Z"}, ("time", "out_of_range")),
        ({"datacontenttype": "text/xml"}, ("datacontenttype", "not_available")),
        ({"data_base64": "e30="}, ("data_base64", "not_available")),
    ],
)
def test_an_event_of_the_wrong_form_is_refused_with_its_batch(
    world: World, changed: dict[str, Any], problem: tuple[str, str]
) -> None:
    meter = prompts(world)
    assert told(send(world, event(**changed))) == [problem]
    field, code = problem
    assert told(send(world, [event(2), event(**changed)], BATCH)) == [(f"[1].{field}", code)]
    assert rows(world, meter) == []


def test_what_is_no_event_is_refused(world: World) -> None:
    assert told(send(world, [], BATCH)) == [("", "wrong_length")]
    assert told(send(world, [event(n) for n in range(1001)], BATCH)) == [("", "wrong_length")]
    assert told(send(world, event(), BATCH)) == [("", "wrong_type")]
    assert told(send(world, [event()], STRUCTURED)) == [("", "wrong_type")]
    assert told(send(world, 7, "application/json")) == [("", "wrong_type")]
    assert send(world, b"{", STRUCTURED).json()["code"] == "malformed_json"
    for _ in range(
        5
    ):  # read to no end, so the server hangs up, and says so: the next one is on another connection
        too_large = send(world, b"x" * 512_000, STRUCTURED)
        assert (too_large.status_code, too_large.headers["connection"]) == (403, "close")
    binary = {"ce-specversion": "1.0", "ce-type": "prompt", "ce-id": "1", "ce-source": "s", "ce-subject": "a"}
    assert told(send(world, b"<xml/>", "text/xml", **binary)) == [("datacontenttype", "not_available")]
    assert send(world, b"{", "application/json", **binary).json()["code"] == "malformed_json"


@pytest.mark.parametrize(
    ("name", "value"), [("ce-id", b"%ff%fe"), ("ce-subject", b"%C3"), ("ce-source", "caf\u00e9".encode())]
)
def test_an_attribute_in_a_header_is_text_or_refused(world: World, name: str, value: bytes) -> None:
    """Nothing is guessed: another id or subject would be another event, or another account (semantics §6)."""
    meter = prompts(world)
    attributes = {f"ce-{key}": text.encode() for key, text in event(data=None).items()} | {name: value}
    headers = [(b"content-type", b"application/json"), *((k.encode(), v) for k, v in attributes.items())]
    url, content = f"/organizations/{world.org_id}/{CALLS}", json.dumps(event()["data"])
    answer = world.http.post(url, content=content, headers=headers)
    assert told(answer) == [(name.removeprefix("ce-"), "wrong_format")]
    assert rows(world, meter) == []


@pytest.mark.parametrize(
    ("mapping", "problem"),
    [
        ({"eventType": ""}, ("cloudEvents.eventType", "wrong_length")),
        ({"fields": {"other": "$.x"}}, ("cloudEvents.fields.other", "unknown_field")),
        ({"fields": {"tokens": "tokens"}}, ("cloudEvents.fields.tokens", "wrong_format")),
        ({"fields": {"tokens": "$"}}, ("cloudEvents.fields.tokens", "wrong_format")),
        ({"fields": {"tokens": "$..x"}}, ("cloudEvents.fields.tokens", "wrong_format")),
        ({"fields": {"tokens": "$.a[*]"}}, ("cloudEvents.fields.tokens", "wrong_format")),
        ({"fields": {"tokens": "$.a "}}, ("cloudEvents.fields.tokens", "wrong_format")),
    ],
)
def test_a_mapping_that_cannot_be_read_is_refused(
    world: World, mapping: dict[str, Any], problem: tuple[str, str]
) -> None:
    fields = [{"category": "MEASURE", "code": "tokens", "name": "Tokens", "unit": "1"}]
    body = {"name": "m", "code": "m", "dataFields": fields, "derivedFields": []}
    refused = world.post("meters", {**body, "cloudEvents": {"eventType": "x", **mapping}}, expect=400)
    assert [(e["field"], e["code"]) for e in refused["errors"]] == [problem]
