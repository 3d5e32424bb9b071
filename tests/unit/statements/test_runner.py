"""Making files: what fails a job, what it survives, and what a cancelled one leaves (semantics §26)."""

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime
from decimal import Decimal
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy import text

from tallystick.billing import service as bills
from tallystick.billing.bill import BillAnswer, BillStatus
from tallystick.events.record import record_change
from tallystick.kernel.errors import Unavailable
from tallystick.organizations.organization import Organization
from tallystick.organizations.organization_config import StatementMode
from tallystick.platform.database import Database
from tallystick.platform.files import Folder
from tallystick.platform.jobs import JobInterrupted
from tallystick.platform.org_clocks import OrganizationClocks
from tallystick.platform.resources import Change, Transaction
from tallystick.statements import service
from tallystick.statements.automatic import note_changes
from tallystick.statements.job import StatementJob, StatementJobStatus
from tallystick.statements.questions import MOST_ROWS
from tallystick.statements.runner import StatementRunner
from tallystick.usage.store.breakdown import Breakdown, Cell
from tallystick.usage.store.model import Usage, UsageQuery
from tests.conftest import MakeDatabase
from tests.support.clock import MovableClock
from tests.unit.billing.conftest import FEB, Books

D = Decimal
JAN_5 = datetime(2024, 1, 5, tzinfo=UTC)


class Broken(Exception):
    """Stands for a bug of ours."""


@dataclass
class Cells:
    """Answers with the cells it is given, after doing what a test wants done meanwhile."""

    cells: list[Cell] = field(default_factory=lambda: [Cell(0, (), (D(10),), (1,))])
    meanwhile: Callable[[], None] = lambda: None

    def breakdown(self, org_id: str, asked: Breakdown) -> list[Cell]:
        self.meanwhile()
        return self.cells

    def aggregate(self, org_id: str, query: UsageQuery) -> list[Usage]:
        return []


@pytest.fixture(scope="module")
def database(new_migrated_database: MakeDatabase) -> Iterator[Database]:
    def record(tx: Transaction, /, *changes: Change) -> None:
        record_change(tx, *changes)
        note_changes(tx, *changes)

    made = Database(new_migrated_database(), MovableClock(FEB), record)
    yield made
    made.close()


@pytest.fixture
def books(database: Database) -> Books:
    clock = MovableClock(FEB)
    database.clock, database.clocks = clock, OrganizationClocks(clock)
    made = Books(database, clock).set_up()
    made.create(Organization(id=made.org_id, name="Vendor"))
    return made


@pytest.fixture
def bill(books: Books) -> BillAnswer:
    plan = books.plan()
    books.price(plan, ("0", "0", "0.15"))
    acme = books.account("acme", plan)
    books.usage.add(acme.id, JAN_5, "10")
    books.run()
    return books.bill(acme)


@pytest.fixture
def files(tmp_path: Path) -> Folder:
    return Folder(tmp_path)


def order(books: Books, bill: BillAnswer) -> StatementJob:
    with books.database.transaction(books.org_id) as tx:
        return service.create_job(tx, StatementJob(bill_id=bill.id, include_csv_format=True))


def state(books: Books, job: StatementJob) -> StatementJob:
    with books.database.reading(books.org_id) as tx:
        return tx.get(StatementJob, job.id)


def kept(tmp_path: Path) -> Sequence[str]:
    return sorted(path.suffix for path in tmp_path.rglob("*") if path.is_file())


def fail(error: Exception) -> Callable[[], None]:
    def raise_it() -> None:
        raise error

    return raise_it


def test_made_once_however_often_it_is_run(
    books: Books, bill: BillAnswer, files: Folder, tmp_path: Path
) -> None:
    job = order(books, bill)
    runner = StatementRunner(books.database, Cells(), files)
    runner.run(books.org_id, [job.id, job.id])
    done = state(books, job)
    assert (done.statement_job_status, done.version) == (StatementJobStatus.COMPLETE, 3)
    assert kept(tmp_path) == [".csv", ".json"]
    assert [e["newDto"]["statementJobStatus"] for e in books.told("billing.statementjob.updated")] == [
        "RUNNING",
        "COMPLETE",
    ]


def test_an_outage_leaves_the_job_to_the_next_try(books: Books, bill: BillAnswer, files: Folder) -> None:
    job = order(books, bill)
    usage = Cells(meanwhile=fail(Unavailable("The usage store is away.")))
    with pytest.raises(Unavailable):
        StatementRunner(books.database, usage, files).run(books.org_id, [job.id])
    assert state(books, job).statement_job_status is StatementJobStatus.RUNNING
    StatementRunner(books.database, Cells(), files).run(books.org_id, [job.id])
    assert state(books, job).statement_job_status is StatementJobStatus.COMPLETE


def test_a_stopping_worker_begins_no_further_statement(books: Books, bill: BillAnswer, files: Folder) -> None:
    job = order(books, bill)
    runner = replace(StatementRunner(books.database, Cells(), files), is_stopping=lambda: True)
    with pytest.raises(JobInterrupted):
        runner.run(books.org_id, [job.id])
    assert state(books, job).statement_job_status is StatementJobStatus.PENDING


