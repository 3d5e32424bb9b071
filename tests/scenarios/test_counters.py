"""What counters and their adjustments keep, list and refuse (semantics §16)."""

from typing import Any

import pytest

from tests.support.world import World

OTHER = "00000000-0000-4000-8000-000000000001"


def codes(answer: Any) -> dict[str, str]:
    """Give the problems of a refusal by field."""
    return {p["field"]: p["code"] for p in answer["errors"]}


def counter(world: World, code: str = "seats", **more: Any) -> str:
    return str(world.post("counters", {"name": code.title(), "code": code, "unit": "seat", **more})["id"])


def adjust(
    world: World, counter_id: str, account_id: str, day: str, value: Any, *, expect: int = 200, **more: Any
) -> Any:
    body = {"counterId": counter_id, "accountId": account_id, "date": day, "value": value, **more}
    return world.post("counteradjustments", body, expect=expect)


def days(answer: Any) -> list[str]:
    return [a["date"] for a in answer["data"]]


# --- counters -----------------------------------------------------------------------------------


def test_a_counter_keeps_what_it_was_given(world: World) -> None:
    product = world.product()
    made = world.post(
        "counters", {"name": "Seats", "code": "seats", "unit": "seat", "productId": product, "version": 7}
    )
    assert (made["version"], made["productId"], made["unit"]) == (1, product, "seat")
    body = {"name": "Chairs", "unit": "chair", "version": 1}
    changed = world.put(f"counters/{made['id']}", body)
    assert (changed["name"], changed["version"], "code" in changed, "productId" in changed) == (
        "Chairs",
        2,
        False,
        False,
    )
    assert world.put(f"counters/{made['id']}", body, expect=409)["code"] == "stale_version"
    assert world.delete(f"counters/{made['id']}")["name"] == "Chairs"
    world.get(f"counters/{made['id']}", expect=404)


def test_counters_are_found_by_id_code_and_product(world: World) -> None:
    product = world.product()
    seats, disks = counter(world), counter(world, "disks", productId=product)
    assert [c["id"] for c in world.get("counters")["data"]] == [disks, seats]
    assert [c["id"] for c in world.get("counters", codes="seats")["data"]] == [seats]
    assert [c["id"] for c in world.get("counters", productId=product)["data"]] == [disks]
    assert [c["id"] for c in world.get("counters", ids=f"{seats},{disks}", pageSize=200)["data"]] == [
        disks,
        seats,
    ]


@pytest.mark.parametrize(
    ("changed", "expected"),
    [
        pytest.param({"name": ""}, {"name": "wrong_length"}, id="no name"),
        pytest.param({"unit": None}, {"unit": "required"}, id="no unit"),
        pytest.param({"code": " seats"}, {"code": "wrong_format"}, id="code with a space before"),
        pytest.param({"code": "taken"}, {"code": "duplicate"}, id="code of another counter"),
        pytest.param({"productId": OTHER}, {"productId": "unknown_reference"}, id="no such product"),
    ],
)
def test_a_counter_is_refused(world: World, changed: dict[str, Any], expected: dict[str, str]) -> None:
    counter(world, "taken")
    body = {"name": "Seats", "code": "seats", "unit": "seat", **changed}
    assert codes(world.post("counters", body, expect=400)) == expected


def test_a_counter_with_adjustments_stays(world: World) -> None:
    seats, account = counter(world), world.account()["id"]
    made = adjust(world, seats, account, "2025-01-01", 5)
    assert world.delete(f"counters/{seats}", expect=400)["code"] == "in_use"
    world.delete(f"counteradjustments/{made['id']}")
    world.delete(f"counters/{seats}")


# --- adjustments --------------------------------------------------------------------------------


def test_an_adjustment_is_the_new_value_from_its_day_on(world: World) -> None:
    seats, account = counter(world), world.account()["id"]
    made = adjust(world, seats, account, "2025-01-01", 15, purchaseOrderNumber="PO 1")
    assert (made["date"], made["value"], made["purchaseOrderNumber"]) == ("2025-01-01", 15, "PO 1")
    body = {"counterId": seats, "accountId": account, "date": "2025-01-02", "value": 0, "version": 1}
    changed = world.put(f"counteradjustments/{made['id']}", body)
    assert (changed["date"], changed["value"], changed["version"]) == ("2025-01-02", 0, 2)
    assert "purchaseOrderNumber" not in changed
    assert world.get(f"counteradjustments/{made['id']}") == changed


def test_one_adjustment_per_counter_account_and_day(world: World) -> None:
    seats, disks = counter(world), counter(world, "disks")
    acme, other = world.account()["id"], world.account("other")["id"]
    adjust(world, seats, acme, "2025-01-01", 15)
    again = adjust(world, seats, acme, "2025-01-01", 16, expect=400)
    assert codes(again) == {"counterId": "duplicate"}
    adjust(world, disks, acme, "2025-01-01", 1)
    adjust(world, seats, other, "2025-01-01", 1)
    moved = adjust(world, seats, acme, "2025-01-02", 20)
    body = {"counterId": seats, "accountId": acme, "date": "2025-01-01", "value": 1, "version": 1}
    clash = world.put(f"counteradjustments/{moved['id']}", body, expect=400)
    assert codes(clash) == {"counterId": "duplicate"}


