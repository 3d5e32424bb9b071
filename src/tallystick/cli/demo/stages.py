"""Telling what the demo is doing: a spinner while it works, a line with its time when it is done."""

import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field

from rich.console import Console
from rich.text import Text

WIDTH = 52


@dataclass
class Stage:
    """One stage that is under way; `result` replaces its title when it is done."""

    title: str
    result: str = ""
    count: int = 0
    seconds: float = 0.0


@dataclass
class Stages:
    """All stages so far, on one console."""

    console: Console
    done: list[Stage] = field(default_factory=list)

    @contextmanager
    def stage(self, title: str) -> Iterator[Stage]:
        """Work on one stage. Its `count`, where it is set, is told as a rate."""
        stage = Stage(title)
        begun = time.monotonic()
        with self.console.status(Text(f"{title} …"), spinner_style="cyan") as status:
            self._status = status
            yield stage
        stage.seconds = time.monotonic() - begun
        self.done.append(stage)
        self._print(stage)

    def say(self, text: str) -> None:
        """Say how far the stage is, beside the spinner."""
        self._status.update(Text(text))

    def _print(self, stage: Stage) -> None:
        mark = "✓" if (self.console.encoding or "").lower().startswith("utf") else "-"
        rate = f"{int(stage.count / max(stage.seconds, 0.001)):,}/s" if stage.count else ""
        line = Text.assemble(
            (f"  {mark} ", "green"),
            f"{stage.result or stage.title:<{WIDTH}}",
            (f"{stage.seconds:6.1f} s", "dim"),
            (f"  {rate:>10}", "dim"),
        )
        self.console.print(line, soft_wrap=True)

    @property
    def seconds(self) -> float:
        """All stages together."""
        return sum(stage.seconds for stage in self.done)
