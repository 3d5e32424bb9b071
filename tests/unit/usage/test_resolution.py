"""Codes become ids (semantics §6): as last committed here, and at most two seconds old elsewhere."""

from collections.abc import Collection, Mapping
from uuid import uuid4

import pytest

from tallystick.accounts.account import Account
from tallystick.platform.database import Database
from tallystick.platform.resources import Transaction
from tallystick.usage import resolution
from tallystick.usage.resolution import CodeCache, Resolution, account_ids
from tallystick.usage.skeletons import skeleton
from tests.support.clock import MovableClock
from tests.unit.usage.conftest import NOW, Desk


class Counting:
    """Loads account ids, and counts how often."""

    def __init__(self) -> None:
        self.asked: list[set[str]] = []

    def __call__(self, tx: Transaction, codes: Collection[str]) -> Mapping[str, str]:
        self.asked.append(set(codes))
        return account_ids(tx, codes)


def make(desk: Desk, *codes: str) -> list[Account]:
    with desk.database.transaction(desk.org_id) as tx:
        return [tx.create(skeleton(code)) for code in codes]


@pytest.fixture
def load() -> Counting:
    return Counting()


def test_unknown_codes_are_looked_up_in_one_query_and_remembered(desk: Desk, load: Counting) -> None:
    a, b = make(desk, "a", "b")
    cache = CodeCache(load, 10)
    assert cache.find(desk.database, desk.org_id, ["a", "b", "c"]) == {"a": a.id, "b": b.id}
    assert cache.find(desk.database, desk.org_id, ["a", "b"]) == {"a": a.id, "b": b.id}
    assert cache.find(desk.database, str(uuid4()), ["a"]) == {}
    assert load.asked == [{"a", "b", "c"}, {"a"}]


def test_what_another_process_changed_is_seen_after_a_moment(
    desk: Desk, load: Counting, monkeypatch: pytest.MonkeyPatch
) -> None:
    other = Database(desk.database.engine.url.render_as_string(hide_password=False), MovableClock(NOW))
    [old] = make(desk, "a")
    cache = CodeCache(load, 10)
    cache.find(desk.database, desk.org_id, ["a"])
    with other.transaction(desk.org_id) as tx:
        tx.delete(Account, old.id)
        new = tx.create(skeleton("a"))
    other.close()
    assert resolution.FRESH_FOR_S <= 2
    monkeypatch.setattr(resolution, "FRESH_FOR_S", 0)
    assert cache.find(desk.database, desk.org_id, ["a"]) == {"a": new.id}


def test_what_is_read_during_a_change_is_not_kept(desk: Desk) -> None:
    accounts = desk.resolution.accounts
    [old] = make(desk, "a")
    assert accounts.find(desk.database, desk.org_id, ["a"]) == {"a": old.id}
    with desk.database.transaction(desk.org_id) as tx:
        tx.delete(Account, old.id)
        new = tx.create(skeleton("a"))
        assert accounts.find(desk.database, desk.org_id, ["a"]) == {"a": old.id}  # not committed yet
    assert accounts.find(desk.database, desk.org_id, ["a"]) == {"a": new.id}


def test_what_was_read_before_a_change_is_not_kept_after_it(desk: Desk) -> None:
    [old] = make(desk, "a")

    def slow(tx: Transaction, codes: Collection[str]) -> Mapping[str, str]:
        found = account_ids(tx, codes)
        with desk.database.transaction(desk.org_id) as other:  # changes hands just after it was read
            cache.note(other, {"a"})
            if old.id in found.values():
                other.delete(Account, old.id)
        return found

    cache = CodeCache(slow, 10)
    assert cache.find(desk.database, desk.org_id, ["a"]) == {"a": old.id}
    assert cache.find(desk.database, desk.org_id, ["a"]) == {}
    assert desk.resolution.accounts.find(desk.database, desk.org_id, ["a"]) == {}


def test_a_change_rolled_back_leaves_what_was(desk: Desk) -> None:
    [old] = make(desk, "a")

    class Undone(Exception):
        pass

    def change_and_undo() -> None:
        with desk.database.transaction(desk.org_id) as tx:
            tx.delete(Account, old.id)
            raise Undone

    with pytest.raises(Undone):
        change_and_undo()
    assert desk.resolution.accounts.find(desk.database, desk.org_id, ["a"]) == {"a": old.id}


def test_a_renamed_code_is_free_again(desk: Desk) -> None:
    [old] = make(desk, "a")
    desk.resolution.accounts.find(desk.database, desk.org_id, ["a", "b"])
    with desk.database.transaction(desk.org_id) as tx:
        loaded = tx.get(Account, old.id)
        loaded_as_b = Account(name="b", code="b", email_address=loaded.email_address)
        tx.update(loaded, loaded_as_b)
    assert desk.resolution.accounts.find(desk.database, desk.org_id, ["a", "b"]) == {"b": old.id}


def test_only_so_much_is_remembered(desk: Desk, load: Counting) -> None:
    make(desk, "a", "b", "c")
    cache = CodeCache(load, 2)
    cache.find(desk.database, desk.org_id, ["a"])
    cache.find(desk.database, desk.org_id, ["b", "c"])
    cache.find(desk.database, desk.org_id, ["b", "c"])
    cache.find(desk.database, desk.org_id, ["a"])
    assert load.asked == [{"a"}, {"b", "c"}, {"a"}]


def test_other_things_change_without_notice(desk: Desk) -> None:
    desk.meter()
    assert Resolution().accounts.find(desk.database, desk.org_id, ["flights"]) == {}
