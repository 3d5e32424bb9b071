"""Make the files of statement jobs: each job by itself, harmless to repeat."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace

import msgspec
from sqlalchemy import update

from tallystick.billing.bill import Bill
from tallystick.kernel.errors import Invalid, NotFound, Unavailable
from tallystick.platform.database import Database
from tallystick.platform.files import Files
from tallystick.platform.jobs import JobInterrupted, Jobs
from tallystick.platform.resources import Transaction, resource_of
from tallystick.platform.resources.wire import encode_whole
from tallystick.statements.csv_file import write_csv
from tallystick.statements.job import StatementJob, StatementJobStatus
from tallystick.statements.layout import Statement
from tallystick.statements.make import StatementQueries, load_statement, make_statement
from tallystick.statements.service import TASK, bill_marks

JSON, CSV = "json", "csv"


@dataclass(frozen=True)
class StatementRunner:
    """What a run works with. is_stopping: asked between statements."""

    database: Database
    usage: StatementQueries
    files: Files
    is_stopping: Callable[[], bool] = lambda: False

    def register(self, jobs: Jobs) -> None:
        """Let a worker make statements, until it stops."""
        jobs.task(TASK, replace(self, is_stopping=jobs.is_stopping).run)

    def run(self, org_id: str, job_ids: Sequence[str]) -> None:
        """Make the statements of some jobs. Raises Unavailable: try again; what is done is not done again."""
        for job_id in job_ids:
            if self.is_stopping():
                raise JobInterrupted
            self.make(org_id, job_id)

    def make(self, org_id: str, job_id: str) -> StatementJob:
        """Make one job's files. A refusal fails the job, and so does a bug, which is raised besides."""
        job = self._begin(org_id, job_id)
        if job is None or not job.is_active:
            return job or self._get(org_id, job_id)
        try:
            statement, mark = self._statement(org_id, job)
            self._write(job, statement)
            return self._complete(org_id, job, mark)
        except (Invalid, NotFound) as error:
            return self._end(org_id, job_id, error.message)
        except Unavailable:
            raise
        except Exception:
            self._end(org_id, job_id, "Something went wrong on our side; see the log.")
            raise

    def _get(self, org_id: str, job_id: str) -> StatementJob:
        with self.database.reading(org_id) as tx:
            return tx.get(StatementJob, job_id)

    def _begin(self, org_id: str, job_id: str) -> StatementJob | None:
        with self.database.transaction(org_id) as tx:
            job = tx.find_one(StatementJob, id=job_id, lock=True)
            if job is None or job.statement_job_status is not StatementJobStatus.PENDING:
                return job
            running = msgspec.structs.replace(job, statement_job_status=StatementJobStatus.RUNNING)
            return tx.update(job, running)

    def _statement(self, org_id: str, job: StatementJob) -> tuple[Statement, str]:
        with self.database.snapshot(org_id) as tx:
            loaded = load_statement(tx, job.bill_id, job.meter_ids)
            mark = bill_marks(tx, [job.bill_id])[job.bill_id]
        return make_statement(self.usage, org_id, loaded), mark

    def _write(self, job: StatementJob, statement: Statement) -> None:
        """Write the files under the job's own keys: written again, they replace themselves."""
        contents = {JSON: encode_whole(statement).encode()}
        if job.include_csv_format:
            contents[CSV] = write_csv(statement)
        for kind, content in contents.items():
            draft = self.files.draft(job.file_key(kind))
            try:
                draft.write(content)
                draft.keep()
            finally:
                draft.drop()

    def _complete(self, org_id: str, job: StatementJob, mark: str) -> StatementJob:
        with self.database.transaction(org_id) as tx:
            current = tx.get(StatementJob, job.id, lock=True)
            if not current.is_active:
                if current.statement_job_status is StatementJobStatus.CANCELLED:
                    self._forget(current)
                return current
            if not current.meter_ids:
                _tell_bill(tx, current, mark)
            done = {"statement_job_status": StatementJobStatus.COMPLETE, "bill_mark": mark}
            return tx.update(current, msgspec.structs.replace(current, **done))

    def _end(self, org_id: str, job_id: str, reason: str) -> StatementJob:
        with self.database.transaction(org_id) as tx:
            job = tx.get(StatementJob, job_id, lock=True)
            if not job.is_active:
                return job
            self._forget(job)
            failed = {"statement_job_status": StatementJobStatus.FAILED, "failure_reason": reason}
            return tx.update(job, msgspec.structs.replace(job, **failed))

    def _forget(self, job: StatementJob) -> None:
        for kind in (JSON, CSV):
            self.files.delete(job.file_key(kind))


def _tell_bill(tx: Transaction, job: StatementJob, mark: str) -> None:
    """Note on the bill which statements it has, and whether they are of what it says now.

    Without a version or an event: the bill itself, which may be locked, does not change.
    """
    tx.get(Bill, job.bill_id, lock=True)
    is_stale = bill_marks(tx, [job.bill_id])[job.bill_id] != mark
    values: dict[str, bool] = {"json_statement_generated": True, "statement_stale": is_stale}
    if job.include_csv_format:
        values["csv_statement_generated"] = True
    table = resource_of(Bill).table
    tx.execute(update(table).where(table.c.org_id == tx.org_id, table.c.id == job.bill_id).values(**values))
