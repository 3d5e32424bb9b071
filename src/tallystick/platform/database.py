"""PostgreSQL: connections, transactions bound to one organization, and row-level security."""

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace
from datetime import datetime
from typing import Any

import psycopg
from psycopg.adapt import Loader
from psycopg.errors import DeadlockDetected
from sqlalchemy import Connection, Engine, create_engine, event, text
from sqlalchemy.exc import OperationalError

from tallystick.kernel.clock import Clock
from tallystick.kernel.errors import Unavailable
from tallystick.platform.org_clocks import EVERY_ORGANIZATION, OrganizationClock, OrganizationClocks
from tallystick.platform.resources.tables import metadata
from tallystick.platform.resources.transaction import Change, Recorder, Transaction
from tallystick.platform.resources.wire import encode_whole, parse

__all__ = ["EVERY_ORGANIZATION", "NOBODY", "Database", "OneTransaction", "metadata", "secure_tables"]

APP_ROLE = "tallystick_app"
NOBODY = "00000000-0000-0000-0000-000000000000"
"The actor of changes that the platform makes by itself."

_SECURE_TABLE = """
ALTER TABLE {table} ENABLE ROW LEVEL SECURITY;
ALTER TABLE {table} FORCE ROW LEVEL SECURITY;
DROP POLICY IF EXISTS own_organization ON {table};
CREATE POLICY own_organization ON {table}
    USING (current_setting('tallystick.org_id', true) IN (org_id::text, '*'))
    WITH CHECK (current_setting('tallystick.org_id', true) IN (org_id::text, '*'));
"""
_TABLES_WITH_ORG_ID = """
SELECT c.relname FROM pg_class c
JOIN pg_attribute a ON a.attrelid = c.oid AND a.attname = 'org_id' AND NOT a.attisdropped
WHERE c.relkind IN ('r', 'p') AND c.relnamespace = 'public'::regnamespace
ORDER BY 1
"""
_GRANT = """
GRANT USAGE ON SCHEMA public TO {role};
GRANT SELECT, INSERT, UPDATE, DELETE ON ALL TABLES IN SCHEMA public TO {role};
GRANT USAGE, SELECT ON ALL SEQUENCES IN SCHEMA public TO {role};
GRANT EXECUTE ON ALL FUNCTIONS IN SCHEMA public TO {role};
"""

_BIND = text("SELECT set_config('tallystick.org_id', :org_id, false)")
_BOUND_TO = "tallystick.org_id"


class ChangesCrossed(Unavailable):
    """Two transactions waited for each other; this one was undone."""

    code = "changes_crossed"


class _TextUuidLoader(Loader):
    """Loads a uuid as the string that the API speaks."""

    def load(self, data: Any) -> str:
        return bytes(data).decode()


class Database:
    """A pool of connections to the system of record."""

    def __init__(
        self, url: str, clock: Clock, record: Recorder | None = None, *, pool_size: int = 16
    ) -> None:
        self.clock = clock
        self.clocks = OrganizationClocks(clock)
        self.record: Recorder = record or ignore_change
        self.engine = _engine(url, pool_size)
        self._autocommit = self.engine.execution_options(isolation_level="AUTOCOMMIT")

    @contextmanager
    def transaction(self, org_id: str, actor: str = NOBODY) -> Iterator[Transaction]:
        """Open a transaction on one organization's rows: commits at the end, rolls back on an error.

        Raises ChangesCrossed when another one waits for its rows while it waits for theirs.
        """
        with self.engine.connect() as connection:
            try:
                with connection.begin():
                    _bind_session(connection, org_id)
                    yield self._transaction(connection, org_id, actor)
            except BaseException as error:
                connection.info.pop(_BOUND_TO, None)  # a rollback takes the binding back with the rest
                if isinstance(error, OperationalError) and isinstance(error.orig, DeadlockDetected):
                    raise ChangesCrossed(
                        "Another change was in the way of this one. Send it again."
                    ) from error
                raise

    @contextmanager
    def reading(self, org_id: str, actor: str = NOBODY) -> Iterator[Transaction]:
        """Open single-statement reads: each statement sees what is committed when it starts."""
        with self._autocommit.connect() as connection:
            _bind_session(connection, org_id)
            yield self._transaction(connection, org_id, actor)

    @contextmanager
    def snapshot(self, org_id: str) -> Iterator[Transaction]:
        """Open reads that all see the same moment."""
        with self.engine.connect().execution_options(isolation_level="REPEATABLE READ") as connection:
            try:
                _bind_session(connection, org_id)
                yield self._transaction(connection, org_id, NOBODY)
            finally:
                connection.info.pop(_BOUND_TO, None)
                connection.rollback()

    def now(self, org_id: str) -> datetime:
        """Give an organization's present instant: by its test clock if it has one."""
        known = self.clocks.known(org_id)
        if known is not None:
            return known
        with self.reading(org_id) as tx:
            return tx.clock.now()

    def close(self) -> None:
        """Close all connections."""
        self.engine.dispose()

    def _transaction(self, connection: Connection, org_id: str, actor: str) -> Transaction:
        clock = OrganizationClock(self.clocks, org_id, connection)
        return Transaction(connection, org_id, actor, clock, self.record)


