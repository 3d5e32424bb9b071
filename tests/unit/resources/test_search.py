"""The search grammar: what it reads and what it refuses."""

import pytest

from tallystick.platform.resources.search import Search, read_search
from tallystick.platform.resources.wire import InvalidBody
from tests.support.world import World


def test_search_parameters_have_defaults() -> None:
    assert read_search({}) == Search("", "AND", 0, 10, None, descending=True)


def test_every_wrong_parameter_is_told_at_once() -> None:
    with pytest.raises(InvalidBody) as caught:
        read_search({"operator": ["XOR"], "fromDocument": ["-1"], "pageSize": ["101"], "sortOrder": ["UP"]})
    fields = {p.field for p in caught.value.problems}
    assert fields == {"operator", "fromDocument", "pageSize", "sortOrder"}


def test_accounts_are_found_by_clauses(world: World) -> None:
    for code in ("acme", "acorn", "beta", "a%b"):
        world.account(code)

    def found(query: str, **more: str) -> set[str]:
        return {a["code"] for a in world.get("accounts/search", searchQuery=query, **more)["data"]}

    assert found("code:acme") == {"acme"}
    assert found("code:acme,beta") == {"acme", "beta"}
    assert found("name~ac") == {"acme", "acorn"}
    assert found("name~a%") == {"a%b"}
    assert found("name~ac$code:beta") == set()
    assert found("name~ac$code:beta", operator="OR") == {"acme", "acorn", "beta"}
    assert found("dtCreated>=2025-06-01$code<b") == {"acme", "acorn", "a%b"}
    assert found("parentAccountId:nonsense") == set()
    pages = [
        world.get("accounts/search", pageSize=1, fromDocument=i, sortBy="code", sortOrder="ASC")
        for i in (0, 3)
    ]
    assert [p["data"][0]["code"] for p in pages] == ["a%b", "beta"]


@pytest.mark.parametrize("query", ["code", "secret:1", "code!x", "dtCreated>yesterday"])
def test_a_clause_that_cannot_be_read_is_refused(world: World, query: str) -> None:
    answer = world.get("accounts/search", searchQuery=query, expect=400)
    assert answer["errors"][0]["field"].startswith("searchQuery")
