"""The revisions, run one after the other, lead to the tables that are declared."""

import re
import subprocess
import sys

import psycopg
from alembic.script import ScriptDirectory

from tallystick.platform import migrate as module
from tallystick.platform.postgres import external_postgres
from tests.conftest import MakeDatabase

# In a process of its own: a test may have declared tables of its own in this one.
PREPARE = """
import sys
from sqlalchemy import create_engine
from tallystick.platform.database import metadata
from tallystick.platform.migrate import declare_everything, differences, migrate
declare_everything()
migrated, declared = sys.argv[1:]
migrate(migrated)
metadata.create_all(create_engine(declared))
with create_engine(migrated).connect() as connection:
    for difference in differences(connection):
        print(difference)
"""
SHAPES = {
    "columns": """
        SELECT table_name || '.' || column_name, concat_ws(' ', data_type, is_nullable, column_default)
        FROM information_schema.columns WHERE table_schema = 'public'""",
    "constraints": """
        SELECT conrelid::regclass || '.' || conname, pg_get_constraintdef(oid)
        FROM pg_constraint WHERE connamespace = 'public'::regnamespace AND contype <> 'n'""",
    "indexes": "SELECT indexname, indexdef FROM pg_indexes WHERE schemaname = 'public'",
}
OTHERS = re.compile("procrastinate_|alembic_")


def shape(url: str) -> dict[str, str]:
    """Read what a database is made of, from PostgreSQL's own catalogue."""
    with psycopg.connect(external_postgres(url).conninfo) as connection:
        return {
            f"{kind} {name}": definition
            for kind, query in SHAPES.items()
            for name, definition in connection.execute(query.encode())
            if not OTHERS.search(name)
        }


def test_a_migrated_database_equals_the_declared_tables(new_database: MakeDatabase) -> None:
    migrated, declared = new_database(), new_database()
    run = [sys.executable, "-c", PREPARE, migrated, declared]
    found = subprocess.run(run, check=True, capture_output=True, text=True).stdout
    advice = 'write a revision: python -m tallystick.platform.migrate revision "what changes"'
    assert [line for line in found.splitlines() if "database_migrated" not in line] == [], advice
    assert shape(migrated) == shape(declared), advice


def test_every_table_of_an_organization_is_bound_to_row_level_security(migrated_url: str) -> None:
    query = """
        SELECT c.relname FROM pg_class c JOIN pg_attribute a ON a.attrelid = c.oid AND a.attname = 'org_id'
        WHERE c.relkind = 'r' AND NOT (c.relrowsecurity AND c.relforcerowsecurity
            AND EXISTS (SELECT FROM pg_policy p WHERE p.polrelid = c.oid))"""
    with psycopg.connect(external_postgres(migrated_url).conninfo) as connection:
        assert connection.execute(query).fetchall() == []


def test_the_revisions_are_one_numbered_line() -> None:
    script = ScriptDirectory.from_config(module._config())  # noqa: SLF001 - read only
    revisions = [revision.revision for revision in script.walk_revisions()][::-1]
    assert revisions == [f"{number:04}" for number in range(1, len(revisions) + 1)]
