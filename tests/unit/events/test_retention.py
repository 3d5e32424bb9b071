"""Events of every kind are kept for 28 days (semantics §28)."""

from datetime import timedelta

import pytest
from sqlalchemy import func, select

from tallystick.events.record import append_event, events
from tallystick.events.retention import forget_events
from tallystick.platform.database import Database
from tests.support.clock import MovableClock


@pytest.mark.parametrize(
    ("age", "left"),
    [
        pytest.param(timedelta(days=27), 2, id="younger"),
        pytest.param(timedelta(days=28), 2, id="to the instant"),
        pytest.param(timedelta(days=28, microseconds=1), 0, id="older"),
    ],
)
def test_events_are_forgotten_after_28_days(
    database: Database, clock: MovableClock, org_id: str, age: timedelta, left: int
) -> None:
    mine = select(func.count()).where(events.c.org_id == org_id, events.c.event_name.like("test.%"))
    with database.transaction(org_id) as tx:
        append_event(tx, "test.one", {})
        append_event(tx, "test.failure", {})
    clock.instant += age
    with database.transaction(org_id) as tx:
        forget_events(tx)
        assert tx.execute(mine).scalar_one() == left
