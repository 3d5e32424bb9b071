"""Usage and bills, looked at through the API (semantics §31)."""

import time
from datetime import timedelta
from decimal import Decimal
from typing import Any

import pytest

from tests.support.live import Live
from tests.support.world import World

D = Decimal
MAY = {"startDate": "2025-05-01T00:00:00Z", "endDate": "2025-06-01T00:00:00Z"}
BY_ACCOUNT = {"groupType": "ACCOUNT"}


def by(frequency: str) -> dict[str, str]:
    return {"groupType": "TIME", "frequency": frequency}


def figure(meter: Any, field: str = "distance", function: str = "SUM", kind: str = "MEASURE") -> Any:
    return {"meterId": meter["id"], "fieldCode": field, "fieldType": kind, "function": function}


def usage(world: World, expect: int = 200, **body: Any) -> Any:
    return world.post("usage/query", {**MAY, **body}, expect=expect)


@pytest.fixture
def meter(world: World) -> Any:
    made = world.meter()
    for code in ("acme", "globex"):
        world.account(code)
    world.send(
        world.measure("acme", "2025-05-05T10:00:00Z", uid="a", distance=D("100.5"), destination="ORD"),
        world.measure("acme", "2025-05-05T23:59:59Z", uid="b", distance=200, delay=-3, destination="DFW"),
        world.measure("globex", "2025-05-05T12:00:00Z", uid="c", distance=7, delay=9, destination="ORD"),
        world.measure("acme", "2025-05-12T00:00:00Z", uid="d", distance=D("0.25"), destination="ORD"),
        world.measure("acme", "2025-04-30T23:59:59Z", uid="e", distance=1_000_000),
    )
    return made


def test_usage_by_day_and_account(world: World, meter: Any) -> None:
    codes = {each["code"]: each["id"] for each in world.get("accounts")["data"]}
    groups = [by("DAY"), BY_ACCOUNT]
    answer = usage(world, aggregations=[figure(meter), figure(meter, "delay", "MEAN")], groups=groups)
    assert answer["hasMoreData"] is False
    rows = {(row["ts"], row["account"]): row for row in answer["data"]}
    assert list(rows) == [
        ("2025-05-12T00:00:00Z", "acme"),
        *(("2025-05-05T00:00:00Z", code) for code in sorted(codes, key=lambda code: codes[code])),
    ]
    assert rows["2025-05-05T00:00:00Z", "acme"] == {
        "ts": "2025-05-05T00:00:00Z",
        "accountId": codes["acme"],
        "account": "acme",
        "flights.distance.SUM": D("300.5"),
        "flights.delay.MEAN": D("-1.5"),
    }


def test_weeks_start_on_monday_in_utc_whatever_the_zone(world: World, meter: Any) -> None:
    config = world.get("organizationconfig")
    world.put("organizationconfig", {**config, "timezone": "America/New_York"})
    rows = usage(world, aggregations=[figure(meter, function="COUNT")], groups=[by("WEEK")])["data"]
    assert [(row["ts"], row["flights.distance.COUNT"]) for row in rows] == [
        ("2025-05-12T00:00:00Z", 1),
        ("2025-05-05T00:00:00Z", 3),
    ]


def test_filters_dimensions_and_one_account(world: World, meter: Any) -> None:
    acme = next(each["id"] for each in world.get("accounts")["data"] if each["code"] == "acme")
    field = {"meterId": meter["id"], "fieldCode": "destination"}
    destinations = [figure(meter, "destination", function, "DIMENSION") for function in ("COUNT", "UNIQUE")]
    [row] = usage(world, accountIds=[acme], aggregations=destinations)["data"]
    assert row == {"flights.destination.COUNT": 3, "flights.destination.UNIQUE": 2}
    # A child's usage is never its parent's here (semantics §17).
    parent = world.account("parent")["id"]
    world.put(f"accounts/{acme}", {**world.get(f"accounts/{acme}"), "parentAccountId": parent})
    assert usage(world, accountIds=[parent], aggregations=destinations)["data"] == []
    grouped: Any = {"aggregations": [figure(meter)], "groups": [{"groupType": "DIMENSION", **field}]}
    rows = usage(world, **grouped, dimensionFilters=[{**field, "values": ["ORD", "LAX"]}])["data"]
    assert rows == [{"flights.destination": "ORD", "flights.distance.SUM": D("107.75")}]
    assert usage(world, **grouped, limit=1)["hasMoreData"] is True


