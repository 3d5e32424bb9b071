"""What compound aggregations take from the aggregations they name, and what they refuse (semantics §11)."""

from typing import Any

import pytest

from tests.support.world import World

OTHER = "00000000-0000-4000-8000-000000000001"
EAST, WEST, NORTH = {"destination": "JFK"}, {"destination": "LAX"}, {"destination": "ORD"}


def codes(answer: Any) -> dict[str, str]:
    """Give the problems of a refusal by field."""
    return {p["field"]: p["code"] for p in answer["errors"]}


def body(calculation: str = "aggregation.miles / 2", **more: Any) -> dict[str, Any]:
    base = {
        "name": "Half",
        "calculation": calculation,
        "rounding": "NONE",
        "quantityPerUnit": 1,
        "unit": "mi",
    }
    return {**base, **more}


def miles(world: World, code: str = "miles", *segments: dict[str, str], meter: str = "flights") -> Any:
    found = world.get("meters", codes=meter)["data"]
    meter_id = (found[0] if found else world.meter(code=meter))["id"]
    more: dict[str, Any] = {"segmentedFields": ["destination"], "segments": [*segments]} if segments else {}
    return world.aggregation(meter_id, code=code, **more)


def resegment(world: World, aggregation: Any, *segments: dict[str, str], expect: int = 200) -> Any:
    return world.put(
        f"aggregations/{aggregation['id']}", {**aggregation, "segments": segments}, expect=expect
    )


def test_the_answer_has_the_fields_of_both_kinds(world: World) -> None:
    miles(world, "miles", EAST, WEST)
    made = world.post(
        "compoundaggregations",
        body(code="half", evaluateNullAggregations=True, customFields={"tier": "gold", "rate": 2}),
    )
    assert made["segments"] == [EAST, WEST]
    assert made["segmentedFields"] == ["destination"]
    assert (made["calculation"], made["evaluateNullAggregations"], made["version"]) == (
        "aggregation.miles / 2",
        True,
        1,
    )
    assert made["customFields"] == {"tier": "gold", "rate": 2}
    assert not {"meterId", "targetField", "aggregation", "aggregationCodes"} & set(made)
    got = world.get(f"compoundaggregations/{made['id']}")
    assert {**made, **got} == made
    changed = world.put(f"compoundaggregations/{made['id']}", body("1", version=1))
    assert (changed["version"], changed["customFields"], changed["segments"]) == (2, {}, [])
    assert world.delete(f"compoundaggregations/{made['id']}")["calculation"] == "1"


def test_compound_aggregations_are_found_by_id_code_and_product(world: World) -> None:
    product = world.product()
    one = world.post("compoundaggregations", body("1", code="one", productId=product))["id"]
    two = world.post("compoundaggregations", body("2", code="two"))["id"]
    for filters, expected in (
        ({}, [two, one]),
        ({"codes": "one"}, [one]),
        ({"productId": product}, [one]),
        ({"ids": two}, [two]),
    ):
        assert [c["id"] for c in world.get("compoundaggregations", **filters)["data"]] == expected


