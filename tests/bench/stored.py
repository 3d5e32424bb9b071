"""Fill and look into a usage store directly, in a process of its own: the server must not run."""

import os
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any
from uuid import UUID

import numpy as np
import pyarrow as pa

from tallystick.kernel.periods import Period
from tallystick.platform.clickhouse.embedded import EmbeddedClickHouse
from tallystick.platform.ids import new_id
from tallystick.usage.dedupe import hash_uids
from tallystick.usage.store.blocks import id_words
from tallystick.usage.store.schema import ID, NUMBER
from tallystick.usage.store.store import UsageStore

BLOCK_ROWS = 500_000
AIRPORTS = ("ORD", "DFW", "ATL", "LAX", "PHX", "STL", "DTW", "MSP", "LAS", "BOS")
_MINUTE_MS = 60_000


@contextmanager
def usage_store(folder: Path) -> Iterator[UsageStore]:
    """Open the store in a home's folder `usage`."""
    clickhouse = EmbeddedClickHouse(folder)
    try:
        store = UsageStore(clickhouse)
        store.migrate()
        yield store
    finally:
        clickhouse.close()


def count(folder: Path, org_id: str) -> int:
    """Count an organization's measurements."""
    with usage_store(folder) as store:
        return store.count(org_id)


class Flights:
    """Makes flights of some accounts in a period, the first accounts much larger when skewed.

    received: when they came in, in µs since 1970; they are remembered for 35 days from then.
    """

    def __init__(
        self,
        *,
        org_id: str,
        meter_id: str,
        accounts: Sequence[str],
        month: Period,
        received: int,
        skewed: bool,
    ) -> None:
        self._org = pa.scalar(UUID(org_id).bytes, ID)
        self._meter = pa.scalar(UUID(meter_id).bytes, ID)
        self._accounts = np.frombuffer(b"".join(UUID(each).bytes for each in accounts), "V16")
        self._start_ms = int(month.start.timestamp() * 1000)
        self._minutes = int((month.end - month.start).total_seconds() // 60)
        self._received = received
        self._skew = 3 if skewed else 1
        self._random = np.random.default_rng(1)

    def fill(self, folder: Path, rows: int) -> None:
        """Store so many flights in large blocks."""
        with usage_store(folder) as store:
            self.store(store, rows)

    def store(self, store: UsageStore, rows: int) -> None:
        """Store so many flights in large blocks."""
        while rows > 0:
            block = self.block(min(rows, BLOCK_ROWS))
            store.insert_block(block, new_id())
            rows -= block.num_rows

    def block(self, rows: int) -> pa.Table:
        """Make so many flights, by `ts`."""
        chosen = (self._random.random(rows) ** self._skew * len(self._accounts)).astype(int)
        minutes = np.sort(self._random.integers(0, self._minutes, rows))
        org_ids, uids = pa.repeat(self._org, rows), _random_uids(rows)
        received = np.arange(self._received, self._received + rows)
        self._received += rows
        destinations = pa.DictionaryArray.from_arrays(
            self._random.integers(0, len(AIRPORTS), rows, np.int32), list(AIRPORTS)
        )
        return pa.table(
            {
                "org_id": org_ids,
                "meter_id": pa.repeat(self._meter, rows),
                "account_id": pa.Array.from_buffers(
                    ID, rows, [None, pa.py_buffer(self._accounts[chosen].tobytes())]
                ),
                "ts": pa.array(self._start_ms + minutes * _MINUTE_MS, pa.timestamp("ms", "UTC")),
                "uid": uids,
                "n0": self._whole(60, 2600, rows),
                "n1": self._whole(-20, 180, rows),
                "s0": destinations.cast(pa.string()),
                "received_at": pa.array(received, pa.timestamp("us", "UTC")),
                "uid_hash": pa.array(hash_uids(id_words(org_ids), uids)),
            }
        )

    def _whole(self, low: int, high: int, rows: int) -> Any:
        return pa.array(self._random.integers(low, high, rows)).cast(pa.decimal128(26, 0)).cast(NUMBER)


def _random_uids(rows: int) -> Any:
    letters = os.urandom(16 * rows).hex().encode()
    offsets = np.arange(0, 32 * (rows + 1), 32, dtype=np.int32)
    return pa.StringArray.from_buffers(rows, pa.py_buffer(offsets), pa.py_buffer(letters))
