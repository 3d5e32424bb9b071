"""Bills over HTTP, on a live server with its worker: the whole path, and refusals (semantics §22)."""

import time
from decimal import Decimal
from typing import Any

import pytest

from tests.support.world import World

UNKNOWN = "4a2755e8-6b3b-4eda-9038-713262a20ad1"
"No bill, account or job has this id."


def billed_month(world: World) -> Any:
    """Set up, measure and bill January 2025 through the API; give the account and its bill."""
    product = world.product()
    meter = world.meter(product)
    aggregation = world.aggregation(meter["id"])
    plan = world.plan(product, standingCharge=10)
    world.pricing(plan["id"], aggregation["id"], (0, 0, 0.15), (500, 0, 0.1))
    account = world.account()
    world.attach(account["id"], plan["id"], "2025-01-01")
    world.send(
        world.measure("acme", "2025-01-05T00:00:00Z", distance=400),
        world.measure("acme", "2025-01-31T23:59:59Z", distance=600),
        world.measure("acme", "2025-02-01T00:00:00Z", distance=99),
    )
    job = finished(world, world.post("billjobs", {"lastDateInBillingPeriod": "2025-01-31"}))
    assert (job["status"], job["total"], job["pending"], job["type"]) == ("COMPLETE", 1, 0, "CREATE")
    (bill,) = world.get("bills", accountId=account["id"])["data"]
    return account, bill


def finished(world: World, job: Any) -> Any:
    """Wait for a job's end."""
    for _ in range(300):
        found = world.get(f"billjobs/{job['id']}")
        if found["status"] in {"COMPLETE", "CANCELLED"}:
            return found
        time.sleep(0.05)
    pytest.fail(f"the job is still {found['status']}")


def test_a_month_from_measurements_to_a_locked_bill(world: World) -> None:
    account, bill = billed_month(world)
    assert [(x["lineItemType"], x["convertedSubtotal"]) for x in bill["lineItems"]] == [
        ("USAGE", 125),  # 500 x 0.15 + 500 x 0.10
        ("STANDING_CHARGE", 10),
    ]
    assert (bill["billTotal"], bill["startDate"], bill["endDate"]) == (135, "2025-01-01", "2025-02-01")
    assert bill["startDateTimeUTC"] == "2025-01-01T00:00:00Z"
    path = f"bills/{bill['id']}"
    line = bill["lineItems"][0]["id"]
    assert world.get(f"{path}/lineitems/{line}")["bandUsage"][1]["bandUnits"] == 500
    assert world.get(f"{path}/lineitems/{line}/explanation")["text"][-1].startswith("billed: 125.00 USD")
    assert "derivation" not in world.get(f"{path}/lineitems")["data"][0]
    assert world.post(f"{path}/verify")["matches"] is True
    assert world.get(f"bills/latest/{account['id']}")["id"] == bill["id"]
    assert len(world.get("bills/billingperiod/2025-01-31/MONTHLY")["data"]) == 1
    assert len(world.get(f"bills/accountid/{account['id']}")["data"]) == 1
    assert len(world.get("lineitems", lineItemType="USAGE")["data"]) == 1
    assert len(world.get("lineitems", billId=bill["id"])["data"]) == 2
    assert world.get("lineitems", billId=UNKNOWN)["data"] == []
    assert world.get("lineitems", billId=bill["id"], commitmentId=UNKNOWN)["data"] == []
    assert len(world.get("bills/search", searchQuery="billDate>=2025-02-01$locked:false")["data"]) == 1
    assert "lineItems" not in world.get("bills", excludeLineItems="true")["data"][0]
    assert world.get("bills", status="APPROVED")["data"] == []
    assert world.get("bills", billDateStart="2025-02-01", billDateEnd="2025-02-02")["data"] != []
    assert world.get("bills", billDateEnd="2025-02-01")["data"] == []

    world.put(f"{path}/lock", expect=400)
    named = {"billIds": [bill["id"]]}  # with ids, the filters do not count
    others = {"accountIds": UNKNOWN, "externalInvoiceDateStart": "2030-01-01"}
    assert world.call("POST", "bills/approve", body=named, params=others) == {"message": "1 bill approved"}
    assert world.put(f"{path}/lock")["locked"] is True
    assert world.put(f"{path}/status", {"status": "PENDING"}, expect=409)["code"] == "bill_locked"
    assert world.delete(path, expect=409)["code"] == "bill_locked"


