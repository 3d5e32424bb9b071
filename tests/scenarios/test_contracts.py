"""Contracts and their grouping keys: what they refuse, what hangs on them, and how it is billed.

Semantics §21; end-dating: §13.
"""

from typing import Any

import pytest

from tests.support.world import World

YEAR = {"startDate": "2024-01-01", "endDate": "2025-01-01"}


def codes(answer: Any) -> dict[str, str]:
    """Give the problems of a refusal by field."""
    return {p["field"]: p["code"] for p in answer["errors"]}


def contract(world: World, account_id: str, name: str = "Frame", *, expect: int = 200, **more: Any) -> Any:
    return world.post("contracts", {"accountId": account_id, "name": name, **YEAR, **more}, expect=expect)


def test_a_contract_lives_with_its_account(world: World) -> None:
    acme, other = world.account("acme")["id"], world.account("other")["id"]
    key = world.post("picklists/billgroupingkeys", {"name": "emea", "exclusive": False})
    assert (key["code"], key["archived"], key["exclusive"]) == ("emea", False, False)
    made = contract(world, acme, code="c1", billGroupingKeyId=key["id"], purchaseOrderNumber="PO 7")
    assert (made["startDate"], made["endDate"], made["applyContractPeriodLimits"]) == (*YEAR.values(), False)
    assert world.get("contracts", accountId=acme)["data"] == [made]
    assert world.get("contracts", accountId=other) == {"data": []}
    assert world.get("contracts", codes="c1")["data"] == [made]
    body = {"accountId": acme, "name": "Frame 2", **YEAR, "version": 1}
    changed = world.put(f"contracts/{made['id']}", body)
    assert "billGroupingKeyId" not in changed
    moved = world.put(f"contracts/{made['id']}", {**body, "accountId": other, "version": 2}, expect=400)
    assert codes(moved) == {"accountId": "immutable"}
    assert world.delete(f"contracts/{made['id']}") == changed


@pytest.mark.parametrize(
    ("changed", "expected"),
    [
        pytest.param({"endDate": "2024-01-01"}, {"endDate": "ends_before_start"}, id="no days"),
        pytest.param({"endDate": None}, {"endDate": "required"}, id="no end"),
        pytest.param(
            {"description": "x" * 501, "purchaseOrderNumber": "x" * 101},
            {"description": "wrong_length", "purchaseOrderNumber": "wrong_length"},
            id="long texts",
        ),
        pytest.param(
            {"usageFilters": [{"dimensionCode": "distance", "value": "5", "mode": "INCLUDE"}]},
            {"usageFilters[0].dimensionCode": "unknown_field"},
            id="filter on a number",
        ),
        pytest.param(
            {"usageFilters": [{"dimensionCode": "destination", "value": "ORD", "mode": "ONLY"}]},
            {"usageFilters[0].mode": "unknown_value"},
            id="unknown mode",
        ),
        pytest.param(
            {"usageFilters": 2 * [{"dimensionCode": "destination", "value": "ORD", "mode": "INCLUDE"}]},
            {"usageFilters[1]": "duplicate"},
            id="filter twice",
        ),
    ],
)
def test_a_contract_is_whole(world: World, changed: dict[str, Any], expected: dict[str, str]) -> None:
    world.meter()
    acme = world.account()["id"]
    assert codes(contract(world, acme, expect=400, **changed)) == expected


def test_plans_hang_on_contracts_of_their_account_or_its_parent(world: World) -> None:
    parent, stranger = world.account("parent")["id"], world.account("stranger")["id"]
    child = world.account("child", parentAccountId=parent)["id"]
    plan = world.plan(world.product())["id"]
    frame, foreign = contract(world, parent)["id"], contract(world, stranger)["id"]
    body = {"accountId": child, "planId": plan, "startDate": "2024-01-01T00:00:00Z", "contractId": foreign}
    assert codes(world.post("accountplans", body, expect=400)) == {"contractId": "wrong_account"}
    attached = world.attach(child, plan, "2024-01-01", contractId=frame)
    assert world.get("accountplans", contract=frame, includeall="true")["data"] == [attached]
    assert world.delete(f"contracts/{frame}", expect=400)["code"] == "in_use"
    world.delete(f"accountplans/{attached['id']}")
    world.delete(f"contracts/{frame}")


