"""A month of billing rehearsed on a test clock: everything that falls due happens, in order."""

import time
from typing import Any

from tests.support.world import World


def move(world: World, to: str) -> None:
    """Move the test clock, and wait until all that fell due on the way is done."""
    state = world.put("testclock", {"now": to})
    deadline = time.monotonic() + 120
    while state["status"] == "ADVANCING":
        assert time.monotonic() < deadline, state
        time.sleep(0.05)
        state = world.get("testclock")
    assert state["status"] == "READY", state


def configure(world: World, **changes: Any) -> None:
    config = world.get("organizationconfig")
    world.put("organizationconfig", {**config, **changes})


def test_a_month_is_billed_approved_and_topped_up_by_itself(world: World) -> None:
    world.put("testclock", {"now": "2024-01-01T00:00:00Z"})
    configure(
        world,
        scheduledBillInterval=24,
        autoApproveBillsGracePeriod=2,
        autoApproveBillsGracePeriodUnit="HOURS",
        billPrefix="INV-",
        sequenceStartNumber=100,
    )
    product = world.product()
    meter = world.meter(product)
    plan = world.plan(product, standingCharge=31)
    world.pricing(plan["id"], world.aggregation(meter["id"])["id"], (0, 0, 1))
    account = world.account()
    world.attach(account["id"], plan["id"], "2024-01-01")
    credit = {"accountId": account["id"], "name": "Credit", "code": "credit", "currency": "USD"}
    dates = {"startDate": "2024-01-01T00:00:00Z", "endDate": "2025-01-01T00:00:00Z"}
    balance = world.post("balances", {**credit, **dates})
    kind = world.post("picklists/transactiontypes", {"name": "Monthly", "code": "monthly"})
    monthly = {"name": "M", "code": "m", "amount": 10, "frequency": "MONTHLY", "frequencyInterval": 1}
    told = {"transactionDescription": "Monthly", "transactionTypeId": kind["id"]}
    world.post(f"balances/{balance['id']}/balancetransactionschedules", {**monthly, **told, **dates})

    move(world, "2024-01-20T12:00:00Z")
    world.send(world.measure("acme", "2024-01-20T00:00:00Z", distance=5))
    move(world, "2024-02-01T01:59:00Z")
    closed = next(b for b in world.get("bills")["data"] if b["endDate"] == "2024-02-01")
    closed = world.get(f"bills/{closed['id']}")
    assert closed["billTotal"] == 31 + 5 - 10 - 10  # one credit at the start, one as the bill is made
    assert closed["status"] == "PENDING"

    move(world, "2024-02-01T02:00:00Z")
    approved = world.get(f"bills/{closed['id']}")
    assert (approved["status"], approved["dtApproved"]) == ("APPROVED", "2024-02-01T02:00:00Z")
    entries = world.get(f"balances/{balance['id']}/transactions")["data"]
    assert sum(entry["amount"] for entry in entries) == 0
    assert world.post(f"bills/{closed['id']}/verify")["matches"]
