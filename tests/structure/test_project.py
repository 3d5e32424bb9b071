"""The project stands by itself: it names no machine, no registry and nothing outside its own folder."""

import re
from pathlib import Path

import pytest

from tests.structure.source import TOP, project_files

# One character of each stands in brackets, so that this file does not find itself.
FORBIDDEN = {
    "a registry host (use packages by name; the client knows where)": (
        r"pypi[.]org|pythonhosted[.]org|registry[.]npmjs[.]org|(deb|security)[.]debian[.]org"
    ),
    "a path of one machine (use a path relative to the project, or a setting)": (
        r"(?<![\w.}])/[w]ork/|(?<![\w.}])/[r]oot/|(?<![\w.}/])/[h]ome/\w|/[U]sers/\w"
    ),
    "a folder outside the project (copy in what is needed)": r"[.][.]/shared",
}
BINARY = {".parquet", ".png", ".ico", ".woff2", ".gz", ".otf", ".ttf"}


def foreign(text: str) -> list[str]:
    """List what the project must not name."""
    return [
        f"{number}: names {what}: {match.group()}"
        for number, line in enumerate(text.splitlines(), start=1)
        for what, pattern in FORBIDDEN.items()
        if (match := re.search(pattern, line))
    ]


def test_project_names_nothing_outside_itself() -> None:
    texts = [path for path in project_files() if path.suffix not in BINARY]
    assert len(texts) > 1
    findings = [
        f"{path.relative_to(TOP)}:{line}"
        for path in texts
        for line in foreign(path.read_text("utf-8", errors="replace"))
    ]
    assert not findings, "\n" + "\n".join(findings)


@pytest.mark.parametrize(
    "line",
    ["--index-url https://pypi~.org/x", "cat /~work/main", "cp ..~/shared/x .", "cd /~home/ann", "/~root/x"],
)
def test_finds_what_is_foreign(line: str) -> None:
    assert foreign(line) == []
    assert foreign(line.replace("~", ""))


def test_lets_urls_and_own_paths_be() -> None:
    assert foreign("GET http://localhost:8000/organizations/x; see docs/home/ and a/work/ folder") == []


def test_lock_pins_everything_by_hash() -> None:
    lock = (TOP / "requirements.lock").read_text("utf-8")
    pinned = re.findall(r"^([a-z0-9][\w.-]*)==\S+ \\\n    --hash=sha256:", lock, re.MULTILINE)
    named = re.findall(r"^([a-z0-9][\w.-]*)(?:==|>=| @)", lock, re.MULTILINE)
    assert pinned == named, "run `make lock`: every package needs a version and a hash"
    assert "hatchling" in pinned, (
        "`make setup` installs the project without build isolation, so the lock has its builder"
    )
    assert not re.search(r"file://|^--", lock, re.MULTILINE), "the lock names a place: see `make lock`"


def test_the_two_commands_are_explained() -> None:
    makefile = (TOP / "Makefile").read_text("utf-8")
    targets = re.findall(r"^([a-z]+):(?! =)", makefile, re.MULTILINE)
    silent = [name for name in targets if not re.search(rf"^{name}:.*## \w", makefile, re.MULTILINE)]
    assert not silent, f"say in one line, after ##, what these do: {silent}"
    assert Path(TOP / ".ci" / "run").read_text("utf-8").count("make check") >= 1