@pytest.mark.parametrize(
    ("changed", "expected"),
    [
        pytest.param({"value": -1}, {"value": "out_of_range"}, id="negative"),
        pytest.param({"value": 1.5}, {"value": "wrong_type"}, id="half a seat"),
        pytest.param({"value": 2**31}, {"value": "out_of_range"}, id="more than 32 bits"),
        pytest.param({"value": None}, {"value": "required"}, id="no value"),
        pytest.param({"date": "2025-01-01T12:00:00Z"}, {"date": "wrong_format"}, id="a time of day"),
        pytest.param({"date": "2025-02-30"}, {"date": "wrong_format"}, id="no such day"),
        pytest.param({"counterId": OTHER}, {"counterId": "unknown_reference"}, id="no such counter"),
        pytest.param({"accountId": OTHER}, {"accountId": "unknown_reference"}, id="no such account"),
        pytest.param(
            {"purchaseOrderNumber": "x" * 101}, {"purchaseOrderNumber": "wrong_length"}, id="long PO number"
        ),
    ],
)
def test_an_adjustment_is_refused(world: World, changed: dict[str, Any], expected: dict[str, str]) -> None:
    seats, account = counter(world), world.account()["id"]
    body = {"counterId": seats, "accountId": account, "date": "2025-01-01", "value": 1, **changed}
    assert codes(world.post("counteradjustments", body, expect=400)) == expected
    assert world.get("counteradjustments", counterId=seats)["data"] == []


def test_a_list_of_adjustments_needs_its_counter_and_dates_need_the_account(world: World) -> None:
    seats = counter(world)
    assert codes(world.get("counteradjustments", expect=400)) == {"counterId": "required"}
    for name in ("date", "dateStart", "dateEnd", "endDateStart", "endDateEnd"):
        refused = world.get("counteradjustments", expect=400, counterId=seats, **{name: "2025-01-01"})
        assert codes(refused) == {"accountId": "required"}
    account = world.account()["id"]
    wrong: dict[str, Any] = {"counterId": seats, "accountId": account}
    assert codes(world.get("counteradjustments", expect=400, **wrong, date="soon")) == {
        "date": "wrong_format"
    }
    assert codes(world.get("counteradjustments", expect=400, **wrong, sortOrder="UP")) == {
        "sortOrder": "unknown_value"
    }


def test_adjustments_are_listed_by_account_and_date(world: World) -> None:
    seats, acme, other = counter(world), world.account()["id"], world.account("other")["id"]
    for day, value in (("2025-03-01", 3), ("2025-01-01", 1), ("2025-02-01", 2)):
        adjust(world, seats, acme, day, value)
    adjust(world, seats, other, "2025-02-15", 9)
    adjust(world, counter(world, "disks"), acme, "2025-02-20", 9)

    def listed(**filters: Any) -> list[str]:
        return days(world.get("counteradjustments", counterId=seats, **filters))

    assert listed() == ["2025-02-15", "2025-02-01", "2025-01-01", "2025-03-01"]  # newest first
    assert listed(accountId=acme, sortOrder="ASC") == ["2025-01-01", "2025-02-01", "2025-03-01"]
    assert listed(accountId=acme, sortOrder="desc") == ["2025-03-01", "2025-02-01", "2025-01-01"]
    assert listed(accountId=acme, date="2025-02-01") == ["2025-02-01"]
    # A start is inclusive, an end is not.
    assert listed(accountId=acme, dateStart="2025-02-01", sortOrder="ASC") == ["2025-02-01", "2025-03-01"]
    assert listed(accountId=acme, dateEnd="2025-02-01") == ["2025-01-01"]
    # The next adjustment ends one: January's on February 1, February's on March 1, March's never.
    assert listed(accountId=acme, endDateStart="2025-02-02") == ["2025-02-01"]
    assert listed(accountId=acme, endDateEnd="2025-03-01") == ["2025-01-01"]


@pytest.mark.parametrize("order", [None, "ASC", "DESC"])
def test_adjustments_come_in_pages(world: World, order: str | None) -> None:
    seats, acme = counter(world), world.account()["id"]
    for day in range(1, 6):
        adjust(world, seats, acme, f"2025-01-{day:02}", day)
    filters: dict[str, Any] = {"counterId": seats, "pageSize": "2", **({"sortOrder": order} if order else {})}
    found: list[str] = []
    page = world.get("counteradjustments", **filters)
    while True:
        found += days(page)
        if "nextToken" not in page:
            break
        page = world.get("counteradjustments", **filters, nextToken=page["nextToken"])
    expected = [f"2025-01-{day:02}" for day in range(1, 6)]
    assert found == (expected if order == "ASC" else expected[::-1])


def test_a_page_whose_place_is_gone_is_refused(world: World) -> None:
    seats, acme = counter(world), world.account()["id"]
    made = [adjust(world, seats, acme, f"2025-01-0{day}", day) for day in (1, 2)]
    page = world.get("counteradjustments", counterId=seats, pageSize=1, sortOrder="ASC")
    world.delete(f"counteradjustments/{made[0]['id']}")
    refused = world.get(
        "counteradjustments", expect=400, counterId=seats, sortOrder="ASC", nextToken=page["nextToken"]
    )
    assert codes(refused) == {"nextToken": "wrong_format"}


def test_adjustments_of_another_organization_are_not_found(world: World, live: Any) -> None:
    seats, acme = counter(world), world.account()["id"]
    made = adjust(world, seats, acme, "2025-01-01", 1)
    stranger = World(live)
    stranger.get(f"counteradjustments/{made['id']}", expect=404)
    assert stranger.get("counteradjustments", counterId=seats)["data"] == []
    account = stranger.account()["id"]
    assert codes(adjust(stranger, seats, account, "2025-01-01", 1, expect=400)) == {
        "counterId": "unknown_reference"
    }
    stranger.close()
