"""Revisions that move data do so for all organizations, also under a user that row-level security binds."""

from collections.abc import Iterator
from uuid import uuid4

import psycopg
import pytest
from psycopg import sql
from sqlalchemy import create_engine, make_url, text
from sqlalchemy.engine import Connection

from tallystick.accounts.account import folded
from tallystick.platform import migrate as module
from tallystick.platform.database import secure_tables
from tallystick.platform.migrate import migrate
from tallystick.platform.postgres import external_postgres
from tests.conftest import MakeDatabase

OWNER = "owner_of_all"
ALL = text("SELECT set_config('tallystick.org_id', '*', true)")


@pytest.fixture
def owned_url(new_database: MakeDatabase) -> Iterator[str]:
    """Make a database that belongs to a user who is no superuser; give its URL as that user."""
    url = new_database()
    database, owner = sql.Identifier(str(make_url(url).database)), sql.Identifier(OWNER)
    with psycopg.connect(external_postgres(url).conninfo, autocommit=True) as connection:
        connection.execute(sql.SQL("CREATE ROLE {} LOGIN").format(owner))
        connection.execute(sql.SQL("ALTER DATABASE {} OWNER TO {}").format(database, owner))
        connection.execute(sql.SQL("ALTER SCHEMA public OWNER TO {}").format(owner))
    yield make_url(url).set(username=OWNER).render_as_string(hide_password=False)
    with psycopg.connect(external_postgres(url).conninfo, autocommit=True) as connection:
        connection.execute(sql.SQL("DROP OWNED BY {}").format(owner))
        connection.execute(sql.SQL("ALTER DATABASE {} OWNER TO CURRENT_USER").format(database))
        connection.execute(sql.SQL("DROP ROLE {}").format(owner))


def at_revision(connection: Connection, revision: str) -> None:
    module._upgrade(connection, revision)  # noqa: SLF001 - only a test stops on the way
    secure_tables(connection)


def test_invoice_numbers_go_on_where_they_were(owned_url: str) -> None:
    acme, other = str(uuid4()), str(uuid4())
    engine = create_engine(owned_url)
    with engine.begin() as connection:
        at_revision(connection, "0031")
        connection.execute(text("ALTER TABLE bills DROP CONSTRAINT fk_bills_account_id"))  # of no account
        for org_id, prefix, last in ((acme, "INV-", 137), (other, None, 5)):
            values = {"org": org_id, "prefix": prefix, "last": last}
            _insert(connection, "organizationconfig", {"org_id": org_id, "bill_prefix": prefix})
            connection.execute(text("INSERT INTO bill_sequences VALUES (:org, 100, :last)"), values)
        for number in ("OLD-9", "OLD-12", "INV-136", None):
            _insert(connection, "bills", {"org_id": acme, "sequential_invoice_number": number})
    migrate(owned_url)
    with engine.begin() as connection:
        connection.execute(ALL)
        counted = text("SELECT org_id::text, prefix, last_number FROM bill_sequences ORDER BY last_number")
        rows = [tuple(row) for row in connection.execute(counted)]
    engine.dispose()
    assert rows == [(other, "", 5), (acme, "OLD-", 12), (acme, "INV-", 137)]


def test_accounts_of_before_are_found_by_codes_like_theirs(owned_url: str) -> None:
    org_id, codes = str(uuid4()), ("Acme", "\u039f\u03a3", "Caf\u00e9")
    engine = create_engine(owned_url)
    with engine.begin() as connection:
        at_revision(connection, "0033")
        for code in codes:
            _insert(connection, "accounts", {"org_id": org_id, "code": code})
        _insert(connection, "accounts", {"org_id": str(uuid4()), "code": "Acme"})
    migrate(owned_url)
    with engine.begin() as connection:
        connection.execute(ALL)
        rows = connection.execute(text("SELECT code, folded_code FROM accounts")).all()
    engine.dispose()
    assert sorted(map(tuple, rows)) == sorted((code, folded(code)) for code in (*codes, "Acme"))


def _insert(connection: Connection, table: str, values: dict[str, object]) -> None:
    """Store a row; what must not be null and is not given gets some value of its type."""
    needed = text(
        "SELECT column_name, data_type FROM information_schema.columns"
        " WHERE table_name = :table AND is_nullable = 'NO' AND column_default IS NULL"
    )
    some = {
        "uuid": lambda: str(uuid4()),
        "boolean": lambda: False,
        "jsonb": lambda: "[]",
        "date": lambda: "2024-01-01",
        "timestamp with time zone": lambda: "2024-01-01T00:00:00Z",
        "text": lambda: str(uuid4()),
    }
    given = {
        name: some.get(kind, lambda: 1)()
        for name, kind in connection.execute(needed, {"table": table})
        if name not in values
    } | values
    columns, values_of = ", ".join(given), ", ".join(f":{name}" for name in given)
    statement = f"INSERT INTO {table} ({columns}) VALUES ({values_of})"  # noqa: S608 - own names
    connection.execute(text(statement), given)