def test_too_many_rows_fail_the_job_and_say_so(
    books: Books, bill: BillAnswer, files: Folder, tmp_path: Path
) -> None:
    job = order(books, bill)
    usage = Cells([Cell(0, (), (D(1),), (1,))] * (MOST_ROWS + 1))
    StatementRunner(books.database, usage, files).run(books.org_id, [job.id])
    failed = state(books, job)
    assert failed.statement_job_status is StatementJobStatus.FAILED
    assert "more than 100,000 rows" in str(failed.failure_reason)
    assert kept(tmp_path) == []


def test_a_bug_fails_the_job_and_is_raised(books: Books, bill: BillAnswer, files: Folder) -> None:
    job = order(books, bill)
    with pytest.raises(Broken):
        StatementRunner(books.database, Cells(meanwhile=fail(Broken())), files).run(books.org_id, [job.id])
    assert state(books, job).failure_reason == "Something went wrong on our side; see the log."


def test_a_bill_that_is_gone_fails_the_job(books: Books, bill: BillAnswer, files: Folder) -> None:
    job = order(books, bill)
    with books.database.transaction(books.org_id) as tx:
        bills.delete_bill(tx, bill.id)
    StatementRunner(books.database, Cells(), files).run(books.org_id, [job.id])
    assert state(books, job).statement_job_status is StatementJobStatus.FAILED


def test_a_bill_that_goes_meanwhile_leaves_nothing(
    books: Books, bill: BillAnswer, files: Folder, tmp_path: Path
) -> None:
    job = order(books, bill)

    def delete() -> None:
        with books.database.transaction(books.org_id) as tx:
            bills.delete_bill(tx, bill.id)

    StatementRunner(books.database, Cells(meanwhile=delete), files).run(books.org_id, [job.id])
    assert state(books, job).statement_job_status is StatementJobStatus.FAILED
    assert kept(tmp_path) == []


def test_what_is_cancelled_meanwhile_leaves_nothing(
    books: Books, bill: BillAnswer, files: Folder, tmp_path: Path
) -> None:
    job = order(books, bill)

    def cancel() -> None:
        with books.database.transaction(books.org_id) as tx:
            service.cancel_job(tx, job.id)

    StatementRunner(books.database, Cells(meanwhile=cancel), files).run(books.org_id, [job.id])
    assert state(books, job).statement_job_status is StatementJobStatus.CANCELLED
    assert kept(tmp_path) == []
    with books.database.reading(books.org_id) as tx:
        assert not bills.get_bill(tx, bill.id).json_statement_generated


def test_a_bill_that_changes_meanwhile_has_a_stale_statement(
    books: Books, bill: BillAnswer, files: Folder
) -> None:
    job = order(books, bill)

    def change() -> None:
        books.usage.add(bill.account_id, JAN_5, "90")
        books.run()

    StatementRunner(books.database, Cells(meanwhile=change), files).run(books.org_id, [job.id])
    with books.database.reading(books.org_id) as tx:
        (answer,) = service.job_answers(tx, [state(books, job)])
        assert (answer.json_statement_status, bills.get_bill(tx, bill.id).statement_stale) == ("STALE", True)


# --- by themselves --------------------------------------------------------------------------------


def ordered(books: Books) -> list[StatementJob]:
    with books.database.reading(books.org_id) as tx:
        return tx.find(StatementJob)


def settle(books: Books, bill: BillAnswer, verb: Callable[[Transaction, str], Any]) -> None:
    with books.database.transaction(books.org_id) as tx:
        verb(tx, bill.id)


def test_locking_makes_up_for_what_approving_did_not_order(books: Books, bill: BillAnswer) -> None:
    settle(books, bill, lambda tx, bill_id: bills.set_status(tx, bill_id, BillStatus.APPROVED))
    assert ordered(books) == []
    books.configure(auto_generate_statement_mode=StatementMode.JSON_AND_CSV)
    settle(books, bill, bills.lock_bill)
    assert [(job.bill_id, job.include_csv_format) for job in ordered(books)] == [(bill.id, True)]


def test_many_bills_are_ordered_in_few_tasks(books: Books, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(service, "AT_ONCE", 2)
    books.configure(auto_generate_statement_mode=StatementMode.JSON)
    plan = books.plan(standing="1")
    accounts = [books.account(f"a{i}", plan) for i in range(3)]
    books.run()
    made = books.bills()
    assert len(made) == len(accounts)
    with books.database.transaction(books.org_id) as tx:
        bills.approve_bills(tx, [each.id for each in made])
    assert len(ordered(books)) == len(made)
    with books.database.reading(books.org_id) as tx:
        mine = text("SELECT args FROM procrastinate_jobs WHERE task_name = :task AND args->>'org_id' = :org")
        found = tx.execute(mine, {"task": service.TASK, "org": books.org_id}).scalars()
        assert sorted(len(args["job_ids"]) for args in found) == [1, 2]


def test_no_statement_of_a_bill_that_has_one(books: Books, bill: BillAnswer, files: Folder) -> None:
    job = order(books, bill)
    StatementRunner(books.database, Cells(), files).run(books.org_id, [job.id])
    books.configure(auto_generate_statement_mode=StatementMode.JSON_AND_CSV)
    settle(books, bill, lambda tx, bill_id: bills.approve_bills(tx, [bill_id]))
    assert [each.id for each in ordered(books)] == [job.id]
    books.usage.add(bill.account_id, JAN_5, "90")
    books.run()  # the bill changes, and is pending again
    settle(books, bill, lambda tx, bill_id: bills.approve_bills(tx, [bill_id]))
    assert len(ordered(books)) == 2
