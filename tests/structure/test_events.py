"""The events that can happen are those of semantics §28, and every name that is raised is declared."""

import ast
import re

import pytest

from tallystick.events.declared import event_names
from tallystick.notifications.alarms import ALARMS
from tests.structure.source import SRC, TOP, import_every_module

NOT_HERE = {
    "configuration.metergroup": "there are no meter groups",
    "configuration.pricingband": "bands are parts of pricings, whose events tell of them",
}
"Stems of §28 without events of their own, each with its reason."
LISTED = re.compile(r"(?P<service>billing|configuration)\.\*: (?P<words>[a-z, ]+)")


@pytest.fixture(scope="module", autouse=True)
def _everything() -> None:
    import_every_module()


def listed() -> set[str]:
    """Read the names of the section, as they stand there."""
    text = (TOP / "docs" / "semantics.md").read_text("utf-8")
    section = text[text.index("## 28.") : text.index("## 29.")]
    stems = {f"{m['service']}.{w.strip()}" for m in LISTED.finditer(section) for w in m["words"].split(",")}
    errors = re.search(r"integration\.\{([a-z,]+)\}\.error", section)
    assert errors is not None
    others = {f"integration.{word}.error" for word in errors[1].split(",")}
    assert {"dataexport.job.failure", "ingest.validation.failure"} <= set(re.findall(r"[\w.]+", section))
    return stems | others | {"dataexport.job.failure", "ingest.validation.failure"}


def test_every_listed_event_can_happen() -> None:
    names = set(event_names())
    stems = {name.rpartition(".")[0] for name in names}
    assert listed() - names - stems - set(NOT_HERE) == set()
    assert set(NOT_HERE) <= listed()


def test_what_makes_alerts_can_happen() -> None:
    assert set(ALARMS) <= set(event_names())


def test_every_name_that_is_appended_is_declared() -> None:
    """Names are constants made by `domain_event`, or come from a resource or a configuration."""
    found = []
    for path in sorted(SRC.rglob("*.py")):
        for node in ast.walk(ast.parse(path.read_text("utf-8"))):
            if isinstance(node, ast.Call) and getattr(node.func, "id", "") == "append_event":
                name = node.args[1]
                if isinstance(name, ast.Constant) and name.value not in event_names():
                    found.append(f"{path.name}:{node.lineno}: {name.value}")
    assert found == []
