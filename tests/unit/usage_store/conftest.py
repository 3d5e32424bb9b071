"""The usage store on both transports: chDB in this process, and over HTTP from another one."""

import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from uuid import uuid4

import pytest

from tallystick.platform.clickhouse.embedded import EmbeddedClickHouse
from tallystick.platform.clickhouse.http import HttpClickHouse
from tallystick.platform.clickhouse.transport import ClickHouse
from tallystick.usage.store.store import UsageStore
from tallystick.usage.store.writer import GroupedWriter
from tests.unit.usage_store.blocks import SetClock

SERVER = Path(__file__).parents[2] / "support" / "clickhouse_http.py"


@pytest.fixture(scope="module")
def server_url(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    folder = tmp_path_factory.mktemp("server") / "usage"
    server = subprocess.Popen([sys.executable, SERVER, folder], stdout=subprocess.PIPE, text=True)
    try:
        assert server.stdout is not None
        yield f"http://127.0.0.1:{server.stdout.readline().strip()}"
    finally:
        server.kill()
        server.wait()


@pytest.fixture(scope="module", params=["embedded", "http"])
def clickhouse(
    request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[ClickHouse]:
    found: ClickHouse
    if request.param == "embedded":
        found = EmbeddedClickHouse(tmp_path_factory.mktemp("embedded") / "usage")
    else:
        found = HttpClickHouse(request.getfixturevalue("server_url"))
    UsageStore(found).migrate()
    yield found
    found.close()


@pytest.fixture
def store(clickhouse: ClickHouse) -> UsageStore:
    return UsageStore(clickhouse)


@pytest.fixture
def clock() -> SetClock:
    return SetClock()


@pytest.fixture
def writer(store: UsageStore, clock: SetClock) -> Iterator[GroupedWriter]:
    started = GroupedWriter(store, clock)
    started.start()
    yield started
    started.close()


@pytest.fixture
def org() -> str:
    return str(uuid4())
