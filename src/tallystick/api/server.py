"""The HTTP server: granian, embedded in this process's event loop."""

import asyncio
import signal
import socket
from collections.abc import Awaitable, Callable

from granian.constants import Interfaces
from granian.server.embed import Server
from litestar import Litestar

from tallystick.kernel.errors import Unavailable

DRAIN_TIMEOUT_S = 30.0


class PortTaken(Unavailable):
    """Another program listens on the port."""

    code = "port_taken"


def free_port(host: str, port: int) -> int:
    """Check that the port is free; 0 chooses one. Raises PortTaken."""
    with socket.socket(socket.AF_INET6 if ":" in host else socket.AF_INET) as probe:
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            probe.bind((host, port))
        except OSError as error:
            where = f"{host}:{port} ({error.strerror})"
            message = f"Cannot listen on {where}. Stop what uses it, or set TALLYSTICK_PORT."
            raise PortTaken(message) from error
        return int(probe.getsockname()[1])


async def serve(
    app: Litestar,
    host: str,
    port: int,
    *,
    ready: Callable[[], None],
    stop: asyncio.Event,
    beside: Callable[[], Awaitable[None]] | None = None,
) -> None:
    """Serve until `stop` is set; requests under way are answered first.

    ready: called once connections are accepted. beside: runs as long as the server does; when it ends by
    itself the server stops too, and its error is raised.
    """
    server = Server(
        app, address=host, port=port, interface=Interfaces.ASGI, log_enabled=False, websockets=False
    )
    serving = asyncio.ensure_future(server.serve())
    watched = {serving, asyncio.ensure_future(stop.wait())}
    if beside is not None:
        watched.add(asyncio.ensure_future(beside()))
    try:
        await until_listening(host, port)
        ready()
        done, _ = await asyncio.wait(watched, return_when=asyncio.FIRST_COMPLETED)
        for ended in done:
            ended.result()
    finally:
        for companion in watched - {serving}:
            companion.cancel()
        await asyncio.gather(*(watched - {serving}), return_exceptions=True)
        server.stop()
        await asyncio.wait({serving}, timeout=DRAIN_TIMEOUT_S)


def stop_on_signals() -> asyncio.Event:
    """Make an event that SIGINT and SIGTERM set. To be called inside the running loop of the main thread."""
    stop = asyncio.Event()
    for sign in (signal.SIGINT, signal.SIGTERM):
        asyncio.get_running_loop().add_signal_handler(sign, stop.set)
    return stop


async def until_listening(host: str, port: int) -> None:
    """Wait until a connection is accepted."""
    address = {"0.0.0.0": "127.0.0.1", "::": "::1"}.get(host, host)  # noqa: S104 - every address includes loopback
    while True:
        try:
            _, writer = await asyncio.open_connection(address, port)
        except OSError:
            await asyncio.sleep(0.01)
            continue
        writer.close()
        return