def test_measurements_newest_first_show_right_after_their_acknowledgement(world: World, meter: Any) -> None:
    answer = usage(world, meterIds=[meter["id"]], limit=3)
    assert [row["uid"] for row in answer["data"]] == ["d", "b", "c"]
    assert answer["hasMoreData"] is True
    row = answer["data"][1]
    assert (row["measure"], row["where"]) == ({"distance": 200, "delay": -3}, {"destination": "DFW"})
    assert (row["meter"], row["account"], row["ts"]) == ("flights", "acme", "2025-05-05T23:59:59Z")
    assert row["receivedAt"].startswith(
        "2025-06-01T00:00:00"
    )  # stored beside `ts`, which is what is asked by
    for number in range(5):
        world.send(world.measure("new", f"2025-05-20T00:00:0{number}Z", uid=f"new {number}"))
        assert usage(world, limit=1)["data"][0]["uid"] == f"new {number}"


def test_every_fault_is_told_by_its_path(world: World, meter: Any) -> None:
    bad = {
        "groups": [by("DAY"), {"groupType": "DIMENSION"}],
        "accountIds": [meter["id"]],
        "endDate": MAY["startDate"],
    }
    answer = usage(world, expect=400, **bad)
    assert {each["field"] for each in answer["errors"]} == {
        "endDate",
        "groups",
        "groups[1].meterId",
        "groups[1].fieldCode",
        "accountIds[0]",
    }
    faults = usage(world, expect=400, limit=20_001, groups=[{"groupType": "TIME", "frequency": "YEAR"}])
    assert {each["field"] for each in faults["errors"]} == {"limit", "groups[0].frequency"}


def test_organizations_never_see_each_other(live: Live, world: World, meter: Any) -> None:
    other = World(live)
    theirs = other.meter()
    other.send(other.measure("acme", "2025-05-06T00:00:00Z", uid="a", distance=5))
    assert [row["uid"] for row in usage(other)["data"]] == ["a"]
    assert usage(other, aggregations=[figure(theirs)])["data"] == [{"flights.distance.SUM": 5}]
    assert usage(world, aggregations=[figure(meter)])["data"] == [{"flights.distance.SUM": D("307.75")}]
    for faulty in ({"meterIds": [meter["id"]]}, {"aggregations": [figure(meter)]}):
        assert usage(other, expect=400, **faulty)["errors"][0]["code"] == "unknown_reference"
    saved = world.post("usage/savedqueries", {"name": "mine", "usageQuery": {"timePeriod": "TODAY"}})
    other.get(f"usage/savedqueries/{saved['id']}", expect=404)
    other.close()


def test_saved_queries_are_kept_changed_and_sent_as_they_are(world: World, meter: Any) -> None:
    asked = {"timePeriod": "PREVIOUS_MONTH", "aggregations": [figure(meter)], "groups": [by("MONTH")]}
    saved = world.post("usage/savedqueries", {"name": "Last month", "usageQuery": asked})
    assert world.get(f"usage/savedqueries/{saved['id']}") == saved
    assert [each["id"] for each in world.get("usage/savedqueries", ids=saved["id"])["data"]] == [saved["id"]]
    answer = world.post("usage/query", saved["usageQuery"])
    assert answer["data"] == [{"ts": "2025-05-01T00:00:00Z", "flights.distance.SUM": D("307.75")}]
    change = {"name": "Changed", "version": 1, "usageQuery": {**MAY, "meterIds": [meter["id"]], "limit": 2}}
    changed = world.put(f"usage/savedqueries/{saved['id']}", change)
    assert (changed["name"], changed["version"], changed["usageQuery"]["limit"]) == ("Changed", 2, 2)
    assert len(world.post("usage/query", changed["usageQuery"])["data"]) == 2
    stale = world.put(f"usage/savedqueries/{saved['id']}", change, expect=409)
    assert stale["code"] == "stale_version"
    world.delete(f"usage/savedqueries/{saved['id']}")
    world.get(f"usage/savedqueries/{saved['id']}", expect=404)


def test_a_saved_query_has_no_fault_when_it_is_saved(world: World, meter: Any) -> None:
    body = {"name": "x", "usageQuery": {"timePeriod": "TODAY", "aggregations": [figure(meter, "speed")]}}
    [fault] = world.post("usage/savedqueries", body, expect=400)["errors"]
    assert (fault["field"], fault["code"]) == ("usageQuery.aggregations[0].fieldCode", "unknown_field")
    body = {"name": "x", "usageQuery": {"groups": [BY_ACCOUNT]}}
    faults = world.post("usage/savedqueries", body, expect=400)["errors"]
    assert {each["field"] for each in faults} == {
        "usageQuery.startDate",
        "usageQuery.endDate",
        "usageQuery.groups",
    }


