"""Declared resources through the API: lists, versions, references, every refusal (semantics §1)."""

from typing import Any

import httpx
import pytest

from tests.support.world import World

SHAPE = {"code", "message", "requestId", "errors"}


def problems(answer: Any) -> dict[str, str]:
    """Give the problems of a refusal by field, having checked its shape."""
    assert set(answer) == SHAPE
    assert answer["message"]
    return {p["field"]: p["code"] for p in answer["errors"]}


def test_an_entity_lives_from_create_to_delete(world: World) -> None:
    made = world.post(
        "products", {"name": "Air", "code": "air", "customFields": {"tier": "gold", "sla": 99.95}}
    )
    assert made["version"] == 1
    assert made["createdBy"] == made["lastModifiedBy"]
    assert world.get(f"products/{made['id']}") == made

    changed = world.put(f"products/{made['id']}", {"name": "Air 2", "code": "air", "version": 1})
    assert (changed["version"], changed["name"], changed["customFields"]) == (2, "Air 2", {})
    assert changed["dtCreated"] == made["dtCreated"]

    assert world.delete(f"products/{made['id']}") == changed
    assert world.get(f"products/{made['id']}", expect=404)["code"] == "resource_not_found"
    assert world.get("products") == {"data": []}


def test_a_list_pages_newest_first(world: World) -> None:
    ids = [world.product(f"p{i}") for i in range(5)]
    first = world.get("products", pageSize=2)
    second = world.get("products", pageSize=2, nextToken=first["nextToken"])
    last = world.get("products", pageSize=2, nextToken=second["nextToken"])
    seen = [p["id"] for page in (first, second, last) for p in page["data"]]
    assert seen == ids[::-1]
    assert "nextToken" not in last


def test_a_list_is_narrowed_by_repeated_and_comma_separated_values(world: World) -> None:
    codes = ["a", "b", "c"]
    made = {code: world.account(code)["id"] for code in codes}
    for params in ({"codes": "a,c"}, {"codes": ["a", "c"]}, {"ids": f"{made['a']},{made['c']}"}):
        assert {a["code"] for a in world.get("accounts", **params)["data"]} == {"a", "c"}


def test_every_problem_of_a_body_is_told_at_once_by_path(world: World) -> None:
    body = {
        "name": "",
        "code": " gb",
        "productId": "7e9a5f5e-5c1c-4b7e-8f55-1f8f2a2f4a11",
        "dataFields": [
            {"category": "MEASURES", "code": "gb", "name": "GB", "unit": "GB"},
            {"category": "MEASURE", "code": "1st", "name": 5, "unit": "x" * 51},
        ],
    }
    assert problems(world.post("meters", body, expect=400)) == {
        "name": "wrong_length",
        "code": "wrong_format",
        "dataFields[0].category": "unknown_value",
        "dataFields[1].code": "wrong_format",
        "dataFields[1].name": "wrong_type",
        "dataFields[1].unit": "wrong_length",
        "derivedFields": "required",
    }


def test_checks_of_values_references_and_uniqueness_are_told_together(world: World) -> None:
    world.meter(code="gb")
    field = {"category": "MEASURE", "code": "gb", "name": "GB"}
    body = {
        "name": "GB",
        "code": "gb",
        "productId": "7e9a5f5e-5c1c-4b7e-8f55-1f8f2a2f4a11",
        "dataFields": [field, field],
        "derivedFields": [],
    }
    assert problems(world.post("meters", body, expect=400)) == {
        "dataFields[0].unit": "required",
        "dataFields[1].code": "duplicate",
        "dataFields[1].unit": "required",
        "productId": "unknown_reference",
        "code": "duplicate",
    }
    assert len(world.get("meters")["data"]) == 1


@pytest.mark.parametrize(
    ("content", "code"),
    [
        pytest.param(b"{", "malformed_json", id="cut off"),
        pytest.param(b"\xff{}", "malformed_json", id="not utf-8"),
        pytest.param(b"[]", "invalid_body", id="not an object"),
        pytest.param(b"", "malformed_json", id="empty"),
        pytest.param(b"[" * 100_000, "malformed_json", id="deep"),
        pytest.param(b'{"name": "a\\u0000b", "code": "nul"}', "invalid_body", id="NUL character"),
    ],
)
def test_a_body_that_is_no_entity_is_refused(world: World, content: bytes, code: str) -> None:
    answer = world.call("POST", "products", expect=400, content=content)
    assert answer["code"] == code
    assert set(answer) == SHAPE


