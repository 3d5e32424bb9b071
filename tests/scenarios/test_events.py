"""Every change leaves an event, in the transaction it happened in (semantics §28)."""

from tests.support.world import World


def test_each_change_is_an_event_with_its_states(world: World) -> None:
    product = world.product()
    world.put(f"products/{product}", {"name": "Air 2", "code": "air", "version": 1})
    world.delete(f"products/{product}")

    found = world.get("events", resourceId=product)["data"]
    assert [e["eventName"].rpartition(".")[2] for e in found] == ["deleted", "updated", "created"]
    updated = world.get(f"events/{found[1]['id']}")["m3terEvent"]["eventData"]
    assert (updated["oldDto"]["name"], updated["newDto"]["name"]) == ("Air", "Air 2")


def test_a_refused_change_leaves_no_event(world: World) -> None:
    product = world.product()
    before = world.get("events", pageSize=100)["data"]
    world.post("products", {"name": "Other", "code": "air"}, expect=400)
    world.put(f"products/{product}", {"name": "Air 2", "code": "air", "version": 7}, expect=409)
    assert world.get("events", pageSize=100)["data"] == before


def test_hidden_fields_are_in_no_answer_and_no_event(world: World) -> None:
    meter = world.meter()
    event = world.get("events", resourceId=meter["id"])["data"][0]
    for seen in (meter, event["m3terEvent"]["eventData"]["newDto"], world.get("meters")["data"][0]):
        assert "slots" not in seen


def test_lists_of_events_say_what_cannot_be_combined_and_what_is_not_there(world: World) -> None:
    product = world.product()
    assert world.get("events", ids=product, eventName="x", expect=400)["code"] == "invalid_body"
    assert world.get(f"events/{product}", expect=404)["code"] == "event_not_found"
    assert world.get("events/nonsense", expect=404)["code"] == "event_not_found"
    assert world.get("products", nextToken="nonsense", expect=400)["errors"][0]["field"] == "nextToken"


def test_events_are_found_by_the_account_they_are_about(world: World) -> None:
    plan = world.plan(world.product())["id"]
    acme, other = world.account("acme")["id"], world.account("other")["id"]
    attached = world.attach(acme, plan, "2025-01-01")["id"]
    world.attach(other, plan, "2025-01-01")
    world.delete(f"accountplans/{attached}")

    found = world.get("events", accountId=acme)["data"]
    assert [e["eventName"] for e in found] == [
        "configuration.accountplan.deleted",
        "configuration.accountplan.created",
        "configuration.account.created",
    ]
    created = world.get("events", accountId=acme, eventType="configuration.account.created")["data"]
    assert created == found[2:]
    assert world.get("events", accountId=plan)["data"] == []
    assert world.get("events", accountId="nonsense", expect=400)["errors"][0]["field"] == "accountId"


def test_no_event_is_of_a_notification_that_does_not_exist(world: World) -> None:
    product = world.product()
    assert world.get("events", notificationId=product)["data"] == []
    assert world.get("events", notificationCode="spent")["data"] == []
    assert world.get("events", notificationId="x", expect=400)["errors"][0]["field"] == "notificationId"


def test_types_and_fields_come_from_what_is_declared(world: World) -> None:
    types = world.get("events/types")["events"]
    assert types == sorted(set(types))
    assert {"configuration.product.created", "billing.bill.updated", "ingest.validation.failure"} <= set(
        types
    )

    fields = world.get("events/fields")["events"]
    assert sorted(fields) == types
    assert fields["configuration.product.created"] == {
        "new.id": "string",
        "new.version": "integer",
        "new.dtCreated": "date-time",
        "new.dtLastModified": "date-time",
        "new.createdBy": "string",
        "new.lastModifiedBy": "string",
        "new.name": "string",
        "new.code": "string",
        "new.customFields": "object",
    }
    updated = fields["configuration.plantemplate.updated"]
    assert updated["old.standingCharge"] == updated["new.standingCharge"] == "number"
    assert "new.slots" not in fields["configuration.meter.created"]
    assert "new.id" not in fields["configuration.meter.deleted"]

    only = world.get("events/fields", eventName="ingest.validation.failure")["events"]
    assert list(only) == ["ingest.validation.failure"]
    assert only["ingest.validation.failure"]["new.failed"] == "integer"
    assert world.get("events/fields", eventName="no.such.event")["events"] == {}


def test_every_event_that_happened_has_a_listed_type_and_only_listed_fields(world: World) -> None:
    meter = world.meter(world.product())["id"]
    world.account("acme")
    world.aggregation(meter)
    world.send(world.measure("acme", "2025-05-01T00:00:00Z", meter="unknown"))

    fields = world.get("events/fields")["events"]
    happened = world.get("events", pageSize=100)["data"]
    assert "ingest.validation.failure" in {e["eventName"] for e in happened}
    for event in happened:
        facts = event["m3terEvent"]["eventData"]
        states = {"new": facts.get("newDto"), "old": facts.get("oldDto")}
        told = states if any(states.values()) else {"new": facts}
        named = {f"{state}.{field}" for state, values in told.items() for field in values or ()}
        assert named <= set(fields[event["eventName"]]), event