def test_recalculate_preview_and_delete(world: World) -> None:
    account, bill = billed_month(world)
    world.send(world.measure("acme", "2025-01-06T00:00:00Z", distance=100))
    job = finished(world, world.post("billjobs/recalculate", {"billIds": [bill["id"]]}))
    assert (job["type"], job["billIds"]) == ("RECALCULATE", [bill["id"]])
    assert world.get(f"bills/{bill['id']}")["billTotal"] == 145
    wanted = {"accountIds": [account["id"]], "billingFrequency": "MONTHLY", "billFrequencyInterval": 1}
    shown = world.post("bills/preview", {**wanted, "lastDateInBillingPeriod": "2025-02-28"})
    assert [x["convertedSubtotal"] for x in shown["lineItems"]] == [Decimal("14.85"), 10]
    world.get(f"bills/{shown['id']}", expect=404)
    assert world.delete(f"bills/{bill['id']}")["id"] == bill["id"]
    world.get(f"bills/{bill['id']}", expect=404)


def test_a_bill_that_cannot_be_made_is_told(world: World) -> None:
    product = world.product()
    plan = world.plan(product, standingCharge=10)
    world.post("picklists/currency", {"name": "Euro", "code": "EUR"})
    account = world.account(currency="EUR")
    world.attach(account["id"], plan["id"], "2025-01-01")
    job = finished(world, world.post("billjobs", {"lastDateInBillingPeriod": "2025-01-31"}))
    assert job["status"] == "COMPLETE"
    assert world.get("bills")["data"] == []
    (failure,) = world.get(f"billjobs/{job['id']}/failures")["data"]
    assert (failure["accountCode"], failure["code"]) == ("acme", "no_conversion_rate")
    wanted = {"accountIds": [account["id"]], "billingFrequency": "MONTHLY", "billFrequencyInterval": 1}
    shown = world.post("bills/preview", {**wanted, "lastDateInBillingPeriod": "2025-01-31"}, expect=400)
    assert "from USD to EUR" in shown["message"]


@pytest.mark.parametrize(
    ("method", "path", "body", "status", "code"),
    [
        ("GET", f"bills/{UNKNOWN}", None, 404, "resource_not_found"),
        ("GET", "bills/not-an-id", None, 404, "resource_not_found"),
        ("GET", f"bills/latest/{UNKNOWN}", None, 404, "bill_not_found"),
        ("GET", "bills/billingperiod/yesterday/MONTHLY", None, 400, "invalid_body"),
        ("GET", "bills/billingperiod/2025-01-31/HOURLY", None, 400, "invalid_body"),
        ("GET", "bills?billDateStart=soon", None, 400, "invalid_body"),
        ("GET", "bills?status=PAID", None, 400, "invalid_body"),
        ("POST", "bills/approve", {"billIds": []}, 400, "invalid_body"),
        ("POST", "bills/approve", {"billIds": [UNKNOWN]}, 400, "invalid_body"),
        ("POST", "billjobs", {"billingFrequency": "HOURLY"}, 400, "invalid_body"),
        ("POST", "billjobs", {"accountIds": [UNKNOWN]}, 400, "invalid_body"),
        ("POST", "billjobs", {"billFrequencyInterval": 0}, 400, "invalid_body"),
        ("POST", "billjobs/recalculate", {"billIds": [UNKNOWN]}, 400, "invalid_body"),
        ("POST", f"billjobs/{UNKNOWN}/cancel", {}, 404, "resource_not_found"),
        ("POST", "bills/preview", {}, 400, "invalid_body"),
    ],
)
def test_refusals(world: World, method: str, path: str, body: Any, status: int, code: str) -> None:
    assert world.call(method, path, expect=status, body=body)["code"] == code
