"""Bills as CSV and the usage of lines as JSON, by signed links (semantics §22)."""

import csv
import io
import json
from decimal import Decimal
from typing import Any

import httpx
import pytest

from tests.support.world import World

D = Decimal


@pytest.fixture
def billed(world: World) -> World:
    """Give an organization whose account's name looks like a formula, billed for January and February."""
    world.at("2024-03-02")
    product = world.product()
    plan = world.plan(product, standingCharge=10)["id"]
    miles = world.aggregation(world.meter(product)["id"])["id"]
    world.pricing(plan, miles, (0, 0, D("0.5")))
    acme = world.account("acme", name="=1+1")["id"]
    world.attach(acme, plan, "2024-01-01")
    world.attach(world.account("idle")["id"], world.plan(product, "free")["id"], "2024-01-01")
    world.send(
        world.measure("acme", "2024-01-05T00:00:00Z", uid="one", distance=3),
        world.measure("acme", "2024-01-06T00:00:00Z", uid="two", distance=4),
    )
    world.run_bills(lastDateInBillingPeriod="2024-01-31")
    world.run_bills()
    return world


def download(world: World, path: str, body: Any = None) -> str:
    link = (world.get(path) if body is None else world.post(path, body))["downloadUrl"]
    answer = httpx.get(link)
    assert answer.status_code == 200, answer.text
    return answer.text


def table(world: World, **body: Any) -> list[dict[str, str]]:
    return list(csv.DictReader(io.StringIO(download(world, "bills/download/csv/url", body))))


def test_bills_as_csv(billed: World) -> None:
    rows = table(billed, startDate="2024-02-01T00:00:00Z", endDate="2024-03-01T00:00:00Z")
    assert [(r["accountCode"], r["lineItemType"], r["convertedSubtotal"]) for r in rows] == [
        ("acme", "USAGE", "3.50"),
        ("acme", "STANDING_CHARGE", "10.00"),
    ]  # January's bill is of February 1; a bill without lines has no row
    assert {(r["accountName"], r["billTotal"], r["endDate"]) for r in rows} == {
        ("'=1+1", "13.50", "2024-02-01")
    }
    assert rows[0]["quantity"] == "7"
    assert len(table(billed)) == 3  # few bills: no span is needed
    assert len(table(billed, externalInvoiceDateEnd="2024-02-02T00:00:00Z")) == 2


def test_bills_for_xero(billed: World) -> None:
    rows = table(billed, externalSystem="XERO", endDate="2024-02-15T00:00:00Z")
    assert [(r["*ContactName"], r["*Quantity"], r["*UnitAmount"], r["Currency"]) for r in rows] == [
        ("'=1+1", "1", "3.50", "USD"),
        ("'=1+1", "1", "10.00", "USD"),
    ]
    assert (rows[0]["*InvoiceDate"], rows[0]["InventoryItemCode"]) == ("2024-02-01", "air")


def test_a_csv_is_refused(billed: World) -> None:
    backwards = {"startDate": "2024-02-01T00:00:00Z", "endDate": "2024-01-01T00:00:00Z"}
    assert billed.post("bills/download/csv/url", backwards, expect=400)["errors"][0]["field"] == "endDate"
    link = billed.post("bills/download/csv/url", {})["downloadUrl"]
    assert httpx.get(link.replace("STANDARD", "XERO")).json()["code"] == "bad_signature"


def test_the_usage_of_a_line_and_of_a_bill(billed: World) -> None:
    (january,) = (b for b in billed.get("bills")["data"] if b["lineItems"] and b["endDate"] == "2024-02-01")
    usage, standing = january["lineItems"]
    path = f"bills/{january['id']}/lineitems"
    found = json.loads(download(billed, f"{path}/{usage['id']}/usage/json"), parse_float=D)["lineItems"]
    assert [x["lineItemId"] for x in found] == [usage["id"]]
    assert [(m["uid"], m["account"], m["measure"]["distance"]) for m in found[0]["usage"]] == [
        ("one", "acme", 3),
        ("two", "acme", 4),
    ]
    found = json.loads(download(billed, f"{path}/usage/json"))["lineItems"]
    assert [(x["lineItemId"], len(x["usage"])) for x in found] == [(usage["id"], 2), (standing["id"], 0)]
