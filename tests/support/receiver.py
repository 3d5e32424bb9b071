"""A real HTTP server on loopback that takes webhooks well, badly, or not at all."""

import json
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

Behave = Callable[[BaseHTTPRequestHandler], None]


class Receiver(ThreadingHTTPServer):
    """Remembers what it was sent, path by path; `behave` says what a path answers, 200 unless told."""

    daemon_threads = True
    request_queue_size = 128

    def __init__(self) -> None:
        super().__init__(("127.0.0.1", 0), _Handler)
        self.requests: list[tuple[str, dict[str, str], bytes]] = []
        self.behaviour: dict[str, Behave] = {}
        self.released = threading.Event()

    def url(self, path: str = "/ok") -> str:
        return f"http://127.0.0.1:{self.server_address[1]}{path}"

    def behave(self, path: str, behaviour: Behave) -> str:
        self.behaviour[path] = behaviour
        return self.url(path)

    def bodies(self, path: str = "/ok") -> list[Any]:
        return [json.loads(body) for where, _, body in self.requests if where == path]


class _Handler(BaseHTTPRequestHandler):
    server: Receiver

    def do_POST(self) -> None:
        body = self.rfile.read(int(self.headers["content-length"]))
        self.server.requests.append((self.path, dict(self.headers), body))
        self.server.behaviour.get(self.path, answers(200))(self)

    def log_message(self, format: str, *args: Any) -> None:  # noqa: A002 - as the base class names it
        pass


def answers(status: int, body: bytes = b"ok", **headers: str) -> Behave:
    """Answer with a status."""

    def behave(handler: BaseHTTPRequestHandler) -> None:
        handler.send_response(status)
        for name, value in headers.items():
            handler.send_header(name, value)
        handler.send_header("content-length", str(len(body)))
        handler.end_headers()
        handler.wfile.write(body)

    return behave


def hangs(handler: BaseHTTPRequestHandler) -> None:
    """Take the request and say nothing."""
    handler.server.released.wait(30)  # type: ignore[attr-defined]
    handler.close_connection = True


def babbles(handler: BaseHTTPRequestHandler) -> None:
    """Answer with what is no HTTP."""
    handler.wfile.write(b"\x00\xff no http at all\r\n\r\n")
    handler.close_connection = True


def drips(handler: BaseHTTPRequestHandler) -> None:
    """Answer without an end, a byte at a time."""
    handler.send_response(200)
    handler.end_headers()
    while not handler.server.released.wait(0.02):  # type: ignore[attr-defined]
        try:
            handler.wfile.write(b".")
        except OSError:
            return


def floods(handler: BaseHTTPRequestHandler) -> None:
    """Answer with more than anyone wants."""
    handler.send_response(200)
    handler.end_headers()
    try:
        for _ in range(10_000):
            handler.wfile.write(b"x" * 65_536)
    except OSError:
        return


@contextmanager
def receiver() -> Iterator[Receiver]:
    """Run one."""
    server = Receiver()
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.02}, daemon=True)
    thread.start()
    try:
        yield server
    finally:
        server.released.set()
        server.shutdown()
        server.server_close()
        thread.join(10)
