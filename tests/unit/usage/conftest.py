"""Ingest on the real engines: a migrated PostgreSQL and chDB in this process, one organization a test."""

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any
from uuid import uuid4

import pyarrow as pa
import pytest
from sqlalchemy import select

from tallystick.catalogue.meter import DataField, FieldCategory, Meter
from tallystick.events.record import events, record_change
from tallystick.kernel.periods import Period
from tallystick.platform.clickhouse.embedded import EmbeddedClickHouse
from tallystick.platform.database import Database
from tallystick.platform.resources import Change, Transaction
from tallystick.usage.envelope import Measurement
from tallystick.usage.resolution import Resolution
from tallystick.usage.service import Ingest, Outcome
from tallystick.usage.store.store import UsageStore
from tallystick.usage.store.writer import GroupedWriter
from tests.conftest import MakeDatabase
from tests.support.clock import MovableClock

NOW = datetime(2025, 6, 1, 12, tzinfo=UTC)
ALWAYS = Period(datetime(1900, 1, 1, tzinfo=UTC), datetime(2299, 1, 1, tzinfo=UTC))
FLIGHTS = [
    DataField(category=FieldCategory.MEASURE, code="distance", name="Distance", unit="mi"),
    DataField(category=FieldCategory.MEASURE, code="delay", name="Delay", unit="min"),
    DataField(category=FieldCategory.WHERE, code="destination", name="Destination"),
    DataField(category=FieldCategory.METADATA, code="tail", name="Tail number"),
]


@dataclass
class Desk:
    """One organization at the ingest desk."""

    org_id: str
    actor: str
    database: Database
    resolution: Resolution
    store: UsageStore
    ingest: Ingest

    def __call__(self, *measurements: Measurement) -> Outcome:
        return self.ingest(self.org_id, self.actor, measurements)

    def meter(self, code: str = "flights", fields: list[DataField] | None = None) -> Meter:
        with self.database.transaction(self.org_id) as tx:
            return tx.create(Meter(name=code, code=code, data_fields=fields or FLIGHTS, derived_fields=[]))

    def events(self, name: str) -> list[Any]:
        with self.database.reading(self.org_id) as tx:
            mine = (events.c.org_id == self.org_id, events.c.event_name == name)
            return list(tx.execute(select(events.c.event_data).where(*mine).order_by(events.c.id)).scalars())

    def stored(self, meter: Meter) -> list[dict[str, Any]]:
        pages = self.store.measurements(self.org_id, meter.id, ALWAYS)
        return list(pa.concat_tables(pages).to_pylist())


def flight(uid: str | None = None, **changes: Any) -> Measurement:
    """Make a measurement that breaks no rule, less what is changed."""
    values: dict[str, Any] = {
        "uid": uid,
        "meter": "flights",
        "account": "ORD",
        "ts": datetime(2025, 5, 1, tzinfo=UTC),
        "measure": {"distance": 812, "delay": -3},
        "where": {"destination": "DFW"},
        "metadata": {"tail": "N123"},
    }
    return Measurement(**values | changes)


@pytest.fixture(scope="module")
def usage_store(tmp_path_factory: pytest.TempPathFactory) -> Iterator[UsageStore]:
    clickhouse = EmbeddedClickHouse(tmp_path_factory.mktemp("ingest") / "usage")
    store = UsageStore(clickhouse)
    store.migrate()
    yield store
    clickhouse.close()


@pytest.fixture(scope="module")
def desks(usage_store: UsageStore, new_migrated_database: MakeDatabase) -> Iterator[Desk]:
    """Run the parts of a server that ingest needs."""
    clock, resolution = MovableClock(NOW), Resolution()

    def record(tx: Transaction, /, *changes: Change) -> None:
        record_change(tx, *changes)
        resolution.note_change(tx, *changes)

    database = Database(new_migrated_database(), clock, record)
    writer = GroupedWriter(usage_store, clock)
    writer.start()
    ingest = Ingest(database, writer, resolution)
    yield Desk("", str(uuid4()), database, resolution, usage_store, ingest)
    writer.close()
    database.close()


@pytest.fixture
def desk(desks: Desk) -> Desk:
    return Desk(str(uuid4()), desks.actor, desks.database, desks.resolution, desks.store, desks.ingest)
