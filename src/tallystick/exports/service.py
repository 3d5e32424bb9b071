"""Verbs of exports: order one, run what is due, and what is downloaded."""

from collections.abc import Sequence
from datetime import datetime

from sqlalchemy import select, update

from tallystick.exports.content import (
    Content,
    SourceType,
    content_of,
    content_problems,
    stored_content_problems,
)
from tallystick.exports.job import ExportJob
from tallystick.exports.runner import TASK, forget_files
from tallystick.exports.schedule import ExportSchedule
from tallystick.exports.timing import next_run, runs_between
from tallystick.exports.window import ad_hoc_problems, window_of
from tallystick.platform.database import Database
from tallystick.platform.files import Files
from tallystick.platform.jobs import defer
from tallystick.platform.resources import Transaction, resource_of
from tallystick.platform.resources.wire import InvalidBody


def order_ad_hoc(tx: Transaction, content: Content) -> ExportJob:
    """Order one export. Raises InvalidBody with every problem."""
    now = tx.clock.now()
    problems = [*content_problems(content), *stored_content_problems(tx, content)]
    if content.source_type is SourceType.USAGE:
        problems += ad_hoc_problems(content.start_date, content.end_date, now)
    if problems:
        raise InvalidBody(problems)
    return _order(tx, content, now)


def _order(tx: Transaction, content: Content, at: datetime, schedule_id: str | None = None) -> ExportJob:
    """Store a job and queue it, both or neither. at: the instant it is for."""
    job = ExportJob(
        schedule_id=schedule_id,
        date_created=tx.clock.now(),
        source_type=content.source_type,
        content=content,
        ordered_for=at,
    )
    made = tx.create(job)
    defer(tx, TASK, {"org_id": tx.org_id, "job_id": made.id})
    return made


class ExportsDue:
    """What exports have to do at a time: run schedules, and delete files that are a day old."""

    def __init__(self, database: Database, files: Files) -> None:
        self._database = database
        self._files = files

    def next_due(self, tx: Transaction) -> datetime | None:
        """Give the earliest instant at which something is due."""
        schedules, jobs = resource_of(ExportSchedule).table, resource_of(ExportJob).table
        first = [
            tx.execute(
                select(column)
                .where(column.is_not(None), table.c.org_id == tx.org_id)
                .order_by(column)
                .limit(1)
            ).scalar()
            for table, column in ((schedules, schedules.c.next_run_at), (jobs, jobs.c.keep_until))
        ]
        return min((each for each in first if each is not None), default=None)

    def run_due(self, org_id: str, now: datetime) -> None:
        """Order the exports of all runs up to `now`, once each, and delete old files; harmless to repeat."""
        with self._database.transaction(org_id) as tx:
            schedules = resource_of(ExportSchedule).table
            due = tx.select(ExportSchedule, schedules.c.next_run_at <= now).with_for_update()
            for schedule in tx.load(ExportSchedule, due):
                run_schedule(tx, schedule, now)
        with self._database.reading(org_id) as tx:
            table = resource_of(ExportJob).table
            old = tx.load(ExportJob, tx.select(ExportJob, table.c.keep_until <= now))
        for job in old:
            forget_files(self._files, job)
            with self._database.transaction(org_id) as tx:
                mine = (table.c.org_id == org_id, table.c.id == job.id)
                tx.execute(update(table).where(*mine).values(keep_until=None))


def run_schedule(tx: Transaction, schedule: ExportSchedule, now: datetime) -> None:
    """Order what is due of a locked schedule, and set its next run.

    Runs that were missed are made up: each has its own usage. Of operational data only the last is, for
    each would export the same.
    """
    timing, anchor = schedule.timing, schedule.dt_created or now
    runs = runs_between(timing, anchor, schedule.next_run_at or now, now)
    if schedule.source_type is SourceType.OPERATIONAL:
        runs = runs[-1:]
    for at in _new_runs(tx, schedule, runs):
        _order(tx, _content_at(schedule, at), at, schedule.id)
    table = resource_of(ExportSchedule).table
    mine = (table.c.org_id == tx.org_id, table.c.id == schedule.id)
    tx.execute(update(table).where(*mine).values(next_run_at=next_run(timing, anchor, now)))


def _new_runs(tx: Transaction, schedule: ExportSchedule, runs: Sequence[datetime]) -> list[datetime]:
    """Leave out the runs that happened already, before the schedule's times were changed and changed back."""
    table = resource_of(ExportJob).table
    asked = (table.c.org_id == tx.org_id, table.c.schedule_id == schedule.id, table.c.ordered_for.in_(runs))
    there = set(tx.execute(select(table.c.ordered_for).where(*asked)).scalars())
    return [at for at in runs if at not in there]


def _content_at(schedule: ExportSchedule, at: datetime) -> Content:
    if schedule.time_period is None:
        return content_of(schedule)
    window = window_of(schedule.time_period, at)
    return content_of(schedule, window.start, window.end)
