"""Aggregations beyond sums, on bills through the API: TIME_WEIGHTED and CUSTOM_SQL (semantics §9)."""

from decimal import Decimal
from typing import Any

import pytest

from tests.support.world import World

MAY = {
    "billingFrequency": "MONTHLY",
    "billFrequencyInterval": 1,
    "lastDateInBillingPeriod": "2025-05-31",
}
MIDDLE_DAY = """
SELECT quantileExact(0.5)(miles) -- the middle day
FROM (SELECT toStartOfDay(ts) AS day, sum(distance) AS miles FROM measurements GROUP BY day)
"""


def plan_for(world: World, method: str, **more: Any) -> tuple[str, Any]:
    product = world.product()
    aggregation = world.aggregation(world.meter(product)["id"], method, "distance", **more)
    plan = world.plan(product)["id"]
    world.pricing(plan, aggregation["id"], (0, 0, 1))
    return plan, aggregation


def preview(world: World, account_id: str, *, expect: int = 200) -> Any:
    return world.post("bills/preview", {**MAY, "accountIds": [account_id]}, expect=expect)


def test_a_level_is_billed_by_the_hours_it_was_held(world: World) -> None:
    plan, aggregation = plan_for(world, "TIME_WEIGHTED")
    assert world.get(f"aggregations/{aggregation['id']}")["aggregation"] == "TIME_WEIGHTED"
    acme, quiet = world.account("acme")["id"], world.account("quiet")["id"]
    for account in (acme, quiet):
        world.attach(account, plan, "2025-01-01")
    levels = [("2025-04-20T00:00:00Z", 2), ("2025-05-11T00:00:00Z", 5), ("2025-05-11T12:00:00Z", 0)]
    world.send(*(world.measure("acme", ts, distance=level) for ts, level in levels))
    (line,) = preview(world, acme)["lineItems"]
    assert (line["quantity"], line["convertedSubtotal"]) == (540, 540)  # 2 x 240 h + 5 x 12 h
    assert preview(world, quiet)["lineItems"] == []


def test_sql_sees_its_own_account_only(world: World) -> None:
    plan, _ = plan_for(world, "CUSTOM_SQL", customSql=MIDDLE_DAY)
    ids = {code: world.account(code)["id"] for code in ("acme", "other")}
    for account in ids.values():
        world.attach(account, plan, "2025-01-01")
    acme = [("2025-05-01", 10), ("2025-05-02", 7), ("2025-05-02", 13), ("2025-05-03", 1000)]
    world.send(*(world.measure("acme", f"{day}T08:00:00Z", distance=miles) for day, miles in acme))
    world.send(world.measure("other", "2025-05-04T08:00:00Z", distance=3))
    billed = {code: preview(world, account)["lineItems"][0]["quantity"] for code, account in ids.items()}
    assert billed == {"acme": 20, "other": 3}


def test_sql_that_fails_says_so(world: World) -> None:
    plan, aggregation = plan_for(world, "CUSTOM_SQL", customSql="SELECT distance FROM measurements")
    account = world.account("acme")["id"]
    world.attach(account, plan, "2025-01-01")
    assert preview(world, account)["lineItems"] == []
    world.send(world.measure("acme", "2025-05-04T08:00:00Z", distance=3))
    assert preview(world, account)["lineItems"][0]["convertedSubtotal"] == Decimal(3)
    world.send(world.measure("acme", "2025-05-05T08:00:00Z", distance=3))
    answer = preview(world, account, expect=400)
    assert answer["code"] == "custom_sql_failed"
    assert answer["message"] == f"The aggregation {aggregation['name']}: The SQL gave more than one row."


@pytest.mark.parametrize(
    ("sql", "code", "told"),
    [
        (None, "required", "is required with the aggregation CUSTOM_SQL"),
        (
            "SELECT count()\nFROM system.tables",
            "invalid_sql",
            "line 2, column 6: may read nothing but measurements",
        ),
        (
            "SELECT sum(speed) FROM measurements",
            "invalid_sql",
            "line 1, column 12: measurements have no field speed",
        ),
    ],
)
def test_sql_that_may_not_run_is_refused_when_it_is_saved(
    world: World, sql: str | None, code: str, told: str
) -> None:
    meter = world.meter()
    body = {
        "name": "x",
        "meterId": meter["id"],
        "aggregation": "CUSTOM_SQL",
        "targetField": "destination",
        "rounding": "NONE",
        "quantityPerUnit": 1,
        "unit": "mi",
        **({"customSql": sql} if sql else {}),
    }
    (problem,) = world.post("aggregations", body, expect=400)["errors"]
    assert (problem["field"], problem["code"], problem["message"]) == ("customSql", code, told)