def test_a_key_in_use_stays(world: World) -> None:
    key = world.post("picklists/billgroupingkeys", {"name": "Own bill", "code": "own", "exclusive": True})
    contract(world, world.account()["id"], billGroupingKeyId=key["id"])
    assert world.delete(f"picklists/billgroupingkeys/{key['id']}", expect=400)["code"] == "in_use"
    nameless = {"name": "Own bill", "exclusive": True}
    assert codes(world.post("picklists/billgroupingkeys", nameless, expect=400)) == {"code": "required"}
    taken = world.post("picklists/billgroupingkeys", {**nameless, "code": "own"}, expect=400)
    assert codes(taken) == {"code": "duplicate"}


def bespoke(world: World, product_id: str, account_id: str, code: str) -> tuple[str, str, str]:
    """Make a plan for an account, with the price of a counter and of usage; give their ids."""
    template = world.get(f"plans/{world.plan(product_id, f'{code}-base')['id']}")["planTemplateId"]
    body = {"name": code, "code": code, "planTemplateId": template, "accountId": account_id}
    plan = world.post("plans", body)["id"]
    used = world.aggregation(world.meter(product_id, code)["id"])["id"]
    price = world.pricing(plan, used, (0, 0, 1))["id"]
    seats = world.post("counters", {"name": code, "code": code, "unit": "seat"})["id"]
    band = {"lowerLimit": 0, "fixedPrice": 0, "unitPrice": 1}
    counted = {"planId": plan, "counterId": seats, "startDate": "2020-01-01T00:00:00Z"}
    return plan, price, world.post("counterpricings", {**counted, "pricingBands": [band]})["id"]


def commitment(world: World, account_id: str, **more: Any) -> str:
    body = {"accountId": account_id, "currency": "USD", "amount": 100, **YEAR, **more}
    return str(world.post("commitments", body)["id"])


ALL = ["CONTRACT", "ACCOUNTPLAN", "PREPAYMENT", "PRICINGS", "COUNTER_PRICINGS"]


