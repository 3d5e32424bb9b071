"""The time, handed in."""

from datetime import datetime
from typing import Protocol


class Clock(Protocol):
    """Tells the time. Domains never look at the wall clock themselves."""

    def now(self) -> datetime:
        """Give the present instant, aware, in UTC."""
        ...
