"""A ClickHouse HTTP server over chDB, for tests: `python clickhouse_http.py FOLDER` prints its port, serves.

Speaks what our transport uses of the protocol: SQL in the body, or an INSERT in `query` with its rows in the
body, settings as parameters, errors as text with a status and a code header. `POST /break` makes the server
carry the next request out and then cut the connection without an answer.
"""

import queue
import re
import sys
import tempfile
import threading
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import TYPE_CHECKING, Any
from urllib.parse import parse_qsl, urlsplit

import chdb

if TYPE_CHECKING:
    from collections.abc import Iterator

PROTOCOL = {"query", "default_format", "wait_end_of_query", "user", "password", "database"}
CODE = re.compile(r"Code: (\d+)")


class Engine:
    """chDB connections on one folder, each used by one request at a time."""

    def __init__(self, folder: str, connections: int = 4) -> None:
        self._free: queue.SimpleQueue[Any] = queue.SimpleQueue()
        for _ in range(connections):
            self._free.put(chdb.connect(folder))

    @contextmanager
    def connection(self) -> "Iterator[Any]":
        taken = self._free.get()
        try:
            yield taken
        finally:
            self._free.put(taken)

    def answer(self, parameters: dict[str, str], body: bytes) -> bytes:
        """Carry one request out. Raises RuntimeError or ChdbError with ClickHouse's message."""
        with self.connection() as connection:
            if "query" in parameters:
                return insert(connection, parameters["query"], body)
            sql = body.decode()
            own = sql.rpartition(" SETTINGS ")[2] if " SETTINGS " in sql else ""
            left = {k: v for k, v in parameters.items() if k not in PROTOCOL and f"{k} = " not in own}
            settings = ", ".join(f"{k} = '{v}'" for k, v in left.items())
            if settings and sql.upper().startswith("SELECT"):
                sql = f"{sql.removesuffix(own)}{settings}, {own}" if own else f"{sql} SETTINGS {settings}"
            try:
                answer = connection.query(sql, parameters.get("default_format", "TabSeparated"))
            except (RuntimeError, chdb.ChdbError):
                connection.query("SELECT 1", "CSV")  # takes along what would stand before the next answer
                raise
            return bytes(answer.bytes() or b"")


def insert(connection: Any, statement: str, rows: bytes) -> bytes:
    with tempfile.NamedTemporaryFile() as file:
        file.write(rows)
        file.flush()
        connection.query(statement.replace(" SETTINGS", f" FROM INFILE '{file.name}' SETTINGS", 1), "Null")
    return b""


class Handler(BaseHTTPRequestHandler):
    """One request: run it, or tell ClickHouse's error the way ClickHouse does."""

    protocol_version = "HTTP/1.1"
    engine: Engine
    break_next = threading.Event()

    def do_POST(self) -> None:
        address = urlsplit(self.path)
        body = self.rfile.read(int(self.headers.get("Content-Length", 0)))
        if address.path == "/break":
            self.break_next.set()
            self.reply(200, b"", {})
            return
        broken = self.break_next.is_set()
        self.break_next.clear()
        try:
            answer = self.engine.answer(dict(parse_qsl(address.query, keep_blank_values=True)), body)
            status, headers = 200, {}
        except (RuntimeError, chdb.ChdbError) as error:
            found = CODE.search(str(error))
            answer, status = str(error).encode(), 500
            headers = {"X-ClickHouse-Exception-Code": found.group(1) if found else "1002"}
        if broken:
            self.close_connection = True
            self.connection.close()
            return
        self.reply(status, answer, headers)

    def reply(self, status: int, body: bytes, headers: dict[str, str]) -> None:
        self.send_response(status)
        for name, value in headers.items():
            self.send_header(name, value)
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, format: str, *args: object) -> None:  # noqa: A002 - the name it overrides
        """Stay quiet."""


def main() -> None:
    Handler.engine = Engine(sys.argv[1])
    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    sys.stdout.write(f"{server.server_port}\n")
    sys.stdout.flush()
    server.serve_forever()


if __name__ == "__main__":
    main()
