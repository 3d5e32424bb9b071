"""Small requests to servers that an organization names, over connections that stay out of our own network.

A name is resolved once, every address it stands for is checked, and the connection goes to a checked one.
Nothing is redirected, and an answer that is long or slow is cut off.
"""

import ipaddress
import socket
import ssl
import threading
from collections.abc import Callable, Iterable, Mapping
from functools import cache
from time import monotonic
from typing import Any, Final

import httpcore
import msgspec

from tallystick.kernel.errors import Unavailable
from tallystick.platform.addresses import Address

TIMEOUT_S: Final = 10.0
"For the whole of a request; the connection alone may take as long again."
PLACES: Final = 8
"So many requests are under way at once, far fewer than the server has threads."
MOST_ANSWER_BYTES: Final = 1_000_000
Lets = Callable[[str, Address], bool]
"Tells whether a host may be called at an address: `Allowed.lets`, or `anywhere`."


class FetchFailed(Unavailable):
    """A server that an organization or the operator named did not answer as it should."""

    code = "fetch_failed"


class Fetched(msgspec.Struct, frozen=True):
    """What was answered."""

    status: int
    body: bytes


def anywhere(_host: str, _address: Address) -> bool:
    """Let requests go wherever the operator himself says."""
    return True


class Fetch:
    """Makes requests. Thread-safe. lets: which addresses may be connected to."""

    def __init__(self, lets: Lets, *, timeout_s: float = TIMEOUT_S, places: int = PLACES) -> None:
        self._backend = _Checked(lets, timeout_s)
        self._timeout_s = timeout_s
        self._places = threading.BoundedSemaphore(places)

    def get(self, url: str) -> Fetched:
        """Read a URL. Raises FetchFailed."""
        return self._request("GET", url, {"Accept": "application/json"}, b"")

    def post(self, url: str, headers: Mapping[str, str], body: bytes) -> Fetched:
        """Send a body. Raises FetchFailed."""
        return self._request("POST", url, headers, body)

    def _request(self, method: str, url: str, headers: Mapping[str, str], body: bytes) -> Fetched:
        """Make a request if there is a place: nobody's slow server holds all of our threads."""
        if not self._places.acquire(blocking=False):
            raise FetchFailed("Too many servers are being waited for. Try again in a few seconds.")
        try:
            return self._asked(method, url, headers, body)
        except (httpcore.NetworkError, httpcore.TimeoutException, httpcore.ProtocolError) as error:
            raise FetchFailed(f"{url} did not answer: {error}") from error
        except (httpcore.UnsupportedProtocol, UnicodeError, OSError) as error:
            raise FetchFailed(f"{url} cannot be asked: {error}") from error
        finally:
            self._places.release()

    def _asked(self, method: str, url: str, headers: Mapping[str, str], body: bytes) -> Fetched:
        timeout = dict.fromkeys(("connect", "read", "write", "pool"), self._timeout_s)
        pool = httpcore.ConnectionPool(
            ssl_context=_tls(), network_backend=self._backend, max_connections=1, max_keepalive_connections=0
        )
        sent = [(k.encode(), v.encode()) for k, v in headers.items()]
        with (
            pool,
            pool.stream(method, url, headers=sent, content=body, extensions={"timeout": timeout}) as answer,
        ):
            return Fetched(answer.status, _limited(answer.iter_stream()))


class _Until(httpcore.NetworkStream):
    """A connection that is cut off at an instant, however often something comes."""

    def __init__(self, inner: httpcore.NetworkStream, ends_at_s: float) -> None:
        self._inner = inner
        self._ends_at_s = ends_at_s

    def read(self, max_bytes: int, timeout: float | None = None) -> bytes:
        """Read what comes in time. Raises httpcore.ReadTimeout."""
        return self._inner.read(max_bytes, self._left(timeout, httpcore.ReadTimeout))

    def write(self, buffer: bytes, timeout: float | None = None) -> None:
        """Send. Raises httpcore.WriteTimeout."""
        self._inner.write(buffer, self._left(timeout, httpcore.WriteTimeout))

    def close(self) -> None:
        """End it."""
        self._inner.close()

    def start_tls(
        self, ssl_context: ssl.SSLContext, server_hostname: str | None = None, timeout: float | None = None
    ) -> httpcore.NetworkStream:
        """Speak TLS from here on. Raises httpcore.ConnectTimeout."""
        left = self._left(timeout, httpcore.ConnectTimeout)
        return _Until(self._inner.start_tls(ssl_context, server_hostname, left), self._ends_at_s)

    def get_extra_info(self, info: str) -> Any:
        """Tell about the connection."""
        return self._inner.get_extra_info(info)

    def _left(self, timeout: float | None, over: type[httpcore.TimeoutException]) -> float:
        left = self._ends_at_s - monotonic()
        if left <= 0:
            raise over("no whole answer in time")
        return left if timeout is None else min(left, timeout)


class _Checked(httpcore.NetworkBackend):
    def __init__(self, lets: Lets, timeout_s: float) -> None:
        self._lets = lets
        self._timeout_s = timeout_s
        self._inner = httpcore.SyncBackend()

    def connect_tcp(
        self,
        host: str,
        port: int,
        timeout: float | None = None,
        local_address: str | None = None,
        socket_options: Iterable[httpcore.SOCKET_OPTION] | None = None,
    ) -> httpcore.NetworkStream:
        """Resolve, check, connect."""
        found = socket.getaddrinfo(host, port, type=socket.SOCK_STREAM)
        addresses = list(dict.fromkeys(str(each[4][0]) for each in found))
        for each in addresses:
            if not self._lets(host, ipaddress.ip_address(each.partition("%")[0])):
                raise httpcore.ConnectError(f"{host} is an address inside the private network")
        connected = self._inner.connect_tcp(addresses[0], port, timeout, local_address, socket_options)
        return _Until(connected, monotonic() + self._timeout_s)


def _limited(parts: Iterable[bytes]) -> bytes:
    read = bytearray()
    for part in parts:
        read += part
        if len(read) > MOST_ANSWER_BYTES:
            raise httpcore.ProtocolError("the answer is too long")
    return bytes(read)


@cache
def _tls() -> ssl.SSLContext:
    return ssl.create_default_context()
