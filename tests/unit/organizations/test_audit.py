"""The audit log: complete, masked, only growing, chained, and in nobody's way (semantics §2)."""

import threading
from collections.abc import Iterator
from typing import Any

import psycopg
import pytest
from sqlalchemy import create_engine, delete, select, text, update
from sqlalchemy.exc import DBAPIError

from tallystick.events.record import record_change
from tallystick.organizations.audit import MASK, append_audit, audit, masked, record_audit
from tallystick.organizations.audit_chain import AuditSealing, Head, head_of, seal, verify
from tallystick.organizations.audit_read import AuditEntry, AuditQuery, read_audit
from tallystick.organizations.currency import Currency
from tallystick.organizations.permission_policy import PermissionPolicy
from tallystick.organizations.service import Bootstrapped, bootstrap
from tallystick.organizations.service_user import ServiceUser
from tallystick.platform.database import Database
from tallystick.platform.ids import new_id
from tallystick.platform.postgres import external_postgres
from tallystick.platform.resources import Change, PageRequest, Transaction
from tests.support.clock import MovableClock

ACTOR = "11111111-aaaa-4000-8000-000000000001"


def record(tx: Transaction, /, *changes: Change) -> None:
    record_change(tx, *changes)
    record_audit(tx, *changes)


@pytest.fixture
def database(access_url: str, clock: MovableClock) -> Iterator[Database]:
    opened = Database(access_url, clock, record, pool_size=8)
    yield opened
    opened.close()


def entries(database: Database, org_id: str, **wanted: Any) -> list[AuditEntry]:
    with database.reading(org_id) as tx:
        return list(read_audit(tx, AuditQuery(**wanted), PageRequest()).data)


def rename(database: Database, org_id: str, name: str) -> str:
    with database.transaction(org_id, ACTOR) as tx:
        made = tx.create(ServiceUser(name="before"))
        tx.update(made, ServiceUser(name=name))
        tx.delete(ServiceUser, made.id)
    return made.id


def test_an_entry_says_who_changed_what_from_what_to_what(database: Database, acme: Bootstrapped) -> None:
    made = rename(database, acme.org_id, "after")
    deleted, updated, created = entries(database, acme.org_id, entity_id=made)
    assert {each.actor_id for each in (deleted, updated, created)} == {ACTOR}
    assert [each.operation for each in (created, updated, deleted)] == ["CREATED", "UPDATED", "DELETED"]
    assert created.entity_type == "serviceuser"
    assert created.changes == {"name": {"to": "before"}}
    assert updated.changes == {"name": {"from": "before", "to": "after"}}
    assert deleted.changes == {"name": {"from": "after"}}
    assert entries(database, acme.org_id, actor_id=ACTOR, operation="updated", entity_type="serviceuser") == [
        updated
    ]
    assert entries(database, acme.org_id, starts_at=updated.at, ends_at=deleted.at, actor_id=ACTOR) == [
        updated
    ]


def test_a_secret_is_told_to_have_changed_and_no_more(database: Database, acme: Bootstrapped) -> None:
    users = entries(database, acme.org_id, entity_type="user")
    assert users[0].changes["passwordHash"] == {"to": MASK}
    nested = {"a": [{"apiKey": "x", "Client_Secret": {"k": 1}, "nextToken": "n"}], "password": None}
    assert masked(nested) == {
        "a": [{"apiKey": MASK, "Client_Secret": MASK, "nextToken": "n"}],
        "password": None,
    }


def test_what_is_made_together_is_one_entry(database: Database, acme: Bootstrapped) -> None:
    policies = entries(database, acme.org_id, entity_type="permissionpolicy")
    assert len(policies) == 1
    assert policies[0].changes == {"count": 4}
    with database.reading(acme.org_id) as tx:
        ids = {each.id for each in tx.find(PermissionPolicy)}
    assert set(policies[0].entity_ids or ()) == ids
    assert entries(database, acme.org_id, entity_id=ids.pop()) == policies


def test_an_undone_change_leaves_no_entry(database: Database, acme: Bootstrapped) -> None:
    def change_and_fail() -> None:
        with database.transaction(acme.org_id, ACTOR) as tx:
            tx.create(Currency(code="EUR", name="Euro"))
            raise ZeroDivisionError

    with pytest.raises(ZeroDivisionError):
        change_and_fail()
    assert entries(database, acme.org_id, actor_id=ACTOR) == []


def test_other_organizations_are_not_seen(
    database: Database, acme: Bootstrapped, clock: MovableClock
) -> None:
    other = bootstrap(
        database, clock, organization="B", admin_email=f"{new_id()}@b.test", admin_password=None
    )
    made = rename(database, acme.org_id, "x")
    assert entries(database, other.org_id, entity_id=made) == []


