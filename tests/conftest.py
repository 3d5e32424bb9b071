"""What any test may ask for: a real PostgreSQL, one for each test process, with a database of its own."""

import itertools
import subprocess
import sys
import tempfile
from collections.abc import Callable, Iterator
from pathlib import Path

import psycopg
import pytest
from psycopg import sql
from sqlalchemy.engine import make_url

from tallystick.platform.home import Home
from tallystick.platform.postgres import EmbeddedPostgres, Postgres
from tests.support.clock import START
from tests.support.live import Live, live_server
from tests.support.world import World

MakeDatabase = Callable[[], str]


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Run what needs the live server last: its usage store is the only one its process may have open."""
    items.sort(key=lambda item: "live" in getattr(item, "fixturenames", ()))


@pytest.fixture
def temporary_folder() -> Iterator[Path]:
    """Give a folder with a short path that another user can be let into; pytest keeps closing its own."""
    with tempfile.TemporaryDirectory(prefix="tallystick-test-") as folder:
        yield Path(folder)


@pytest.fixture(scope="session")
def postgres_server() -> Iterator[Postgres]:
    """Start the PostgreSQL of this test process. Its data is thrown away, so it need not reach the disk."""
    quick = {"fsync": "off", "full_page_writes": "off", "synchronous_commit": "off"}
    with (
        tempfile.TemporaryDirectory(prefix="tallystick-test-") as folder,
        Home(Path(folder)) as home,
        EmbeddedPostgres(home, options=quick) as postgres,
    ):
        yield postgres


_numbers = itertools.count(1)


def _create_database(server: Postgres, template: str = "template1") -> str:
    """Make a database and give its URL for SQLAlchemy."""
    name = f"test_{next(_numbers)}"
    with psycopg.connect(server.conninfo, autocommit=True) as connection:
        statement = sql.SQL("CREATE DATABASE {} TEMPLATE {}")
        connection.execute(statement.format(sql.Identifier(name), sql.Identifier(template)))
    return make_url(server.url).set(database=name).render_as_string(hide_password=False)


@pytest.fixture(scope="session")
def new_database(postgres_server: Postgres) -> MakeDatabase:
    """Give a function that makes an empty database and gives its URL for SQLAlchemy."""
    return lambda: _create_database(postgres_server)


@pytest.fixture
def postgres_url(new_database: MakeDatabase) -> str:
    """Make an empty database for this test."""
    return new_database()


# In a process of its own: a test may have declared tables in this one that no revision makes.
_MIGRATE = """
import sys
from tallystick.platform.migrate import declare_everything, migrate
declare_everything()
migrate(sys.argv[1])
"""


@pytest.fixture(scope="session")
def new_migrated_database(postgres_server: Postgres) -> MakeDatabase:
    """Give a function that makes a database with all tables in it: a copy of one that was migrated once."""
    template = _create_database(postgres_server)
    ended = subprocess.run(
        [sys.executable, "-c", _MIGRATE, template], capture_output=True, text=True, check=False
    )
    assert ended.returncode == 0, ended.stderr
    return lambda: _create_database(postgres_server, str(make_url(template).database))


@pytest.fixture
def migrated_url(new_migrated_database: MakeDatabase) -> str:
    """Make a database with all tables for this test."""
    return new_migrated_database()


@pytest.fixture(scope="module")
def clickhouse_url() -> Iterator[str]:
    """Run a ClickHouse server, as far as our transport can tell, and give its URL."""
    program = Path(__file__).parent / "support" / "clickhouse_http.py"
    with tempfile.TemporaryDirectory(prefix="tallystick-test-") as folder:
        server = subprocess.Popen(
            [sys.executable, program, f"{folder}/usage"], stdout=subprocess.PIPE, text=True
        )
        try:
            assert server.stdout is not None
            yield f"http://127.0.0.1:{server.stdout.readline().strip()}"
        finally:
            server.kill()
            server.wait()


@pytest.fixture(scope="session")
def live(new_migrated_database: MakeDatabase) -> Iterator[Live]:
    """Run the server of this test process."""
    with live_server(new_migrated_database()) as server:
        yield server


@pytest.fixture
def world(live: Live) -> Iterator[World]:
    """Make a fresh organization on the live server, at the start of June 2025."""
    live.clock.instant = START
    live.services.throttle.forget()  # all tests come from one address, at one instant
    made = World(live)
    yield made
    made.close()
