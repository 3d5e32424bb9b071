"""Lists leave out what is denied singly or in a group, and stay full pages (semantics §2)."""

from collections.abc import Callable
from dataclasses import dataclass

import pytest

from tallystick.catalogue.meter import DataField, FieldCategory, Meter
from tallystick.organizations.narrowing import narrowed
from tallystick.organizations.permissions import ALLOW_EVERYTHING, Statement
from tallystick.organizations.principal import Principal, PrincipalKind
from tallystick.organizations.resource_group import ResourceGroup, ResourceGroupItem, TargetType
from tallystick.organizations.service import Bootstrapped
from tallystick.platform.database import Database
from tallystick.platform.resources import PageRequest
from tallystick.platform.resources.search import Search, search
from tests.unit.organizations.test_permissions import statement

FIELD = DataField(category=FieldCategory.MEASURE, code="n", name="N", unit="1")


@dataclass(frozen=True)
class Shelf:
    """Meters a to e. The group outer holds b, and the group inner, which holds c."""

    database: Database
    org_id: str
    ids: dict[str, str]

    def seen(self, denied: Statement, size: int = 100) -> list[str]:
        caller = Principal("p", self.org_id, PrincipalKind.USER, "ada", (ALLOW_EVERYTHING, denied))
        names: list[str] = []
        after: str | None = None
        with self.database.reading(self.org_id) as opened:
            tx = narrowed(opened, caller)
            assert {each.code for each in search(tx, Meter, {}, Search(size=100)).data} == {
                each.code for each in tx.page(Meter, PageRequest()).data
            }
            while True:
                page = tx.page(Meter, PageRequest(size, after))
                assert page.next_token is None or len(page.data) == size
                names += [each.code for each in page.data]
                if page.next_token is None:
                    return sorted(names)
                after = page.data[-1].id


@pytest.fixture
def shelf(database: Database, acme: Bootstrapped) -> Shelf:
    with database.transaction(acme.org_id) as tx:
        meters = [
            tx.create(Meter(name=code, code=code, data_fields=[FIELD], derived_fields=[])) for code in "abcde"
        ]
        outer, inner = (tx.create(ResourceGroup(name=name, type="meter")) for name in ("outer", "inner"))
        ids = {**{each.code: each.id for each in meters}, "outer": outer.id, "inner": inner.id}
        for group, kind, target in (
            (outer, TargetType.GROUP, "inner"),
            (outer, TargetType.ITEM, "b"),
            (inner, TargetType.ITEM, "c"),
        ):
            tx.create(ResourceGroupItem(resource_group_id=group.id, target_type=kind, target_id=ids[target]))
    return Shelf(database, acme.org_id, ids)


def one(kind: str, name: str, service_type: str = "config:meter") -> Callable[[Shelf], str]:
    return lambda shelf: f"{service_type}/{kind}/{shelf.ids.get(name, name)}"


@pytest.mark.parametrize(
    ("action", "pattern", "seen"),
    [
        pytest.param("config:retrieve", one("item", "a"), "bcde", id="one meter"),
        pytest.param("ALL", one("item", "a"), "bcde", id="of all actions"),
        pytest.param("config:update", one("item", "a"), "abcde", id="another action"),
        pytest.param("ALL", one("item", "a", "config:plan"), "abcde", id="another type"),
        pytest.param("ALL", one("item", "987"), "abcde", id="no id of ours"),
        pytest.param("ALL", one("group", "987"), "abcde", id="no group of ours"),
        pytest.param("ALL", one("group", "inner"), "abde", id="a group"),
        pytest.param("ALL", one("group", "outer"), "ade", id="a group and those inside it"),
        pytest.param("ALL", lambda _: "config:meter/group/*", "ade", id="any group"),
        pytest.param("ALL", lambda _: "config:meter/group", "ade", id="any group, cut short"),
        pytest.param("ALL", lambda s: one("item", "e")(s).upper(), "abcd", id="letter case"),
    ],
)
def test_lists_leave_out_what_is_denied(
    shelf: Shelf, action: str, pattern: Callable[[Shelf], str], seen: str
) -> None:
    denied = statement("deny", action, pattern(shelf))
    assert "".join(shelf.seen(denied)) == seen
    assert "".join(shelf.seen(denied, size=2)) == seen


def test_without_a_deny_nothing_is_asked_of_lists(shelf: Shelf) -> None:
    caller = Principal("p", shelf.org_id, PrincipalKind.USER, "ada", (ALLOW_EVERYTHING,))
    with shelf.database.reading(shelf.org_id) as tx:
        assert narrowed(tx, caller) is tx
