"""Put the parts together: the only place that constructs things."""

import asyncio
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from typing import Any

from tallystick.api.app import make_app
from tallystick.api.openapi import document
from tallystick.api.server import free_port, serve, stop_on_signals
from tallystick.api.services import Services
from tallystick.events.record import record_change
from tallystick.kernel.clock import Clock
from tallystick.organizations.throttle import Throttle
from tallystick.organizations.tokens import Tokens
from tallystick.platform.clickhouse.embedded import EmbeddedClickHouse
from tallystick.platform.clickhouse.http import HttpClickHouse
from tallystick.platform.clickhouse.transport import ClickHouse
from tallystick.platform.clock import SystemClock
from tallystick.platform.database import Database
from tallystick.platform.home import Home
from tallystick.platform.migrate import migrate
from tallystick.platform.postgres import Postgres, open_postgres
from tallystick.platform.resources import Change, Transaction
from tallystick.platform.settings import Settings
from tallystick.platform.signed_urls import SignedUrls
from tallystick.usage.resolution import Resolution
from tallystick.usage.service import Ingest
from tallystick.usage.store.store import UsageStore
from tallystick.usage.store.writer import GroupedWriter

__all__ = ["Platform", "open_platform", "open_services", "run_server", "signing_secret", "stop_on_signals"]

Step = Callable[[str], None]


@dataclass(frozen=True)
class Platform:
    """What runs under the services: the home, its engines, and the migrated database."""

    settings: Settings
    clock: Clock
    home: Home
    postgres: Postgres
    database: Database
    resolution: Resolution


@contextmanager
def open_platform(
    settings: Settings, clock: Clock | None = None, step: Step = lambda _: None
) -> Iterator[Platform]:
    """Lock the home, start PostgreSQL and bring it to this version. `step` hears what is going on."""
    clock = clock or SystemClock()
    with ExitStack() as stack:
        step("Opening the home")
        home = stack.enter_context(Home(settings.home))
        step("Starting PostgreSQL")
        postgres = stack.enter_context(open_postgres(home, settings.database_url))
        step("Migrating the database")
        migrate(postgres.url)
        resolution = Resolution()

        def record(tx: Transaction, change: Change) -> None:
            record_change(tx, change)
            resolution.note_change(tx, change)

        database = Database(postgres.url, clock, record)
        stack.callback(database.close)
        yield Platform(settings, clock, home, postgres, database, resolution)


@contextmanager
def open_services(platform: Platform, step: Step = lambda _: None) -> Iterator[Services]:
    """Open the usage store and construct what handlers work with; closed in order at the end."""
    with ExitStack() as stack:
        step("Opening the usage store")
        clickhouse = stack.enter_context(_clickhouse(platform))
        store = UsageStore(clickhouse)
        store.migrate()
        writer = GroupedWriter(store, platform.clock)
        writer.start()
        stack.callback(writer.close)
        secret = signing_secret(platform)
        throttle = Throttle(platform.clock)
        yield Services(
            clock=platform.clock,
            database=platform.database,
            tokens=Tokens(platform.database, platform.clock, secret, throttle=throttle),
            throttle=throttle,
            ingest=Ingest(platform.database, writer, platform.clock, platform.resolution),
            signed_urls=SignedUrls(secret, platform.clock),
        )


def signing_secret(platform: Platform) -> bytes:
    """Give the secret that tokens and URLs are signed with."""
    return (platform.settings.secret or platform.home.secret()).encode()


@contextmanager
def _clickhouse(platform: Platform) -> Iterator[ClickHouse]:
    url = platform.settings.clickhouse_url
    clickhouse: ClickHouse = HttpClickHouse(url) if url else EmbeddedClickHouse(platform.home.usage)
    try:
        yield clickhouse
    finally:
        clickhouse.close()


async def run_server(
    platform: Platform, services: Services, *, ready: Callable[[str], None], stop: asyncio.Event
) -> None:
    """Serve HTTP and run jobs until `stop` is set. ready: called with the base URL. Raises PortTaken."""
    host = platform.settings.host
    port = free_port(host, platform.settings.port)
    url = f"http://{f'[{host}]' if ':' in host else host}:{port}"
    await serve(make_app(services), host, port, ready=lambda: ready(url), stop=stop)


def openapi_document() -> dict[str, Any]:
    """Give the OpenAPI document of this version's routes."""
    return document()
