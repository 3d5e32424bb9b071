"""What can go wrong, by kind; a domain subclasses a kind and gives it a public code.

The kind decides the HTTP status (one table in `api/errors.py`), the code is public and is
never renamed or reused, the message is for a person, the facts are for the log.
"""

from collections.abc import Iterable
from typing import ClassVar

from tallystick.kernel.problems import Problem


class TallystickError(Exception):
    """A refusal or an outside failure with a public code. Never raised itself: use a kind."""

    code: ClassVar[str] = "error"

    def __init__(self, message: str, *, problems: Iterable[Problem] = (), **facts: object) -> None:
        super().__init__(message)
        self.message = message
        self.problems = tuple(problems)
        self.facts = facts


class Invalid(TallystickError):
    """The request can never succeed as it is; `problems` names every fault at once."""

    code = "invalid"


class Forbidden(TallystickError):
    """The caller is unknown, or may not do this."""

    code = "forbidden"


class NotFound(TallystickError):
    """There is no such thing in this organization."""

    code = "not_found"


class Conflict(TallystickError):
    """The request was fine, but the stored state moved on or forbids it."""

    code = "conflict"


class TooLarge(TallystickError):
    """The body is over its size limit."""

    code = "too_large"


class TooMany(TallystickError):
    """The caller asks too often; the fact `retry_after_s` says when to come back."""

    code = "too_many"


class Unavailable(TallystickError):
    """Something outside failed; the same request may succeed later."""

    code = "unavailable"


class InvariantBroken(AssertionError):
    """A bug: something that must always hold does not."""


def invariant(holds: bool, message: str) -> None:  # noqa: FBT001 - reads as a sentence
    """Crash with InvariantBroken unless `holds`. For bugs only, never for bad input."""
    if not holds:
        raise InvariantBroken(message)
