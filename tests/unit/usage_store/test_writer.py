"""The grouped writer: duplicates (semantics §6), failures, backpressure, on both transports."""

from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from datetime import timedelta
from decimal import Decimal
from typing import Any
from uuid import uuid4

import pyarrow as pa
import pytest

from tallystick.kernel.errors import Unavailable
from tallystick.kernel.periods import Period
from tallystick.platform.clickhouse.errors import ClickHouseRefused, ClickHouseUnavailable
from tallystick.usage.store.blocks import BlockRefused, make_block
from tallystick.usage.store.model import Slot
from tallystick.usage.store.store import UsageStore
from tallystick.usage.store.writer import GroupedWriter, WriterBusy, WriterLimits
from tests.support.clock import MovableClock
from tests.unit.usage_store.blocks import ACCOUNT, MARCH, METER, send, uids_block


class Failing:
    """A ClickHouse whose inserts fail: `before` the rows are stored, or `after`."""

    def __init__(self, real: Any) -> None:
        self.real = real
        self.plan: list[tuple[str, Exception]] = []

    def __getattr__(self, name: str) -> Any:
        return getattr(self.real, name)

    def insert(self, table: str, block: pa.Table, token: str) -> None:
        when, error = self.plan.pop(0) if self.plan else ("", None)
        if when != "before":
            self.real.insert(table, block, token)
        if error:
            raise error


@pytest.fixture
def failing(clickhouse: Any) -> Failing:
    return Failing(clickhouse)


@pytest.fixture
def new_writer(
    request: pytest.FixtureRequest, store: UsageStore, clock: MovableClock
) -> Callable[..., GroupedWriter]:
    def start(on: UsageStore = store, **limits: Any) -> GroupedWriter:
        writer = GroupedWriter(on, clock, WriterLimits(**limits))
        writer.start()
        request.addfinalizer(writer.close)
        return writer

    return start


def test_the_first_of_equal_uids_wins(writer: GroupedWriter, store: UsageStore, org: str) -> None:
    first, second = uids_block(org, ["a", "b", "a"]), uids_block(org, ["b", "c"])
    assert send(writer, first, second) == [[False, False, True], [True, False]]
    assert send(writer, first, uids_block(org, ["d"])) == [[True, True, True], [False]]
    assert store.count(org) == 4


def test_duplicates_are_known_after_a_restart(
    new_writer: Callable[..., GroupedWriter], store: UsageStore, org: str
) -> None:
    writer = new_writer()
    many = [f"uid-{i}" for i in range(3000)]
    send(writer, uids_block(org, many, days=90))
    writer.close()
    assert send(new_writer(), uids_block(org, [*many, "new"])) == [[True] * 3000 + [False]]
    assert store.count(org) == 3001


def test_a_uid_is_free_again_after_35_days(
    new_writer: Callable[..., GroupedWriter], clock: MovableClock, org: str
) -> None:
    writer, block = new_writer(), uids_block(org, ["a"])
    assert send(writer, block) == [[False]]
    clock.instant += timedelta(days=35) - timedelta(seconds=1)
    assert send(writer, block) == [[True]]
    assert send(new_writer(), block) == [[True]]
    clock.instant += timedelta(seconds=2)
    assert send(writer, block) == [[False]]
    assert send(writer, block) == [[True]]


def test_receipts_grow_though_the_clock_stands(
    new_writer: Callable[..., GroupedWriter], store: UsageStore, clock: MovableClock, org: str
) -> None:
    writer = new_writer()
    send(writer, uids_block(org, ["a", "b"]))
    clock.instant -= timedelta(hours=1)
    send(new_writer(), uids_block(org, ["c"]))
    clock.instant += timedelta(hours=1)
    [page] = store.measurements(org, METER, Period.of(clock.instant, None))
    receipts = page["received_at"].to_pylist()
    assert page["uid"].to_pylist() == ["a", "b", "c"]
    assert receipts == sorted(set(receipts))