@pytest.mark.parametrize(
    ("changed", "expected"),
    [
        pytest.param({"calculation": ""}, {"calculation": "wrong_length"}, id="no calculation"),
        pytest.param(
            {"calculation": "1 + " * 1249 + "10000"},
            {"calculation": "wrong_length"},
            id="over 5,000 characters",
        ),
        pytest.param(
            {"calculation": "aggregation.feet"},
            {"calculation": "unknown_aggregation"},
            id="no such aggregation",
        ),
        pytest.param({"calculation": "1 +"}, {"calculation": "invalid_expression"}, id="half a calculation"),
        pytest.param({"calculation": "'a' + 'b'"}, {"calculation": "wrong_kind"}, id="a text"),
        pytest.param({"calculation": "1 < 2"}, {"calculation": "wrong_kind"}, id="true or false"),
        pytest.param({"calculation": "miles * 2"}, {"calculation": "unknown_reference"}, id="a bare name"),
        pytest.param(
            {"calculation": "account.customfields.none"},
            {"calculation": "unknown_custom_field"},
            id="no field",
        ),
        pytest.param(
            {"calculation": "colour.customfields.red"}, {"calculation": "unknown_custom_field"}, id="no owner"
        ),
        pytest.param({"quantityPerUnit": 0}, {"quantityPerUnit": "out_of_range"}, id="no quantity per unit"),
        pytest.param({"unit": "u" * 51}, {"unit": "wrong_length"}, id="long unit"),
        pytest.param({"rounding": "HALF"}, {"rounding": "unknown_value"}, id="unknown rounding"),
        pytest.param({"code": "1st"}, {"code": "wrong_format"}, id="code that starts with a digit"),
        pytest.param({"code": "taken"}, {"code": "duplicate"}, id="code of another one"),
        pytest.param({"productId": OTHER}, {"productId": "unknown_reference"}, id="no such product"),
        pytest.param(
            {"accountingProductId": OTHER},
            {"accountingProductId": "unknown_reference"},
            id="nor to account to",
        ),
    ],
)
def test_a_compound_aggregation_is_refused(
    world: World, changed: dict[str, Any], expected: dict[str, str]
) -> None:
    world.post("compoundaggregations", body("1", code="taken"))
    miles(world)
    assert codes(world.post("compoundaggregations", body(**changed), expect=400)) == expected


def test_any_products_aggregations_may_be_named(world: World) -> None:
    air, sea = world.product("air"), world.product("sea")
    for product, code in ((air, "fly"), (sea, "sail")):
        world.aggregation(world.meter(product, code)["id"], code=code)
    both = body("aggregation.fly + aggregation.sail", productId=air)
    assert world.post("compoundaggregations", both)["version"] == 1


def test_5000_characters_are_taken(world: World) -> None:
    assert world.post("compoundaggregations", body("1" + " " * 4999))["version"] == 1


def test_no_aggregation_has_to_be_named(world: World) -> None:
    defaults = {"account": {"seats": 1}, "accountPlan": {"rate": 2}, "version": 1}
    world.put("customfields", defaults)
    assert (
        world.post(
            "compoundaggregations", body("account.customfields.seats * accountPlan.customfields.rate")
        )["segments"]
        == []
    )


def test_an_aggregation_named_only_in_a_text_is_no_reference(world: World) -> None:
    world.post("compoundaggregations", body("'aggregation.feet' == \"aggregation.yards\" ? 1 : 2"))


# --- what a compound aggregation holds on to ----------------------------------------------------


def test_a_named_aggregation_stays_and_keeps_its_code(world: World) -> None:
    named = miles(world)
    made = world.post("compoundaggregations", body())
    refused = world.delete(f"aggregations/{named['id']}", expect=400)
    assert refused["code"] == "not_deletable"
    assert codes(refused) == {"code": "code_in_use"}
    for code in ("feet", None):
        renamed = world.put(f"aggregations/{named['id']}", {**named, "code": code}, expect=400)
        assert codes(renamed) == {"code": "code_in_use"}
    named = world.put(f"aggregations/{named['id']}", {**named, "name": "Another name"})
    world.put(f"compoundaggregations/{made['id']}", body("1", version=1))
    world.put(f"aggregations/{named['id']}", {**named, "code": "feet"})
    world.delete(f"aggregations/{named['id']}")


def test_a_priced_compound_aggregation_stays(world: World) -> None:
    made = world.post("compoundaggregations", body("1"))
    plan = world.plan(world.product())
    price(world, plan["id"], made["id"])
    assert world.delete(f"compoundaggregations/{made['id']}", expect=400)["code"] == "in_use"


