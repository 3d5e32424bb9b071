"""The one writer of the usage store: groups what waits, drops duplicates, acknowledges what is durable."""

import threading
from collections import deque
from collections.abc import Sequence
from concurrent.futures import Future
from datetime import timedelta
from typing import Any, Final

import msgspec
import numpy as np
import pyarrow as pa

from tallystick.kernel.clock import Clock
from tallystick.kernel.errors import Unavailable, invariant
from tallystick.platform.clickhouse.errors import ClickHouseRefused
from tallystick.platform.clickhouse.sql import microseconds
from tallystick.platform.ids import new_id
from tallystick.usage.dedupe import KEPT, Flags, UidFilter, Words, hash_uids
from tallystick.usage.store.blocks import check_block, id_words, join_blocks
from tallystick.usage.store.store import WEEK_S, UsageStore
from tallystick.usage.store.turns import Alone, Turns

_WEEK_US: Final = WEEK_S * 1_000_000
_AGAIN_S: Final = 2.0
"So long after a failed insert its end is looked for, if nothing else comes."
_KEPT_US: Final = KEPT // timedelta(microseconds=1)


class WriterBusy(Unavailable):
    """The writer's queue is full, or the server is stopping."""

    code = "usage_writer_busy"


class WriterLimits(msgspec.Struct, frozen=True):
    """How much one insert takes at most, and how much may wait for one."""

    group_rows: int = 50_000
    queued_rows: int = 200_000
    gather_s: float = 0.004
    "How long a group waits for as many submissions as the one before had."


class _Submission(msgspec.Struct, frozen=True):
    """Blocks of one caller under each other, hashed in the caller's own thread."""

    block: pa.Table
    hashes: Any
    lengths: tuple[int, ...]
    done: "Future[list[Flags]]"


