"""The search grammar: what it reads and what it refuses (semantics §1)."""

import pytest

from tallystick.api import accounts, bills
from tallystick.balances import commitment
from tallystick.platform.resources.search import Search, read_search
from tallystick.platform.resources.wire import InvalidBody
from tests.support.world import World


@pytest.mark.parametrize(
    ("keys", "listed"),
    [
        (accounts.SEARCH_KEYS, "name code currency purchaseOrderNumber parentAccountId codes"),
        (bills.SEARCH_KEYS, "accountId locked billDate startDate endDate dueDate billingFrequency"),
        (commitment.SEARCH_KEYS, "startDate endDate contractId accountId productId productIds"),
    ],
    ids=["accounts", "bills", "commitments"],
)
def test_what_can_be_searched_by(keys: dict[str, str], listed: str) -> None:
    assert set(keys) == {*listed.split(), "id", "createdBy", "dtCreated", "lastModifiedBy", "ids"}


def test_search_parameters_have_defaults() -> None:
    assert read_search({}) == Search("", "AND", 0, 10, None, descending=True)


def test_every_wrong_parameter_is_told_at_once() -> None:
    with pytest.raises(InvalidBody) as caught:
        read_search({"operator": ["XOR"], "fromDocument": ["-1"], "pageSize": ["101"], "sortOrder": ["UP"]})
    fields = {p.field for p in caught.value.problems}
    assert fields == {"operator", "fromDocument", "pageSize", "sortOrder"}


def test_accounts_are_found_by_clauses(world: World) -> None:
    for code in ("acme", "acorn", "beta", "a%b", "a,b"):
        world.account(code)

    def found(query: str, **more: str) -> set[str]:
        return {a["code"] for a in world.get("accounts/search", searchQuery=query, **more)["data"]}

    assert found("code:acme") == {"acme"}
    assert found("codes:acme,beta") == {"acme", "beta"}
    assert found("code:acme,beta") == set()  # one code, which has a comma
    assert found("code:a,b") == {"a,b"}
    assert found("name~ac") == {"acme", "acorn"}
    assert found("name~a%") == {"a%b"}
    assert found("name~ac$code:beta") == set()
    assert found("name~ac$code:beta", operator="OR") == {"acme", "acorn", "beta"}
    assert found("dtCreated>=2025-06-01$code<b") == {"acme", "acorn", "a%b", "a,b"}
    assert found("parentAccountId:nonsense") == set()
    pages = [
        world.get("accounts/search", pageSize=1, fromDocument=i, sortBy="code", sortOrder="ASC")
        for i in (0, 4)
    ]
    assert [p["data"][0]["code"] for p in pages] == ["a%b", "beta"]


def test_commitments_are_found_by_a_product_among_theirs(world: World) -> None:
    air, water = world.product("air"), world.product("water")
    body = {"currency": "USD", "amount": 1, "startDate": "2025-01-01", "endDate": "2026-01-01"}
    made = world.post(
        "commitments", {**body, "accountId": world.account()["id"], "productIds": [air.upper()]}
    )
    assert made["productIds"] == [air]

    def found(query: str) -> list[str]:
        return [each["id"] for each in world.get("commitments/search", searchQuery=query)["data"]]

    assert found(f"productId:{air.upper()}") == found(f"productIds:{water},{air}") == [made["id"]]
    assert found(f"productIds:{water}") == found(f"productIds>{air}") == []


@pytest.mark.parametrize(
    ("what", "query"),
    [
        *(("accounts", each) for each in ("code", "secret:1", "code!x", "dtCreated>yesterday")),
        ("bills", "locked:maybe"),
    ],
)
def test_a_clause_that_cannot_be_read_is_refused(world: World, what: str, query: str) -> None:
    answer = world.get(f"{what}/search", searchQuery=query, expect=400)
    assert answer["errors"][0]["field"].startswith("searchQuery")
