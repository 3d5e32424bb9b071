import json
import threading
from collections.abc import Iterator

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tallystick.cli.sending.batches import MOST_BYTES, MOST_MEASUREMENTS, Batch, batches, in_order


def test_a_batch_has_at_most_a_thousand() -> None:
    packed = list(batches((n, {"n": n}) for n in range(1, 2502)))
    assert [len(batch.rows) for batch in packed] == [1000, 1000, 501]
    assert packed[1].last_row == 2000
    assert json.loads(packed[2].body)["measurements"][0] == {"n": 2001}


@given(st.lists(st.integers(0, 400_000), max_size=12))
def test_nothing_is_lost_and_no_batch_is_too_large(sizes: list[int]) -> None:
    packed = list(batches((n, {"x": "a" * size}) for n, size in enumerate(sizes, 1)))
    assert [row for batch in packed for row in batch.rows] == list(range(1, len(sizes) + 1))
    assert all(len(batch.body) < MOST_BYTES and len(batch.rows) <= MOST_MEASUREMENTS for batch in packed)
    assert [len(m["x"]) for batch in packed for m in json.loads(batch.body)["measurements"]] == sizes


def test_batches_arrive_in_order_however_long_each_takes() -> None:
    first_may_end = threading.Event()

    def send(batch: Batch) -> None:
        if batch.last_row == 1:
            assert first_may_end.wait(10)
        else:
            first_may_end.set()

    packed = [Batch(b"", (n,), n) for n in range(1, 9)]
    assert [batch.last_row for batch in in_order(packed, send, 2)] == list(range(1, 9))


def test_a_failure_stops_reading_and_is_raised() -> None:
    read = []

    def endless() -> Iterator[Batch]:
        for n in range(1, 1_000_000):
            read.append(n)
            yield Batch(b"", (n,), n)

    def send(batch: Batch) -> None:
        if batch.last_row == 5:
            raise OSError("gone")

    arrived: list[int] = []
    with pytest.raises(OSError, match="gone"):
        arrived.extend(batch.last_row for batch in in_order(endless(), send, 2))
    assert len(read) < 20
