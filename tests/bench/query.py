"""One account's month, asked of the usage store itself: 1,000 accounts, one month of 3M and then 20M events.

The typical account has a median share; the large one has 1 % of everything. Asked right after the load,
while parts are still being merged. Each question is for another account than the one before.
"""

from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path
from time import perf_counter
from uuid import UUID

from tallystick.kernel.periods import Period
from tallystick.rating.method import Method
from tallystick.usage.store.model import Slot, UsageQuery
from tallystick.usage.store.store import UsageStore
from tests.bench.figures import MS, Figure, percentile, waits
from tests.bench.options import Options
from tests.bench.server import apart, new_folder
from tests.bench.stored import Flights, usage_store

ORG, METER = str(UUID(int=1)), str(UUID(int=2))
JANUARY = Period(datetime(2025, 1, 1, tzinfo=UTC), datetime(2025, 2, 1, tzinfo=UTC))
ACCOUNTS = [str(UUID(int=1000 + i)) for i in range(1000)]
TYPICAL, LARGE = range(450, 550), range(6, 7)
SIZES = (3_000_000, 20_000_000)
TARGET_MS = 50


def run(options: Options) -> Iterator[Figure]:
    """Measure."""
    with new_folder(options.folder) as folder:
        yield from apart(measure, folder / "usage", SIZES[:1] if options.quick else SIZES)


def measure(folder: Path, sizes: tuple[int, ...]) -> list[Figure]:
    """Fill the store to each size in turn, and ask."""
    received = int(JANUARY.end.timestamp() * 1_000_000)
    flights = Flights(
        org_id=ORG, meter_id=METER, accounts=ACCOUNTS, month=JANUARY, received=received, skewed=True
    )
    figures: list[Figure] = []
    with usage_store(folder) as store:
        for size in sizes:
            flights.store(store, size - store.count(ORG))
            figures += _ask(store, size)
    return figures


def _ask(store: UsageStore, size: int) -> Iterator[Figure]:
    stats = store.stats()
    where = f"{size // 1_000_000}M events"
    note = f"{stats.parts} parts, {stats.bytes_on_disk / stats.rows:.0f} bytes an event"
    for kind, chosen in (("typical", TYPICAL), ("large", LARGE)):
        for method in (Method.SUM, Method.LATEST):
            took = _times(store, method, [(ACCOUNTS[i],) for i in chosen], 200)
            yield Figure(
                name=f"query: {kind} account's month, {method}, {where}",
                value=round(percentile(took, 50) * MS, 1),
                unit="ms",
                at_most=TARGET_MS if kind == "typical" else None,
                note=note,
                waits=waits(took),
            )
    took = _times(store, Method.SUM, [None], 3)
    yield Figure(
        name=f"query: all accounts' month, SUM, {where}",
        value=round(percentile(took, 50) * MS),
        unit="ms",
        note=note,
        waits=waits(took),
    )


def _times(
    store: UsageStore, method: Method, accounts: list[tuple[str, ...] | None], times: int
) -> list[float]:
    """Ask so many times, each time of the next accounts; give the seconds each answer took."""
    took = []
    for i in range(times):
        query = UsageQuery(
            meter_id=METER,
            method=method,
            field=Slot.number(0),
            windows=(JANUARY,),
            account_ids=accounts[i % len(accounts)],
        )
        begun = perf_counter()
        store.aggregate(ORG, query)
        took.append(perf_counter() - begun)
    return took
