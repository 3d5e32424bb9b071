"""A package of someone else's brings an adapter: a folder on the path with an entry point, nothing more."""

import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from tallystick.integrations.errors import AdapterNotInstalled
from tallystick.integrations.registry import GROUP, Registry, third_parties

ADAPTER = """
from tallystick.integrations.adapter import Option, Sent, System


class NetSuiteAdapter:
    system = System("NETSUITE", "NetSuite by Acme", ("Bill",), ("NETSUITE_AUTH",), (Option("realm", "R"),))

    def check(self, config):
        return iter(())

    def send(self, outgoing):
        return Sent(external_id=f"ns-{outgoing.entity_id}", table="Invoice")

    def known(self, entity_type, table, credentials):
        return [("1", "A customer")]


class Broken:
    def __init__(self):
        raise OSError("no licence")
"""


@pytest.fixture
def package(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Path]:
    """Lay out what pip installs: a module, and the facts about its distribution."""
    (tmp_path / "acme_netsuite.py").write_text(ADAPTER)
    facts = tmp_path / "acme_netsuite-1.0.dist-info"
    facts.mkdir()
    (facts / "METADATA").write_text("Metadata-Version: 2.1\nName: acme-netsuite\nVersion: 1.0\n")
    points = "netsuite = acme_netsuite:NetSuiteAdapter\nbroken = acme_netsuite:Broken\n"
    (facts / "entry_points.txt").write_text(f"[{GROUP}]\n{points}")
    monkeypatch.syspath_prepend(tmp_path)
    yield tmp_path
    sys.modules.pop("acme_netsuite", None)


@pytest.mark.usefixtures("package")
def test_an_entry_point_speaks_to_its_system_and_a_broken_one_is_left_out() -> None:
    found = list(third_parties())
    assert [each.system.name for each in found] == ["NETSUITE"]
    registry = Registry(found)
    assert registry.is_installed("netsuite")
    assert registry.system("NetSuite").label == "NetSuite by Acme"
    assert list(registry.adapter("NETSUITE").check({})) == []
    assert registry.adapter("NETSUITE").known("Account", None, {}) == [("1", "A customer")]


def test_without_the_package_the_system_is_known_and_not_installed() -> None:
    registry = Registry(third_parties())
    assert registry.system("NETSUITE") is not None
    with pytest.raises(AdapterNotInstalled, match="NETSUITE is not installed"):
        registry.adapter("NETSUITE")
