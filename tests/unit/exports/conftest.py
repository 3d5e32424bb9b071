"""Exports on the real engines: a migrated PostgreSQL and chDB in this process, one organization a test."""

import shutil
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from pathlib import Path
from uuid import uuid4

import pytest

from tallystick.accounts.account import Account
from tallystick.api.routes import all_routes
from tallystick.catalogue.meter import DataField, FieldCategory, Meter
from tallystick.events.record import record_change
from tallystick.exports.content import Content
from tallystick.exports.destination import DestinationType, ExportDestination
from tallystick.exports.job import ExportJob
from tallystick.exports.runner import ExportRunner
from tallystick.exports.service import order_ad_hoc
from tallystick.exports.usage import UsageRows
from tallystick.platform.clickhouse.embedded import EmbeddedClickHouse
from tallystick.platform.database import Database
from tallystick.platform.files import Folder
from tallystick.usage.store.blocks import make_block
from tallystick.usage.store.model import Slot
from tallystick.usage.store.store import UsageStore
from tallystick.usage.store.writer import GroupedWriter
from tests.conftest import MakeDatabase
from tests.support.clock import MovableClock

NOW = datetime(2025, 6, 1, 12, tzinfo=UTC)
MAY = datetime(2025, 5, 1, tzinfo=UTC)


@dataclass
class FolderTargets:
    """Buckets that are folders. before: called with each key before it is put."""

    folder: Path
    before: Callable[[str], None] = lambda _key: None
    puts: list[str] = field(default_factory=list)

    def put(self, org_id: str, destination: ExportDestination, key: str, path: Path) -> None:
        self.before(key)
        place = self.folder / destination.bucket_name / key
        place.parent.mkdir(parents=True, exist_ok=True)
        shutil.copyfile(path, place)
        self.puts.append(key)

    def files(self) -> dict[str, bytes]:
        found = (path for path in self.folder.rglob("*") if path.is_file())
        return {str(path.relative_to(self.folder)): path.read_bytes() for path in found}


@dataclass
class Desk:
    """One organization."""

    org_id: str
    database: Database
    store: UsageStore
    writer: GroupedWriter
    files: Folder
    targets: FolderTargets

    def runner(self, **more: object) -> ExportRunner:
        rows = UsageRows(self.database, self.store, page_rows=10)
        return ExportRunner(self.database, rows, self.files, self.targets, **more)  # type: ignore[arg-type]

    def meter(self) -> Meter:
        fields = [DataField(category=FieldCategory.MEASURE, code="n", name="N", unit="1")]
        with self.database.transaction(self.org_id) as tx:
            return tx.create(Meter(name="m", code="m", data_fields=fields, derived_fields=[]))

    def account(self, code: str) -> Account:
        with self.database.transaction(self.org_id) as tx:
            return tx.create(Account(name=code, code=code, email_address="a@example.com"))

    def destination(self, bucket: str) -> ExportDestination:
        role = "arn:aws:iam::1:role/x"
        kind = DestinationType.S3
        made = ExportDestination(
            name=bucket, code=bucket, destination_type=kind, bucket_name=bucket, iam_role_arn=role
        )
        with self.database.transaction(self.org_id) as tx:
            return tx.create(made)

    def use(self, meter: Meter, accounts: list[Account], rows: int, prefix: str = "") -> None:
        """Store measurements: one a second from the start of May, of the accounts in turn."""
        block = make_block(
            org_id=self.org_id,
            meter_ids=[meter.id] * rows,
            account_ids=[accounts[i % len(accounts)].id for i in range(rows)],
            ts=[MAY + timedelta(seconds=i) for i in range(rows)],
            uids=[f"{prefix}{i}" for i in range(rows)],
            fields={Slot.number(0): [Decimal(i) for i in range(rows)]},
        )
        self.writer.submit([block]).result()

    def order(self, content: Content) -> ExportJob:
        with self.database.transaction(self.org_id) as tx:
            return order_ad_hoc(tx, content)

    def job(self, job_id: str) -> ExportJob:
        with self.database.reading(self.org_id) as tx:
            return tx.get(ExportJob, job_id)


@pytest.fixture(scope="module")
def engines(
    tmp_path_factory: pytest.TempPathFactory, new_migrated_database: MakeDatabase
) -> Iterator[tuple[Database, UsageStore, GroupedWriter]]:
    all_routes()  # declares everything
    clickhouse = EmbeddedClickHouse(tmp_path_factory.mktemp("exports") / "usage")
    store = UsageStore(clickhouse)
    store.migrate()
    database = Database(new_migrated_database(), MovableClock(NOW), record_change)
    writer = GroupedWriter(store, MovableClock(NOW))
    writer.start()
    yield database, store, writer
    writer.close()
    database.close()
    clickhouse.close()


@pytest.fixture
def desk(engines: tuple[Database, UsageStore, GroupedWriter], tmp_path: Path) -> Desk:
    return Desk(str(uuid4()), *engines, Folder(tmp_path / "files"), FolderTargets(tmp_path / "buckets"))
