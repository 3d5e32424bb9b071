"""The test clock of an organization: to rehearse what time brings, such as a year of billing."""

from collections.abc import Iterator
from datetime import datetime

import msgspec

from tallystick.api.routes import Call, Permission, Route, organization_path
from tallystick.billing.bill import Bill
from tallystick.kernel.errors import Conflict
from tallystick.platform.due import MOVE_TASK
from tallystick.platform.jobs import defer
from tallystick.platform.org_clocks import (
    ClockState,
    ClockStatus,
    NoTestClock,
    aim_clock,
    clock_of,
    start_clock,
)
from tallystick.platform.resources import Transaction

TAG = "TestClock"
PATH = organization_path("testclock")


class ClockRequest(msgspec.Struct, kw_only=True):
    """Where the clock is to stand."""

    now: datetime


class BillsByServerClock(Conflict):
    """The organization has bills that were made by the server's clock."""

    code = "bills_by_server_clock"


def clock_routes() -> Iterator[Route]:
    """Make the routes."""
    see = Permission("config:retrieve", "config:testClock")
    move = Permission("config:update", "config:testClock")
    yield Route("GET", PATH, see, get_clock, "getTestClock", TAG, "Show the test clock", answer=ClockState)
    yield Route(
        "PUT",
        PATH,
        move,
        put_clock,
        "moveTestClock",
        TAG,
        "Start the test clock, or move it on",
        request=ClockRequest,
        answer=ClockState,
    )


def get_clock(call: Call) -> ClockState:
    """Show the test clock; poll it while it is ADVANCING. Raises NoTestClock."""
    with call.reading() as tx:
        return clock_of(tx)


def put_clock(call: Call) -> ClockState:
    """Start a test clock, or move it on: what falls due on the way is done, in order.

    Raises BillsByServerClock, ClockGoesBack, ClockIsMoving.
    """
    with call.writing() as tx:
        state = _aim(tx, call.body.now)
    call.services.database.clocks.forget(call.org_id)
    return state


def _aim(tx: Transaction, target: datetime) -> ClockState:
    try:
        state = aim_clock(tx, target)
    except NoTestClock:
        if tx.find_one(Bill) is not None:
            message = "This organization has bills already. Rehearse in one that has none."
            raise BillsByServerClock(message) from None
        return start_clock(tx, target)
    if state.status is ClockStatus.ADVANCING:
        defer(tx, MOVE_TASK, {"org_id": tx.org_id}, lock=MOVE_TASK)
    return state
