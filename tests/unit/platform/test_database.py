"""Transactions bound to one organization: enforced by the database itself, also after a rollback."""

import threading
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor

import pytest
from sqlalchemy import insert, select, text
from sqlalchemy.exc import ProgrammingError

from tallystick.catalogue.product import Product
from tallystick.events.record import record_change
from tallystick.platform.clock import SystemClock
from tallystick.platform.database import EVERY_ORGANIZATION, NOBODY, ChangesCrossed, Database, OneTransaction
from tallystick.platform.ids import new_id
from tallystick.platform.resources import resource_of
from tallystick.platform.resources.rows import column_values
from tallystick.platform.resources.wire import InvalidBody

PRODUCTS = resource_of(Product).table
ACME, OTHER = new_id(), new_id()


@pytest.fixture
def database(migrated_url: str) -> Iterator[Database]:
    made = Database(migrated_url, SystemClock(), record_change, pool_size=1)
    for org_id in (ACME, OTHER):
        with made.transaction(org_id) as tx:
            tx.create(Product(name=org_id, code="air"))
    yield made
    made.close()


def names(database: Database, org_id: str) -> set[str]:
    """Read all products that row-level security lets through, with no condition of our own."""
    with database.reading(org_id) as tx:
        return set(tx.connection.scalars(select(PRODUCTS.c.name)))


def test_row_level_security_shows_only_the_bound_organizations_rows(database: Database) -> None:
    assert names(database, ACME) == {ACME}
    assert names(database, OTHER) == {OTHER}
    assert names(database, EVERY_ORGANIZATION) == {ACME, OTHER}
    assert names(database, NOBODY) == set()


def test_a_row_of_another_organization_cannot_be_written(database: Database) -> None:
    row = {"org_id": OTHER, **column_values(Product(id=new_id(), name="x", code="x"))}
    with pytest.raises(ProgrammingError, match="row-level security"), database.transaction(ACME) as tx:
        tx.execute(insert(PRODUCTS), row)
    assert names(database, OTHER) == {OTHER}


def test_the_binding_follows_the_organization_through_rollbacks_and_snapshots(database: Database) -> None:
    with pytest.raises(ZeroDivisionError), database.transaction(OTHER):
        raise ZeroDivisionError
    assert names(database, ACME) == {ACME}
    with pytest.raises(ZeroDivisionError), database.transaction(ACME):
        raise ZeroDivisionError
    assert names(database, ACME) == {ACME}
    with database.snapshot(OTHER) as tx:
        assert set(tx.connection.scalars(select(PRODUCTS.c.name))) == {OTHER}
    assert names(database, ACME) == {ACME}


def create_and_fail(database: Database) -> None:
    with database.transaction(ACME) as tx:
        tx.create(Product(name="half", code="half"))
        raise ZeroDivisionError


def test_a_transaction_that_fails_stores_nothing(database: Database) -> None:
    with pytest.raises(ZeroDivisionError):
        create_and_fail(database)
    assert names(database, ACME) == {ACME}
    with database.reading(ACME) as tx:
        assert tx.connection.scalar(text("SELECT count(*) FROM events")) == 1


def test_of_two_changes_that_wait_for_each_other_one_is_undone(migrated_url: str) -> None:
    database = Database(migrated_url, SystemClock(), record_change)
    with database.transaction(ACME) as tx:
        ids = [tx.create(Product(name=code, code=code)).id for code in ("one", "two")]
    both_hold_one = threading.Barrier(2)

    def rename(first: str, second: str) -> str:
        try:
            with database.transaction(ACME) as tx:
                tx.get(Product, first, lock=True)
                both_hold_one.wait(10)
                tx.get(Product, second, lock=True)
        except ChangesCrossed:
            return "undone"
        return "done"

    with ThreadPoolExecutor(2) as pool:
        outcomes = [*pool.map(rename, ids, reversed(ids))]
    assert sorted(outcomes) == ["done", "undone"]
    with database.transaction(ACME) as tx:
        assert len(tx.find(Product)) == 2
    database.close()


def add(inside: Database, org_id: str, code: str) -> None:
    with inside.transaction(org_id, "somebody") as part:
        part.create(Product(name=code, code=code))


def add_and_fail(database: Database, org_id: str, code: str) -> None:
    with database.transaction(ACME) as tx:
        inside = OneTransaction(database, tx)
        add(inside, org_id, code)
        assert code in names(inside, org_id), "it reads what it has written"
        raise ZeroDivisionError


def test_inside_one_transaction_everything_is_stored_with_it_or_not_at_all(database: Database) -> None:
    with pytest.raises(ZeroDivisionError):
        add_and_fail(database, ACME, "lost")
    assert names(database, ACME) == {ACME}

    with database.transaction(ACME) as tx:
        inside = OneTransaction(database, tx)
        add(inside, ACME, "kept")
        with pytest.raises(InvalidBody):
            add(inside, ACME, "kept")  # the code is taken: only this part is undone
    assert names(database, ACME) == {ACME, "kept"}
    with database.reading(ACME) as tx:
        assert [p.created_by for p in tx.find(Product, code="kept")] == ["somebody"]


def test_inside_one_transaction_other_organizations_go_by_themselves(migrated_url: str) -> None:
    database = Database(migrated_url, SystemClock(), record_change, pool_size=2)
    with pytest.raises(ZeroDivisionError):
        add_and_fail(database, OTHER, "stays")
    assert names(database, OTHER) == {"stays"}
    database.close()
