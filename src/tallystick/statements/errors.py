"""Refusals of statements."""

from tallystick.kernel.errors import Conflict, Invalid, NotFound


class StatementNotFound(NotFound):
    """A bill has no statement of this kind yet."""

    code = "statement_not_found"


class StatementTooLarge(Invalid):
    """A line has more rows than a statement may have."""

    code = "statement_too_large"


class StatementFailed(Invalid):
    """A statement that was asked for at once could not be made; the message says why."""

    code = "statement_failed"


class StatementJobEnded(Conflict):
    """Only a job that has not ended can be cancelled."""

    code = "statement_job_ended"

    def __init__(self, status: str) -> None:
        super().__init__(f"This job is {status} already.")
