"""Small requests to servers that an organization names, over connections that stay out of our own network.

A name is resolved once, every address it stands for is checked, and the connection goes to a checked one.
Nothing is redirected, and an answer that is long or slow is cut off.
"""

import ipaddress
import socket
import ssl
from collections.abc import Callable, Iterable, Mapping
from functools import cache
from typing import Final

import httpcore
import msgspec

from tallystick.kernel.errors import Unavailable
from tallystick.platform.addresses import Address

TIMEOUT_S: Final = 10.0
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

    def __init__(self, lets: Lets) -> None:
        self._backend = _Checked(lets)

    def get(self, url: str) -> Fetched:
        """Read a URL. Raises FetchFailed."""
        return self._request("GET", url, {"Accept": "application/json"}, b"")

    def post(self, url: str, headers: Mapping[str, str], body: bytes) -> Fetched:
        """Send a body. Raises FetchFailed."""
        return self._request("POST", url, headers, body)

    def _request(self, method: str, url: str, headers: Mapping[str, str], body: bytes) -> Fetched:
        timeout = dict.fromkeys(("connect", "read", "write", "pool"), TIMEOUT_S)
        pool = httpcore.ConnectionPool(
            ssl_context=_tls(), network_backend=self._backend, max_connections=1, max_keepalive_connections=0
        )
        sent = [(k.encode(), v.encode()) for k, v in headers.items()]
        try:
            with (
                pool,
                pool.stream(
                    method, url, headers=sent, content=body, extensions={"timeout": timeout}
                ) as answer,
            ):
                return Fetched(answer.status, _limited(answer.iter_stream()))
        except (httpcore.NetworkError, httpcore.TimeoutException, httpcore.ProtocolError) as error:
            raise FetchFailed(f"{url} did not answer: {error}") from error
        except (httpcore.UnsupportedProtocol, UnicodeError, OSError) as error:
            raise FetchFailed(f"{url} cannot be asked: {error}") from error


class _Checked(httpcore.NetworkBackend):
    def __init__(self, lets: Lets) -> None:
        self._lets = lets
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
        return self._inner.connect_tcp(addresses[0], port, timeout, local_address, socket_options)


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
