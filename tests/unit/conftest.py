"""A database, a clock that stands still until it is moved, and one organization."""

from collections.abc import Callable, Iterator

import pytest

from tallystick.events.record import record_change
from tallystick.organizations.service import bootstrap
from tallystick.platform.database import Database
from tallystick.platform.ids import new_id
from tests.support.clock import MovableClock


@pytest.fixture
def clock() -> MovableClock:
    return MovableClock()


@pytest.fixture(scope="session")
def shared_url(new_migrated_database: Callable[[], str]) -> str:
    """Make one database for all tests that ask for it: each works in organizations of its own."""
    return new_migrated_database()


@pytest.fixture
def database(shared_url: str, clock: MovableClock) -> Iterator[Database]:
    opened = Database(shared_url, clock, record_change, pool_size=8)
    yield opened
    opened.close()


@pytest.fixture
def org_id(database: Database, clock: MovableClock) -> str:
    email = f"ada-{new_id()}@acme.test"
    made = bootstrap(database, clock, organization="Acme", admin_email=email, admin_password="correct horse")
    return made.org_id
