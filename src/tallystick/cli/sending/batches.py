"""Packing measurements into requests and keeping a few of them in flight."""

from collections import deque
from collections.abc import Callable, Iterable, Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import dataclass
from typing import Any

from tallystick.cli.client import encode

MOST_MEASUREMENTS = 1000
MOST_BYTES = 512_000
"A request has to have less than this (semantics §1)."
_FRAME = len(b'{"measurements":[]}')


@dataclass(frozen=True)
class Batch:
    """One request. rows: the number in the file of each measurement. last_row: of the rows read for it."""

    body: bytes
    rows: tuple[int, ...]
    last_row: int


def batches(measurements: Iterable[tuple[int, dict[str, Any]]]) -> Iterator[Batch]:
    """Pack numbered measurements, in their order, into as few requests as the limits allow."""
    parts: list[bytes] = []
    rows: list[int] = []
    size = _FRAME
    for number, measurement in measurements:
        part = encode(measurement)
        if parts and (len(parts) == MOST_MEASUREMENTS or size + len(part) + 1 >= MOST_BYTES):
            yield _batch(parts, rows)
            parts, rows, size = [], [], _FRAME
        parts.append(part)
        rows.append(number)
        size += len(part) + 1
    if parts:
        yield _batch(parts, rows)


def _batch(parts: list[bytes], rows: list[int]) -> Batch:
    return Batch(b'{"measurements":[%b]}' % b",".join(parts), tuple(rows), rows[-1])


def in_order(packed: Iterable[Batch], send: Callable[[Batch], None], in_flight: int) -> Iterator[Batch]:
    """Send with `in_flight` requests at a time; give each batch, in order, once it and all before it arrived.

    What `send` raises is raised here, after the requests under way have ended; none is begun after it.
    """
    failures: list[BaseException] = []

    def send_unless_failed(batch: Batch) -> None:
        if failures:
            raise failures[0]
        try:
            send(batch)
        except BaseException as error:
            failures.append(error)
            raise

    waiting: deque[tuple[Batch, Future[None]]] = deque()
    with ThreadPoolExecutor(in_flight, thread_name_prefix="ingest") as threads:
        try:
            for batch in packed:
                waiting.append((batch, threads.submit(send_unless_failed, batch)))
                if len(waiting) >= 2 * in_flight:
                    yield _arrived(waiting)
            while waiting:
                yield _arrived(waiting)
        finally:
            threads.shutdown(wait=True, cancel_futures=True)


def _arrived(waiting: deque[tuple[Batch, Future[None]]]) -> Batch:
    batch, sent = waiting.popleft()
    sent.result()
    return batch
