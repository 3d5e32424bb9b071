"""A real server in a process of its own, on a throw-away home and a free port."""

import json
import multiprocessing
import os
import signal
import socket
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from concurrent.futures import ProcessPoolExecutor
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any, ParamSpec, Self, TypeVar

from tests.bench.client import Client
from tests.bench.figures import check

P = ParamSpec("P")
R = TypeVar("R")
_START_S = 60
_STOP_S = 60
_POLL_S = 0.002


class Home:
    """A home with one organization. It is either served, or open to `apart`, never both."""

    def __init__(self, folder: Path) -> None:
        self.path = folder / "home"
        self.log = folder / "server.log"
        made = json.loads(self._run("admin", "bootstrap", "Bench", "bench@example.com", "--json"))
        self.org_id, self.key, self.secret = made["orgId"], made["accessKeyId"], made["apiSecret"]

    @contextmanager
    def served(self) -> "Iterator[Server]":
        """Start a server on this home, and stop it in order at the end."""
        with self.log.open("ab") as log, Server(self, log) as server:
            yield server

    def command(self, *arguments: str) -> list[str]:
        """Give the command line of a `tallystick` command on this home."""
        return [sys.executable, "-m", "tallystick", *arguments, "--home", str(self.path)]

    def _run(self, *arguments: str) -> str:
        done = subprocess.run(
            self.command(*arguments), env=environment(), capture_output=True, text=True, check=False
        )
        check(done.returncode == 0, f"{' '.join(arguments[:2])} failed:\n{done.stderr}")
        return done.stdout


class Server:
    """A running `tallystick serve`. started_s: from the start of the process to its first answer."""

    def __init__(self, home: Home, log: Any) -> None:
        self.home = home
        self.address = ("127.0.0.1", _free_port())
        command = [*home.command("serve"), "--port", str(self.address[1])]
        begun = time.perf_counter()
        self._process = subprocess.Popen(
            command, env=environment() | {"TALLYSTICK_LOG_LEVEL": "warning"}, stdout=log, stderr=log
        )
        self._await_answer(begun + _START_S)
        self.started_s = time.perf_counter() - begun

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self._process.send_signal(signal.SIGTERM)
        try:
            self._process.wait(_STOP_S)
        except subprocess.TimeoutExpired:
            self._process.kill()
            self._process.wait()

    @property
    def pid(self) -> int:
        """The server's process; PostgreSQL is below it."""
        return self._process.pid

    def client(self) -> Client:
        """Open a connection that is signed in."""
        client = Client(self.address, self.home.org_id)
        client.sign_in(self.home.key, self.home.secret)
        return client

    def _await_answer(self, deadline: float) -> None:
        while time.perf_counter() < deadline and self._process.poll() is None:
            with suppress(OSError), Client(self.address, self.home.org_id) as client:
                client.get("accounts", expect=403)
                return
            time.sleep(_POLL_S)
        self._process.kill()
        check(is_right=False, what=f"The server does not answer; see its log:\n{_tail(self.home.log)}")


@contextmanager
def new_folder(folder: Path | None = None) -> Iterator[Path]:
    """Make a folder inside `folder` that is removed at the end."""
    with tempfile.TemporaryDirectory(prefix="tallystick-bench-", dir=folder) as made:
        yield Path(made)


@contextmanager
def new_home(folder: Path | None = None) -> Iterator[Home]:
    """Make a home in a folder that is removed at the end."""
    with new_folder(folder) as made:
        yield Home(made)


def apart(function: Callable[P, R], *args: P.args, **kwargs: P.kwargs) -> R:
    """Run a function in a process of its own: there one may open a usage store, or use much memory."""
    with ProcessPoolExecutor(1, mp_context=multiprocessing.get_context("spawn")) as pool:
        return pool.submit(function, *args, **kwargs).result()


def environment() -> dict[str, str]:
    """Give the environment without any setting of the person who measures."""
    return {name: value for name, value in os.environ.items() if not name.startswith("TALLYSTICK_")}


def _free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


def _tail(log: Path) -> str:
    return log.read_text(errors="replace")[-3000:]