def price(world: World, plan_id: str, compound_id: str, *, expect: int = 200, **more: Any) -> Any:
    pricing = {
        "planId": plan_id,
        "compoundAggregationId": compound_id,
        "startDate": "2025-01-01T00:00:00Z",
        "pricingBands": [{"lowerLimit": 0, "fixedPrice": 0, "unitPrice": 1}],
        **more,
    }
    return world.post("pricings", pricing, expect=expect)


def test_an_unknown_compound_aggregation_has_no_price(world: World) -> None:
    plan = world.plan(world.product())
    assert codes(price(world, plan["id"], OTHER, expect=400)) == {
        "compoundAggregationId": "unknown_reference"
    }


def test_a_products_compound_aggregation_prices_that_products_plans(world: World) -> None:
    air, sea = world.product("air"), world.product("sea")
    own = world.post("compoundaggregations", body("1", productId=air))["id"]
    everyones = world.post("compoundaggregations", body("1"))["id"]
    plans = {product: world.plan(product, code)["id"] for product, code in ((air, "fly"), (sea, "sail"))}
    assert codes(price(world, plans[sea], own, expect=400)) == {"compoundAggregationId": "wrong_product"}
    assert price(world, plans[air], own)["aggregationType"] == "COMPOUND"
    price(world, plans[sea], everyones)
    template = {"planId": None, "planTemplateId": world.get(f"plans/{plans[sea]}")["planTemplateId"]}
    refused = price(world, plans[sea], own, expect=400, **template)
    assert codes(refused) == {"compoundAggregationId": "wrong_product"}


# --- segments -----------------------------------------------------------------------------------


def test_segments_are_those_that_all_segmented_aggregations_share(world: World) -> None:
    miles(world, "miles", EAST, WEST)
    miles(world, "trips", WEST, NORTH, EAST)
    miles(world, "hours", NORTH, WEST)
    miles(world, "total")

    def segments(calculation: str) -> Any:
        return world.post("compoundaggregations", body(calculation))["segments"]

    assert segments("aggregation.total * 2") == []
    assert segments("aggregation.miles / aggregation.total") == [EAST, WEST]
    assert segments("aggregation.miles / aggregation.trips") == [EAST, WEST]
    assert segments("aggregation.miles + aggregation.trips + aggregation.hours") == [WEST]


def test_segments_follow_the_aggregations(world: World) -> None:
    named, other = miles(world, "miles", EAST, WEST), miles(world, "trips", EAST, WEST, NORTH)
    made = world.post("compoundaggregations", body("aggregation.miles / aggregation.trips"))
    named = resegment(world, named, EAST, WEST, NORTH)
    got = world.get(f"compoundaggregations/{made['id']}")
    assert (got["segments"], got["version"]) == ([EAST, WEST, NORTH], 1)
    resegment(world, other, NORTH)
    assert world.get(f"compoundaggregations/{made['id']}")["segments"] == [NORTH]


def test_a_priced_segment_of_a_compound_aggregation_stays(world: World) -> None:
    named = miles(world, "miles", EAST, WEST)
    made = world.post("compoundaggregations", body())
    plan = world.plan(world.product())["id"]
    assert codes(price(world, plan, made["id"], expect=400)) == {"segment": "required"}
    assert codes(price(world, plan, made["id"], expect=400, segment=NORTH)) == {"segment": "unknown_segment"}
    price(world, plan, made["id"], segment=EAST)
    assert codes(resegment(world, named, WEST, expect=400)) == {"segments": "segment_in_use"}
    refused = world.put(f"compoundaggregations/{made['id']}", body("1", version=1), expect=400)
    assert codes(refused) == {"calculation": "segment_in_use"}
    resegment(world, named, EAST)


def test_another_organizations_aggregation_cannot_be_named(world: World, live: Any) -> None:
    miles(world)
    made = world.post("compoundaggregations", body())
    stranger = World(live)
    stranger.get(f"compoundaggregations/{made['id']}", expect=404)
    assert codes(stranger.post("compoundaggregations", body(), expect=400)) == {
        "calculation": "unknown_aggregation"
    }
    stranger.close()
