"""Durable jobs on the system of record: queued with their cause, run by threads, resumed after a crash.

The queue is procrastinate's, in the same PostgreSQL. A job is queued through the caller's own connection,
so that it exists exactly when what it is about does. It may run more than once: tasks are harmless to
repeat.
"""

import asyncio
import threading
from collections.abc import AsyncIterator, Callable, Mapping
from contextlib import asynccontextmanager, suppress
from typing import Any

import procrastinate
import structlog
from sqlalchemy import text

from tallystick.kernel.errors import Unavailable
from tallystick.platform.resources import Transaction
from tallystick.platform.resources.wire import encode_whole

QUEUE = "tallystick"
CONCURRENCY = 4
STALLED_S = 30
LOOK_FOR_STALLED_S = 10
MOST_ATTEMPTS = 10
RESTART_S = 2
POLL_S = 0.25
"A new job wakes the worker by itself; one that waited for another of its lock is found by looking."
GRACE_S = 20
_log = structlog.get_logger(__name__)

_DEFER = text(
    "SELECT procrastinate_defer_jobs_v1(ARRAY[ROW("
    "CAST(:queue AS varchar), CAST(:task AS varchar), 0, CAST(:lock AS text), NULL,"
    " CAST(:args AS jsonb), NULL"
    ")\\:\\:procrastinate_job_to_defer_v1])"
)
_HAS_WORK = text(
    "SELECT EXISTS (SELECT 1 FROM procrastinate_jobs WHERE args->>'org_id' = :org_id"
    " AND task_name <> :besides AND status IN ('todo', 'doing')"
    " AND (scheduled_at IS NULL OR scheduled_at <= now()))"
)
_REQUEUE_ALL = (
    "SELECT procrastinate_retry_job_v2(id, now(), NULL, NULL, NULL)"
    " FROM procrastinate_jobs WHERE status = 'doing'"
)


class JobInterrupted(Unavailable):
    """The worker stops; the job goes on where it was when there is one again."""

    code = "job_interrupted"

    def __init__(self) -> None:
        super().__init__("The worker is stopping; the job goes on at the next start.")


def defer(tx: Transaction, task: str, arguments: Mapping[str, Any], *, lock: str | None = None) -> None:
    """Queue a task in the caller's transaction: it runs after the commit, or never if there is none.

    arguments: JSON values. lock: jobs of the same lock run one after the other.
    """
    values = {"queue": QUEUE, "task": task, "lock": lock, "args": encode_whole(dict(arguments))}
    tx.execute(_DEFER, values)


def has_work(tx: Transaction, *, besides: str) -> bool:
    """Tell whether jobs of the transaction's organization are queued or running, of other tasks.

    One that failed and is to be tried again later does not count.
    """
    return bool(tx.execute(_HAS_WORK, {"org_id": tx.org_id, "besides": besides}).scalar_one())


class Jobs:
    """The tasks this process knows, and the worker that runs what is queued."""

    def __init__(self, conninfo: str) -> None:
        """conninfo: of libpq, such as postgresql://user@host/name."""
        connector = procrastinate.PsycopgConnector(conninfo=conninfo, min_size=1, max_size=4)
        self._app = procrastinate.App(connector=connector)
        self._stopping = threading.Event()
        self._often: list[tuple[float, Callable[[], None]]] = []

    def is_stopping(self) -> bool:
        """Tell whether the worker is to stop: long tasks ask, and end with JobInterrupted."""
        return self._stopping.is_set()

    def task(self, name: str, function: Callable[..., None]) -> None:
        """Let the worker run `function` for jobs of this name, with their arguments, in a thread.

        It is tried again, later each time, when something outside is Unavailable.
        """
        retry = procrastinate.RetryStrategy(
            max_attempts=MOST_ATTEMPTS, exponential_wait=2, retry_exceptions={Unavailable}
        )
        self._app.task(name=name, queue=QUEUE, retry=retry)(function)

    def every(self, cron: str, name: str, function: Callable[[], None]) -> None:
        """Let one of all workers run `function` at the times of a cron expression, in UTC, in a thread.

        A time at which no worker ran is left out.
        """

        def run(timestamp: int) -> None:  # noqa: ARG001 - procrastinate tells the time it was for
            function()

        self._app.periodic(cron=cron)(self._app.task(name=name, queue=QUEUE)(run))

    def often(self, every_s: float, function: Callable[[], None]) -> None:
        """Let this process run `function` every so many seconds while it works, in a thread.

        A failure is logged, and it runs again.
        """
        self._often.append((every_s, function))

    async def work(self, *, alone: bool, until_empty: bool = False) -> None:
        """Run queued jobs until cancelled; when the database fails, begin again a little later.

        alone: no other process works on this database, so jobs that are marked as running were left by
        one that died, and are taken up at once; else they are once their worker's heartbeat has stopped.
        until_empty: return when nothing is left to do.
        """
        self._stopping.clear()
        while True:
            try:
                await self._work(alone=alone, wait=not until_empty)
            except Exception:
                if until_empty:
                    raise
                _log.exception("worker_failed", retry_in_s=RESTART_S)
                await asyncio.sleep(RESTART_S)
            else:
                return

    async def _work(self, *, alone: bool, wait: bool) -> None:
        """Run one worker. Cancelled, it lets what runs end its step, and goes."""
        async with self._opened():
            if alone:
                await self._app.connector.execute_query_async(_REQUEUE_ALL)
            beside = [asyncio.create_task(self._requeue_stalled())]
            beside += [asyncio.create_task(_repeat(every_s, f)) for every_s, f in self._often]
            worker = asyncio.create_task(
                self._app.run_worker_async(
                    queues=[QUEUE],
                    concurrency=CONCURRENCY,
                    wait=wait,
                    install_signal_handlers=False,
                    delete_jobs="successful",
                    fetch_job_polling_interval=POLL_S,
                    shutdown_graceful_timeout=GRACE_S,
                    stalled_worker_timeout=STALLED_S,
                )
            )
            try:
                await asyncio.shield(worker)
            except asyncio.CancelledError:
                self._stopping.set()
                worker.cancel()
                with suppress(asyncio.CancelledError):
                    await worker
                raise
            finally:
                for each in beside:
                    each.cancel()
                await asyncio.gather(*beside, return_exceptions=True)

    @asynccontextmanager
    async def _opened(self) -> AsyncIterator[None]:
        """Connect to the database; disconnect at the end.

        Connecting is never cut short: the tasks of psycopg's pool take a cancellation while they connect
        for a failure to connect, and would go on for ever.
        """
        connecting = asyncio.ensure_future(self._app.connector.open_async())
        try:
            await asyncio.shield(connecting)
            yield
        finally:
            await asyncio.wait({connecting})
            await self._app.close_async()

    async def _requeue_stalled(self) -> None:
        """Queue again, from time to time, what workers left that no longer give a sign of life."""
        while True:
            await asyncio.sleep(LOOK_FOR_STALLED_S)
            manager = self._app.job_manager
            for job in await manager.get_stalled_jobs(queue=QUEUE, seconds_since_heartbeat=STALLED_S):
                _log.warning("job_taken_up_again", task=job.task_name, job_id=job.id)
                await manager.retry_job(job)


async def _repeat(every_s: float, function: Callable[[], None]) -> None:
    while True:
        await asyncio.sleep(every_s)
        try:
            await asyncio.shield(asyncio.to_thread(function))
        except Exception:  # noqa: BLE001 - the next time may go well
            _log.exception("repeated_task_failed")