def test_the_explorer_is_asked_at_its_pace(world: World) -> None:
    for path, body, burst in (
        ("usage/query", MAY, 20),
        ("dataexplorer/bills", {**MAY, "lineItemTypes": ["USAGE"]}, 10),
    ):
        url = f"/organizations/{world.org_id}/{path}"
        answers = [world.http.post(url, json=body) for _ in range(burst + 1)]
        assert [answer.status_code for answer in answers] == [200] * burst + [429]
        refused = answers[-1]
        assert (refused.json()["code"], refused.headers["retry-after"]) == ("too_many_requests", "1")
    world.live.clock.instant += timedelta(seconds=1)
    world.post("usage/query", MAY)


def billed(world: World) -> Any:
    """Bill acme for May 2025: a standing charge of 10, and 4 miles at 2.5."""
    product = world.product()
    meter = world.meter(product)
    parent = world.account("group")
    acme = world.account("acme", parentAccountId=parent["id"])
    plan = world.plan(product, standingCharge=10)
    world.pricing(plan["id"], world.aggregation(meter["id"])["id"], (0, 0, D("2.5")))
    world.attach(acme["id"], plan["id"], "2025-05-01")
    world.send(world.measure("acme", "2025-05-07T00:00:00Z", distance=4))
    job = world.post("billjobs", {"lastDateInBillingPeriod": "2025-05-31", "billingFrequency": "MONTHLY"})
    deadline = time.monotonic() + 30
    while job["status"] != "COMPLETE":
        assert time.monotonic() < deadline, job
        time.sleep(0.05)
        job = world.get(f"billjobs/{job['id']}")
    return world.get(f"bills/latest/{acme['id']}")


def test_bill_lines_with_their_bill_and_account(world: World) -> None:
    bill = billed(world)
    asked = {**MAY, "lineItemTypes": ["USAGE", "STANDING_CHARGE"]}
    rows = world.post("dataexplorer/bills", asked)["values"]
    assert {row["dimensions"]["billLineItemId"] for row in rows} == {line["id"] for line in bill["lineItems"]}
    [row] = [row for row in rows if row["dimensions"]["lineItemType"] == "USAGE"]
    named = ("account", "parentAccountCode", "productName", "quantityUnit", "subtotalUnit", "billId")
    assert [row["dimensions"][name] for name in named] == ["acme", "group", "Air", "mi", "USD", bill["id"]]
    assert row["measures"] == {
        "quantity": 4,
        "units": 4,
        "subtotal": 10,
        "conversionRate": 1,
        "convertedSubtotal": 10,
        "version": 1,
    }
    details = row["billDetails"]
    assert (details["day"], details["week"], details["yearMonth"]) == (1, "2025-W18", "2025-05")
    assert (details["status"], details["locked"], details["endDate"]) == ("PENDING", "false", "2025-06-01")
    assert details["servicePeriodEndDate"] == "2025-06-01T00:00:00Z"

    def found(**more: Any) -> int:
        return len(world.post("dataexplorer/bills", {**asked, **more})["values"])

    def named_so(name: str, *texts: str) -> list[Any]:
        return [{"name": name, "filter": texts, "attributes": ["accountName"]}]

    assert found(limit=1) == 1
    assert found(lineItemTypes=["USAGE"], dimensions=named_so("product name", "Air")) == 1
    assert found(dimensions=named_so("account", "nobody")) == 0
    assert found(dimensions=named_so("billId", bill["id"])) == 2
    assert found(dimensions=named_so("account", "*")) == 2
    assert found(startDate="2025-05-01T00:00:01Z") == 0


def test_bill_queries_are_refused_by_path(live: Live, world: World) -> None:
    bad = {**MAY, "lineItemTypes": [], "limit": 2001, "dimensions": [{"name": "x", "filter": []}]}
    faults = world.post("dataexplorer/bills", bad, expect=400)["errors"]
    assert {each["field"] for each in faults} == {"lineItemTypes", "limit", "dimensions[0].filter"}
    bad = {
        **MAY,
        "lineItemTypes": ["USAGE"],
        "dimensions": [{"name": "x", "filter": ["*"], "attributes": ["y"]}],
    }
    faults = world.post("dataexplorer/bills", bad, expect=400)["errors"]
    assert [each["field"] for each in faults] == ["dimensions[0].name", "dimensions[0].attributes[0]"]
    billed(world)
    other = World(live)
    assert other.post("dataexplorer/bills", {**MAY, "lineItemTypes": ["USAGE"]})["values"] == []
    other.close()
