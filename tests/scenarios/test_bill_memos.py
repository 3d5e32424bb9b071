"""Credits and debits on a bill, through the API (semantics §24)."""

from decimal import Decimal

from tests.support.world import World


def test_a_credit_and_a_debit_through_the_api(world: World) -> None:
    world.at("2024-02-02")
    product = world.product()
    plan = world.plan(product, standingCharge=100)
    world.attach(world.account()["id"], plan["id"], "2024-01-01")
    (bill,) = world.run_bills()
    reason = world.post("picklists/creditreasons", {"name": "Goodwill"})
    assert reason["code"] == "Goodwill"
    memo = {
        "amount": 12.5,
        "description": "Outage in January",
        "productId": product,
        "accountingProductId": product,
        "servicePeriodStartDate": "2024-01-01T00:00:00Z",
        "servicePeriodEndDate": "2024-02-01T00:00:00Z",
        "referencedBillId": bill["id"],
        "referencedLineItemId": bill["lineItems"][0]["id"],
        "creditReasonId": reason["id"],
    }
    path = f"bills/{bill['id']}/creditlineitems"
    credit = world.post(path, memo)
    assert (credit["lineItemType"], credit["reasonId"]) == ("CREDIT_MEMO", reason["id"])
    assert world.get(f"bills/{bill['id']}")["billTotal"] == Decimal("87.5")
    assert world.get(path)["data"] == [credit]
    assert world.get(f"{path}/{credit['id']}") == credit
    assert world.get(f"bills/{bill['id']}/lineitems/{credit['id']}")["convertedSubtotal"] == Decimal("-12.5")

    changed = world.put(f"{path}/{credit['id']}", {**memo, "amount": 10, "version": credit["version"]})
    assert changed["amount"] == 10
    debits = f"bills/{bill['id']}/debitlineitems"
    why = world.post("picklists/debitreasons", {"name": "Damage"})["id"]
    debit = {k: v for k, v in memo.items() if k != "creditReasonId"} | {"debitReasonId": why, "amount": 1}
    world.post(debits, debit)
    assert world.post(debits, memo, expect=400)["errors"][0]["field"] == "debitReasonId"
    assert world.get(f"bills/{bill['id']}")["billTotal"] == 91  # 100 - 10 + 1
    assert world.post(f"bills/{bill['id']}/verify")["matches"] is True
    assert world.delete(f"picklists/creditreasons/{reason['id']}", expect=400)["code"] == "in_use"
    world.delete(f"{path}/{credit['id']}")
    world.put(f"bills/{bill['id']}/status", {"status": "APPROVED"})
    world.put(f"bills/{bill['id']}/lock")
    assert world.post(path, memo, expect=409)["code"] == "bill_locked"
