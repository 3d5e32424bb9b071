"""The project's own source, parsed once, as the structure tests see it."""

import ast
import importlib
import pkgutil
import subprocess
from collections.abc import Iterator
from dataclasses import dataclass
from functools import cache
from pathlib import Path

import tallystick

TOP = Path(__file__).resolve().parents[2]
SRC = TOP / "src" / "tallystick"


@dataclass(frozen=True)
class Source:
    """One Python file. `place` is its path as the rules name it: `rating/bands.py`, `tests/unit/…`."""

    place: str
    text: str

    @property
    def tree(self) -> ast.Module:
        """Parse the file."""
        return _parse(self.text)


@cache
def _parse(text: str) -> ast.Module:
    return ast.parse(text)


@cache
def package_sources() -> list[Source]:
    """Read every module of the package; places are relative to src/tallystick."""
    return [
        Source(path.relative_to(SRC).as_posix(), path.read_text("utf-8"))
        for path in sorted(SRC.rglob("*.py"))
    ]


@cache
def sources_of_tests() -> list[Source]:
    """Read every test and script; places are relative to the top of the project."""
    folders = [TOP / "tests", TOP / "data"]
    paths = sorted(path for folder in folders for path in folder.rglob("*.py"))
    return [Source(path.relative_to(TOP).as_posix(), path.read_text("utf-8")) for path in paths]


def import_every_module() -> None:
    """Import the whole package, so that every class and table there is has been declared."""
    for module in pkgutil.walk_packages(tallystick.__path__, "tallystick."):
        if not module.name.startswith("tallystick.migrations") and not module.name.endswith("__main__"):
            importlib.import_module(module.name)


def project_files() -> Iterator[Path]:
    """List the files that belong to the project: those git tracks, or would on the next `git add`."""
    command = ["git", "ls-files", "--cached", "--others", "--exclude-standard", "-z"]
    try:
        names = subprocess.run(command, cwd=TOP, check=True, capture_output=True).stdout.decode().split("\0")
    except (OSError, subprocess.CalledProcessError):  # an unpacked archive, without git
        hidden = {
            ".git",
            ".venv",
            "__pycache__",
            ".mypy_cache",
            ".ruff_cache",
            ".pytest_cache",
            ".hypothesis",
        }
        names = [
            path.relative_to(TOP).as_posix()
            for path in TOP.rglob("*")
            if not hidden & set(path.relative_to(TOP).parts)
        ]
    yield from (TOP / name for name in names if name and (TOP / name).is_file())
