"""A database, a clock that stands still until it is moved, and one organization: fixtures of what tells."""

from collections.abc import Callable, Iterator

import pytest

from tallystick.events.record import record_change
from tallystick.organizations.service import bootstrap
from tallystick.platform.database import Database
from tallystick.platform.ids import new_id
from tests.support.live import MovableClock

__all__ = ["clock", "database", "org_id", "telling_url"]


@pytest.fixture
def clock() -> MovableClock:
    return MovableClock()


@pytest.fixture(scope="session")
def telling_url(new_migrated_database: Callable[[], str]) -> str:
    """Make one database for all tests here: each works in organizations of its own."""
    return new_migrated_database()


@pytest.fixture
def database(telling_url: str, clock: MovableClock) -> Iterator[Database]:
    opened = Database(telling_url, clock, record_change, pool_size=8)
    yield opened
    opened.close()


@pytest.fixture
def org_id(database: Database, clock: MovableClock) -> str:
    email = f"ada-{new_id()}@acme.test"
    made = bootstrap(database, clock, organization="Acme", admin_email=email, admin_password="correct horse")
    return made.org_id
