"""Measure the usage store: `python tests/bench/usage_store.py [--seconds 10] [--month 3000000] [--json F]`.

Rows a second, and the wait for an acknowledgement, of GroupedWriter with blocks of 1,000 rows; the share of
de-duplication; bytes an event; then one account's month, and the sums of all accounts, over one big month.
"""

import argparse
import json
import random
import tempfile
import threading
import time
import uuid
from collections.abc import Callable
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa

from tallystick.kernel.periods import Period
from tallystick.platform.clickhouse.embedded import EmbeddedClickHouse
from tallystick.platform.clock import SystemClock
from tallystick.rating.method import Method
from tallystick.usage.dedupe import UidFilter, hash_uids
from tallystick.usage.store.blocks import id_words
from tallystick.usage.store.model import Slot, UsageQuery
from tallystick.usage.store.schema import ID, NUMBER
from tallystick.usage.store.store import UsageStore
from tallystick.usage.store.writer import GroupedWriter

ORG, METER = str(uuid.UUID(int=1)), str(uuid.UUID(int=2))
JANUARY = Period(datetime(2024, 1, 1, tzinfo=UTC), datetime(2024, 2, 1, tzinfo=UTC))
AIRPORTS = ["ORD", "DFW", "ATL", "LAX", "PHX", "STL", "DTW", "MSP", "LAS", "BOS"]
ACCOUNTS = [uuid.UUID(int=1000 + i).bytes for i in range(230)]
RANDOM = np.random.default_rng(1)


def block(rows: int) -> pa.Table:
    """Make flights: two measures, one dimension, a random uid; some accounts are much larger than others."""
    accounts = (RANDOM.random(rows) ** 3 * len(ACCOUNTS)).astype(int)

    def whole(low: int, high: int) -> pa.Array:
        return pa.array(RANDOM.integers(low, high, rows)).cast(pa.decimal128(26, 0)).cast(NUMBER)

    start_ms = int(JANUARY.start.timestamp() * 1000)
    minutes = np.sort(RANDOM.integers(0, 31 * 24 * 60, rows))
    return pa.table(
        {
            "org_id": pa.repeat(pa.scalar(uuid.UUID(ORG).bytes, ID), rows),
            "meter_id": pa.repeat(pa.scalar(uuid.UUID(METER).bytes, ID), rows),
            "account_id": pa.array([ACCOUNTS[i] for i in accounts], ID),
            "ts": pa.array(start_ms + minutes * 60_000, pa.timestamp("ms", "UTC")),
            "uid": pa.array([f"{random.getrandbits(128):032x}" for _ in range(rows)]),
            "n0": whole(60, 2600),
            "n1": whole(-20, 180),
            "s0": pa.array(RANDOM.choice(AIRPORTS, rows)),
        }
    )


def insert(store: UsageStore, submitters: int, seconds: float) -> dict[str, Any]:
    """Let submitters send 1,000 rows each, one after another's acknowledgement."""
    writer = GroupedWriter(store, SystemClock())
    writer.start()
    writer.submit([block(1000)]).result()  # from here on it knows the uids of 35 days
    waits: list[float] = []
    prepared = [[block(1000) for _ in range(int(seconds * 60 / submitters) + 20)] for _ in range(submitters)]
    until = time.perf_counter() + seconds

    def submitter(blocks: list[pa.Table]) -> None:
        for each in blocks:
            begin = time.perf_counter()
            if begin > until:
                return
            writer.submit([each]).result()
            waits.append(time.perf_counter() - begin)

    begin = time.perf_counter()
    threads = [threading.Thread(target=submitter, args=(each,)) for each in prepared]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    took = time.perf_counter() - begin
    writer.close()
    p50, p99 = np.percentile(waits, [50, 99]) * 1000
    return {
        "submitters": submitters,
        "rows_per_s": round(len(waits) * 1000 / took),
        "p50_ms": round(float(p50), 1),
        "p99_ms": round(float(p99), 1),
    }


