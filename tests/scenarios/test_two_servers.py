"""Two servers on one database and one ClickHouse server: the whole way of usage, and each uid once."""

from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from decimal import Decimal
from typing import Any

import pytest

from tests.conftest import MakeDatabase
from tests.support.clock import START
from tests.support.live import live_server
from tests.support.world import Api, World

TS = "2025-05-10T12:00:00Z"


@pytest.fixture(scope="module")
def servers(new_migrated_database: MakeDatabase, clickhouse_url: str) -> Iterator[tuple[World, Api]]:
    """Give an organization, through the one server and through the other."""
    database = new_migrated_database()
    with live_server(database, clickhouse_url) as one, live_server(database, clickhouse_url) as other:
        one.clock.instant = other.clock.instant = START
        world = World(one)
        beside = Api(other.url, world.org_id, world.key, world.secret)
        yield world, beside
        beside.close()
        world.close()


def asked(api: Api, meter: Any) -> dict[str, Decimal]:
    """Ask the data explorer for the miles of each account."""
    figure = {"meterId": meter["id"], "fieldCode": "distance", "fieldType": "MEASURE", "function": "SUM"}
    query = {
        "startDate": "2025-05-01T00:00:00Z",
        "endDate": "2025-06-01T00:00:00Z",
        "aggregations": [figure],
        "groups": [{"groupType": "ACCOUNT"}],
    }
    found = api.post("usage/query", query)["data"]
    return {row["account"]: row["flights.distance.SUM"] for row in found}


def test_usage_through_either_server_is_billed_once(servers: tuple[World, Api]) -> None:
    one, other = servers
    product = one.product()
    meter = one.meter(product)
    miles = one.aggregation(meter["id"])
    plan = one.plan(product)["id"]
    one.pricing(plan, miles["id"], (0, 0, 1))
    account = one.account("acme")["id"]
    one.attach(account, plan, "2025-01-01")

    def send(turn: int) -> None:
        uids = range(20 * (turn // 2), 20 + 20 * turn)
        servers[turn % 2].send(*(one.measure("acme", TS, distance=1, uid=str(uid)) for uid in uids))

    with ThreadPoolExecutor(8) as clients:
        list(clients.map(send, range(8)))
    assert asked(one, meter) == asked(other, meter) == {"acme": 160}
    body = {
        "accountIds": [account],
        "billingFrequency": "MONTHLY",
        "billFrequencyInterval": 1,
        "lastDateInBillingPeriod": "2025-05-31",
    }
    lines = other.post("bills/preview", body)["lineItems"]
    [line] = [each for each in lines if each["lineItemType"] == "USAGE"]
    assert line["quantity"] == 160
