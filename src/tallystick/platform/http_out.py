"""Requests to addresses that customers give us: to the public internet only, and bounded in every way.

The name is resolved once, every address it stands for is checked, and the connection goes to a checked
address: a name server that answers otherwise the second time changes nothing. No redirect is followed, no
proxy asked, no connection kept, and an answer that is slow or large is cut off.
"""

import asyncio
import ipaddress
import socket
import ssl
from collections.abc import Iterable, Mapping
from concurrent.futures import ThreadPoolExecutor
from functools import cache, partial
from time import monotonic
from typing import Final
from urllib.parse import SplitResult, urlsplit

import httpcore
import httpx
import msgspec

from tallystick.kernel.errors import Invalid
from tallystick.platform.addresses import Allowed

TIMEOUT_S: Final = 15.0
"For the whole of a request, name look-up and answer included, where its maker says nothing else."
CONNECT_S: Final = 5.0
MOST_ANSWER_BYTES: Final = 16_384
LONGEST_URL: Final = 2_000
_RESOLVERS: Final = ThreadPoolExecutor(16, thread_name_prefix="resolver")
"A name server that does not answer holds one of these, and nothing else."


class AddressRefused(Invalid):
    """A URL that is not called: it is none, its name stands for nothing, or for an address inside."""

    code = "address_refused"


class NoAnswer(Exception):
    """The request was not answered: the connection failed, took too long, or spoke no HTTP."""


class Answer(msgspec.Struct, frozen=True):
    """What was answered. content: the body, or its beginning if it is cut."""

    status: int
    headers: dict[str, str]
    content: bytes
    is_cut: bool

    @property
    def body(self) -> str:
        """The content as text, whatever it is."""
        return self.content.decode("utf-8", "replace")


def split_url(url: str) -> SplitResult:
    """Read the URL of a webhook. Raises AddressRefused."""
    try:
        parts = urlsplit(url)
        _ = parts.port
    except ValueError as error:
        raise AddressRefused(f"is not a URL: {error}") from error
    if len(url) > LONGEST_URL or not url.isascii() or any(c.isspace() or ord(c) < ord(" ") for c in url):
        raise AddressRefused(f"must be of at most {LONGEST_URL} visible ASCII characters")
    if parts.scheme not in {"http", "https"} or not parts.hostname:
        raise AddressRefused("must begin with https:// or http:// and name a host")
    if parts.username is not None or parts.password is not None:
        raise AddressRefused("must not hold a user name or password")
    return parts


class HttpOut:
    """Makes requests to the outside. Thread-safe. allowed: which inner addresses may be called.

    timeout_s: for the whole of a request. most_bytes: of an answer's body, the rest is cut off.
    """

    def __init__(
        self, allowed: Allowed, *, timeout_s: float = TIMEOUT_S, most_bytes: int = MOST_ANSWER_BYTES
    ) -> None:
        self._allowed = allowed
        self._timeout_s = timeout_s
        self._most_bytes = most_bytes

    def check(self, url: str) -> None:
        """Resolve a URL's name and refuse addresses inside. Takes as long as the name server does.

        Raises AddressRefused.
        """
        parts = split_url(url)
        host = parts.hostname or ""
        try:
            found = socket.getaddrinfo(host, parts.port or parts.scheme, type=socket.SOCK_STREAM)
        except (OSError, UnicodeError) as error:
            raise AddressRefused(f"{host} is not a name that can be resolved") from error
        self.pick(host, (str(each[4][0]) for each in found))

    def pick(self, host: str, addresses: Iterable[str]) -> list[str]:
        """Give the addresses to connect to, if all of them may be called. Raises AddressRefused."""
        found = list(dict.fromkeys(addresses))
        for each in found:
            if not self._allowed.lets(host, ipaddress.ip_address(each.partition("%")[0])):
                raise AddressRefused(f"{host} is an address inside the private network, which is not called")
        if not found:
            raise AddressRefused(f"{host} is not a name that can be resolved")
        return found

    async def post(self, url: str, headers: Mapping[str, str], body: bytes) -> Answer:
        """Send a body, once. Raises AddressRefused, NoAnswer."""
        return await self.request("POST", url, headers, body)

    async def request(self, method: str, url: str, headers: Mapping[str, str], body: bytes) -> Answer:
        """Make a request, once. Raises AddressRefused, NoAnswer."""
        split_url(url)
        started = monotonic()
        try:
            async with asyncio.timeout(self._timeout_s):
                return await self._request(method, url, headers, body)
        except TimeoutError as error:
            raise NoAnswer(f"no whole answer within {monotonic() - started:.0f} seconds") from error
        except httpcore.TimeoutException as error:
            raise NoAnswer("no connection in time") from error
        except (httpcore.ProtocolError, ValueError) as error:
            raise NoAnswer(f"the answer is no HTTP: {error}") from error
        except (httpcore.NetworkError, OSError) as error:
            raise NoAnswer(f"the connection failed: {error}") from error

    async def _request(self, method: str, url: str, headers: Mapping[str, str], body: bytes) -> Answer:
        sent = [("Host", urlsplit(url).netloc), ("Connection", "close"), ("Content-Length", str(len(body)))]
        pool = httpcore.AsyncConnectionPool(
            ssl_context=_tls(), network_backend=_Checked(self), max_connections=1
        )
        async with (
            pool,
            pool.stream(
                method, url, headers=[*sent, *headers.items()], content=body, extensions=_NO_LIMITS
            ) as answer,
        ):
            read = bytearray()
            async for part in answer.aiter_stream():
                read += part
                if len(read) > self._most_bytes:
                    break
            told = {name.decode("latin-1"): value.decode("latin-1") for name, value in answer.headers}
            return Answer(
                answer.status, told, bytes(read[: self._most_bytes]), is_cut=len(read) > self._most_bytes
            )


_NO_LIMITS: Final = {"timeout": {"connect": CONNECT_S}}


class _Checked(httpcore.AsyncNetworkBackend):
    """Connects to addresses that were checked, whatever the name means a moment later."""

    def __init__(self, out: HttpOut) -> None:
        self._out = out
        self._inner = httpcore.AnyIOBackend()

    async def connect_tcp(
        self,
        host: str,
        port: int,
        timeout: float | None = None,  # noqa: ASYNC109 - as httpcore names it
        local_address: str | None = None,
        socket_options: Iterable[httpcore.SOCKET_OPTION] | None = None,
    ) -> httpcore.AsyncNetworkStream:
        """Resolve, check, connect. Raises AddressRefused, httpcore.ConnectError."""
        try:
            resolve = partial(socket.getaddrinfo, host, port, type=socket.SOCK_STREAM)
            found = await asyncio.get_running_loop().run_in_executor(_RESOLVERS, resolve)
        except (OSError, UnicodeError) as error:
            raise httpcore.ConnectError(f"{host} cannot be resolved") from error
        failed: Exception = httpcore.ConnectError(f"{host} has no address")
        for address in self._out.pick(host, (str(each[4][0]) for each in found)):
            try:
                return await self._inner.connect_tcp(address, port, timeout, local_address, socket_options)
            except (httpcore.ConnectError, httpcore.ConnectTimeout) as error:
                failed = error
        raise failed


@cache
def _tls() -> ssl.SSLContext:
    context = httpx.create_ssl_context()
    context.load_default_certs()  # beside the public list, whom the operator's system trusts
    return context
