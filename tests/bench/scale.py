"""A large store, asked and filled at once: 100M flights of 1,000 accounts, ten months of 10M each.

Filled by the store's own bulk path, then left alone until its parts are merged, or five minutes. Asked: one
account's month, days and accounts of one month, and everybody's sums of all months. Then four clients send
batches of 1,000, first alone, then while those sums are asked without a pause. Takes half an hour and 6 GB.
"""

import threading
from collections.abc import Callable, Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path
from time import perf_counter, sleep
from uuid import UUID

from tallystick.kernel.periods import Period
from tallystick.platform.clock import SystemClock
from tallystick.rating.method import Method
from tallystick.usage.store.exploring import Bucket, MeterField, MeterPart, Selection, Summary
from tallystick.usage.store.exploring import Figure as Asked
from tallystick.usage.store.model import Slot, UsageQuery
from tallystick.usage.store.store import UsageStore
from tallystick.usage.store.writer import GroupedWriter
from tests.bench.figures import MS, Figure, check, percentile, waits
from tests.bench.options import Options
from tests.bench.server import apart, new_folder
from tests.bench.stored import Flights, usage_store

ORG, METER = str(UUID(int=1)), str(UUID(int=2))
ACCOUNTS = [str(UUID(int=1000 + i)) for i in range(1000)]
TYPICAL, LARGE = range(450, 550), range(6, 7)
EVENTS = 100_000_000
SETTLE_S = 300
CLIENTS = 4
DISTANCE = Slot.number(0)


def run(options: Options) -> Iterator[Figure]:
    """Measure."""
    with new_folder(options.folder) as folder:
        events, seconds = (2_000_000, 5) if options.quick else (EVENTS, 30)
        yield from apart(measure, folder / "usage", events, seconds)


def measure(folder: Path, events: int, seconds: float) -> list[Figure]:
    """Fill a store, ask it, and send into it."""
    months = [month(2025, number) for number in range(1, 11)]
    with usage_store(folder) as store:
        begun = perf_counter()
        for each in months:
            # Received at the end of its month: the uids of the last 35 days are those of the last month.
            received = int(each.end.timestamp() * 1_000_000)
            flights = Flights(
                org_id=ORG, meter_id=METER, accounts=ACCOUNTS, month=each, received=received, skewed=True
            )
            flights.store(store, events // len(months))
        filled_s = perf_counter() - begun
        settled_s = _settle(store)
        check(store.count(ORG) == events, "what was stored is not all there")
        stats = store.stats()
        note = f"{stats.parts} parts, {settled_s:.0f} s after the load of {filled_s:.0f} s"
        size = f"{events // 1_000_000}M events"
        per_event = round(stats.bytes_on_disk / stats.rows, 1)
        return [
            Figure(name=f"scale: an event of {size}", value=per_event, unit="bytes", at_most=60, note=note),
            *_questions(store, months, size),
            *_sending(store, months, seconds, size),
        ]


def month(year: int, number: int) -> Period:
    """Give a month of UTC."""
    start = datetime(year, number, 1, tzinfo=UTC)
    return Period(start, (start + timedelta(days=32)).replace(day=1))


def _settle(store: UsageStore) -> float:
    """Wait until there are few parts, or long enough."""
    begun = perf_counter()
    while store.stats().parts > 40 and perf_counter() - begun < SETTLE_S:
        sleep(5)
    return perf_counter() - begun


def _questions(store: UsageStore, months: list[Period], size: str) -> Iterator[Figure]:
    for kind, chosen, most in (("typical", TYPICAL, 50), ("large", LARGE, None)):
        for method in (Method.SUM, Method.LATEST):
            queries = [_query(method, (months[at % 10],), ACCOUNTS[at]) for at in chosen] * (
                100 // len(chosen)
            )
            yield _figure(
                f"{kind} account's month, {method}, {size}",
                [_time(lambda q=query: store.aggregate(ORG, q)) for query in queries],  # type: ignore[misc]
                most,
            )
    selection = Selection(meters=(MeterPart(METER),), window=months[-1])
    summary = Summary(
        figures=(Asked(Method.SUM, MeterField(METER, DISTANCE)),), per_account=True, bucket=Bucket.DAY
    )
    took = [_time(lambda: store.summarize(ORG, selection, summary, 20_000)) for _ in range(7)]
    yield _figure("days and accounts of a tenth of them", took, 2000)
    took = [_time(lambda: store.aggregate(ORG, _query(Method.SUM, tuple(months)))) for _ in range(3)]
    yield _figure(f"all accounts, ten months, SUM, {size}", took, None)


def _sending(store: UsageStore, months: list[Period], seconds: float, size: str) -> Iterator[Figure]:
    """Send alone, and while everything is asked for."""
    writer = GroupedWriter(store, SystemClock())
    writer.start()
    flights = Flights(
        org_id=ORG, meter_id=METER, accounts=ACCOUNTS, month=months[-1], received=0, skewed=True
    )
    blocks = iter(lambda: flights.block(1000).drop_columns(["received_at", "uid_hash"]), None)
    writer.submit([next(blocks)]).result()  # from here on it knows the uids of 35 days
    alone = _waits(writer, blocks, seconds)
    over = threading.Event()
    scanned: list[float] = []

    def scan() -> None:
        while not over.is_set():
            scanned.append(_time(lambda: store.aggregate(ORG, _query(Method.SUM, tuple(months)))))

    scanning = threading.Thread(target=scan)
    scanning.start()
    beside = _waits(writer, blocks, seconds)
    over.set()
    scanning.join()
    writer.close()
    yield _figure(f"a batch stored, {CLIENTS} clients alone, {size}", alone, None)
    yield _figure(f"a batch stored, {CLIENTS} clients beside scans, {size}", beside, None)
    ratio = round(percentile(beside, 99) / percentile(alone, 99), 2)
    note = f"{len(scanned)} scans of {size} meanwhile"
    yield Figure(name="scale: p99 beside scans to p99 alone", value=ratio, unit="times", at_most=2, note=note)


def _waits(writer: GroupedWriter, blocks: Iterator[object], seconds: float) -> list[float]:
    """Let clients send, each after its acknowledgement; give how long each batch took."""
    took: list[float] = []
    until = perf_counter() + seconds
    ready, lock = [next(blocks) for _ in range(64)], threading.Lock()

    def client() -> None:
        while perf_counter() < until:
            with lock:
                block = ready.pop() if ready else next(blocks)
            took.append(_time(lambda: writer.submit([block]).result()))  # type: ignore[list-item, arg-type]  # noqa: B023 - called at once

    clients = [threading.Thread(target=client) for _ in range(CLIENTS)]
    for each in clients:
        each.start()
    for each in clients:
        each.join()
    return took


def _query(method: Method, windows: tuple[Period, ...], account: str | None = None) -> UsageQuery:
    accounts = None if account is None else (account,)
    return UsageQuery(meter_id=METER, method=method, field=DISTANCE, windows=windows, account_ids=accounts)


def _time(work: Callable[[], object]) -> float:
    begun = perf_counter()
    work()
    return perf_counter() - begun


def _figure(name: str, took: list[float], most: float | None) -> Figure:
    median = round(percentile(took, 50) * MS, 1)
    return Figure(name=f"scale: {name}", value=median, unit="ms", at_most=most, waits=waits(took))
