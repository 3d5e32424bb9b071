"""Readers of the event record miss nothing and take nothing twice."""

import pytest
from sqlalchemy import text, update

from tallystick.events.feed import Feed, readers
from tallystick.events.record import append_event, events
from tallystick.platform.database import Database

NAME = events.c.event_name.startswith("test.")
A, B = Feed("a"), Feed("b")


def append(database: Database, org_id: str, *names: str) -> None:
    with database.transaction(org_id) as tx:
        for name in names:
            append_event(tx, name, {})


def read(database: Database, org_id: str, feed: Feed = A, most: int = 1000) -> list[str]:
    with database.transaction(org_id) as tx:
        return [event.name for event in feed.read(tx, NAME, most=most)]


def test_each_reader_reads_each_event_once_in_order(database: Database, org_id: str) -> None:
    append(database, org_id, "test.1", "test.2")
    append(database, org_id, "test.3")
    assert read(database, org_id, most=2) == ["test.1", "test.2"]
    assert read(database, org_id, most=2) == ["test.3"]
    assert read(database, org_id, most=2) == []
    assert read(database, org_id, B) == ["test.1", "test.2", "test.3"]
    with database.reading(org_id) as tx:
        assert not A.has_more(tx)
    append(database, org_id, "test.4")
    with database.reading(org_id) as tx:
        assert A.has_more(tx)
    assert read(database, org_id) == ["test.4"]


def test_an_event_whose_transaction_ends_late_is_not_missed(database: Database, org_id: str) -> None:
    with database.transaction(org_id) as slow:
        append_event(slow, "test.slow", {})
        append(database, org_id, "test.quick")
        assert read(database, org_id) == [], "the slow one may still come before it"
        with database.reading(org_id) as tx:
            assert not A.has_more(tx)
    assert read(database, org_id) == ["test.slow", "test.quick"]


def test_what_is_read_is_passed_only_with_its_transaction(database: Database, org_id: str) -> None:
    append(database, org_id, "test.1")

    def read_and_fail() -> None:
        with database.transaction(org_id) as tx:
            assert A.read(tx, NAME)
            raise ZeroDivisionError

    with pytest.raises(ZeroDivisionError):
        read_and_fail()
    assert read(database, org_id) == ["test.1"]


def test_of_two_processes_one_reads(database: Database, org_id: str) -> None:
    append(database, org_id, "test.1")
    assert read(database, org_id) == ["test.1"]
    append(database, org_id, "test.2")
    with database.transaction(org_id) as tx:
        assert A.read(tx, NAME)
        assert read(database, org_id) == []


def test_events_are_read_on_in_a_database_whose_transactions_count_anew(
    database: Database, org_id: str
) -> None:
    append(database, org_id, "test.1", "test.2")
    append(database, org_id, "test.3")
    assert read(database, org_id, most=2) == ["test.1", "test.2"]
    beyond = text("written_in + 1000000000000")
    with database.transaction(org_id) as tx:  # as a restored one is: its numbers are of another server
        tx.execute(update(events).where(events.c.org_id == org_id).values(written_in=beyond))
        tx.execute(update(readers).where(readers.c.org_id == org_id).values(written_in=beyond))
    append(database, org_id, "test.4")
    with database.reading(org_id) as tx:
        assert A.has_more(tx)
    assert read(database, org_id) == ["test.3", "test.4"]
    assert read(database, org_id) == []
