"""The HTTP server: granian, embedded in this process's event loop, so that one process is the whole server."""

import asyncio
import signal
import socket
from collections.abc import Awaitable, Callable

from granian.constants import Interfaces
from granian.server.embed import Server
from litestar import Litestar

from tallystick.kernel.errors import Unavailable


class PortTaken(Unavailable):
    """Another program listens on the port."""

    code = "port_taken"


def free_port(host: str, port: int) -> int:
    """Check that the port can be listened on; 0 chooses a free one. Raises PortTaken."""
    with socket.socket(socket.AF_INET6 if ":" in host else socket.AF_INET) as probe:
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            probe.bind((host, port))
        except OSError as error:
            message = f"Cannot listen on {host}:{port} ({error.strerror}). Stop what uses it, or set TALLYSTICK_PORT."
            raise PortTaken(message) from error
        return int(probe.getsockname()[1])


async def serve(
    app: Litestar,
    host: str,
    port: int,
    *,
    ready: Callable[[], None],
    beside: Callable[[], Awaitable[None]] | None = None,
) -> None:
    """Serve until SIGINT or SIGTERM; requests under way are answered first.

    ready: called once connections are accepted. beside: runs as long as the server does.
    """
    server = Server(
        app, address=host, port=port, interface=Interfaces.ASGI, log_enabled=False, websockets=False
    )
    stop = asyncio.Event()
    loop = asyncio.get_running_loop()
    for sign in (signal.SIGINT, signal.SIGTERM):
        loop.add_signal_handler(sign, stop.set)
    serving = asyncio.create_task(server.serve())
    companion = asyncio.create_task(_run(beside)) if beside else None
    waiting = asyncio.create_task(stop.wait())
    try:
        await until_listening(host, port)
        ready()
        watched = {serving, waiting, *([companion] if companion else [])}
        await asyncio.wait(watched, return_when=asyncio.FIRST_COMPLETED)
    finally:
        waiting.cancel()
        if companion is not None:
            companion.cancel()
            await asyncio.gather(companion, return_exceptions=True)
        server.stop()
        await asyncio.wait({serving}, timeout=30)


async def _run(beside: Callable[[], Awaitable[None]]) -> None:
    await beside()


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
