"""Plan groups (semantics §13): which plans come together, where they are attached, and what they charge."""

from typing import Any

from tests.support.world import World, midnight


def codes(answer: Any) -> dict[str, str]:
    """Give the problems of a refusal by field."""
    return {p["field"]: p["code"] for p in answer["errors"]}


def group(world: World, name: str = "Suite", **more: Any) -> str:
    return str(world.post("plangroups", {"name": name, "currency": "USD", **more})["id"])


def link(world: World, group_id: str, plan_id: str, *, expect: int = 200) -> Any:
    return world.post("plangrouplinks", {"planGroupId": group_id, "planId": plan_id}, expect=expect)


def attach(world: World, account_id: str, group_id: str, start: str, *, expect: int = 200) -> Any:
    body = {"accountId": account_id, "planGroupId": group_id, "startDate": midnight(start)}
    return world.post("accountplans", body, expect=expect)


def test_a_group_holds_one_plan_of_each_product_in_one_currency_and_rhythm(world: World) -> None:
    air, sea = world.product("air"), world.product("sea")
    suite = group(world, code="suite", minimumSpend=250, standingCharge=10)
    first = world.plan(air)
    made = link(world, suite, first["id"])
    assert world.get("plangrouplinks", planGroup=suite)["data"] == [made]
    assert codes(link(world, suite, first["id"], expect=400))["planGroupId"] == "duplicate"
    again = link(world, suite, world.plan(air, "max")["id"], expect=400)
    assert codes(again) == {"planId": "duplicate_product"}
    yearly = world.plan(sea, "yearly", billFrequency="ANNUALLY")["id"]
    assert codes(link(world, suite, yearly, expect=400)) == {"planId": "wrong_frequency"}
    euro = world.post("picklists/currency", {"name": "EUR"})["code"]
    assert codes(link(world, suite, world.plan(sea, "eu", currency=euro)["id"], expect=400)) == {
        "planId": "wrong_currency"
    }
    acme = world.account()["id"]
    template = world.get(f"plans/{world.plan(sea, 'own')['id']}")["planTemplateId"]
    own = {"name": "Own", "code": "bespoke", "planTemplateId": template, "accountId": acme}
    bespoke = world.post("plans", own)["id"]
    assert codes(link(world, suite, bespoke, expect=400)) == {"planId": "bespoke_plan"}
    link(world, group(world, "Acme's", accountId=acme), bespoke)
    moved = {"name": "Suite", "currency": "EUR", "version": 1}
    assert codes(world.put(f"plangroups/{suite}", moved, expect=400)) == {"currency": "in_use"}
    stored = world.get(f"plantemplates/{first['planTemplateId']}")
    changed = {**stored, "billFrequency": "WEEKLY"}
    refused = world.put(f"plantemplates/{first['planTemplateId']}", changed, expect=400)
    assert codes(refused) == {"billFrequency": "in_use"}
    assert world.delete(f"plangroups/{suite}", expect=400)["code"] == "in_use"
    assert world.delete(f"plans/{first['id']}", expect=400)["code"] == "in_use"


def test_a_group_is_attached_where_none_of_its_products_is(world: World) -> None:
    air, sea = world.product("air"), world.product("sea")
    suite, fleet = group(world), group(world, "Fleet")
    link(world, suite, world.plan(air, "a")["id"])
    link(world, suite, world.plan(sea, "b")["id"])
    link(world, fleet, world.plan(sea, "c")["id"])
    acme = world.account("acme")["id"]
    attached = attach(world, acme, suite, "2024-01-01")
    assert (attached["planGroupId"], attached.get("planId"), attached.get("productId")) == (suite, None, None)
    overlapping = {"startDate": "overlapping_plan"}
    assert codes(attach(world, acme, fleet, "2024-02-01", expect=400)) == overlapping
    alone = {"accountId": acme, "planId": world.plan(air, "d")["id"], "startDate": midnight("2024-02-01")}
    assert codes(world.post("accountplans", alone, expect=400)) == overlapping

    road = world.plan(world.product("road"), "e")["id"]
    world.attach(acme, road, "2024-03-01")
    assert codes(link(world, suite, road, expect=400)) == {"planId": "overlapping_plan"}
    link(world, fleet, road)

    body = {"accountId": acme, "planGroupId": fleet, "startDate": midnight("2024-02-01"), "version": 1}
    assert codes(world.post(f"accountplans/{attached['id']}/replace", body, expect=400)) == overlapping
    world.delete(f"plangrouplinks/{world.get('plangrouplinks', plan=road)['data'][0]['id']}")
    replaced = world.post(f"accountplans/{attached['id']}/replace", body)
    assert replaced["originalAccountPlan"]["endDate"] == replaced["newAccountPlan"]["startDate"]


