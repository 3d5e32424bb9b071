"""Rules over events, tried out and told; alerts and what becomes of them (semantics §28, §32)."""

import time
from typing import Any

from tests.support.world import World

RENAMED = {"eventName": "configuration.product.updated", "calculation": "new.name != old.name"}


def rule(world: World, code: str = "renamed", **more: Any) -> Any:
    body = {"name": code, "code": code, "description": "A product has another name.", **RENAMED, **more}
    return world.post("notifications/configurations", body)


def test_a_rule_finds_its_events(world: World) -> None:
    made = rule(world)
    asleep = rule(world, "asleep", active=False)
    product = world.product()
    world.put(f"products/{product}", {"name": "Air", "code": "air", "version": 1})
    world.put(f"products/{product}", {"name": "Air 2", "code": "air", "version": 2})
    world.settle()

    (found,) = world.get("events", notificationId=made["id"])["data"]
    assert found["m3terEvent"]["eventData"]["newDto"]["name"] == "Air 2"
    assert world.get("events", notificationCode="renamed")["data"] == [found]
    assert world.get("events", notificationId=asleep["id"])["data"] == []
    assert world.get("notifications/configurations", active="true")["data"] == [made]


def test_a_rule_that_cannot_be_is_refused_with_the_place(world: World) -> None:
    body = {"name": "x", "code": "x", "description": "x", **RENAMED, "calculation": "new.name != old.nam"}
    (problem,) = world.post("notifications/configurations", body, expect=400)["errors"]
    assert problem["field"] == "calculation"
    assert "no field old.nam (line 1, column 13)" in problem["message"]


def test_a_calculation_is_tried_out(world: World) -> None:
    product = world.product()
    event = world.get("events", resourceId=product)["data"][0]["id"]

    def tried(**body: str) -> Any:
        return world.post("notifications/evaluate", body)

    created = "configuration.product.created"
    assert tried(eventName=created, calculation="new.name == 'Air'") == {"success": True}
    assert tried(eventId=event, calculation="new.name == 'Water'") == {"success": True}
    by_name = tried(eventId=event, eventName="billing.bill.deleted", calculation="new.name == 'Air'")
    assert "billing.bill.deleted has no field new.name" in by_name["errorMessage"]
    divided = tried(eventId=event, calculation="new.name / 2 > 1")
    assert divided["success"] is False
    assert "a number is needed" in divided["errorMessage"] or "number" in divided["errorMessage"]
    assert tried(eventName="no.such.event", calculation="true")["success"] is False
    assert world.post("notifications/evaluate", {"calculation": "true"}, expect=400)["code"] == "invalid_body"
    nothing = "01900000-0000-7000-8000-000000000000"
    world.post("notifications/evaluate", {"eventId": nothing, "calculation": "true"}, expect=404)


def test_rejected_usage_raises_an_alert_that_people_take_and_close(world: World) -> None:
    """An alert of the type API_INGEST (semantics §6), and its life (§32)."""
    world.meter()
    for _ in range(2):
        world.send(world.measure("acme", "2025-05-01T00:00:00Z", meter="unknown"))
    world.settle()

    (alert,) = world.get("alerts", status="NEW", severity="WARN")["data"]
    assert (alert["type"], alert["occurrences"]) == ("API_INGEST", 2)
    taken = world.put(f"alerts/{alert['id']}", {"status": "IN_PROGRESS", "version": alert["version"]})
    assert taken == {**taken, "status": "IN_PROGRESS", "description": alert["description"], "occurrences": 2}
    assert world.get(f"alerts/{alert['id']}") == taken
    world.put(f"alerts/{alert['id']}", {"status": "CLOSED", "version": 1}, expect=409)
    names = {e["eventName"] for e in world.get("events", resourceId=alert["id"])["data"]}
    assert names == {"configuration.alert.created", "configuration.alert.updated"}


def test_a_bill_run_raises_one_alert_with_its_totals(world: World) -> None:
    """Made bills raise an INFO alert with their total (semantics §22)."""
    plan = world.plan(world.product(), standingCharge=10)["id"]
    for code in ("acme", "beta"):
        world.attach(world.account(code)["id"], plan, "2025-04-01")
    job = world.post("billjobs", {"billingFrequency": "MONTHLY", "lastDateInBillingPeriod": "2025-04-30"})
    world.settle()
    world.settle()
    (alert,) = world.get("alerts", entityId=job["id"])["data"]
    assert (alert["type"], alert["severity"]) == ("BILL_SUCCESS", "INFO")
    assert alert["description"] == "Bills made: 2, for 20 USD"
    (first, _) = world.get("bills")["data"]
    anew = world.post("billjobs/recalculate", {"billIds": [first["id"]]})
    world.settle()
    world.settle()
    (alert,) = world.get("alerts", entityId=anew["id"])["data"]
    assert (alert["severity"], alert["description"]) == ("INFO", "Bills made: 1, for 10 USD")


def test_a_scheduled_event_happens_on_its_day_and_rules_hear_of_it(world: World) -> None:
    world.put("testclock", {"now": "2026-01-01T00:00:00Z"})
    config = {"name": "scheduled.accountplan.ending", "entity": "AccountPlan", "field": "endDate"}
    made = world.post("scheduledevents/configurations", {**config, "offset": -5})
    assert world.get(f"scheduledevents/configurations/{made['id']}") == made
    assert made["name"] in world.get("events/types")["events"]
    fields = world.get("events/fields", eventName=made["name"])["events"][made["name"]]
    assert fields["new.endDate"] == "date-time"
    heard = rule(world, eventName=made["name"], calculation="new.accountId != null")

    plan = world.plan(world.product())["id"]
    world.attach(world.account()["id"], plan, "2026-01-01", "2026-02-10")
    moved(world, "2026-02-04T23:59:59Z")
    assert world.get("events", eventName=made["name"])["data"] == []
    moved(world, "2026-02-05T00:00:00Z")
    (event,) = world.get("events", eventName=made["name"])["data"]
    assert event["eventTime"] == "2026-02-05T00:00:00Z"
    assert world.get("events", notificationId=heard["id"])["data"] == [event]
    moved(world, "2026-03-01T00:00:00Z")
    assert len(world.get("events", eventName=made["name"])["data"]) == 1


def moved(world: World, to: str) -> None:
    """Move the clock, and wait until all that fell due on the way is done."""
    state = world.put("testclock", {"now": to})
    while state["status"] == "ADVANCING":
        time.sleep(0.02)
        state = world.get("testclock")
    assert state["status"] == "READY", state
