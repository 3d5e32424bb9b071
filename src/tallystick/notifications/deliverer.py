"""Deliver what waits in outboxes: in order for each entity, few at a time for each webhook, again on failure.

Many requests are under way at once, on the event loop; a webhook that fails is paused and then probed with
one request, and all failing ones together get half of the places, so none of them can hold up the others.
"""

import asyncio
import random
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from datetime import timedelta
from typing import Any, Final

import structlog
from sqlalchemy import text
from sqlalchemy.exc import SQLAlchemyError

from tallystick.kernel.clock import Clock
from tallystick.notifications.attempts import Claimed, make_attempt, note_attempt
from tallystick.notifications.delivery import Attempt
from tallystick.platform.database import EVERY_ORGANIZATION, Database
from tallystick.platform.http_out import HttpOut
from tallystick.platform.sealed import Sealer

PLACES: Final = 64
"So many requests are under way at once; half of them to webhooks that failed last."
LEASE: Final = timedelta(seconds=60)
"Longer than any attempt takes: then another process may take the delivery over."
LOOK_EVERY_S: Final = 1.0
REST_S: Final = 0.02
SWEEP_EVERY_S: Final = 60
RESTART_S: Final = 2.0
_log = structlog.get_logger(__name__)

_CLAIM = text("""
UPDATE webhook_deliveries d SET claimed_until = :until
FROM (
    SELECT w.org_id, w.url, w.sealed_secret, w.credentials ->> 'apiKey' AS api_key, ready.id AS delivery_id
    FROM webhooks w CROSS JOIN LATERAL (
        SELECT q.id FROM webhook_deliveries q
        WHERE q.org_id = w.org_id AND q.destination_id = w.id AND q.status = 'PENDING'
          AND q.next_attempt_at <= :now AND q.expires_at > :now
          AND (q.claimed_until IS NULL OR q.claimed_until <= :now)
          AND NOT EXISTS (
              SELECT FROM webhook_deliveries e
              WHERE e.org_id = q.org_id AND e.destination_id = q.destination_id
                AND e.entity_id = q.entity_id AND e.status = 'PENDING' AND e.id < q.id AND e.expires_at > :now
          )
        ORDER BY q.next_attempt_at, q.id
        LIMIT greatest(0, CASE WHEN w.failures > 0 THEN 1 ELSE 4 END - (
            SELECT count(*) FROM webhook_deliveries f
            WHERE f.org_id = w.org_id AND f.destination_id = w.id AND f.claimed_until > :now
        ))
        FOR UPDATE SKIP LOCKED
    ) ready
    WHERE w.active AND (w.paused_until IS NULL OR w.paused_until <= :now) AND (w.failures > 0) = :failing
    LIMIT :most
) c
WHERE d.org_id = c.org_id AND d.id = c.delivery_id
RETURNING d.org_id, d.id, d.destination_id, d.message_id, d.body, c.url, c.sealed_secret, c.api_key
""")
_RELEASE_ALL = text("UPDATE webhook_deliveries SET claimed_until = NULL WHERE claimed_until IS NOT NULL")
_RELEASE = text("UPDATE webhook_deliveries SET claimed_until = NULL WHERE id = ANY(CAST(:ids AS uuid[]))")
_EXPIRE = text(
    "UPDATE webhook_deliveries SET status = 'FAILED', claimed_until = NULL"
    " WHERE status = 'PENDING' AND expires_at <= :now AND (claimed_until IS NULL OR claimed_until <= :now)"
)


class Deliverer:
    """Delivers for all organizations, from any number of processes. clock: the server's own."""

    def __init__(self, database: Database, clock: Clock, out: HttpOut, sealer: Sealer) -> None:
        self._database = database
        self._clock = clock
        self._out = out
        self._sealer = sealer
        self._threads = ThreadPoolExecutor(4, thread_name_prefix="deliveries")
        self._running: dict[asyncio.Task[Attempt], tuple[Claimed, bool]] = {}
        self._wake = asyncio.Event()

    async def run(self, *, alone: bool) -> None:
        """Deliver until cancelled. alone: what is claimed was left by a process that died."""
        if alone:
            await self._in_thread(self._execute, _RELEASE_ALL)
        sweeping = asyncio.create_task(self._sweep())
        try:
            while True:
                await self._look()
        finally:
            sweeping.cancel()
            await self._leave()

    async def _look(self) -> None:
        """Start what is due, and wait until there may be more."""
        self._wake.clear()
        try:
            for failing in (False, True):
                for claimed in await self._in_thread(self.claim, failing, self._free(failing=failing)):
                    task = asyncio.create_task(self.deliver(claimed))
                    self._running[task] = (claimed, failing)
                    task.add_done_callback(self._done)
        except SQLAlchemyError:
            _log.exception("deliveries_failed", retry_in_s=RESTART_S)
            await asyncio.sleep(RESTART_S)
        with suppress(TimeoutError):
            await asyncio.wait_for(self._wake.wait(), LOOK_EVERY_S)
        await asyncio.sleep(REST_S)

    def claim(self, failing: bool, most: int) -> list[Claimed]:  # noqa: FBT001 - called through a thread
        """Take deliveries whose turn it is, so that no other process does. failing: of webhooks that fail."""
        if most <= 0:
            return []
        now = self._clock.now()
        values = {"now": now, "until": now + LEASE, "failing": failing, "most": most}
        with self._database.transaction(EVERY_ORGANIZATION) as tx:
            return [Claimed(**row) for row in tx.execute(_CLAIM, values).mappings()]

    def expire(self) -> None:
        """Give up what could not be delivered in time, also to webhooks that are switched off."""
        self._execute(_EXPIRE, {"now": self._clock.now()})

    async def deliver(self, claimed: Claimed) -> Attempt:
        """Make one attempt, and note it."""
        attempt = await make_attempt(self._out, self._sealer, claimed, self._clock)
        jitter = random.randrange(80, 121)  # noqa: S311 - spreads repeats, keeps nothing secret
        await self._in_thread(note_attempt, self._database, self._clock, claimed, attempt, jitter)
        return attempt

    def _free(self, *, failing: bool) -> int:
        of_failing = sum(each for _, each in self._running.values())
        return min(PLACES - len(self._running), PLACES // 2 - of_failing if failing else PLACES)

    def _done(self, task: asyncio.Task[Attempt]) -> None:
        claimed, _ = self._running.pop(task)
        if not task.cancelled() and (error := task.exception()) is not None:
            _log.error("delivery_failed", delivery_id=claimed.id, org_id=claimed.org_id, exc_info=error)
        self._wake.set()

    async def _sweep(self) -> None:
        while True:
            with suppress(SQLAlchemyError):
                await self._in_thread(self.expire)
            await asyncio.sleep(SWEEP_EVERY_S)

    async def _leave(self) -> None:
        """Stop what is under way, and let others take it up at once."""
        left = [claimed.id for claimed, _ in self._running.values()]
        tasks = [*self._running]
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)
        if left:
            await self._in_thread(self._execute, _RELEASE, {"ids": left})
        self._threads.shutdown(wait=False)

    async def _in_thread(self, function: Any, *arguments: Any) -> Any:
        return await asyncio.get_running_loop().run_in_executor(self._threads, function, *arguments)

    def _execute(self, statement: Any, values: dict[str, Any] | None = None) -> None:
        with self._database.transaction(EVERY_ORGANIZATION) as tx:
            tx.execute(statement, values)
