"""Too many requests are sent away when the operator wants it, and never else (semantics §1)."""

import asyncio
from collections.abc import Iterable
from dataclasses import replace
from datetime import timedelta
from pathlib import Path
from typing import Any

import httpx
import pytest

from tallystick.api.app import make_app
from tallystick.api.rate_limits import CONFIG_ADDRESS, INGEST_ADDRESS, ORGANIZATION, RateLimits
from tallystick.api.routes import all_routes
from tallystick.platform.rate_limit import Rate
from tallystick.platform.settings import Settings
from tests.support.world import World

FEW, MANY = Rate(tokens=3, burst=3), Rate(tokens=1000, burst=1000)


class Limited:
    """The application of the live server with limits on, asked in this process from any address."""

    def __init__(self, world: World, **rates: Rate) -> None:
        limits = RateLimits(world.live.clock, **{"organization": MANY, **rates})
        self.app: Any = make_app(replace(world.live.services, rate_limits=limits))
        self.headers = {"content-type": "application/json"}
        self.come_as(world)

    def come_as(self, world: World) -> None:
        key, asked = (world.key, world.secret), {"grant_type": "client_credentials"}
        token = httpx.post(f"{world.url}/oauth/token", auth=key, json=asked).json()["access_token"]
        self.headers["authorization"] = f"Bearer {token}"
        self.base = f"/organizations/{world.org_id}"

    def ask(self, times: int, method: str, path: str, *, address: str = "192.0.2.1") -> list[httpx.Response]:
        async def ask_all() -> list[httpx.Response]:
            transport = httpx.ASGITransport(self.app, client=(address, 1))
            async with httpx.AsyncClient(transport=transport, base_url="http://limited") as client:
                return [await client.request(method, path, headers=self.headers) for _ in range(times)]

        return asyncio.run(ask_all())

    def statuses(self, times: int, path: str, method: str = "GET", address: str = "192.0.2.1") -> list[int]:
        return [a.status_code for a in self.ask(times, method, self.base + path, address=address)]


def through(statuses: Iterable[int]) -> int:
    return sum(status != 429 for status in statuses)


def test_an_organization_has_so_many_requests_a_second(world: World) -> None:
    limited = Limited(world, organization=FEW)
    assert limited.statuses(5, "/products") == [200, 200, 200, 429, 429]
    refusal = limited.ask(1, "GET", f"{limited.base}/products")[0]
    assert refusal.json()["code"] == "too_many_requests"
    assert refusal.headers["retry-after"] == "1"
    assert limited.statuses(1, "/products", address="192.0.2.2") == [429], "from wherever it asks"

    world.live.clock.instant += timedelta(seconds=1)
    assert through(limited.statuses(5, "/products")) == 3


def test_ingest_and_configuration_are_counted_apart(world: World) -> None:
    limited = Limited(world, organization=FEW)
    assert through(limited.statuses(5, "/products")) == 3
    assert limited.statuses(4, "/measurements", "POST") == [400, 400, 400, 429]


def test_an_organization_is_not_slowed_down_by_another(world: World) -> None:
    limited = Limited(world, organization=FEW)
    other = World(world.live)
    assert through(limited.statuses(5, "/products")) == 3
    limited.come_as(other)
    assert through(limited.statuses(5, "/products")) == 3
    other.close()


def test_an_address_has_so_many_requests_whoever_it_says_it_is(world: World) -> None:
    five_minutes = Rate(tokens=3, burst=3, window_s=300)
    limited = Limited(world, config_address=five_minutes)
    limited.headers["authorization"] = "Bearer nonsense"
    assert limited.statuses(5, "/products") == [403, 403, 403, 429, 429]
    assert limited.statuses(1, "/products", address="192.0.2.2") == [403]
    assert [limited.statuses(2, "/products", address=f"2001:db8::{i}") for i in (1, 2)] == [
        [403, 403],
        [403, 429],
    ]
    refusal = limited.ask(1, "POST", "/oauth/token")[0]
    assert (refusal.status_code, refusal.headers["retry-after"]) == (429, "100")  # 300 / 3
    assert {a.status_code for a in limited.ask(9, "GET", "/health")} == {200}
    assert limited.statuses(1, "/measurements", "POST") == [403], "ingest has a limit of its own"


def test_the_rates_are_those_of_the_original() -> None:
    """Semantics §1: 50 a second; 20,000 and 5,000 in five minutes."""
    assert (ORGANIZATION.tokens, ORGANIZATION.burst, ORGANIZATION.window_s) == (50, 50, 1)
    assert (CONFIG_ADDRESS.tokens, CONFIG_ADDRESS.window_s) == (20_000, 300)
    assert (INGEST_ADDRESS.tokens, INGEST_ADDRESS.window_s) == (5_000, 300)
    counted_as = {r.limit for r in all_routes() if r.path.endswith("/measurements") and r.method == "POST"}
    assert counted_as == {"ingest"}


def test_the_operator_turns_it_on(world: World) -> None:
    assert Settings(home=Path()).rate_limits == "off"
    assert Settings.from_environment({"TALLYSTICK_RATE_LIMITS": "on"}).rate_limits == "on"
    assert world.live.services.rate_limits is None
    with pytest.raises(Exception, match="must be one of off, on"):
        Settings.from_environment({"TALLYSTICK_RATE_LIMITS": "yes"})
