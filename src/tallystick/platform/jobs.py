"""Durable jobs on the system of record: queued with their cause, run by threads, resumed after a crash.

The queue is procrastinate's, in the same PostgreSQL. A job is queued through the caller's own connection,
so that it exists exactly when what it is about does. It may run more than once: tasks are harmless to
repeat.
"""

import asyncio
from collections.abc import Callable, Mapping
from contextlib import suppress
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
_log = structlog.get_logger(__name__)

_DEFER = text(
    "SELECT procrastinate_defer_jobs_v1(ARRAY[ROW("
    "CAST(:queue AS varchar), CAST(:task AS varchar), 0, CAST(:lock AS text), NULL,"
    " CAST(:args AS jsonb), NULL"
    ")\\:\\:procrastinate_job_to_defer_v1])"
)
_REQUEUE_ALL = (
    "SELECT procrastinate_retry_job_v2(id, now(), NULL, NULL, NULL)"
    " FROM procrastinate_jobs WHERE status = 'doing'"
)


def defer(tx: Transaction, task: str, arguments: Mapping[str, Any], *, lock: str | None = None) -> None:
    """Queue a task in the caller's transaction: it runs after the commit, or never if there is none.

    arguments: JSON values. lock: jobs of the same lock run one after the other.
    """
    values = {"queue": QUEUE, "task": task, "lock": lock, "args": encode_whole(dict(arguments))}
    tx.execute(_DEFER, values)


class Jobs:
    """The tasks this process knows, and the worker that runs what is queued."""

    def __init__(self, conninfo: str) -> None:
        """conninfo: of libpq, such as postgresql://user@host/name."""
        connector = procrastinate.PsycopgConnector(conninfo=conninfo, min_size=1, max_size=4)
        self._app = procrastinate.App(connector=connector)

    def task(self, name: str, function: Callable[..., None]) -> None:
        """Let the worker run `function` for jobs of this name, with their arguments, in a thread.

        It is tried again, later each time, when something outside is Unavailable.
        """
        retry = procrastinate.RetryStrategy(
            max_attempts=MOST_ATTEMPTS, exponential_wait=2, retry_exceptions={Unavailable}
        )
        self._app.task(name=name, queue=QUEUE, retry=retry)(function)

    async def work(self, *, alone: bool, until_empty: bool = False) -> None:
        """Run queued jobs until cancelled; what runs then is waited for.

        alone: no other process works on this database, so jobs that are marked as running were left by
        one that died, and are taken up at once; else they are once their worker's heartbeat has stopped.
        until_empty: return when nothing is left to do.
        """
        async with self._app.open_async():
            if alone:
                await self._app.connector.execute_query_async(_REQUEUE_ALL)
            watch = asyncio.create_task(self._requeue_stalled())
            try:
                await self._app.run_worker_async(
                    queues=[QUEUE],
                    concurrency=CONCURRENCY,
                    wait=not until_empty,
                    install_signal_handlers=False,
                    delete_jobs="successful",
                    fetch_job_polling_interval=2.0,
                    stalled_worker_timeout=STALLED_S,
                )
            finally:
                watch.cancel()
                with suppress(asyncio.CancelledError):
                    await watch

    async def _requeue_stalled(self) -> None:
        """Queue again, from time to time, what workers left that no longer give a sign of life."""
        while True:
            await asyncio.sleep(LOOK_FOR_STALLED_S)
            manager = self._app.job_manager
            for job in await manager.get_stalled_jobs(queue=QUEUE, seconds_since_heartbeat=STALLED_S):
                _log.warning("job_taken_up_again", task=job.task_name, job_id=job.id)
                await manager.retry_job(job)
