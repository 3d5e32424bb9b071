"""What falls due is done in order, on the server's clock and on test clocks that are moved."""

from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta

import pytest

from tallystick.platform.database import EVERY_ORGANIZATION, Database
from tallystick.platform.due import ClockStuck, Due, DueRunner
from tallystick.platform.ids import new_id
from tallystick.platform.org_clocks import (
    ClockGoesBack,
    ClockIsMoving,
    ClockState,
    ClockStatus,
    NoTestClock,
    aim_clock,
    clock_of,
    start_clock,
)
from tallystick.platform.resources import Transaction
from tests.support.clock import MovableClock, RunningClock

DAY = timedelta(days=1)
START = datetime(2024, 1, 1, tzinfo=UTC)
WALL = datetime(2025, 6, 1, tzinfo=UTC)


@dataclass
class Alarms:
    """Instants at which something is due; it notes what rang, and what the clock showed."""

    name: str
    at: list[datetime]
    rung: list[tuple[str, datetime]]
    database: Database
    is_broken: bool = False
    deaf: bool = field(default=False)

    def next_due(self, tx: Transaction) -> datetime | None:
        return min(self.at, default=None)

    def run_due(self, org_id: str, now: datetime) -> None:
        if self.is_broken:
            raise RuntimeError("broken")
        if not self.deaf:
            assert self.database.now(org_id) == now
            self.rung += [(self.name, at) for at in sorted(self.at) if at <= now]
            self.at = [at for at in self.at if at > now]


@pytest.fixture
def database(new_migrated_database: Callable[[], str]) -> Database:
    return Database(new_migrated_database(), MovableClock(WALL))


def runner(database: Database, org_id: str, *dues: Due) -> DueRunner:
    return DueRunner(database, dues, lambda: [org_id])


def started(database: Database) -> str:
    org_id = new_id()
    with database.transaction(org_id) as tx:
        start_clock(tx, START)
    return org_id


def aim(database: Database, org_id: str, target: datetime) -> None:
    with database.transaction(org_id) as tx:
        aim_clock(tx, target)


def state(database: Database, org_id: str) -> ClockState:
    with database.reading(org_id) as tx:
        return clock_of(tx)


def test_without_a_test_clock_the_servers_holds(database: Database) -> None:
    org_id, rung = new_id(), list[tuple[str, datetime]]()
    late, soon = Alarms("late", [WALL], rung, database), Alarms("soon", [WALL + DAY], rung, database)
    runner(database, org_id, late, soon).run_all()
    assert rung == [("late", WALL)]
    with database.reading(org_id) as tx, pytest.raises(NoTestClock):
        clock_of(tx)


def test_what_is_due_at_once_runs_while_the_clock_goes_on(new_migrated_database: Callable[[], str]) -> None:
    ran: list[datetime] = []

    class AtOnce:
        def next_due(self, tx: Transaction) -> datetime | None:
            return tx.clock.now()

        def run_due(self, org_id: str, now: datetime) -> None:
            ran.append(now)

    running = Database(new_migrated_database(), RunningClock())
    runner(running, new_id(), AtOnce()).run_all()
    assert len(ran) == 1


def test_a_failure_keeps_no_other_organization_from_what_is_due(database: Database) -> None:
    org_id, rung = new_id(), list[tuple[str, datetime]]()
    broken = Alarms("broken", [WALL], rung, database, is_broken=True)
    runner(database, org_id, broken).run_all()
    assert rung == []


def test_moving_a_clock_stops_at_each_instant_in_order(database: Database) -> None:
    org_id, rung = started(database), list[tuple[str, datetime]]()
    first = Alarms("first", [START + 3 * DAY, START + DAY, START + 40 * DAY], rung, database)
    second = Alarms("second", [START + 2 * DAY, START + 3 * DAY], rung, database)
    aim(database, org_id, START + 30 * DAY)
    runner(database, org_id, first, second).move(org_id)
    days = [(name, (at - START).days) for name, at in rung]
    assert days == [("first", 1), ("second", 2), ("first", 3), ("second", 3)]
    assert state(database, org_id) == ClockState(
        now=START + 30 * DAY, target=START + 30 * DAY, status=ClockStatus.READY
    )
    assert database.now(org_id) == START + 30 * DAY


def test_a_clock_on_its_way_is_left_to_what_moves_it(database: Database) -> None:
    org_id, rung = started(database), list[tuple[str, datetime]]()
    aim(database, org_id, START + DAY)
    runner(database, org_id, Alarms("first", [START], rung, database)).run_all()
    assert rung == []
    with pytest.raises(ClockIsMoving):
        aim(database, org_id, START + 2 * DAY)
    aim(database, org_id, START + DAY)  # the same again, as after an answer that was lost
    assert state(database, org_id).target == START + DAY


def test_what_concerns_all_organizations_goes_by_the_servers_clock(database: Database) -> None:
    with database.reading(EVERY_ORGANIZATION) as tx:
        assert tx.clock.now() == WALL


def test_a_clock_goes_forward_only(database: Database) -> None:
    org_id = started(database)
    with pytest.raises(ClockGoesBack):
        aim(database, org_id, START - DAY)


@pytest.mark.parametrize(
    ("fault", "error"), [({"deaf": True}, ClockStuck), ({"is_broken": True}, RuntimeError)]
)
def test_what_fails_stops_the_clock_and_can_be_tried_again(
    database: Database, fault: dict[str, bool], error: type[Exception]
) -> None:
    org_id, rung = started(database), list[tuple[str, datetime]]()
    alarms = Alarms("first", [START + DAY], rung, database, **fault)
    aim(database, org_id, START + 2 * DAY)
    run = runner(database, org_id, alarms)
    with pytest.raises(error):
        run.move(org_id)
    failed = state(database, org_id)
    assert (failed.status, failed.now) == (ClockStatus.FAILED, START + DAY)
    assert error.__name__ in (failed.failure or "")

    alarms.deaf = alarms.is_broken = False
    aim(database, org_id, START + 2 * DAY)
    run.move(org_id)
    assert rung == [("first", START + DAY)]
    assert state(database, org_id).failure is None