class OneTransaction(Database):
    """The database as seen from inside an open transaction: all work on its organization belongs to it.

    Snapshots, and work on other organizations, go by themselves. For one thread, as the transaction is.
    """

    def __init__(self, outer: Database, tx: Transaction) -> None:
        self.clock = outer.clock
        self.clocks = outer.clocks
        self.record = outer.record
        self.engine = outer.engine
        self._autocommit = outer._autocommit  # noqa: SLF001 - of the same class
        self._outer = outer
        self._tx = tx

    @contextmanager
    def transaction(self, org_id: str, actor: str = NOBODY) -> Iterator[Transaction]:
        """Open a part of the transaction that is undone alone when it fails."""
        if org_id != self._tx.org_id:
            with self._outer.transaction(org_id, actor) as other:
                yield other
            return
        with self._tx.connection.begin_nested():
            yield replace(self._tx, actor=actor)

    @contextmanager
    def reading(self, org_id: str, actor: str = NOBODY) -> Iterator[Transaction]:
        """Read what the transaction sees, its own changes too."""
        if org_id != self._tx.org_id:
            with self._outer.reading(org_id, actor) as other:
                yield other
            return
        yield replace(self._tx, actor=actor)


def ignore_change(tx: Transaction, /, *changes: Change) -> None:
    """Record nothing: for tools that only read, and for tests of the machinery itself."""


def secure_tables(connection: Connection) -> None:
    """Bind every table that has an org_id to row-level security, and let the application's role in.

    Runs after each migration, so no table can be forgotten. A superuser is never bound by policies:
    the application then works as APP_ROLE (`_engine` sees to it).
    """
    for name in connection.scalars(text(_TABLES_WITH_ORG_ID)).all():
        connection.execute(text(_SECURE_TABLE.format(table=f'"{name}"')))
    if connection.scalar(text("SELECT 1 FROM pg_roles WHERE rolname = :role"), {"role": APP_ROLE}):
        connection.execute(text(_GRANT.format(role=APP_ROLE)))


def _bind_session(connection: Connection, org_id: str) -> None:
    """Bind the connection's session to an organization, unless it is bound to it already."""
    if connection.info.get(_BOUND_TO) != org_id:
        connection.info.pop(_BOUND_TO, None)
        connection.execute(_BIND, {"org_id": org_id})
        connection.info[_BOUND_TO] = org_id


def _engine(url: str, pool_size: int) -> Engine:
    """Make the engine: exact JSON, ids as strings, UTC, and the role that policies bind."""
    engine = create_engine(
        url,
        pool_size=pool_size,
        max_overflow=pool_size,
        json_serializer=encode_whole,
        json_deserializer=parse,
        hide_parameters=True,  # an error of the database is logged, and values may be secrets
        connect_args={"options": "-c timezone=UTC", "prepare_threshold": 3},
    )

    @event.listens_for(engine, "connect")
    def set_up(connection: psycopg.Connection[Any], _record: object) -> None:
        connection.adapters.register_loader("uuid", _TextUuidLoader)
        with connection.cursor() as cursor:
            cursor.execute(
                "SELECT 1 FROM pg_roles me, pg_roles app"
                " WHERE me.rolname = current_user AND (me.rolsuper OR me.rolbypassrls) AND app.rolname = %s",
                (APP_ROLE,),
            )
            if cursor.fetchone():
                cursor.execute(f'SET ROLE "{APP_ROLE}"')
        connection.commit()

    return engine
