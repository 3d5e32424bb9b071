"""What falls due at an instant, of every domain, by one mechanism.

A server asks every few seconds; moving an organization's test clock stops at each instant at which
something is due, does it, and waits for the jobs that came of it, so that everything happens in order.
"""

import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from datetime import datetime
from typing import Final, Protocol

import structlog
from sqlalchemy import text

from tallystick.kernel.errors import Conflict
from tallystick.platform.database import Database
from tallystick.platform.jobs import JobInterrupted, has_work
from tallystick.platform.org_clocks import ClockState, ClockStatus, NoTestClock, clock_of, set_clock
from tallystick.platform.resources import Transaction

MOVE_TASK: Final = "platform.move_test_clock"
MOST_TRIES: Final = 3
"An instant at which something is still due after so many runs stops the clock."
LOOK_AGAIN_S: Final = 0.05
_ALONE = text("SELECT pg_try_advisory_xact_lock(hashtextextended('tallystick.due', 0))")
_log = structlog.get_logger(__name__)


class Due(Protocol):
    """Something of a domain that falls due. Both are asked for one organization at a time."""

    def next_due(self, tx: Transaction) -> datetime | None:
        """Give the earliest instant at which something is due, also a past one; None when nothing is.

        Cheap: it is asked every few seconds. A read of an index.
        """
        ...

    def run_due(self, org_id: str, now: datetime) -> None:
        """Do, or queue as a job, all that is due at or before `now`, each in a transaction of its own.

        Harmless to repeat and to run beside itself. After it, and the jobs it queued, `next_due` is later.
        """
        ...


class ClockStuck(Conflict):
    """Something stays due at one instant, however often it is run."""

    code = "clock_stuck"


@dataclass(frozen=True)
class DueRunner:
    """Runs what is due. dues: in the order in which they run where they are due at the same instant.

    organization_ids: of all organizations. is_stopping: asked between two of them.
    """

    database: Database
    dues: Sequence[Due]
    organization_ids: Callable[[], Sequence[str]]
    is_stopping: Callable[[], bool] = lambda: False

    def run_all(self) -> None:
        """Run what is due now in every organization; one process at a time does, the others leave it.

        A failure is logged and does not keep the others from running.
        """
        with self.database.engine.connect() as alone, alone.begin():
            if not alone.scalar(_ALONE):
                return
            for org_id in self.organization_ids():
                if self.is_stopping():
                    return
                self._run_safely(org_id)

    def run(self, org_id: str) -> None:
        """Run what is due now in one organization."""
        with self.database.reading(org_id) as tx:
            asked = [(due, due.next_due(tx)) for due in self.dues]
            now = tx.clock.now()  # read last: what is due at once names the instant at which it was asked
        for due, at in asked:
            if at is not None and at <= now:
                due.run_due(org_id, now)

    def move(self, org_id: str) -> None:
        """Move an organization's test clock to its target, doing all that falls due on the way, in order.

        Goes on from wherever it is. What fails stops the clock as FAILED, at the instant it was at.
        """
        try:
            while self._step(org_id):
                self._check_stopping()
        except JobInterrupted:
            raise
        except Exception as error:
            self._show(org_id, status=ClockStatus.FAILED, failure=f"{type(error).__name__}: {error}"[:2000])
            raise

    def _run_safely(self, org_id: str) -> None:
        try:
            with self.database.reading(org_id) as tx:
                if _is_moving(tx):
                    return
            self.run(org_id)
        except Exception:  # noqa: BLE001 - one organization's failure is no other's
            _log.exception("due_failed", org_id=org_id)

    def _step(self, org_id: str) -> bool:
        """Go to the next instant at which something is due; tell whether there may be another."""
        with self.database.reading(org_id) as tx:
            if not _is_moving(tx):
                return False
            clock = clock_of(tx)
            at = self._next(tx)
        if at is None or at > clock.target:
            self._show(org_id, now=clock.target, status=ClockStatus.READY)
            return False
        here = max(at, clock.now)
        self._show(org_id, now=here)
        for _ in range(MOST_TRIES):
            self.run(org_id)
            self._settle(org_id)
            with self.database.reading(org_id) as tx:
                left = self._next(tx)
            if left is None or left > here:
                return True
        raise ClockStuck(f"Something is still due at {here.isoformat()} after {MOST_TRIES} runs.")

    def _next(self, tx: Transaction) -> datetime | None:
        return min((at for due in self.dues if (at := due.next_due(tx)) is not None), default=None)

    def _settle(self, org_id: str) -> None:
        """Wait until the organization's queued jobs are done; those to be tried again later do not count."""
        while True:
            with self.database.reading(org_id) as tx:
                if not has_work(tx, besides=MOVE_TASK):
                    return
            self._check_stopping()
            time.sleep(LOOK_AGAIN_S)

    def _check_stopping(self) -> None:
        if self.is_stopping():
            raise JobInterrupted

    def _show(
        self,
        org_id: str,
        *,
        now: datetime | None = None,
        status: ClockStatus | None = None,
        failure: str | None = None,
    ) -> None:
        with self.database.transaction(org_id) as tx:
            clock = clock_of(tx, lock=True)
            shown = ClockState(
                now=now or clock.now, target=clock.target, status=status or clock.status, failure=failure
            )
            set_clock(tx, shown)
        self.database.clocks.forget(org_id)

    def stopping_with(self, is_stopping: Callable[[], bool]) -> "DueRunner":
        """Give one that stops with a worker."""
        return replace(self, is_stopping=is_stopping)


def _is_moving(tx: Transaction) -> bool:
    try:
        return clock_of(tx).status is ClockStatus.ADVANCING
    except NoTestClock:
        return False