class GroupedWriter:
    """Stores blocks in groups, each uid of an organization once in 35 days (semantics §6).

    One thread writes; while one insert runs, what is submitted gathers and goes together in the next. A uid
    is looked for in everything received in 35 days and in the group itself, where the first wins.
    turns: of all the writers that serve the store; by default there is no other.
    """

    def __init__(
        self,
        store: UsageStore,
        clock: Clock,
        limits: WriterLimits | None = None,
        turns: Turns | None = None,
    ) -> None:
        self._store = store
        self._clock = clock
        self._limits = limits or WriterLimits()
        self._turns = turns or Alone()
        self._waiting: deque[_Submission] = deque()
        self._waiting_rows = 0
        self._change = threading.Condition()
        self._closing = False
        self._last_group = 1
        self._memory: UidFilter | None = None
        self._last_us = 0
        self._unsettled: tuple[pa.Table, str] | None = None
        self._thread = threading.Thread(target=self._run, name="usage-writer", daemon=True)

    def start(self) -> None:
        """Start the thread. It first reads the uids of 35 days; what is submitted meanwhile waits."""
        self._thread.start()

    def submit(self, blocks: Sequence[pa.Table]) -> "Future[list[Flags]]":
        """Queue blocks to be stored; thread-safe, does not wait.

        The future gives, per block, a numpy array of booleans, True for a row dropped as a duplicate; all
        others are then durable. It fails with Unavailable when nothing is acknowledged: sending the same
        again stores each uid once. Raises BlockRefused, and WriterBusy when too much is waiting.
        """
        for block in blocks:
            check_block(block)
        submission = _submission(blocks)
        if not submission.block.num_rows:
            submission.done.set_result([np.zeros(0, bool) for _ in blocks])
            return submission.done
        with self._change:
            if self._closing:
                raise WriterBusy("The server is stopping. Send the same request again in a moment.")
            after = self._waiting_rows + submission.block.num_rows
            if self._waiting_rows and after > self._limits.queued_rows:
                raise WriterBusy("Too much usage is waiting to be stored. Send the same request again later.")
            self._waiting.append(submission)
            self._waiting_rows = after
            self._change.notify()
        return submission.done

    def close(self) -> None:
        """Store what waits, then stop. Idempotent."""
        with self._change:
            self._closing = True
            self._change.notify()
        if self._thread.ident is not None:
            self._thread.join()

    def _run(self) -> None:
        while (group := self._take()) is not None:
            try:
                flags = self._write(group)
            except BaseException as error:  # noqa: BLE001 - whatever it is, every waiter must hear of it
                for submission in group:
                    submission.done.set_exception(error)
            else:
                for submission, ours in zip(group, flags, strict=True):
                    submission.done.set_result(ours)
        self._turns.close()

    def _take(self) -> list[_Submission] | None:
        """Wait for submissions and take what fits into one group; None when closed and all is stored.

        An empty group is there to find out the end of an insert that failed.
        """
        with self._change:
            again_s = _AGAIN_S if self._unsettled else None
            self._change.wait_for(lambda: self._waiting or self._closing, again_s)
            if not self._waiting:
                return None if self._closing else []
            # Those just answered are about to send again: without a moment's wait the first of them alone
            # would have the next insert, and all others the one after.
            self._change.wait_for(
                lambda: len(self._waiting) >= self._last_group or self._closing, self._limits.gather_s
            )
            group: list[_Submission] = []
            rows = 0
            while self._waiting and (
                not group or rows + self._waiting[0].block.num_rows <= self._limits.group_rows
            ):
                submission = self._waiting.popleft()
                if submission.done.set_running_or_notify_cancel():
                    group.append(submission)
                    rows += submission.block.num_rows
                self._waiting_rows -= submission.block.num_rows
            if not group:
                return self._take()
            self._last_group = len(group)
        return group

    def _write(self, group: Sequence[_Submission]) -> list[list[Flags]]:
        """Store one group; give each submission its flags."""
        memory = self._begin()
        try:
            self._settle()
            return self._store_group(memory, group) if group else []
        finally:
            if self._unsettled is None:
                self._turns.end()

    def _begin(self) -> UidFilter:
        """Wait for our turn, and learn which uids others have stored meanwhile."""
        while True:
            if self._memory is None:
                self._turns.read_from_here()
                self._memory = self._remember()
            if self._unsettled and not self._turns.holds():
                self._unsettled = None  # others have gone on; its uids are remembered, and looked for
            news = self._turns.begin()
            if news is not None:
                break
            self._memory = None
        for each in news:
            self._memory.add(each.hashes, each.last_us // _WEEK_US)
            self._last_us = max(self._last_us, each.last_us)
        return self._memory

    def _store_group(self, memory: UidFilter, group: Sequence[_Submission]) -> list[list[Flags]]:
        block = join_blocks([submission.block for submission in group])
        hashes = np.concatenate([submission.hashes for submission in group])
        duplicate = self._duplicates(memory, block, hashes)
        if not duplicate.all():
            self._insert(memory, block.filter(pa.array(~duplicate)), hashes[~duplicate])
        lengths = [length for submission in group for length in submission.lengths]
        parts = iter(np.split(duplicate, np.cumsum(lengths)[:-1]))
        return [[next(parts) for _ in submission.lengths] for submission in group]

    def _settle(self) -> None:
        """Send again the block whose insert failed with an unknown end: stored once, it is then known."""
        if self._unsettled is None:
            return
        if not self._turns.holds():
            self._unsettled = None
            raise WriterBusy("Another process is storing usage. Send the same request again in a moment.")
        try:
            self._store.insert_block(*self._unsettled)
        except ClickHouseRefused:
            self._unsettled = None
            self._turns.ended()
            raise
        self._unsettled = None
        self._turns.ended()

    def _insert(self, memory: UidFilter, block: pa.Table, hashes: Words) -> None:
        """Insert new rows. Remembered and told first: after a failure they may be stored all the same."""
        receipts = self._receipts(block.num_rows)
        memory.add(hashes, int(receipts[-1]) // _WEEK_US)
        memory.forget_before((int(receipts[0]) - _KEPT_US) // _WEEK_US)
        self._turns.announce(hashes, int(receipts[-1]))
        block = block.append_column("received_at", pa.array(receipts, pa.timestamp("us", "UTC")))
        self._unsettled = (block.append_column("uid_hash", pa.array(hashes)), new_id())
        self._settle()

    def _receipts(self, rows: int) -> "np.ndarray[Any, np.dtype[np.int64]]":
        """Give each row its receipt: a microsecond of its own, later than every one before."""
        first = max(microseconds(self._clock.now()), self._last_us + 1)
        self._last_us = first + rows - 1
        return np.arange(first, first + rows, dtype=np.int64)

    def _duplicates(self, memory: UidFilter, block: pa.Table, hashes: Words) -> Flags:
        """Flag the rows whose uid the organization sent before, in the store or above in this block."""
        since = self._clock.now() - KEPT
        suspect = memory.maybe_seen(hashes)
        known = set(self._store.known_uids(np.unique(hashes[suspect]), since)) if suspect.any() else set()
        _, inverse, counts = np.unique(hashes, return_inverse=True, return_counts=True)
        suspect |= counts[inverse] > 1
        duplicate = np.zeros(len(hashes), bool)
        places = np.flatnonzero(suspect)
        rows = block.select(["org_id", "uid"]).take(pa.array(places))
        keys = zip(rows["org_id"].to_pylist(), rows["uid"].to_pylist(), strict=True)
        for place, key in zip(places, keys, strict=True):
            duplicate[place] = key in known
            known.add(key)
        return duplicate

    def _remember(self) -> UidFilter:
        """Read back the uids of the last 35 days, and the last receipt."""
        memory = UidFilter()
        for week, hashes, last_us in self._store.recent_hashes(self._clock.now() - KEPT):
            memory.add(hashes, week)
            self._last_us = max(self._last_us, last_us)
        return memory


def _submission(blocks: Sequence[pa.Table]) -> _Submission:
    invariant(bool(blocks), "a submission has at least one block")
    block = join_blocks(blocks)
    uids = block["uid"].combine_chunks()
    hashes = hash_uids(id_words(block["org_id"]), uids)
    return _Submission(block, hashes, tuple(each.num_rows for each in blocks), Future())
