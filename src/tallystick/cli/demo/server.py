"""A real server of the demo's own: a child process on a free port, its data in a folder of its own."""

import json
import os
import signal
import socket
import subprocess
import sys
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from tallystick.cli.errors import CommandError
from tallystick.cli.profile import Connection
from tallystick.platform.settings import PREFIX, Settings

STOP_TIMEOUT_S = 60
LOG_LINES = 15
ORGANIZATION, ADMINISTRATOR = "Demo Airports", "admin@demo.example"


def bootstrap(home: Path) -> dict[str, Any]:
    """Make the organization, its administrator and a key in a new home. Raises CommandError."""
    done = subprocess.run(
        _command(["admin", "bootstrap", ORGANIZATION, ADMINISTRATOR, "--json", "--home", str(home)]),
        env=_environment(),
        capture_output=True,
        text=True,
        check=False,
    )
    if done.returncode:
        raise CommandError(f"The organization could not be made:\n{done.stderr.strip()}")
    made: dict[str, Any] = json.loads(done.stdout)
    return made


@contextmanager
def running(home: Path, port: int, log: Path) -> Iterator[str]:
    """Run a server on a home, stopped at the end. Gives its address. Raises CommandError."""
    command = _command(["serve", "--json", "--home", str(home), "--port", str(port)])
    with log.open("wb") as errors:
        server = subprocess.Popen(
            command,
            env=_environment(),
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=errors,
            start_new_session=True,  # Ctrl-C is ours: we stop it when we are done
        )
    try:
        yield _address(server, log)
    finally:
        server.send_signal(signal.SIGTERM)
        try:
            server.wait(STOP_TIMEOUT_S)
        except subprocess.TimeoutExpired:
            server.kill()
            server.wait()
        if server.stdout:
            server.stdout.close()


def preferred_port() -> int:
    """Give the default port if it is free, else 0, which takes any."""
    port = Settings().port
    with socket.socket() as probe:
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            probe.bind(("127.0.0.1", port))
        except OSError:
            return 0
    return port


def connection(url: str, made: dict[str, Any]) -> Connection:
    """Give what a client needs."""
    return Connection(url=url, key=made["accessKeyId"], secret=made["apiSecret"], org=made["orgId"])


def _address(server: "subprocess.Popen[bytes]", log: Path) -> str:
    """Wait for the document that says the server is ready."""
    lines: list[bytes] = []
    for line in server.stdout or ():
        lines.append(line)
        if line.startswith(b"}"):
            return str(json.loads(b"".join(lines))["url"])
    said = log.read_text(errors="replace").splitlines()[-LOG_LINES:]
    raise CommandError("The demo's server did not start. It said:\n" + "\n".join(said))


def _command(arguments: Sequence[str]) -> list[str]:
    return [sys.executable, "-m", "tallystick", *arguments]


def _environment() -> dict[str, str]:
    """Give the environment without the operator's own settings: the demo never touches a real database."""
    kept = {name: value for name, value in os.environ.items() if not name.startswith(PREFIX)}
    return kept | {"NO_COLOR": "1"}
