"""A database with the tables that access needs, a clock that stands still, and one organization."""

from collections.abc import Callable, Iterator
from datetime import UTC, datetime

import pytest

from tallystick.events.record import record_change
from tallystick.organizations.service import Bootstrapped, bootstrap
from tallystick.platform.database import Database
from tallystick.platform.ids import new_id
from tests.support.clock import MovableClock

PASSWORD = "correct horse battery"


@pytest.fixture
def clock() -> MovableClock:
    return MovableClock(datetime(2024, 1, 1, tzinfo=UTC))


@pytest.fixture(scope="session")
def access_url(new_migrated_database: Callable[[], str]) -> str:
    """Make one database for all tests here: each works in organizations of its own."""
    return new_migrated_database()


@pytest.fixture
def database(access_url: str, clock: MovableClock) -> Iterator[Database]:
    opened = Database(access_url, clock, record_change, pool_size=4)
    yield opened
    opened.close()


@pytest.fixture
def acme(database: Database, clock: MovableClock) -> Bootstrapped:
    email = f"ada-{new_id()}@acme.test"
    return bootstrap(database, clock, organization="Acme", admin_email=email, admin_password=PASSWORD)