def test_a_bespoke_group_goes_to_its_own_account_only(world: World) -> None:
    acme, other = world.account("acme")["id"], world.account("other")["id"]
    suite = group(world, accountId=acme)
    assert codes(attach(world, other, suite, "2024-01-01", expect=400)) == {"planGroupId": "bespoke_plan"}
    attach(world, acme, suite, "2024-01-01")
    moved = {"name": "Suite", "currency": "USD", "accountId": other, "version": 1}
    assert codes(world.put(f"plangroups/{suite}", moved, expect=400)) == {"accountId": "immutable"}
    common = group(world, "Common")
    attach(world, other, common, "2024-01-01")
    own = {"name": "Common", "currency": "USD", "accountId": acme, "version": 1}
    assert codes(world.put(f"plangroups/{common}", own, expect=400)) == {"accountId": "immutable"}
    assert [g["id"] for g in world.get("plangroups", accountId=f"{acme},{other}")["data"]] == [suite]


def test_a_suite_is_billed_up_to_its_minimum_in_advance_beside_what_closes_that_day(world: World) -> None:
    """January and February of a $250 suite, with its weekly neighbour on the same consolidated bill."""
    config = world.get("organizationconfig")
    world.put("organizationconfig", {**config, "consolidateBills": True, "weekEpoch": "2024-01-04"})
    air, sea = world.product("air"), world.product("sea")
    fee = world.product("fees")
    advance = {"minimumSpendBillInAdvance": True, "minimumSpendAccountingProductId": fee}
    suite = group(world, minimumSpend=250, minimumSpendDescription="At least", **advance)
    used = world.aggregation(world.meter(air)["id"])["id"]
    plan = world.plan(air, "a")["id"]
    world.pricing(plan, used, (0, 0, 1))
    link(world, suite, plan)
    link(world, suite, world.plan(sea, "b", standingCharge=5)["id"])
    acme = world.account("acme")["id"]
    attach(world, acme, suite, "2024-01-01")
    world.attach(
        acme,
        world.plan(world.product("road"), "w", billFrequency="WEEKLY", standingCharge=7)["id"],
        "2024-01-01",
    )
    world.at("2024-02-02")
    world.send(world.measure("acme", "2024-01-31T12:00:00Z", distance=100))
    (bill,) = world.run_bills(lastDateInBillingPeriod="2024-01-31", billingFrequency="MONTHLY")
    assert (bill["billingFrequency"], bill["startDate"], bill["endDate"]) == (
        "MIXED",
        "2024-01-01",
        "2024-02-01",
    )
    found = sorted((x["lineItemType"], x["convertedSubtotal"]) for x in bill["lineItems"])
    assert found == [
        ("MINIMUM_SPEND", 250),  # January's, on the first bill
        ("MINIMUM_SPEND", 250),  # February's, in advance
        ("MINIMUM_SPEND_REFUND", -100),
        ("STANDING_CHARGE", 5),
        ("STANDING_CHARGE", 7),
        ("USAGE", 100),
    ]
    own = [x for x in bill["lineItems"] if x["description"] == "At least"]
    assert {(x["planGroupId"], x.get("planId"), x["accountingProductName"]) for x in own} == {
        (suite, None, "Fees")
    }
    world.at("2024-03-02")
    february = world.run_bills(lastDateInBillingPeriod="2024-02-29", billingFrequency="MONTHLY")[0]
    assert february["billingFrequency"] == "MONTHLY"  # no week closes on March 1
    assert february["billTotal"] == 250 + 5  # March in advance; nothing used of February's
    assert world.post(f"bills/{bill['id']}/verify")["matches"]