def test_end_dating_a_contract_ends_what_hangs_on_it_and_nothing_else(world: World) -> None:
    """An end of August 31 is midnight at its start, in the organization's zone (semantics §4, §13)."""
    config = world.get("organizationconfig")
    world.put("organizationconfig", {**config, "timezone": "America/New_York"})
    air = world.product()
    top = world.account("top")["id"]
    child = world.account("child", parentAccountId=top)["id"]
    frame, other = contract(world, top)["id"], contract(world, top, "Other")["id"]
    over = contract(world, top, "Over", endDate="2024-05-01")["id"]
    plan, price, counted = bespoke(world, air, top, "own")
    bespoke(world, air, top, "unattached")
    attached = world.attach(top, plan, "2024-01-01", contractId=frame)["id"]
    below = world.attach(child, world.plan(air, "std")["id"], "2024-01-01", contractId=frame)["id"]
    beside = world.attach(top, world.plan(world.product("sea"), "sea")["id"], "2024-01-01", contractId=other)
    promised, free = commitment(world, top, contractId=frame), commitment(world, top)

    # August 31 begins at 04:00 UTC in New York.
    body = {"endDate": "2024-08-31T04:00:00Z", "billingEntities": ALL}
    done = world.put(f"contracts/{frame}/enddatebillingentities", body)
    assert done["updatedEntities"] == {
        "CONTRACT": [frame],
        "ACCOUNTPLAN": [attached],
        "PREPAYMENT": [promised],
        "PRICINGS": [price],
        "COUNTER_PRICINGS": [counted],
    }
    assert done["failedEntities"] == {kind: [] for kind in ALL}
    for path, end in (
        (f"contracts/{frame}", "2024-08-31"),
        (f"commitments/{promised}", "2024-08-31"),
        (f"accountplans/{attached}", "2024-08-31T04:00:00Z"),
        (f"pricings/{price}", "2024-08-31T04:00:00Z"),
        (f"counterpricings/{counted}", "2024-08-31T04:00:00Z"),
    ):
        stored = world.get(path)
        assert (stored["endDate"], stored["version"]) == (end, 2)
    assert "endDate" not in world.get(f"accountplans/{beside['id']}")
    assert "endDate" not in world.get(f"accountplans/{below}")

    some = {**body, "endDate": "2024-07-01T04:00:00Z", "applyToChildren": True}
    done = world.put(
        f"contracts/{frame}/enddatebillingentities", {**some, "billingEntities": ["ACCOUNTPLAN"]}
    )
    assert done["updatedEntities"] == {"ACCOUNTPLAN": [below, attached]}
    assert world.get(f"contracts/{frame}")["version"] == 2  # it was not listed

    done = world.put(
        f"accounts/{top}/enddatebillingentities", {**some, "billingEntities": ["CONTRACT", "PREPAYMENT"]}
    )
    assert {k: set(v) for k, v in done["updatedEntities"].items()} == {
        "CONTRACT": {frame, other},
        "PREPAYMENT": {promised, free},
    }
    assert done["failedEntities"] == {"CONTRACT": [over], "PREPAYMENT": []}
    assert done["statusMessage"] == "Some were not active at the end date."
    assert world.put(f"contracts/{top}/enddatebillingentities", body, expect=404)["errors"] == []
    lone = contract(world, top, "Lone")["id"]
    held = commitment(world, top, contractId=lone)
    assert world.delete(f"contracts/{lone}", expect=400)["code"] == "in_use"
    world.delete(f"commitments/{held}")
    world.delete(f"contracts/{lone}")


# --- bills --------------------------------------------------------------------------------------


def filtered(mode: str, *values: str) -> list[Any]:
    return [{"dimensionCode": "destination", "value": value, "mode": mode} for value in values]


@pytest.mark.parametrize("method", ["SUM", "CUSTOM_SQL", "TIME_WEIGHTED"])
def test_two_contracts_share_the_usage_by_a_dimension(world: World, method: str) -> None:
    """One account, one contract for flights to ORD and one for the rest: each on a bill of its own."""
    world.at("2024-02-02")
    config = world.get("organizationconfig")
    world.put("organizationconfig", {**config, "allowOverlappingPlans": True})
    air = world.product()
    meter = world.meter(air)
    sql = {"customSql": "SELECT sum(distance) FROM measurements"} if method == "CUSTOM_SQL" else {}
    used = world.aggregation(meter["id"], method, **sql)["id"]
    acme = world.account()["id"]
    key = world.post("picklists/billgroupingkeys", {"name": "own", "exclusive": True})["id"]
    for mode in ("INCLUDE", "EXCLUDE"):
        filters = filtered(mode, "ORD")
        frame = contract(world, acme, mode, billGroupingKeyId=key, usageFilters=filters)["id"]
        plan = world.plan(air, mode.lower())["id"]
        world.pricing(plan, used, (0, 0, 1))
        world.attach(acme, plan, "2024-01-01", contractId=frame)
    places = {"ORD": 1, "DFW": 10, "LAX": 100}
    # The last hour of the month, so that an hour times the level is the level.
    world.send(
        *(
            world.measure("acme", "2024-01-31T23:00:00Z", distance=d, destination=p, uid=p)
            for p, d in places.items()
        )
    )
    found = world.run_bills(lastDateInBillingPeriod="2024-01-31", billingFrequency="MONTHLY")
    to_ord, rest = sorted(found, key=lambda bill: bill["billTotal"])
    latest = 100  # of two levels at one instant the last received holds
    assert (to_ord["billTotal"], rest["billTotal"]) == (1, latest if method == "TIME_WEIGHTED" else 110)
    for bill in (to_ord, rest):
        assert world.post(f"bills/{bill['id']}/verify")["matches"]
