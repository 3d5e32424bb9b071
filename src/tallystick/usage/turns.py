"""Turns of the processes that fill one ClickHouse server, taken in the database that they share.

A lock of the session is the turn: it goes with its connection, so nobody holds it who is gone. What is
about to be stored is announced before, so that whoever comes next knows its uids, stored or not.
"""

import time
from collections.abc import Callable, Sequence
from typing import Any, Final

import numpy as np
import psycopg
from sqlalchemy import BigInteger, Boolean, Column, DateTime, LargeBinary, Table

from tallystick.platform.resources.tables import metadata
from tallystick.usage.dedupe import Words
from tallystick.usage.store.turns import Announced
from tallystick.usage.store.writer import WriterBusy

KEPT_S: Final = 300
"Whoever had no turn for so long may have to read all uids of the store again."
ABANDONED_S: Final = 30.0
"What was announced so long ago, by someone who lost the turn, is over once the store runs no insert."
WAIT_S: Final = 30
_POLL_S: Final = 0.2
_FORGET: Final = (
    "DELETE FROM usage_groups WHERE announced_at < clock_timestamp() - make_interval(secs => %s)"
    " AND id < (SELECT max(id) FROM usage_groups)"
)
_LOCK: Final = int.from_bytes(b"usage wr")

usage_groups = Table(
    "usage_groups",
    metadata,
    Column("id", BigInteger, primary_key=True, autoincrement=False),
    Column("announced_at", DateTime(timezone=True), nullable=False),
    Column("last_us", BigInteger, nullable=False),
    Column("hashes", LargeBinary, nullable=False),
    Column("ended", Boolean, nullable=False),
)


class SharedTurns:
    """The Turns of one process (see usage.store.turns). Not thread-safe: the writer's thread owns it.

    conninfo: of the database. is_inserting: tells whether the store runs an insert, whoever sent it.
    """

    def __init__(
        self, conninfo: str, is_inserting: Callable[[], bool], *, abandoned_s: float = ABANDONED_S
    ) -> None:
        self._conninfo = conninfo
        self._is_inserting = is_inserting
        self._abandoned_s = abandoned_s
        self._connection: psycopg.Connection[Any] | None = None
        self._is_mine = False
        self._seen = 0
        "The last group that this process knows of. Groups have numbers without gaps."

    def read_from_here(self) -> None:
        """Hear before the store is read; a group under way is told by `begin`."""
        [(last,)] = self._ask("SELECT coalesce(max(id), 0) FROM usage_groups WHERE ended")
        self._seen = last

    def begin(self) -> Sequence[Announced] | None:
        """Wait for the turn, or keep it; give what others announced since the last one."""
        if self.holds():
            return ()
        self._ask("SELECT pg_advisory_lock(%s)", _LOCK)
        self._is_mine = True
        self._await_end()
        rows = self._ask("SELECT id, hashes, last_us FROM usage_groups WHERE id > %s ORDER BY id", self._seen)
        if rows and rows[0][0] > self._seen + 1:
            self.end()
            return None
        if rows:
            self._seen = rows[-1][0]
        return [Announced(np.frombuffer(hashes, np.uint64), last_us) for _, hashes, last_us in rows]

    def holds(self) -> bool:
        """Tell whether the session that has the turn lives."""
        if self._is_mine and self._connection is not None:
            try:
                self._connection.execute("SELECT 1")
            except psycopg.Error:
                self.close()
        return self._is_mine

    def announce(self, hashes: Words, last_us: int) -> None:
        """Make known what will be sent now."""
        statement = (
            "INSERT INTO usage_groups (id, announced_at, last_us, hashes, ended)"
            " VALUES (%s, clock_timestamp(), %s, %s, false) RETURNING id"
        )
        [(self._seen,)] = self._ask(statement, self._seen + 1, last_us, hashes.tobytes())

    def ended(self) -> None:
        """Make known that what was announced is stored, or never will be. Not told, it is found out later."""
        self._tell("UPDATE usage_groups SET ended = true WHERE id = %s", self._seen)
        self._tell(_FORGET, KEPT_S)

    def end(self) -> None:
        """Let others write."""
        if self._is_mine:
            self._tell("SELECT pg_advisory_unlock(%s)", _LOCK)
        self._is_mine = False

    def close(self) -> None:
        """Let go of the connection, and of the turn with it."""
        self._is_mine = False
        if self._connection is not None:
            self._connection.close()
        self._connection = None

    def _await_end(self) -> None:
        """Wait until nothing is under way that someone announced who then lost the turn."""
        while True:
            age = "extract(epoch FROM clock_timestamp() - announced_at)::float8"
            under_way = self._ask(f"SELECT id, {age} FROM usage_groups WHERE NOT ended ORDER BY id")  # noqa: S608 - our own words
            if not under_way:
                return
            if max(each[1] for each in under_way) > self._abandoned_s and not self._is_inserting():
                self._ask("UPDATE usage_groups SET ended = true WHERE NOT ended RETURNING id")
                return
            time.sleep(_POLL_S)

    def _ask(self, statement: str, *values: Any) -> list[Any]:
        """Run a statement that gives rows. Raises WriterBusy, without the turn."""
        try:
            if self._connection is None:
                self._connection = psycopg.connect(self._conninfo, autocommit=True)
                self._connection.execute(f"SET lock_timeout = '{WAIT_S}s'")
            return self._connection.execute(statement, values).fetchall()
        except psycopg.Error as error:
            self.close()
            message = "Another process is storing usage. Send the same request again in a moment."
            raise WriterBusy(message, detail=str(error)) from error

    def _tell(self, statement: str, value: int) -> None:
        """Run a statement whose failure loses the turn, and nothing else."""
        try:
            if self._connection is not None:
                self._connection.execute(statement, (value,))
        except psycopg.Error:
            self.close()
