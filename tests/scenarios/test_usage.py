"""Usage in through the API (semantics §6): what is counted, rejected with its reason, or refused whole."""

import gzip
import json
from decimal import Decimal
from typing import Any

import httpx
import pytest

from tests.support.world import World

TS = "2025-05-10T12:00:00Z"


@pytest.fixture
def acme(world: World) -> World:
    """Have a meter, and an account on a plan that bills each mile with a dollar."""
    product = world.product()
    miles = world.aggregation(world.meter(product)["id"], "SUM", "distance")
    plan = world.plan(product)["id"]
    world.pricing(plan, miles["id"], (0, 0, 1))
    world.attach(world.account("acme")["id"], plan, "2025-01-01")
    return world


def billed(world: World, code: str = "acme") -> Decimal:
    """Preview May 2025 for an account: a dollar a mile."""
    account = world.get("accounts", codes=code)["data"][0]["id"]
    body = {
        "accountIds": [account],
        "billingFrequency": "MONTHLY",
        "billFrequencyInterval": 1,
        "lastDateInBillingPeriod": "2025-05-31",
    }
    lines = world.post("bills/preview", body)["lineItems"]
    return sum((Decimal(line["convertedSubtotal"]) for line in lines), Decimal(0))


def rejected(world: World) -> list[str]:
    """Give the types of all failures, by what the latest event's link downloads."""
    found = world.get("events", eventName="ingest.validation.failure")["data"]
    if not found:
        return []
    url = found[0]["m3terEvent"]["eventData"]["getDownloadUrl"]
    link = world.http.get(url).json()["url"]
    answer = httpx.get(link if link.startswith("http") else f"{world.url}{link}")
    assert answer.status_code == 200
    return [failure["type"] for failure in json.loads(answer.text)]


def test_usage_counts_the_moment_it_is_acknowledged(acme: World) -> None:
    assert acme.send(acme.measure("acme", TS, distance=100, uid="a")) == {"result": "accepted"}
    assert billed(acme) == 100


def test_the_same_uid_counts_once_and_the_repeat_is_told(acme: World) -> None:
    one = acme.measure("acme", TS, distance=100, uid="a")
    acme.send(one, one)
    assert rejected(acme) == ["DuplicateUid"]
    acme.send(one)
    acme.send({**one, "measure": {"distance": 7, "delay": 0}})
    assert billed(acme) == 100


def test_a_uid_of_another_organization_is_not_a_duplicate(acme: World) -> None:
    other = World(acme.live)
    other.meter()
    other.send(other.measure("acme", TS, uid="a"))
    acme.send(acme.measure("acme", TS, distance=5, uid="a"))
    assert billed(acme) == 5
    assert rejected(acme) == []
    other.close()


def test_corrections_may_be_negative_and_back_dated(acme: World) -> None:
    acme.send(
        acme.measure("acme", TS, distance=100), acme.measure("acme", "2025-05-01T00:00:00Z", distance=-30)
    )
    assert billed(acme) == 70


@pytest.mark.parametrize(
    ("changed", "kind"),
    [
        pytest.param({"meter": "trains"}, "UndefinedMeter", id="unknown meter"),
        pytest.param({"measure": {"distance": 5}}, "MissingField", id="missing field"),
        pytest.param({"ts": "2025-06-01T00:05:01Z"}, "FutureTimestamp", id="future"),
        pytest.param({"account": "ACME"}, "InvalidAccountCode", id="an account's code in other letters"),
        pytest.param(
            {"where": {"destination": "ORD", "distance": "5"}},
            "DuplicateField",
            id="a field in two categories",
        ),
    ],
)
def test_what_breaks_a_rule_is_kept_with_its_reason_and_the_rest_counts(
    acme: World, changed: dict[str, Any], kind: str
) -> None:
    good, bad = acme.measure("acme", TS, distance=100), acme.measure("acme", TS, distance=5) | changed
    assert acme.send(bad, good) == {"result": "accepted"}
    assert rejected(acme) == [kind]
    assert billed(acme) == 100


