"""Setting the demo's organization up through the API: catalogue, prices, accounts."""

from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from typing import Any

from tallystick.cli.client import Client
from tallystick.cli.demo import prices

IN_FLIGHT = 4


def set_catalogue(client: Client, first_month: str) -> str:
    """Make product, meter, aggregations, plan and prices; bill monthly. Gives the plan's id."""
    config = client.get("organizationconfig")
    client.put("organizationconfig", {**config, "monthEpoch": f"{first_month}-01"})
    product = client.post("products", prices.PRODUCT)["id"]
    meter = client.post("meters", prices.meter(product))["id"]
    flights = client.post("aggregations", prices.aggregation(meter, "flights", "COUNT", "flights"))["id"]
    miles = client.post("aggregations", prices.aggregation(meter, "miles", "SUM", "miles"))["id"]
    template = client.post("plantemplates", prices.template(product))["id"]
    plan = {"planTemplateId": template, "name": "Standard", "code": "standard"}
    plan_id: str = client.post("plans", plan)["id"]
    start = f"{first_month}-01T00:00:00Z"
    client.post("pricings", prices.pricing(plan_id, flights, start, prices.FLIGHT_TIERS))
    client.post("pricings", prices.pricing(plan_id, miles, start, prices.MILE_TIERS))
    return plan_id


def set_accounts(
    client: Client, airports: list[str], plan_id: str, first_month: str, on_progress: Callable[[], None]
) -> None:
    """Make an account for each airport and put it on the plan, several at a time."""

    def make(airport: str) -> None:
        account: dict[str, Any] = {
            "name": f"{airport} airport",
            "code": airport,
            "emailAddress": f"billing@{airport.lower()}.example",
        }
        account_id = client.post("accounts", account)["id"]
        attached = {"accountId": account_id, "planId": plan_id, "startDate": f"{first_month}-01T00:00:00Z"}
        client.post("accountplans", attached)
        on_progress()

    with ThreadPoolExecutor(IN_FLIGHT, thread_name_prefix="demo") as threads:
        list(threads.map(make, airports))