def fill(store: UsageStore, rows: int) -> float:
    """Store one big month through the writer; give the seconds."""
    writer = GroupedWriter(store, SystemClock())
    writer.start()
    seconds, futures = 0.0, []
    for _ in range(rows // 50_000):
        each = block(50_000)
        begin = time.perf_counter()
        futures.append(writer.submit([each]))
        futures[-1].result()
        seconds += time.perf_counter() - begin
    writer.close()
    return seconds


def timed(work: Callable[[], object], times: int = 9) -> dict[str, float]:
    """Run something several times; give the median and the worst, in ms."""
    took = []
    for _ in range(times):
        begin = time.perf_counter()
        work()
        took.append((time.perf_counter() - begin) * 1000)
    return {"median_ms": round(float(np.median(took)), 1), "worst_ms": round(max(took), 1)}


def dedupe_cost(known: int) -> dict[str, float]:
    """Measure hashing and the filter alone, in ms for 50,000 rows against so many known uids."""
    memory = UidFilter()
    for _ in range(known // 1_000_000):
        memory.add(RANDOM.integers(0, 2**64, 1_000_000, dtype=np.uint64), 7)
    rows = block(50_000)
    words, uids = id_words(rows["org_id"]), rows["uid"].combine_chunks()
    hashes = hash_uids(words, uids)
    return {
        "hash_ms": timed(lambda: hash_uids(words, uids))["median_ms"],
        "probe_ms": timed(lambda: memory.maybe_seen(hashes))["median_ms"],
        "add_ms": timed(lambda: memory.add(hashes, 7))["median_ms"],
        "false_alarms": round(float(memory.maybe_seen(hash_uids(words + 1, uids)).mean()), 6),
        "bytes_per_key": round(memory.bytes_held / len(memory), 2),
    }


def resend_cost(store: UsageStore) -> dict[str, Any]:
    """Measure 1,000 rows that were all stored before."""
    writer = GroupedWriter(store, SystemClock())
    begin = time.perf_counter()
    writer.start()
    again = block(1000)
    writer.submit([again]).result()
    ready_s = time.perf_counter() - begin
    cost = timed(lambda: writer.submit([again]).result())
    writer.close()
    return {"first_after_start_s": round(ready_s, 2), **cost}


def question(store: UsageStore, method: Method, accounts: tuple[str, ...] | None) -> dict[str, float]:
    """Measure one aggregate of January."""
    query = UsageQuery(
        meter_id=METER, method=method, field=Slot.number(0), windows=(JANUARY,), account_ids=accounts
    )
    return timed(lambda: store.aggregate(ORG, query))


def main() -> None:
    """Measure everything and print it."""
    arguments = argparse.ArgumentParser(description=__doc__)
    arguments.add_argument("--seconds", type=float, default=10)
    arguments.add_argument("--month", type=int, default=3_000_000)
    arguments.add_argument("--json", type=Path)
    chosen = arguments.parse_args()
    result: dict[str, Any] = {}
    with tempfile.TemporaryDirectory() as folder:
        clickhouse = EmbeddedClickHouse(Path(folder) / "usage")
        store = UsageStore(clickhouse)
        store.migrate()
        for submitters in (1, 4, 16):
            result[f"insert_{submitters}"] = insert(store, submitters, chosen.seconds)
            print(result[f"insert_{submitters}"], store.stats(), flush=True)
        result["fill_rows_per_s"] = round(chosen.month / fill(store, chosen.month))
        stats = store.stats()
        result["store"] = {"rows": stats.rows, "parts": stats.parts}
        result["bytes_per_event"] = round(stats.bytes_on_disk / stats.rows, 1)
        one = str(uuid.UUID(bytes=ACCOUNTS[100]))
        for method in (Method.SUM, Method.LATEST):
            result[f"one_account_month_{method}"] = question(store, method, (one,))
            result[f"all_accounts_month_{method}"] = question(store, method, None)
        result["resend_1000"] = resend_cost(store)
        clickhouse.close()
    result["dedupe_50k_at_10M"] = dedupe_cost(10_000_000)
    for name, value in result.items():
        print(f"{name:28} {value}")
    if chosen.json:
        chosen.json.write_text(json.dumps(result, indent=2))


if __name__ == "__main__":
    main()
