"""What an organization's issuer may cost us: seconds and a few places, never the server."""

import socket
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress

import pytest

from tallystick.platform.addresses import ANYWHERE, Allowed
from tallystick.platform.fetch import Fetch, FetchFailed

WHOLE = b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\nConnection: close\r\n\r\n{}"


@contextmanager
def server(talk: Callable[[socket.socket], None]) -> Iterator[str]:
    """Serve connections with `talk` on a free port of this machine; gives its URL."""
    with socket.create_server(("127.0.0.1", 0)) as listener:

        def serve() -> None:
            with suppress(OSError):
                while True:
                    connection, _ = listener.accept()
                    threading.Thread(target=talk_to, args=(connection,), daemon=True).start()

        def talk_to(connection: socket.socket) -> None:
            with suppress(OSError), connection:
                connection.recv(65_536)
                talk(connection)

        threading.Thread(target=serve, daemon=True).start()
        yield f"http://127.0.0.1:{listener.getsockname()[1]}/"


def drip(connection: socket.socket) -> None:
    """Answer byte by byte, always in time for the next."""
    for byte in WHOLE.replace(b": 2", b": 900") + b" " * 900:
        connection.sendall(bytes([byte]))
        time.sleep(0.05)


def flood(connection: socket.socket) -> None:
    """Answer more than is read."""
    connection.sendall(WHOLE.replace(b": 2", b": 2000000") + b" " * 2_000_000)


def cut_off(fetch: Fetch, url: str) -> None:
    with pytest.raises(FetchFailed):
        fetch.get(url)


def test_reads_what_is_answered() -> None:
    with server(lambda connection: connection.sendall(WHOLE)) as url:
        assert Fetch(ANYWHERE).get(url).body == b"{}"


def test_a_slow_answer_is_cut_off_however_often_something_comes() -> None:
    with server(drip) as url:
        started = time.monotonic()
        with pytest.raises(FetchFailed):
            Fetch(ANYWHERE, timeout_s=0.4).get(url)
        assert time.monotonic() - started < 5


def test_a_large_answer_is_none() -> None:
    with server(flood) as url, pytest.raises(FetchFailed, match="1,000,000 bytes"):
        Fetch(ANYWHERE).get(url)


def test_only_so_many_requests_wait_at_once() -> None:
    fetch = Fetch(ANYWHERE, timeout_s=2, places=1)
    with server(drip) as url:
        waiting = threading.Thread(target=cut_off, args=(fetch, url))
        waiting.start()
        time.sleep(0.2)
        with pytest.raises(FetchFailed, match="again"):
            fetch.get(url)
        waiting.join()
    with server(lambda connection: connection.sendall(WHOLE)) as url:
        assert fetch.get(url).status == 200


@pytest.mark.parametrize(
    "host",
    ["127.0.0.1", "2130706433", "0x7f.1", "[::1]", "[::ffff:127.0.0.1]", "0.0.0.0"],  # noqa: S104 - refused
)
def test_addresses_inside_are_not_asked(host: str) -> None:
    with pytest.raises(FetchFailed):
        Fetch(Allowed()).get(f"http://{host}:9/")
