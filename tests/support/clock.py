"""The clocks of all tests."""

from dataclasses import dataclass
from datetime import UTC, datetime, timedelta

START = datetime(2025, 6, 1, tzinfo=UTC)


@dataclass
class MovableClock:
    """A clock that stands still until a test moves it."""

    instant: datetime = START

    def now(self) -> datetime:
        return self.instant

    def forward(self, **span: float) -> None:
        self.instant += timedelta(**span)


class RunningClock(MovableClock):
    """A clock that goes on by a microsecond whenever it is read, and can be moved.

    As with a real one, no two readings are the same, and hardly any is of a whole second.
    """

    def now(self) -> datetime:
        self.forward(microseconds=1)
        return self.instant
