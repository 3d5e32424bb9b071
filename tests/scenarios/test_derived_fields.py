"""Derived fields through the API (semantics §8): declared, calculated when usage comes in, queried."""

from decimal import Decimal
from typing import Any

from tests.support.world import World

D = Decimal
DERIVED = [
    {
        "category": "MEASURE",
        "code": "weighted",
        "name": "Weighted miles",
        "unit": "mi",
        "calculation": "distance * Lookup.findNumber('rates', 'rate', 1, destination)"
        " * (1 - account.customfields.discount)",
    },
    {
        "category": "WHAT",
        "code": "length",
        "name": "Length",
        "calculation": "distance > 1000 ? 'long' : 'short'",
    },
]


def publish_rates(world: World) -> None:
    table = world.post("lookuptables", {"name": "Rates", "code": "rates"})["id"]
    fields = [{"name": "airport", "type": "STRING"}, {"name": "rate", "type": "NUMBER"}]
    path = f"lookuptables/{table}/revisions"
    revision = world.post(path, {"name": "First", "fields": fields, "keys": ["airport"]})["id"]
    world.put(f"{path}/{revision}/data", {"items": [{"airport": "DFW", "rate": 3}]})
    version = world.get(f"{path}/{revision}")["version"]
    world.put(f"{path}/{revision}/status", {"status": "PUBLISHED", "version": version})


def weighted(world: World, meter: Any) -> dict[str, Any]:
    query = {
        "startDate": "2025-05-01T00:00:00Z",
        "endDate": "2025-06-01T00:00:00Z",
        "aggregations": [
            {"meterId": meter["id"], "fieldCode": "weighted", "fieldType": "MEASURE", "function": "SUM"}
        ],
        "groups": [{"groupType": "DIMENSION", "meterId": meter["id"], "fieldCode": "length"}],
    }
    rows = world.post("usage/query", query)["data"]
    return {row["flights.length"]: row["flights.weighted.SUM"] for row in rows}


def test_derived_fields_from_the_meter_to_a_query(world: World) -> None:
    publish_rates(world)
    world.put("customfields", {"account": {"discount": 0}, "version": world.get("customfields")["version"]})
    world.account("acme", customFields={"discount": D("0.5")})
    world.account("globex")
    meter = world.meter(derivedFields=DERIVED)
    assert [field["calculation"] for field in meter["derivedFields"]] == [d["calculation"] for d in DERIVED]
    ts = "2025-05-05T00:00:00Z"
    world.send(
        world.measure("acme", ts, distance=100, destination="DFW"),  # 100 * 3 * 0.5
        world.measure("globex", ts, distance=7, destination="DFW"),  # 7 * 3
        world.measure("acme", ts, distance=2000, destination="ORD"),  # 2000 * 1 * 0.5
    )
    assert weighted(world, meter) == {"short": 171, "long": 1000}


def test_a_bad_calculation_is_refused_with_its_place(world: World) -> None:
    bad = [{**DERIVED[1], "calculation": "distance >\n * 2"}, {**DERIVED[0], "calculation": "speed / 2"}]
    body = {"name": "m", "code": "m", "derivedFields": bad}
    fields = [{"category": "MEASURE", "code": "distance", "name": "Distance", "unit": "mi"}]
    answer = world.post("meters", {**body, "dataFields": fields}, expect=400)
    assert {(p["field"], p["code"], p["message"]) for p in answer["errors"]} == {
        (
            "derivedFields[0].calculation",
            "invalid_expression",
            "unexpected *; a value belongs here (line 2, column 2)",
        ),
        (
            "derivedFields[1].calculation",
            "unknown_reference",
            "speed is no data field of this meter (line 1, column 1)",
        ),
    }
