import subprocess
import sys
from concurrent.futures import ThreadPoolExecutor
from io import StringIO

import psycopg
import pytest
from alembic import command
from procrastinate.schema import SchemaManager
from sqlalchemy import Column, Connection, MetaData, Table, Uuid, create_engine
from sqlalchemy.engine import make_url

from tallystick.platform import migrate as module
from tallystick.platform.migrate import FOLDER, DatabaseTooNew, differences, migrate
from tallystick.platform.postgres import external_postgres


def scalar(url: str, query: str) -> object:
    with psycopg.connect(external_postgres(url).conninfo) as connection:
        row = connection.execute(query.encode()).fetchone()
        return row and row[0]


def test_an_empty_database_is_brought_to_the_newest_revision_and_then_left_alone(postgres_url: str) -> None:
    first = migrate(postgres_url)
    assert first.before is None
    assert first.after is not None
    assert scalar(postgres_url, "SELECT version_num FROM alembic_version") == first.after
    assert scalar(postgres_url, "SELECT count(*) FROM procrastinate_jobs") == 0
    assert migrate(postgres_url) == module.Migrated(first.after, first.after)


def test_of_several_starting_at_once_one_migrates(postgres_url: str) -> None:
    code = "import sys; from tallystick.platform.migrate import migrate; print(migrate(sys.argv[1]).before)"
    with ThreadPoolExecutor(4) as pool:
        each = [
            pool.submit(subprocess.check_output, [sys.executable, "-c", code, postgres_url], text=True)
            for _ in range(4)
        ]
        befores = sorted(one.result().split()[-1] for one in each)
    assert befores[-1] == "None"
    assert befores[:-1] == [migrate(postgres_url).after] * 3


def test_a_migration_that_fails_leaves_nothing_behind(
    postgres_url: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    def fail(_connection: Connection) -> None:
        raise RuntimeError("in the middle")

    with monkeypatch.context() as patch:
        patch.setattr(module, "secure_tables", fail)
        with pytest.raises(RuntimeError, match="in the middle"):
            migrate(postgres_url)
    assert scalar(postgres_url, "SELECT count(*) FROM pg_tables WHERE schemaname = 'public'") == 0
    assert migrate(postgres_url).before is None


def test_a_database_of_a_newer_version_is_refused(migrated_url: str) -> None:
    with psycopg.connect(external_postgres(migrated_url).conninfo) as connection:
        connection.execute("UPDATE alembic_version SET version_num = '9999'")
    with pytest.raises(DatabaseTooNew, match="revision 9999, which this version of Tallystick does not know"):
        migrate(migrated_url)


def test_a_superuser_gets_a_role_that_policies_bind(migrated_url: str) -> None:
    query = "SELECT rolsuper OR rolbypassrls OR rolcanlogin FROM pg_roles WHERE rolname = 'tallystick_app'"
    assert scalar(migrated_url, query) is False


def test_the_owner_of_a_database_need_not_be_a_superuser(postgres_url: str) -> None:
    name = make_url(postgres_url).database
    owner = f"owner_of_{name}"
    with psycopg.connect(external_postgres(postgres_url).conninfo, autocommit=True) as connection:
        connection.execute(f"CREATE ROLE {owner} LOGIN".encode())
        connection.execute(f"ALTER DATABASE {name} OWNER TO {owner}".encode())
    url = make_url(postgres_url).set(username=owner).render_as_string(hide_password=False)
    assert migrate(url).before is None
    assert scalar(url, "SELECT tableowner FROM pg_tables WHERE tablename = 'procrastinate_jobs'") == owner


def test_the_job_queues_schema_is_the_one_of_the_library_in_use() -> None:
    kept = (FOLDER / "procrastinate_3_10_0.sql").read_text()
    own = kept.partition("\n\n")[2]
    assert own == SchemaManager.get_schema(), (
        "procrastinate has a new schema: add a revision with its sql/migrations, "
        "and keep the text of the new one beside the old"
    )


def test_the_sql_can_be_printed_without_a_database() -> None:
    config = module._config()  # noqa: SLF001 - the tool for it is Alembic's own
    config.output_buffer = StringIO()
    command.upgrade(config, "head", sql=True)
    assert "CREATE TABLE procrastinate_jobs" in config.output_buffer.getvalue()


def test_a_declared_table_without_a_revision_is_a_difference(migrated_url: str) -> None:
    declared = MetaData()
    Table("tallies", declared, Column("org_id", Uuid(as_uuid=False), primary_key=True))
    engine = create_engine(migrated_url)
    with engine.connect() as connection:
        steps = differences(connection, declared)
    engine.dispose()
    assert ("add_table", "tallies") in [(step[0], str(step[1])) for step in steps]


def test_the_tables_of_others_are_no_difference(postgres_url: str) -> None:
    migrate(postgres_url)
    engine = create_engine(postgres_url)
    with engine.connect() as connection:
        removed = [step for step in differences(connection) if "procrastinate" in str(step)]
    engine.dispose()
    assert removed == []
