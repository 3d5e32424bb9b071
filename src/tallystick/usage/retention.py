"""Forget what was kept for a while only, from time to time."""

from typing import Final

import structlog

from tallystick.events.retention import forget_events
from tallystick.organizations.sessions import forget_sessions
from tallystick.platform.database import EVERY_ORGANIZATION, Database
from tallystick.platform.idempotency import forget_answers
from tallystick.platform.jobs import Jobs
from tallystick.usage.failures import forget_failures

TASK: Final = "usage.forget_old"
HOURLY: Final = "17 * * * *"
"Often, so that a server that runs only now and then forgets too; there is little to do each time."
_log = structlog.get_logger(__name__)


def register_forgetting(jobs: Jobs, database: Database) -> None:
    """Let workers forget, once an hour among all of them."""
    jobs.every(HOURLY, TASK, lambda: forget_old(database))


def forget_old(database: Database) -> None:
    """Delete, for all organizations, old events, rejected measurements, and answers kept under keys."""
    with database.transaction(EVERY_ORGANIZATION) as tx:
        gone = {
            "events": forget_events(tx),
            "rejected": forget_failures(tx),
            "answers": forget_answers(tx),
            "sessions": forget_sessions(tx),
        }
    if any(gone.values()):
        _log.info("forgotten", **gone)
