"""Every change leaves an event, in the transaction it happened in."""

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