def test_an_unknown_account_is_made_and_keeps_its_usage(acme: World) -> None:
    acme.send(acme.measure("newcomer", TS, distance=9))
    made = acme.get("accounts", codes="newcomer")["data"][0]
    assert made["name"] == "newcomer-autocreated"
    assert made["emailAddress"].endswith("-autocreated@example.com")
    plan = acme.get("plans")["data"][0]["id"]
    acme.attach(made["id"], plan, "2025-01-01")
    assert billed(acme, "newcomer") == 9


@pytest.mark.parametrize(
    ("changed", "field", "code"),
    [
        pytest.param({"ts": "yesterday"}, "measurements[1].ts", "wrong_format", id="no date"),
        pytest.param({"ts": None}, "measurements[1].ts", "required", id="no timestamp"),
        pytest.param({"account": ""}, "measurements[1].account", "wrong_length", id="empty account"),
        pytest.param({"uid": "u" * 51}, "measurements[1].uid", "wrong_length", id="long uid"),
        pytest.param(
            {"measure": {"distance": "5"}}, "measurements[1].measure.distance", "wrong_type", id="text"
        ),
        pytest.param(
            {"measure": {"distance": True}}, "measurements[1].measure.distance", "wrong_type", id="true"
        ),
        pytest.param(
            {"where": {"destination": 5}}, "measurements[1].where.destination", "wrong_type", id="number"
        ),
        pytest.param(
            {"measure": {"distance": Decimal("1E+26")}},
            "measurements[1].measure.distance",
            "out_of_range",
            id="large",
        ),
    ],
)
def test_a_batch_of_the_wrong_form_is_refused_whole(
    acme: World, changed: dict[str, Any], field: str, code: str
) -> None:
    good = acme.measure("acme", TS, distance=100)
    answer = acme.send(good, good | changed, expect=400)
    assert {p["field"]: p["code"] for p in answer["errors"]} == {field: code}
    assert billed(acme) == 0


def test_a_batch_has_1_to_1000_measurements_and_less_than_512000_bytes(acme: World) -> None:
    one = acme.measure("acme", TS, distance=1)
    assert acme.send(expect=400)["errors"][0]["field"] == "measurements"
    assert acme.send(*[one] * 1001, expect=400)["errors"][0]["field"] == "measurements"
    assert acme.call("POST", "measurements", expect=403, content=b" " * 512_000)["code"] == "body_too_large"
    assert acme.call("POST", "measurements", expect=400, content=b" " * 511_999)["code"] == "malformed_json"
    assert billed(acme) == 0
    acme.send(*[one] * 1000)
    assert billed(acme) == 1000


def test_a_packed_body_is_refused_as_such(acme: World) -> None:
    body = gzip.compress(json.dumps({"measurements": [acme.measure("acme", TS, distance=1)]}).encode())
    for path in ("measurements", "accounts"):
        packed = {"content-encoding": "gzip", "content-type": "application/json"}
        refused = acme.call("POST", path, expect=415, content=body, headers=packed)
        assert (refused["code"], refused["errors"]) == ("encoding_not_supported", [])
    plain = {"content-encoding": "Identity"}
    assert (
        acme.call("POST", "measurements", expect=400, content=b"{}", headers=plain)["code"] == "invalid_body"
    )


def test_a_link_to_rejected_usage_expires_and_cannot_be_forged(acme: World) -> None:
    acme.send(acme.measure("acme", TS, meter="trains"))
    event = acme.get("events", eventName="ingest.validation.failure")["data"][0]
    url = event["m3terEvent"]["eventData"]["getDownloadUrl"]
    link = acme.http.get(url).json()["url"]
    link = link if link.startswith("http") else f"{acme.url}{link}"
    assert httpx.get(link.replace("signature=", "signature=0")).json()["code"] == "bad_signature"
    acme.at("2025-06-01T00:05:01")
    assert httpx.get(link).json()["code"] == "link_expired"
    other = World(acme.live)
    assert other.http.get(url.replace(acme.org_id, other.org_id)).status_code == 404
    other.close()