def test_of_concurrent_equal_uids_one_wins(writer: GroupedWriter, store: UsageStore, org: str) -> None:
    uids = [str(i) for i in range(200)]

    def client(turn: int) -> int:
        kept = 0
        for first in range(0, 200, 50):
            order = uids[first:] + uids[:first] if turn % 2 else uids
            [flags] = send(writer, uids_block(org, order[:150]))
            kept += flags.count(False)
        return kept

    with ThreadPoolExecutor(8) as clients:
        kept = sum(clients.map(client, range(8)))
    assert kept == store.count(org) == 200


def test_the_same_block_and_token_is_stored_once(store: UsageStore, org: str) -> None:
    block = uids_block(org, [str(i) for i in range(90)], days=90)  # four months: four parts
    block = block.append_column("received_at", pa.array([0] * 90, pa.timestamp("us", "UTC")))
    block = block.append_column("uid_hash", pa.array(range(90), pa.uint64()))
    token = str(uuid4())
    for _ in range(3):
        store.insert_block(block, token)
    assert store.count(org) == 90


@pytest.mark.parametrize("when", ["before", "after"])
def test_a_failed_insert_acknowledges_nothing_and_a_retry_is_safe(
    new_writer: Callable[..., GroupedWriter], failing: Failing, store: UsageStore, org: str, when: str
) -> None:
    writer = new_writer(UsageStore(failing))
    block = uids_block(org, ["a", "b"])
    failing.plan = [(when, ClickHouseUnavailable("lost")), (when, ClickHouseUnavailable("lost again"))]
    for _ in range(2):
        with pytest.raises(Unavailable):
            send(writer, block)
    assert send(writer, block) == [[True, True]]  # the first try was sent again with its token
    assert send(writer, uids_block(org, ["c"])) == [[False]]
    assert store.count(org) == 3


def test_a_refused_group_does_not_stop_the_writer(
    new_writer: Callable[..., GroupedWriter], failing: Failing, store: UsageStore, org: str
) -> None:
    writer = new_writer(UsageStore(failing))
    failing.plan = [("before", ClickHouseRefused("never", 117))]
    with pytest.raises(ClickHouseRefused):
        send(writer, uids_block(org, ["a"]))
    assert send(writer, uids_block(org, ["a"])) == [[False]]
    assert store.count(org) == 1


def test_a_full_queue_refuses_and_close_stores_what_waits(
    store: UsageStore, clock: MovableClock, org: str
) -> None:
    writer = GroupedWriter(store, clock, WriterLimits(group_rows=2, queued_rows=4))
    waiting = [writer.submit([uids_block(org, [f"{i}", f"{i}b"])]) for i in range(2)]
    with pytest.raises(WriterBusy):
        writer.submit([uids_block(org, ["c"])])
    writer.start()
    writer.close()
    writer.close()
    assert [future.result(timeout=0)[0].tolist() for future in waiting] == [[False, False]] * 2
    assert store.count(org) == 4
    with pytest.raises(WriterBusy):
        writer.submit([uids_block(org, ["d"])])


def test_an_empty_block_is_answered(writer: GroupedWriter, org: str) -> None:
    assert send(writer, uids_block(org, []), uids_block(org, [])) == [[], []]
    assert send(writer, uids_block(org, []), uids_block(org, ["a"])) == [[], [False]]


def test_a_block_that_cannot_be_stored_is_refused_before_it_joins_others(
    writer: GroupedWriter, org: str
) -> None:
    good = uids_block(org, ["a"])
    for bad in (
        good.drop_columns(["uid"]),
        good.append_column("x", good["uid"]),
        good.set_column(good.column_names.index("uid"), "uid", pa.array([None], pa.string())),
        good.set_column(good.column_names.index("ts"), "ts", pa.array([10**14], pa.timestamp("ms", "UTC"))),
    ):
        with pytest.raises(BlockRefused):
            writer.submit([bad])
    for value in ("1e26", "0.0000000000001"):
        with pytest.raises(BlockRefused):
            make_block(
                org_id=org,
                meter_ids=[METER],
                account_ids=[ACCOUNT],
                ts=[MARCH],
                uids=["a"],
                fields={Slot.number(0): [Decimal(value)]},
            )
