"""Accounts made many at a time are as good as those made one by one."""

from typing import Any
from uuid import uuid4

import pytest

from tallystick.accounts.account import Account
from tallystick.kernel.problems import Problem
from tallystick.platform.resources.wire import InvalidBody
from tests.unit.usage.conftest import Desk, flight


def account(code: str, **more: Any) -> Account:
    return Account(name=code, code=code, email_address="a@example.com", **more)


def problems(desk: Desk, *entities: Account) -> tuple[Problem, ...]:
    with pytest.raises(InvalidBody) as refused, desk.database.transaction(desk.org_id) as tx:
        tx.create_all(entities)
    return refused.value.problems


def test_many_are_stored_each_with_its_event(desk: Desk) -> None:
    with desk.database.transaction(desk.org_id, desk.actor) as tx:
        parent = tx.create(account("parent"))
        made = tx.create_all([account("a"), account("b", parent_account_id=parent.id)])
        assert tx.create_all([]) == []
        assert [tx.get(Account, each.id) for each in made] == made
    assert [(each.version, each.created_by) for each in made] == [(1, desk.actor)] * 2
    told = desk.events("configuration.account.created")
    assert [e["newDto"]["code"] for e in told] == ["parent", "a", "b"]
    assert told[1]["newDto"]["id"] == made[0].id


def test_every_problem_is_named_and_nothing_stored(desk: Desk) -> None:
    with desk.database.transaction(desk.org_id) as tx:
        tx.create(account("taken"))
    nobody = str(uuid4())
    found = problems(
        desk, account("a"), account("taken"), account("a"), account("b", parent_account_id=nobody)
    )
    assert [(p.field, p.code) for p in found] == [
        ("[1].code", "duplicate"),
        ("[2].code", "duplicate"),
        ("[3].parentAccountId", "unknown_reference"),
    ]
    with desk.database.reading(desk.org_id) as tx:
        assert [each.code for each in tx.find(Account)] == ["taken"]


def test_the_checks_of_each_run_too(desk: Desk) -> None:
    with desk.database.transaction(desk.org_id) as tx:
        parent = tx.create(account("parent"))
        child = tx.create(account("child", parent_account_id=parent.id))
    [problem] = problems(desk, account("a"), account("b", parent_account_id=child.id))
    assert (problem.field, problem.code) == ("[1].parentAccountId", "hierarchy_too_deep")


def test_a_batch_of_a_thousand_new_accounts_is_stored(desk: Desk) -> None:
    desk.meter()
    assert desk(*(flight(f"u{i}", account=f"acc{i}") for i in range(1000))).stored == 1000
    assert len(desk.events("configuration.account.created")) == 1000
