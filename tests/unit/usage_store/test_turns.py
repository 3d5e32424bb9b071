"""Several processes that fill one ClickHouse server: each uid is stored once all the same (semantics §6)."""

from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from datetime import timedelta
from typing import Any

import psycopg
import pytest
from sqlalchemy.engine import make_url

from tallystick.kernel.errors import Unavailable
from tallystick.kernel.periods import Period
from tallystick.platform.clickhouse.errors import ClickHouseUnavailable
from tallystick.platform.clickhouse.http import HttpClickHouse
from tallystick.usage import turns
from tallystick.usage.store.store import UsageStore
from tallystick.usage.store.writer import GroupedWriter
from tallystick.usage.turns import SharedTurns
from tests.support.clock import MovableClock
from tests.unit.usage_store.blocks import MARCH, METER, send, uids_block
from tests.unit.usage_store.test_writer import Failing

NewProcess = Callable[..., GroupedWriter]


@pytest.fixture
def failing(clickhouse_url: str) -> Iterator[Failing]:
    real = HttpClickHouse(clickhouse_url)
    UsageStore(real).migrate()
    yield Failing(real)
    real.close()


@pytest.fixture
def conninfo(migrated_url: str) -> str:
    return make_url(migrated_url).set(drivername="postgresql").render_as_string(hide_password=False)


@pytest.fixture
def new_process(
    request: pytest.FixtureRequest, failing: Failing, conninfo: str, clock: MovableClock
) -> NewProcess:
    """Give what makes a writer with its own memory, as another process has."""

    def start(**more: Any) -> GroupedWriter:
        store = UsageStore(failing)
        writer = GroupedWriter(store, clock, turns=SharedTurns(conninfo, store.is_inserting, **more))
        writer.start()
        request.addfinalizer(writer.close)
        return writer

    return start


def cut(conninfo: str) -> None:
    """End every other session of the database, as a network that breaks does."""
    with psycopg.connect(conninfo, autocommit=True) as connection:
        connection.execute(
            "SELECT pg_terminate_backend(pid) FROM pg_stat_activity"
            " WHERE datname = current_database() AND pid <> pg_backend_pid()"
        )


def test_each_hears_of_the_others_uids(new_process: NewProcess, failing: Failing, org: str) -> None:
    one, other = new_process(), new_process()
    assert send(one, uids_block(org, ["a", "b"])) == [[False, False]]
    assert send(other, uids_block(org, ["b", "c"])) == [[True, False]]
    assert send(one, uids_block(org, ["c", "d", "a"])) == [[True, False, True]]
    assert send(new_process(), uids_block(org, ["a", "d", "e"])) == [[True, True, False]]
    [page] = UsageStore(failing).measurements(org, METER, Period.of(MARCH, None))
    receipts = page["received_at"].to_pylist()
    assert len(set(receipts)) == len(receipts) == 5  # unique over processes: ties and pages rest on it


def test_a_uid_is_free_again_after_35_days_whoever_had_it(
    new_process: NewProcess, clock: MovableClock, org: str
) -> None:
    one, other, block = new_process(), new_process(), uids_block(org, ["a"])
    assert send(one, block) == [[False]]
    clock.instant += timedelta(days=35) - timedelta(seconds=1)
    assert send(other, block) == [[True]]
    assert send(new_process(), block) == [[True]]
    clock.instant += timedelta(seconds=2)
    assert send(other, block) == [[False]]
    assert send(one, block) == [[True]]


def test_of_uids_sent_to_all_at_once_one_wins(new_process: NewProcess, failing: Failing, org: str) -> None:
    processes = [new_process() for _ in range(3)]
    uids = [str(i) for i in range(120)]

    def client(turn: int) -> int:
        kept = 0
        for first in range(0, 120, 40):
            order = uids[first:] + uids[:first] if turn % 2 else uids
            [flags] = send(processes[turn % 3], uids_block(org, order[:90]))
            kept += flags.count(False)
        return kept

    with ThreadPoolExecutor(6) as clients:
        kept = sum(clients.map(client, range(6)))
    assert kept == UsageStore(failing).count(org) == 120


def test_who_had_no_turn_for_long_reads_the_store_again(
    new_process: NewProcess, org: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(turns, "KEPT_S", 0)
    one, other = new_process(), new_process()
    send(other, uids_block(org, ["0"]))
    for i in range(1, 6):
        send(one, uids_block(org, [str(i)]))
    assert send(other, uids_block(org, ["1", "5", "6"])) == [[True, True, False]]


@pytest.mark.parametrize("when", ["before", "after"])
def test_others_wait_for_an_insert_of_unknown_end(
    new_process: NewProcess, failing: Failing, org: str, when: str
) -> None:
    one, other = new_process(), new_process()
    failing.plan = [(when, ClickHouseUnavailable("lost"))]
    with pytest.raises(Unavailable):
        send(one, uids_block(org, ["a"]))
    assert send(other, uids_block(org, ["a", "b"])) == [[True, False]]  # `one` sent it again by itself
    assert UsageStore(failing).count(org) == 2


@pytest.mark.parametrize("when", ["before", "after"])
def test_who_lost_its_turn_sends_nothing_more(
    new_process: NewProcess, failing: Failing, conninfo: str, org: str, when: str
) -> None:
    one, other = new_process(), new_process(abandoned_s=0.5)
    failing.plan = [(when, ClickHouseUnavailable("lost"))]
    with pytest.raises(Unavailable):
        send(one, uids_block(org, ["a"]))
    cut(conninfo)
    stored = when == "after"
    with ThreadPoolExecutor(1) as pool:
        answer = pool.submit(_until_stored, other, org)
        assert answer.result(timeout=30) == [[stored, False]]
    assert send(one, uids_block(org, ["a", "b", "c"])) == [[True, True, False]]
    assert UsageStore(failing).count(org) == 3


def _until_stored(writer: GroupedWriter, org: str) -> list[list[bool]]:
    """Send again while it is refused, as a client does."""
    for _ in range(5):
        try:
            return send(writer, uids_block(org, ["a", "b"]))
        except Unavailable:
            continue
    raise AssertionError
