"""A minimal keep-alive HTTP/1.1 client: what it costs must not be mistaken for what the server costs."""

import base64
import json
import socket
import threading
import time
from collections.abc import Callable, Sequence
from typing import Any, Self

from tests.bench.figures import Wrong, check

Operation = Callable[[], bool | None]
"One operation of a client; False when there is nothing more to do."
_OK = 200
_TIMEOUT_S = 120


class Client:
    """One connection. Not thread-safe: every thread has its own."""

    def __init__(self, address: tuple[str, int], org_id: str) -> None:
        self._socket = socket.create_connection(address, _TIMEOUT_S)
        self._socket.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        self._buffer = bytearray(65536)
        self.address = address
        self.base = f"/organizations/{org_id}/"
        self.authorization = ""

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def close(self) -> None:
        """Close the connection."""
        self._socket.close()

    def sign_in(self, key: str, secret: str) -> None:
        """Exchange the key for a token, and send that from now on."""
        answer = self.exchange(token_request(key, secret))
        check(answer[0] == _OK, f"no token: {answer}")
        self.authorization = f"Authorization: Bearer {json.loads(answer[1])['access_token']}\r\n"

    def get(self, path: str, *, expect: int = _OK) -> Any:
        """Read something of the organization. Raises Wrong on another status."""
        return self._json(self.request("GET", path), expect)

    def post(self, path: str, body: Any, *, expect: int = _OK) -> Any:
        """Make or do something. Raises Wrong on another status."""
        return self._json(self.request("POST", path, json.dumps(body).encode()), expect)

    def every(self, path: str) -> list[Any]:
        """Read a list to its end."""
        found, token = [], ""
        while True:
            page = self.get(f"{path}{'&' if '?' in path else '?'}pageSize=100{token}")
            found += page["data"]
            if not page.get("nextToken"):
                return found
            token = f"&nextToken={page['nextToken']}"

    def request(self, method: str, path: str, body: bytes = b"") -> bytes:
        """Write a whole request to something of the organization."""
        head = f"{method} {self.base}{path} HTTP/1.1\r\nHost: bench\r\n{self.authorization}"
        if method != "GET":
            head += f"Content-Type: application/json\r\nContent-Length: {len(body)}\r\n"
        return head.encode() + b"\r\n" + body

    def exchange(self, request: bytes | bytearray) -> tuple[int, bytes]:
        """Send a request written before, and give status and body of the answer."""
        self._socket.sendall(request)
        return self._answer()

    def _answer(self) -> tuple[int, bytes]:
        """Read one answer, which has a Content-Length."""
        got = self._socket.recv_into(self._buffer)
        while (end := self._buffer.find(b"\r\n\r\n", 0, got)) < 0:
            got += self._more(got)
        head = bytes(self._buffer[:end]).lower()
        start = head.index(b"content-length:") + 15
        length = int(head[start:].split(b"\r\n", 1)[0])
        body = bytes(self._buffer[end + 4 : got])
        while len(body) < length:
            more = self._socket.recv(length - len(body))
            check(bool(more), "the server closed the connection inside an answer")
            body += more
        return int(head[9:12]), body

    def _more(self, got: int) -> int:
        more = self._socket.recv_into(memoryview(self._buffer)[got:])
        check(more > 0, "the server closed the connection")
        return more

    def _json(self, request: bytes, expect: int) -> Any:
        status, body = self.exchange(request)
        if status != expect:
            raise Wrong(f"{request[:200].decode()!r} answered {status}: {body[:1000].decode()}")
        return json.loads(body)


def token_request(key: str, secret: str) -> bytes:
    """Write the exchange of a key for a token, as the public SDKs send it."""
    basic = base64.b64encode(f"{key}:{secret}".encode()).decode()
    body = b'{"grant_type": "client_credentials"}'
    head = f"POST /oauth/token HTTP/1.1\r\nHost: bench\r\nAuthorization: Basic {basic}\r\n"
    head += f"Content-Type: application/json\r\nContent-Length: {len(body)}\r\n\r\n"
    return head.encode() + body


class Load(threading.Thread):
    """Repeats one operation until the time is over or it says False; gathers how long each took."""

    def __init__(self, operation: Operation, until: float) -> None:
        super().__init__()
        self.waits: list[float] = []
        self.failure: BaseException | None = None
        self._operation = operation
        self._until = until

    def run(self) -> None:
        """Repeat the operation; one under way at the end is finished and counted."""
        try:
            while (begun := time.perf_counter()) < self._until:
                if self._operation() is False:
                    return
                self.waits.append(time.perf_counter() - begun)
        except BaseException as error:  # noqa: BLE001 - raised again by `drive`
            self.failure = error


class Driven:
    """What a load gave. waits: seconds of every operation. wall_s: of the whole. client_cpu_s: our own."""

    def __init__(self, waits: list[float], wall_s: float, client_cpu_s: float) -> None:
        self.waits = waits
        self.wall_s = wall_s
        self.client_cpu_s = client_cpu_s

    @property
    def per_s(self) -> float:
        """Operations a second."""
        return len(self.waits) / self.wall_s

    @property
    def client_cores(self) -> float:
        """Cores that this client itself kept busy: they were missing to the server."""
        return round(self.client_cpu_s / self.wall_s, 2)


def drive(operations: Sequence[Operation], seconds: float) -> Driven:
    """Let one thread each repeat an operation for some seconds. Raises what an operation raised."""
    begun, cpu = time.perf_counter(), time.process_time()
    loads = [Load(operation, begun + seconds) for operation in operations]
    for load in loads:
        load.start()
    for load in loads:
        load.join()
    for load in loads:
        if load.failure:
            raise load.failure
    wall_s, cpu_s = time.perf_counter() - begun, time.process_time() - cpu
    return Driven([wait for load in loads for wait in load.waits], wall_s, cpu_s)
