"""What the benchmarks measure against: flights of airports, their meter, prices and accounts."""

from collections.abc import Sequence
from dataclasses import dataclass

from tests.bench.client import Client

FIELDS = [
    {"category": "MEASURE", "code": "distance", "name": "Distance", "unit": "mi"},
    {"category": "MEASURE", "code": "delay", "name": "Delay", "unit": "min"},
    {"category": "WHERE", "code": "destination", "name": "Destination"},
]
BANDS = [(0, 0, 0.02), (10_000, 0, 0.015), (100_000, 0, 0.01)]


@dataclass(frozen=True)
class Catalogue:
    """Ids of what was made. miles, flights: the aggregations."""

    meter_id: str
    miles_id: str
    flights_id: str
    plan_id: str


def make_meter(client: Client) -> tuple[str, str]:
    """Make product and meter; give their ids."""
    product = client.post("products", {"name": "Air", "code": "air"})["id"]
    body = {
        "name": "Flights",
        "code": "flights",
        "productId": product,
        "dataFields": FIELDS,
        "derivedFields": [],
    }
    return product, client.post("meters", body)["id"]


def make_catalogue(client: Client) -> Catalogue:
    """Make a plan with a standing charge, a tiered price a mile and a price a flight."""
    product, meter = make_meter(client)
    shared = {"meterId": meter, "rounding": "NONE", "quantityPerUnit": 1}
    miles = {"name": "Miles", "aggregation": "SUM", "targetField": "distance", "unit": "mi", **shared}
    flights = {
        "name": "Flights",
        "aggregation": "COUNT",
        "targetField": "distance",
        "unit": "flights",
        **shared,
    }
    miles_id = client.post("aggregations", miles)["id"]
    flights_id = client.post("aggregations", flights)["id"]
    template = {
        "name": "Monthly",
        "productId": product,
        "currency": "USD",
        "billFrequency": "MONTHLY",
        "standingCharge": 100,
    }
    template_id = client.post("plantemplates", template)["id"]
    plan = client.post("plans", {"name": "Pro", "code": "pro", "planTemplateId": template_id})["id"]
    _price(client, plan, miles_id, BANDS)
    _price(client, plan, flights_id, [(0, 0, 1)])
    return Catalogue(meter, miles_id, flights_id, plan)


def make_account(client: Client, code: str, plan_id: str, start: str) -> str:
    """Make an account that is on the plan from a date on, which is also its epoch; give its id."""
    body = {"name": code, "code": code, "emailAddress": f"{code}@example.com"}
    account = str(client.post("accounts", body)["id"])
    plan = {"accountId": account, "planId": plan_id, "startDate": f"{start}T00:00:00Z", "billEpoch": start}
    client.post("accountplans", plan)
    return account


def _price(client: Client, plan: str, aggregation: str, bands: Sequence[tuple[float, float, float]]) -> None:
    body = {
        "planId": plan,
        "aggregationId": aggregation,
        "startDate": "2000-01-01T00:00:00Z",
        "cumulative": True,
        "pricingBands": [dict(zip(("lowerLimit", "fixedPrice", "unitPrice"), b, strict=True)) for b in bands],
    }
    client.post("pricings", body)
