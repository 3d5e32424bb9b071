"""Start of the server on a home with 3M events whose uids it has to know again, and its memory afterwards.

From the start of the process to the first answer over HTTP. Memory is the proportional set size of the
server and PostgreSQL together, so what they share counts once.
"""

import statistics
import time
from collections.abc import Iterator
from datetime import UTC, datetime
from uuid import UUID

from tallystick.kernel.periods import Period
from tests.bench.figures import Figure, waits
from tests.bench.memory import resident_mib
from tests.bench.options import Options
from tests.bench.server import Home, apart, new_home
from tests.bench.stored import Flights

JANUARY = Period(datetime(2025, 1, 1, tzinfo=UTC), datetime(2025, 2, 1, tzinfo=UTC))
EVENTS = 3_000_000
TARGET_S = 4
TARGET_MIB = 700
_SETTLE_S = 5


def run(options: Options) -> Iterator[Figure]:
    """Measure."""
    with new_home(options.folder) as home:
        apart(_fill(home).fill, home.path / "usage", EVENTS // 10 if options.quick else EVENTS)
        started, resident = [], []
        for _ in range(3 if options.quick else 7):
            with home.served() as server:
                started.append(server.started_s)
                time.sleep(_SETTLE_S)
                resident.append(resident_mib(server.pid))
    yield Figure(
        name="start: to the first answer",
        value=round(statistics.median(started), 2),
        unit="s",
        at_most=TARGET_S,
        waits=waits(started),
    )
    yield Figure(
        name=f"start: resident {_SETTLE_S} s after",
        value=round(statistics.median(resident)),
        unit="MiB",
        at_most=TARGET_MIB,
    )


def _fill(home: Home) -> Flights:
    """Make flights received today, so that their uids are remembered."""
    return Flights(
        org_id=home.org_id,
        meter_id=str(UUID(int=2)),
        accounts=[str(UUID(int=1000 + i)) for i in range(1000)],
        month=JANUARY,
        received=time.time_ns() // 1000 - EVENTS,
        skewed=True,
    )
