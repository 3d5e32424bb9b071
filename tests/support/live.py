"""A real server on a real port, with real engines and a clock that tests move."""

import asyncio
import tempfile
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from tallystick.api.services import Services
from tallystick.platform.settings import Settings
from tallystick.wiring import Platform, open_platform, open_services, run_server, run_until_done
from tests.support.clock import RunningClock


@dataclass(frozen=True)
class Live:
    """A running server."""

    url: str
    clock: RunningClock
    platform: Platform
    services: Services


@contextmanager
def live_server(database_url: str, clickhouse_url: str | None = None) -> Iterator[Live]:
    """Start a server on a free port of loopback, in a thread of this process, and stop it at the end.

    clickhouse_url: None is the embedded store, of which a process can have one.
    """
    clock = RunningClock()
    with tempfile.TemporaryDirectory(prefix="tallystick-test-") as folder:
        settings = Settings(
            home=Path(folder),
            port=0,
            database_url=database_url,
            clickhouse_url=clickhouse_url,
            due_every_s=0,
            stripe_url="http://127.0.0.1:9",
            webhook_allow="127.0.0.1",
        )
        with (
            open_platform(settings, clock) as platform,
            open_services(platform) as services,
            _running(platform, services) as url,
        ):
            yield Live(url, clock, platform, services)


@contextmanager
def _running(platform: Platform, services: Services) -> Iterator[str]:
    started = threading.Event()
    urls: list[str] = []
    failures: list[BaseException] = []
    stopping: list[tuple[asyncio.AbstractEventLoop, asyncio.Event]] = []

    async def serve() -> None:
        stop = asyncio.Event()
        stopping.append((asyncio.get_running_loop(), stop))

        def ready(url: str) -> None:
            urls.append(url)
            started.set()

        await run_server(platform, services, ready=ready, stop=stop)

    def run() -> None:
        try:
            run_until_done(serve())
        except BaseException as error:  # noqa: BLE001 - told to the test that waits
            failures.append(error)
        finally:
            started.set()

    thread = threading.Thread(target=run, name="live server")
    thread.start()
    started.wait(60)
    if failures:
        raise failures[0]
    try:
        yield urls[0]
    finally:
        loop, stop = stopping[0]
        loop.call_soon_threadsafe(stop.set)
        thread.join(60)
