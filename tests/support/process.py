"""A server in a process of its own, started by the command line, that tests may kill."""

import json
import os
import signal
import subprocess
import sys
from dataclasses import dataclass
from pathlib import Path
from types import TracebackType
from typing import Any, Self

from tests.support.world import Api

COMMAND = [sys.executable, "-m", "tallystick"]
STOP_TIMEOUT_S = 60


def command(home: Path, *arguments: str) -> Any:
    """Run a command of the command line on a home, and give the JSON it prints."""
    ended = subprocess.run(
        [*COMMAND, *arguments, "--json"],
        env=environment(home),
        capture_output=True,
        text=True,
        check=False,
        timeout=120,
    )
    assert ended.returncode == 0, ended.stderr
    return json.loads(ended.stdout)


def environment(home: Path) -> dict[str, str]:
    """Give an environment with this home, a free port, and no other setting."""
    own = {k: v for k, v in os.environ.items() if not k.startswith("TALLYSTICK_")}
    return {**own, "TALLYSTICK_HOME": str(home), "TALLYSTICK_PORT": "0", "TALLYSTICK_LOG_LEVEL": "warning"}


@dataclass
class Process:
    """A running `tallystick serve`. Use as `with Process.start(home) as server:`."""

    popen: subprocess.Popen[str]
    url: str

    @classmethod
    def start(cls, home: Path, **settings: str) -> Self:
        """Start a server on a home and wait until it answers. settings: by their variables' names."""
        popen = subprocess.Popen(
            [*COMMAND, "serve", "--json"],
            env={**environment(home), **settings},
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
        )
        assert popen.stdout is not None
        line = popen.stdout.readline()
        if not line:
            raise AssertionError(f"the server did not start:\n{popen.communicate()[1]}")
        text = line
        while not text.rstrip().endswith("}"):
            text += popen.stdout.readline()
        return cls(popen, json.loads(text)["url"])

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        if self.popen.poll() is None:
            self.stop()

    def stop(self) -> int:
        """Ask it to stop, as Ctrl-C does; give its exit code."""
        self.popen.send_signal(signal.SIGINT)
        self.popen.communicate(timeout=STOP_TIMEOUT_S)
        return self.popen.returncode

    def kill(self) -> None:
        """Kill it on the spot, as a power cut or the kernel would."""
        self.popen.kill()
        self.popen.communicate(timeout=STOP_TIMEOUT_S)


def bootstrap(home: Path) -> dict[str, str]:
    """Make an organization and its key on a stopped home."""
    made: dict[str, str] = command(home, "admin", "bootstrap", "Acme", "admin@example.com")
    return made


def api(server: Process, made: dict[str, str]) -> Api:
    """Talk to a server as the organization's administrator."""
    return Api(server.url, made["orgId"], made["accessKeyId"], made["apiSecret"])
