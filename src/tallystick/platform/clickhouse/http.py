"""A ClickHouse server over HTTP, Arrow both ways."""

import time
from collections.abc import Mapping
from typing import Final

import httpx
import msgspec
import pyarrow as pa

from tallystick.platform.clickhouse.arrow import from_stream, to_stream
from tallystick.platform.clickhouse.errors import ClickHouseUnavailable, error_from
from tallystick.platform.clickhouse.sql import insert_statement
from tallystick.platform.clickhouse.transport import Lane

_PAUSES_S: Final = (0.1, 0.5)


class HttpLimits(msgspec.Struct, frozen=True):
    """How long and how much one call may take on the server."""

    connections: int = 16
    connect_s: float = 5.0
    read_s: float = 60.0
    scan_s: float = 1800.0
    read_memory_bytes: int = 2 * 2**30
    scan_memory_bytes: int = 16 * 2**30


class HttpClickHouse:
    """A ClickHouse (see transport.py) at `url`, such as `https://user:secret@host:8443`.

    Inserts and reads are tried three times when the connection breaks: reads change nothing, and an insert
    carries its token. insert_settings: of every insert, as SQL; read_settings: of every read; a cluster's
    are in `usage.store.schema`.
    """

    def __init__(
        self,
        url: str,
        limits: HttpLimits | None = None,
        insert_settings: Mapping[str, str] | None = None,
        read_settings: Mapping[str, str] | None = None,
    ) -> None:
        self._insert_settings = insert_settings
        self._read_settings = read_settings or {}
        self._limits = limits or HttpLimits()
        address = httpx.URL(url)
        headers = {}
        if address.username:
            headers = {"X-ClickHouse-User": address.username, "X-ClickHouse-Key": address.password or ""}
        self._client = httpx.Client(
            base_url=address.copy_with(username=None, password=None),
            headers=headers,
            limits=httpx.Limits(max_connections=self._limits.connections),
            timeout=httpx.Timeout(self._limits.read_s, connect=self._limits.connect_s),
        )

    def read(self, sql: str, *, lane: Lane = Lane.READ) -> pa.Table:
        """Run one SELECT; see the interface."""
        scan = lane is Lane.SCAN
        seconds = self._limits.scan_s if scan else self._limits.read_s
        memory = self._limits.scan_memory_bytes if scan else self._limits.read_memory_bytes
        settings = {
            "default_format": "ArrowStream",
            "wait_end_of_query": "1",  # an error in the middle becomes an error, not a short answer
            "max_query_size": str(64 * 2**20),
            "max_memory_usage": str(memory),
            "max_execution_time": str(int(seconds)),
            **self._read_settings,
        }
        return from_stream(self._send(settings, sql.encode(), seconds))

    def execute(self, sql: str) -> None:
        """Run one statement that gives no rows; see the interface."""
        self._send({}, sql.encode(), self._limits.scan_s)

    def insert(self, table: str, block: pa.Table, token: str) -> None:
        """Store a block durably, once per token; see the interface."""
        statement = insert_statement(table, block, token, extra=self._insert_settings)
        self._send({"query": statement}, to_stream(block), self._limits.read_s)

    def close(self) -> None:
        """Close the connections. Idempotent."""
        self._client.close()

    def _send(self, settings: dict[str, str], body: bytes, seconds: float) -> bytes:
        """Send one request, again after a pause when the connection broke."""
        timeout = httpx.Timeout(seconds, connect=self._limits.connect_s)
        for pause_s in (*_PAUSES_S, None):
            try:
                answer = self._client.post("/", params=settings, content=body, timeout=timeout)
            except (httpx.HTTPError, RuntimeError) as error:  # RuntimeError: the client is closed
                if pause_s is None or not isinstance(error, httpx.TransportError):
                    message = (
                        "The ClickHouse server cannot be reached. Send the same request again in a moment."
                    )
                    raise ClickHouseUnavailable(message, url=str(self._client.base_url)) from error
                time.sleep(pause_s)
                continue
            if answer.is_success:
                return answer.content
            raise error_from(answer.text)
        raise AssertionError  # the last turn returned or raised
