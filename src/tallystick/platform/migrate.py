"""Bring a database to this version's schema, and for developers: write the next revision.

`python -m tallystick.platform.migrate revision "what it does"` writes one from the declared tables.
"""

import importlib
import pkgutil
import subprocess
import sys
import tempfile
from pathlib import Path
from typing import Any

import msgspec
import structlog
from alembic import command
from alembic.autogenerate import compare_metadata
from alembic.config import Config
from alembic.migration import MigrationContext
from alembic.script import ScriptDirectory
from sqlalchemy import Connection, MetaData, NullPool, create_engine, text

import tallystick
from tallystick.kernel.errors import Unavailable
from tallystick.platform.database import EVERY_ORGANIZATION, metadata, secure_tables
from tallystick.platform.home import Home
from tallystick.platform.postgres import EmbeddedPostgres

FOLDER = Path(tallystick.__file__).parent / "migrations"
_LOCK = 7_253_018_406_119_223_601  # any number, as long as nothing else locks it
_OTHERS_TABLES = ("procrastinate_", "alembic_")
_log = structlog.get_logger(__name__)


class DatabaseTooNew(Unavailable):
    """The database was brought to a schema that only a newer Tallystick knows."""

    code = "database_too_new"


class Migrated(msgspec.Struct, frozen=True):
    """Which revision the database had and has; both the same when there was nothing to do."""

    before: str | None
    after: str | None


def migrate(url: str) -> Migrated:
    """Bring the database to the newest revision, in one transaction; of several at once one does it.

    url: for SQLAlchemy, with a user that may change the schema. Raises DatabaseTooNew.
    """
    engine = create_engine(url, poolclass=NullPool)
    try:
        with engine.begin() as connection:
            before = _revision(connection)
            if before == _head():
                return Migrated(before, before)
            connection.execute(text("SELECT pg_advisory_xact_lock(:lock)"), {"lock": _LOCK})
            before = _revision(connection)  # another process may have done it while we waited
            if before != _head():
                _upgrade(connection)
                secure_tables(connection)
            after = _revision(connection)
    finally:
        engine.dispose()
    _log.info("database_migrated", before=before, after=after)
    return Migrated(before, after)


def differences(connection: Connection, tables: MetaData = metadata) -> list[Any]:
    """Compare a database with declared tables, as Alembic sees them; [] is no difference."""
    found: list[Any] = compare_metadata(MigrationContext.configure(connection, opts=_comparison()), tables)
    return found


def autogenerate(message: str) -> Path:
    """Write the next revision: from an empty database with all revisions to the tables now declared.

    A developer's tool: it starts a scratch PostgreSQL. Read what it wrote before you commit it.
    """
    declare_everything()
    number = int(_head() or "0") + 1
    with (
        tempfile.TemporaryDirectory() as folder,
        Home(Path(folder)) as home,
        EmbeddedPostgres(home) as postgres,
    ):
        engine = create_engine(postgres.url, poolclass=NullPool)
        with engine.begin() as connection:
            _upgrade(connection)
        with engine.begin() as connection:
            config = _config(connection, target_metadata=metadata)
            written = command.revision(config, message, autogenerate=True, rev_id=f"{number:04}")
    if written is None or isinstance(written, list):
        raise AssertionError("one revision was asked for")
    path = Path(written.path)
    lines = path.read_text(encoding="utf-8").splitlines(keepends=True)
    path.write_text("".join(line for line in lines if "# ###" not in line), encoding="utf-8")
    for arguments in (["check", "--fix", "--quiet"], ["format", "--quiet"]):
        subprocess.run([sys.executable, "-m", "ruff", *arguments, str(path)], check=False)
    return path


def _config(connection: Connection | None = None, **comparison: Any) -> Config:
    """Configure Alembic from here: no alembic.ini."""
    config = Config()
    config.set_main_option("script_location", str(FOLDER).replace("%", "%%"))
    config.set_main_option("path_separator", "os")
    config.set_main_option("file_template", "r%%(rev)s_%%(slug)s")
    config.attributes["connection"] = connection
    config.attributes["comparison"] = _comparison() | comparison
    return config


def _comparison() -> dict[str, Any]:
    """Say how a database is compared with declared tables: types and defaults too, only our own tables."""

    def ours(name: str | None, kind: str, _parents: object) -> bool:
        return kind != "table" or not (name or "").startswith(_OTHERS_TABLES)

    return {"compare_type": True, "compare_server_default": True, "include_name": ours}


def _head() -> str | None:
    return ScriptDirectory.from_config(_config()).get_current_head()


def _revision(connection: Connection) -> str | None:
    """Read the database's revision; None is an empty database. Raises DatabaseTooNew for one unknown here."""
    revision = MigrationContext.configure(connection).get_current_revision()
    known = {script.revision for script in ScriptDirectory.from_config(_config()).walk_revisions()}
    if revision is not None and revision not in known:
        raise DatabaseTooNew(
            f"The database is at revision {revision}, which this version of Tallystick does not know: "
            "a newer one was here. Start that newer version, or restore the database from before it.",
            revision=revision,
        )
    return revision


def _upgrade(connection: Connection, to: str = "head") -> None:
    """Run revisions. What they move may be of any organization, also where the user is bound by policies."""
    statement = text("SELECT set_config('tallystick.org_id', :all, true)")
    connection.execute(statement, {"all": EVERY_ORGANIZATION})
    command.upgrade(_config(connection), to)


def declare_everything() -> None:
    """Import every module of the package, so that every resource has declared its table."""
    for module in pkgutil.walk_packages(tallystick.__path__, "tallystick."):
        if not module.name.startswith("tallystick.migrations") and not module.name.endswith("__main__"):
            importlib.import_module(module.name)


if __name__ == "__main__":
    match sys.argv[1:]:
        case ["revision", message]:
            sys.stdout.write(f"wrote {autogenerate(message)}\n")
        case _:
            sys.exit('usage: python -m tallystick.platform.migrate revision "what it does"')