@pytest.mark.parametrize(
    "statement",
    [
        update(audit).values(actor=new_id()),
        update(audit).values(changes={}),
        update(audit).values(sequence=7),
        update(audit).values(sequence=None, hash=None),
        delete(audit),
        text("TRUNCATE audit"),
    ],
)
def test_nothing_in_it_is_changed_or_deleted(database: Database, acme: Bootstrapped, statement: Any) -> None:
    seal(database, acme.org_id)
    rename(database, acme.org_id, "not sealed yet")
    with pytest.raises(DBAPIError), database.transaction(acme.org_id) as tx:
        tx.execute(statement)
    owner = create_engine(database.engine.url)  # not even as the owner of the table, by accident
    with pytest.raises(DBAPIError, match="only grows"), owner.begin() as connection:
        connection.execute(statement)
    owner.dispose()


def test_sealing_chains_every_committed_entry_once(database: Database, acme: Bootstrapped) -> None:
    sealing = AuditSealing(database)
    with database.reading(acme.org_id) as tx:
        assert sealing.next_due(tx) is not None
    sealing.run_due(acme.org_id, database.clock.now())
    sealing.run_due(acme.org_id, database.clock.now())
    with database.reading(acme.org_id) as tx:
        assert sealing.next_due(tx) is None
        found = verify(tx, acme.org_id)
        assert found.head == head_of(tx)
    assert (found.fault, found.unsealed, found.entries) == (None, 0, found.head.sequence)
    noted = found.head
    rename(database, acme.org_id, "x")
    seal(database, acme.org_id)
    with database.snapshot(acme.org_id) as tx:
        assert verify(tx, acme.org_id, noted).fault is None
        wrong = Head(noted.sequence, "f" * 64)
        assert "not in the chain" in str(verify(tx, acme.org_id, wrong).fault)
        later = Head(noted.sequence + 99, noted.hash)
        assert "not in the chain" in str(verify(tx, acme.org_id, later).fault)


@pytest.mark.parametrize(
    ("tampering", "fault"),
    [
        ("UPDATE audit SET actor = id WHERE org_id = %s AND sequence = 3", "entry 3 "),
        ("UPDATE audit SET changes = '{}' WHERE org_id = %s AND sequence = 3", "entry 3 "),
        ("UPDATE audit SET at = at + interval '1 us' WHERE org_id = %s AND sequence = 3", "entry 3 "),
        ("DELETE FROM audit WHERE org_id = %s AND sequence = 3", "entries 3 to 3 are missing"),
        ("UPDATE audit SET sequence = 1000 WHERE org_id = %s AND sequence = 3", "entries 3 to 3 are missing"),
    ],
)
def test_whoever_owns_the_database_cannot_alter_it_unnoticed(
    database: Database, acme: Bootstrapped, tampering: str, fault: str
) -> None:
    seal(database, acme.org_id)
    conninfo = external_postgres(database.engine.url.render_as_string(hide_password=False)).conninfo
    with psycopg.connect(conninfo) as owner:
        owner.execute("ALTER TABLE audit DISABLE TRIGGER ALL")
        owner.execute(tampering.encode(), (acme.org_id,))
        owner.execute("ALTER TABLE audit ENABLE TRIGGER ALL")
    with database.reading(acme.org_id) as tx:
        assert fault in str(verify(tx, acme.org_id).fault)


def test_writers_wait_neither_for_each_other_nor_for_sealing(database: Database, acme: Bootstrapped) -> None:
    """A long change is open while others commit and are sealed; it is sealed after them, whole."""
    with database.transaction(acme.org_id, ACTOR) as slow:
        slow.create(Currency(code="EUR", name="Euro"))
        threads = [threading.Thread(target=rename, args=(database, acme.org_id, f"n{i}")) for i in range(4)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join(10)
        assert not any(thread.is_alive() for thread in threads)
        sealers = [threading.Thread(target=seal, args=(database, acme.org_id)) for _ in range(3)]
        for thread in sealers:
            thread.start()
        for thread in sealers:
            thread.join(10)
        assert not any(thread.is_alive() for thread in sealers)
        before = head_of(slow)
    assert seal(database, acme.org_id) == 1
    with database.reading(acme.org_id) as tx:
        found = verify(tx, acme.org_id, before)
        last = (audit.c.org_id == acme.org_id, audit.c.sequence == found.head.sequence)
        newest = tx.execute(select(audit.c.entity).where(*last)).scalar_one()
    assert (found.fault, found.unsealed, newest) == (None, 0, "currency")


def test_what_is_no_change_of_an_entity_is_told_too(database: Database, acme: Bootstrapped) -> None:
    with database.transaction(acme.org_id, ACTOR) as tx:
        append_audit(tx, "logged_in", "user", ACTOR, {"address": "192.0.2.1", "token": "t"})
    (entry,) = entries(database, acme.org_id, operation="LOGGED_IN")
    assert entry.changes == {"address": "192.0.2.1", "token": MASK}
