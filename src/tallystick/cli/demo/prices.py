"""What the demo's airports pay: one plan, as the API takes it."""

from collections.abc import Sequence
from decimal import Decimal
from typing import Any

D = Decimal
Tier = tuple[int, Decimal]
"From more than this many units on, the price of one."

ACCESS = D("250.00")
FLIGHT_TIERS: tuple[Tier, ...] = ((0, D("14.00")), (100, D("11.50")), (500, D("9.25")))
MILE_TIERS: tuple[Tier, ...] = ((0, D("0.0125")), (100_000, D("0.0095")), (500_000, D("0.0080")))

PRODUCT = {"name": "Airport services", "code": "airport-services"}
METER_CODE = "flight"


def meter(product_id: str) -> dict[str, Any]:
    """Give the meter: one measurement a flight."""
    fields = [
        {"category": "MEASURE", "code": "distance", "name": "Distance", "unit": "mile"},
        {"category": "MEASURE", "code": "delay", "name": "Arrival delay", "unit": "min"},
        {"category": "WHERE", "code": "destination", "name": "Destination"},
    ]
    return {
        "productId": product_id,
        "name": "Flights",
        "code": METER_CODE,
        "dataFields": fields,
        "derivedFields": [],
    }


def aggregation(meter_id: str, code: str, method: str, unit: str) -> dict[str, Any]:
    """Give an aggregation over the flights' distances."""
    return {
        "name": code.capitalize(),
        "code": code,
        "meterId": meter_id,
        "targetField": "distance",
        "aggregation": method,
        "quantityPerUnit": 1,
        "rounding": "NONE",
        "unit": unit,
    }


def template(product_id: str) -> dict[str, Any]:
    """Give the plan template: monthly, with a standing charge."""
    return {
        "productId": product_id,
        "name": "Airports, monthly",
        "code": "airports-monthly",
        "currency": "USD",
        "billFrequency": "MONTHLY",
        "standingCharge": ACCESS,
        "standingChargeDescription": "Airport access",
    }


def pricing(plan_id: str, aggregation_id: str, start: str, tiers: Sequence[Tier]) -> dict[str, Any]:
    """Give tiered prices: each band prices its own units."""
    bands = [{"lowerLimit": limit, "fixedPrice": 0, "unitPrice": price} for limit, price in tiers]
    return {
        "planId": plan_id,
        "aggregationId": aggregation_id,
        "startDate": start,
        "cumulative": True,
        "pricingBands": bands,
    }
