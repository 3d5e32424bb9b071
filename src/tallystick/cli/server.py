"""What the commands that run a server's parts share: settings with overrides, steps with timings, signals."""

import os
import signal
import time
from pathlib import Path
from types import FrameType
from typing import Self

from rich.console import Console

from tallystick.cli.output import on_error
from tallystick.platform.settings import Settings


def settings_with(home: Path | None = None, host: str | None = None, port: int | None = None) -> Settings:
    """Read the settings; options of the command line win over the environment. Raises BadSettings."""
    given = {"TALLYSTICK_HOME": home, "TALLYSTICK_HOST": host, "TALLYSTICK_PORT": port}
    options = {name: str(value) for name, value in given.items() if value is not None}
    return Settings.from_environment({**os.environ, **options})


class Steps:
    """Tells on standard error what is going on: each step with the time it took."""

    def __init__(self, console: Console | None = None) -> None:
        self.console = console or on_error()
        self._begun = self._last = time.monotonic()
        self._now = ""

    def __call__(self, what: str) -> None:
        """End the step before, and begin this one."""
        self.end()
        self._now, self._last = what, time.monotonic()

    def end(self) -> None:
        """Print the step that is under way as done."""
        if self._now:
            seconds = time.monotonic() - self._last
            self.console.print(f"  [dim]{seconds:5.2f} s[/]  {self._now}")
            self._now = ""

    @property
    def elapsed_s(self) -> float:
        """Seconds since the first step."""
        return time.monotonic() - self._begun


class Signals:
    """Ctrl-C and SIGTERM while things are opened: the first one waits for the end of the step under way.

    An exception in the middle of starting an engine could leave that engine running; a second signal raises
    KeyboardInterrupt all the same, for one that takes too long.
    """

    def __init__(self, steps: Steps) -> None:
        self._steps = steps
        self.arrived = False

    def __enter__(self) -> Self:
        self._before = {sign: signal.signal(sign, self._note) for sign in (signal.SIGINT, signal.SIGTERM)}
        return self

    def __exit__(self, *_: object) -> None:
        for sign, handler in self._before.items():
            signal.signal(sign, handler)

    def step(self, what: str) -> None:
        """Begin a step, unless a signal came during the one before. Raises KeyboardInterrupt."""
        if self.arrived:
            finish_undisturbed()
            raise KeyboardInterrupt
        self._steps(what)

    def _note(self, _sign: int, _frame: FrameType | None) -> None:
        if self.arrived:
            raise KeyboardInterrupt
        self.arrived = True


def finish_undisturbed() -> None:
    """Take no more signals: a second Ctrl-C would cut the stopping of the engines short."""
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    signal.signal(signal.SIGTERM, signal.SIG_IGN)
