"""ClickHouse inside this process (chDB). One process owns the folder; a process opens one folder."""

import contextlib
import fcntl
import os
import queue
import sys
import tempfile
import threading
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import chdb
import msgspec
import pyarrow as pa

from tallystick.platform.clickhouse.arrow import from_stream, to_stream
from tallystick.platform.clickhouse.errors import (
    ClickHouseLocked,
    ClickHouseUnavailable,
    ClickHouseUnreadable,
    error_from,
)
from tallystick.platform.clickhouse.sql import insert_statement
from tallystick.platform.clickhouse.transport import Lane


class EmbeddedLimits(msgspec.Struct, frozen=True):
    """How much of the machine the embedded engine may use."""

    readers: int = 2
    "Connections for short questions: a connection runs one query at a time."
    threads: int = 2
    "Threads of one query."
    scan_threads: int = max(1, (os.cpu_count() or 2) // 2)
    "Threads of one scan: half the machine stays free for what someone waits for."
    scan_yields_ms: int = 20
    "How long a scan makes way, each time that it finds an insert at work."
    read_memory_bytes: int = 512 * 2**20
    scan_memory_bytes: int = 2 * 2**30
    wait_s: float = 30.0
    "How long a call waits for a free connection before it is Unavailable."
    scan_wait_s: float = 1800.0
    "The same for a scan, which waits for other scans."


class EmbeddedClickHouse:
    """A ClickHouse (see transport.py) in this process, its data in `folder`.

    Raises ClickHouseLocked when another process has the folder, ClickHouseUnreadable when it cannot be used.
    """

    def __init__(self, folder: Path, limits: EmbeddedLimits | None = None) -> None:
        self._limits = limits or EmbeddedLimits()
        self._folder = folder.expanduser().absolute()
        self._lock_file = _hold(self._folder)
        self._closing = threading.Lock()
        self._closed = False
        self._open: list[Any] = []
        self._lanes: dict[Lane, queue.SimpleQueue[Any]] = {}
        try:
            self._connect(Lane.READ, self._limits.readers, self._limits.read_memory_bytes)
            self._connect(Lane.EXPLORE, 1, self._limits.scan_memory_bytes)
            yielding = f"&max_threads={self._limits.scan_threads}&priority=2"
            yielding += f"&low_priority_query_wait_time_ms={self._limits.scan_yields_ms}"
            self._connect(Lane.SCAN, 1, self._limits.scan_memory_bytes, yielding)
            self._connect(Lane.WRITE, 1, self._limits.scan_memory_bytes, "&priority=1")
        except RuntimeError as error:
            self.close()
            message = f"The usage store in {self._folder} cannot be opened: {_reason(error)}"
            raise ClickHouseUnreadable(message, folder=str(self._folder)) from error

    def read(self, sql: str, *, lane: Lane = Lane.READ) -> pa.Table:
        """Run one SELECT; see the interface."""
        with self._connection(lane) as connection, _mapped_errors(connection):
            answer = connection.query(sql, "ArrowStream")
            # A copy, while `answer` lives: chDB frees the bytes with it, whatever view still looks at them.
            return from_stream(answer.bytes())

    def execute(self, sql: str) -> None:
        """Run one statement that gives no rows; see the interface."""
        with self._connection(Lane.SCAN) as connection, _mapped_errors(connection):
            connection.query(sql, "Null")

    def insert(self, table: str, block: pa.Table, token: str) -> None:
        """Store a block durably, once per token; see the interface.

        Not by chDB's `send_insert`: its `finish` says all is well when the part could not be written.
        """
        with (
            self._connection(Lane.WRITE) as connection,
            _mapped_errors(connection),
            _handed_over(block) as path,
        ):
            connection.query(insert_statement(table, block, token, f"FROM INFILE '{path}'"), "Null")

    def close(self) -> None:
        """Close every connection, waiting for what runs, and let go of the folder. Idempotent."""
        with self._closing:
            if self._closed:
                return
            self._closed = True
        for lane in self._lanes.values():
            lane.put(None)  # wakes one waiter at a time; each passes it on
        for connection in self._open:
            connection.guard.acquire()
            connection.chdb.close()
        os.close(self._lock_file)

    def _connect(self, lane: Lane, how_many: int, memory_bytes: int, more: str = "") -> None:
        self._lanes[lane] = queue.SimpleQueue()
        threads = "" if "max_threads" in more else f"&max_threads={self._limits.threads}"
        options = f"max_memory_usage={memory_bytes}&max_query_size={2**26}{threads}{more}"
        for _ in range(how_many):
            connection = _Connection(chdb.connect(f"{self._folder}?{options}"))
            self._open.append(connection)
            self._lanes[lane].put(connection)

    @contextlib.contextmanager
    def _connection(self, lane: Lane) -> Iterator[Any]:
        """Borrow a connection of a lane for one query."""
        wait_s = self._limits.scan_wait_s if lane is Lane.SCAN else self._limits.wait_s
        try:
            connection = self._lanes[lane].get(timeout=wait_s)
        except queue.Empty:
            raise ClickHouseUnavailable(
                "The usage store is busy. Send the same request again in a moment.", lane=lane
            ) from None
        try:
            if connection is None or self._closed:
                raise ClickHouseUnavailable("The usage store is closing.", lane=lane)
            with connection.guard:
                yield connection.chdb
        finally:
            self._lanes[lane].put(connection)


class _Connection:
    """One chDB connection, and the guard that close() waits for."""

    def __init__(self, connection: Any) -> None:
        self.chdb = connection
        self.guard = threading.Lock()


def _hold(folder: Path) -> int:
    """Make the folder and lock it: chDB's own message about a second process says nothing."""
    try:
        folder.mkdir(mode=0o700, parents=True, exist_ok=True)
        file = os.open(folder / "owner.lock", os.O_RDWR | os.O_CREAT, 0o600)
    except OSError as error:
        message = f"The usage store's folder {folder} cannot be used: {error.strerror or error}"
        raise ClickHouseUnreadable(message, folder=str(folder)) from error
    try:
        fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError as error:
        os.close(file)
        message = f"The usage store in {folder} is open in another process. Stop that one first."
        raise ClickHouseLocked(message, folder=str(folder)) from error
    return file


@contextlib.contextmanager
def _handed_over(block: pa.Table) -> Iterator[str]:
    """Give the path of a file in memory that holds the block as an Arrow stream."""
    if sys.platform == "linux":
        with os.fdopen(os.memfd_create("usage-block"), "wb", buffering=0) as file:
            file.write(to_stream(block))
            yield f"/proc/self/fd/{file.fileno()}"
    else:
        with tempfile.NamedTemporaryFile() as file:
            file.write(to_stream(block))
            file.flush()
            yield file.name


@contextlib.contextmanager
def _mapped_errors(connection: Any) -> Iterator[None]:
    try:
        yield
    except (RuntimeError, chdb.ChdbError, OSError) as error:
        _drain(connection)
        raise error_from(str(error)) from error


def _drain(connection: Any) -> None:
    """Read away what a failed query left: chDB puts it in front of the next answer of the connection."""
    with contextlib.suppress(RuntimeError, chdb.ChdbError):
        for _ in range(3):
            if bytes(connection.query("SELECT 1", "CSV").bytes()) == b"1\n":
                return


def _reason(error: BaseException) -> str:
    return str(error).removeprefix("Failed to create connection: ").split("Stack trace", 1)[0].strip(" ,")
