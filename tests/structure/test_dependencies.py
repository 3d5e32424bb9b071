"""What is imported is declared, and what is declared is explained."""

import re
import sys
import tomllib
from collections.abc import Iterable, Iterator, Mapping
from importlib.metadata import packages_distributions

from tests.structure.rules import imports
from tests.structure.source import TOP, Source, package_sources

PROJECT = tomllib.loads((TOP / "pyproject.toml").read_text("utf-8"))["project"]
DECISION = (TOP / "docs" / "decisions" / "0007-dependencies.md").read_text("utf-8")


def declared_names(requirements: Iterable[str]) -> set[str]:
    return {re.split(r"[\[<>=!~; ]", requirement)[0].lower() for requirement in requirements}


def undeclared(
    sources: Iterable[Source], declared: set[str], owners: Mapping[str, Iterable[str]]
) -> Iterator[str]:
    for source in sources:
        for line, _, full in imports(source.tree):
            top = full.split(".")[0]
            if top in sys.stdlib_module_names or top == "tallystick":
                continue
            if not declared & {owner.lower() for owner in owners.get(top, ())}:
                instead = (
                    "add its package to [project] dependencies, decision 0007 and the lock (`make lock`)"
                )
                yield f"{source.place}:{line}: imports {top}, which is not declared; {instead}"


def test_every_import_is_declared() -> None:
    declared = declared_names(PROJECT["dependencies"])
    findings = sorted(set(undeclared(package_sources(), declared, packages_distributions())))
    assert not findings, "\n" + "\n".join(findings)


def test_every_dependency_says_why() -> None:
    declared = declared_names(PROJECT["dependencies"] + PROJECT["optional-dependencies"]["dev"])
    silent = {
        name for name in declared if not re.search(rf"^\| `{re.escape(name)}` \| \w", DECISION, re.MULTILINE)
    }
    assert not silent, f"give these a line in docs/decisions/0007-dependencies.md: {sorted(silent)}"


def test_every_dependency_is_locked() -> None:
    lock = (TOP / "requirements.lock").read_text("utf-8")
    declared = declared_names(PROJECT["dependencies"] + PROJECT["optional-dependencies"]["dev"])
    missing = {name for name in declared if not re.search(rf"^{re.escape(name)}==", lock, re.MULTILINE)}
    assert not missing, f"run `make lock`; the lock lacks {sorted(missing)}"


def test_finds_an_undeclared_import() -> None:
    source = Source("usage/x.py", "import os\nimport numpy as np\nfrom tallystick import kernel\n")
    owners = {"numpy": ["numpy"]}
    assert len(list(undeclared([source], {"msgspec"}, owners))) == 1
    assert list(undeclared([source], {"numpy"}, owners)) == []