def test_a_stale_version_is_a_conflict_and_a_missing_one_a_problem(world: World) -> None:
    product = world.product()
    body = {"name": "Air", "code": "air"}
    world.put(f"products/{product}", {**body, "version": 1})
    assert world.put(f"products/{product}", {**body, "version": 1}, expect=409)["code"] == "stale_version"
    assert problems(world.put(f"products/{product}", body, expect=400)) == {"version": "required"}


def test_what_is_in_use_is_not_deleted(world: World) -> None:
    product = world.product()
    world.meter(product)
    answer = world.delete(f"products/{product}", expect=400)
    assert answer["code"] == "in_use"
    assert world.get(f"products/{product}")["id"] == product


def test_another_organizations_things_are_not_found(world: World) -> None:
    other = World(world.live)
    theirs = other.product()
    assert world.get(f"products/{theirs}", expect=404)["code"] == "resource_not_found"
    assert world.put(f"products/{theirs}", {"name": "x", "code": "x", "version": 1}, expect=404)
    assert world.delete(f"products/{theirs}", expect=404)
    field = {"category": "WHO", "code": "who", "name": "Who"}
    body = {"name": "m", "code": "m", "productId": theirs, "dataFields": [field], "derivedFields": []}
    assert problems(world.post("meters", body, expect=400)) == {"productId": "unknown_reference"}
    answer = world.http.get(f"/organizations/{other.org_id}/products")
    assert (answer.status_code, answer.json()["code"]) == (403, "wrong_organization")
    other.close()


@pytest.mark.parametrize(
    "header",
    [None, "Bearer", "Bearer nonsense", "Basic YTpi", "Bearer eyJhbGciOiJub25lIn0.e30."],
)
def test_without_a_good_token_nobody_gets_in(world: World, header: str | None) -> None:
    headers = {"authorization": header} if header else {}
    answer = httpx.get(f"{world.live.url}/organizations/{world.org_id}/products", headers=headers)
    assert (answer.status_code, answer.json()["code"]) == (403, "unauthenticated")


def test_a_token_expires_after_five_hours(world: World) -> None:
    world.get("products")
    token = {"authorization": f"Bearer {world._auth.token}"}  # noqa: SLF001 - the token itself is the subject
    path = f"{world.live.url}/organizations/{world.org_id}/products"
    world.at("2025-06-01T04:59:59")
    assert httpx.get(path, headers=token).status_code == 200
    world.at("2025-06-01T05:00:00")
    assert httpx.get(path, headers=token).json()["code"] == "unauthenticated"


def test_an_oversized_body_is_refused_before_it_is_read(world: World) -> None:
    answer = world.call("POST", "products", expect=403, content=b" " * 4_000_001)
    assert answer["code"] == "body_too_large"


@pytest.mark.parametrize(
    ("path", "field"),
    [
        ("externalmappings/external/a%00b/c", "entity"),
        ("audit?operation=%00", "query"),
        ("commitments?endDateEnd=9999-12-31T23:59:59-14:00", "endDateEnd"),
        ("meters?pageSize=" + "9" * 5000, "pageSize"),
        ("lookuptables/x/revisions/x/data?limit=" + "9" * 5000, "limit"),
    ],
    ids=["NUL in a path", "NUL in a query", "after the last year", "a size", "a limit"],
)
def test_what_no_value_can_be_is_refused_before_it_is_looked_for(world: World, path: str, field: str) -> None:
    """Semantics §1: malformed is 400."""
    assert set(problems(world.call("GET", path, expect=400))) == {field}


def test_unknown_paths_and_methods_answer_in_the_same_shape(world: World) -> None:
    assert world.get("nonsense", expect=404)["code"] == "no_such_route"
    assert world.call("DELETE", "products", expect=405)["code"] == "method_not_allowed"
