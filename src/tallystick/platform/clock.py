"""The wall clock: the only place that looks at it."""

import time
from datetime import UTC, datetime

unix_time_ns = time.time_ns
"Nanoseconds since 1970 UTC, for ids; everything else takes a Clock."


class SystemClock:
    """The machine's clock, as a `kernel.clock.Clock`."""

    def now(self) -> datetime:
        """Give the present instant, aware, in UTC."""
        return datetime.now(UTC)
