"""The one clock of all tests."""

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
