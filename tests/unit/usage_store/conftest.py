"""The usage store on both transports: chDB in this process, and over HTTP from another one.

With TALLYSTICK_TEST_CLICKHOUSE_URL also on that server, in a database `tallystick` that this makes there.
"""

import os
from collections.abc import Iterator
from uuid import uuid4

import pytest

from tallystick.platform.clickhouse.embedded import EmbeddedClickHouse
from tallystick.platform.clickhouse.http import HttpClickHouse
from tallystick.platform.clickhouse.transport import ClickHouse
from tallystick.usage.store.store import UsageStore
from tallystick.usage.store.writer import GroupedWriter
from tests.support.clock import MovableClock
from tests.unit.usage_store.blocks import MARCH

OWN_SERVER = os.environ.get("TALLYSTICK_TEST_CLICKHOUSE_URL", "")


@pytest.fixture(scope="module", params=["embedded", "http", *(["server"] if OWN_SERVER else [])])
def clickhouse(
    request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[ClickHouse]:
    found: ClickHouse
    if request.param == "embedded":
        found = EmbeddedClickHouse(tmp_path_factory.mktemp("embedded") / "usage")
    elif request.param == "server":
        found = HttpClickHouse(OWN_SERVER)
    else:
        found = HttpClickHouse(request.getfixturevalue("clickhouse_url"))
    UsageStore(found).migrate()
    yield found
    found.close()


@pytest.fixture
def store(clickhouse: ClickHouse) -> UsageStore:
    return UsageStore(clickhouse)


@pytest.fixture
def clock() -> MovableClock:
    return MovableClock(MARCH)


@pytest.fixture
def writer(store: UsageStore, clock: MovableClock) -> Iterator[GroupedWriter]:
    started = GroupedWriter(store, clock)
    started.start()
    yield started
    started.close()


@pytest.fixture
def org() -> str:
    return str(uuid4())
