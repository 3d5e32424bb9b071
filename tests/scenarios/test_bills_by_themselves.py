"""A test clock moves through the end of a month: bills are made, approved, and opened again by late usage."""

from decimal import Decimal

from tests.support.world import World


def test_a_month_closes_by_itself(world: World) -> None:
    world.at("2024-01-30")
    config = world.get("organizationconfig")
    wanted = {
        "scheduledBillInterval": 24,
        "scheduledBillOffset": 1,
        "autoApproveBillsGracePeriod": 3,
        "autoApproveBillsGracePeriodUnit": "HOURS",
    }
    world.put("organizationconfig", {**config, **wanted})
    product = world.product()
    plan = world.plan(product, standingCharge=100)["id"]
    miles = world.aggregation(world.meter(product)["id"])["id"]
    world.pricing(plan, miles, (0, 0, 1))
    acme = world.account()["id"]
    world.attach(acme, plan, "2024-01-01")
    world.at("2024-02-01T01:00").settle()
    january = bill_of_january(world)
    assert (january["status"], january["billTotal"]) == ("PENDING", 100)
    world.at("2024-02-01T03:00").settle()
    assert bill_of_january(world)["status"] == "APPROVED"

    world.at("2024-02-01T03:10").send(world.measure("acme", "2024-01-20T00:00:00Z", distance=Decimal("2.5")))
    world.at("2024-02-01T04:10").settle()
    january = bill_of_january(world)
    assert (january["status"], january["billTotal"]) == ("PENDING", Decimal("102.5"))
    world.at("2024-02-01T09:00").settle()
    assert bill_of_january(world)["status"] == "PENDING"  # what late usage opened waits for a person


def bill_of_january(world: World) -> dict[str, object]:
    (bill,) = world.get("bills/billingperiod/2024-01-31/MONTHLY")["data"]
    assert isinstance(bill, dict)
    return bill
