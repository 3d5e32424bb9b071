"""The time of each organization: the server's, or that of a test clock which is moved by hand.

With a test clock a year of billing can be rehearsed in seconds: it stands still until it is moved on, and
only forward. It is looked up at most every two seconds, so another process follows that much later.
"""

import time
from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum
from typing import Final

import msgspec
from sqlalchemy import Column, Connection, DateTime, PrimaryKeyConstraint, Table, Text, select, update
from sqlalchemy.dialects.postgresql import insert

from tallystick.kernel.clock import Clock
from tallystick.kernel.errors import Conflict, Invalid, NotFound
from tallystick.platform.resources import Transaction
from tallystick.platform.resources.tables import UUID, metadata

KEPT_S: Final = 2.0
EVERY_ORGANIZATION: Final = "*"
"What a transaction of the platform itself is bound to: it may see all organizations' rows."

test_clocks = Table(
    "test_clocks",
    metadata,
    Column("org_id", UUID, nullable=False),
    Column("now", DateTime(timezone=True), nullable=False),
    Column("target", DateTime(timezone=True), nullable=False),
    Column("status", Text, nullable=False),
    Column("failure", Text),
    PrimaryKeyConstraint("org_id", name="pk_test_clocks"),
)


class ClockStatus(StrEnum):
    """ADVANCING while what falls due on the way is being done; FAILED says why, and may be moved again."""

    READY = "READY"
    ADVANCING = "ADVANCING"
    FAILED = "FAILED"


class ClockState(msgspec.Struct, frozen=True, kw_only=True, rename="camel", omit_defaults=True):
    """An organization's test clock. now: what it shows; target: where it is being moved to."""

    now: datetime
    target: datetime
    status: ClockStatus
    failure: str | None = None


class NoTestClock(NotFound):
    """The organization lives by the server's clock."""

    code = "no_test_clock"


class ClockGoesBack(Invalid):
    """A test clock was asked to go back."""

    code = "clock_goes_back"


class ClockIsMoving(Conflict):
    """The test clock is still on its way."""

    code = "clock_is_moving"


@dataclass(frozen=True)
class _Known:
    at: datetime | None
    loaded_at: float


class OrganizationClocks:
    """Tells each organization's time. clock: for those without a test clock."""

    def __init__(self, clock: Clock) -> None:
        self._clock = clock
        self._known: dict[str, _Known] = {}

    def now(self, org_id: str, connection: Connection) -> datetime:
        """Give the organization's present instant, aware, in UTC. connection: bound to the organization."""
        now = self.known(org_id)
        if now is None:
            row = connection.execute(select(test_clocks.c.now).where(test_clocks.c.org_id == org_id)).first()
            known = _Known(row[0] if row else None, time.monotonic())
            self._known[org_id] = known
            now = known.at or self._clock.now()
        return now

    def known(self, org_id: str) -> datetime | None:
        """Give the organization's present instant, if it need not be looked up.

        What concerns all organizations at once goes by the server's clock.
        """
        if org_id == EVERY_ORGANIZATION:
            return self._clock.now()
        known = self._known.get(org_id)
        if known is None or time.monotonic() - known.loaded_at > KEPT_S:
            return None
        return known.at or self._clock.now()

    def forget(self, org_id: str) -> None:
        """Look the organization's clock up anew; called when it has been moved."""
        self._known.pop(org_id, None)


@dataclass(frozen=True)
class OrganizationClock:
    """One organization's time, as a `kernel.clock.Clock`, asked through a transaction's connection."""

    clocks: OrganizationClocks
    org_id: str
    connection: Connection

    def now(self) -> datetime:
        """Give the present instant, aware, in UTC."""
        return self.clocks.now(self.org_id, self.connection)


def clock_of(tx: Transaction, *, lock: bool = False) -> ClockState:
    """Load the organization's test clock. Raises NoTestClock."""
    columns = (test_clocks.c.now, test_clocks.c.target, test_clocks.c.status, test_clocks.c.failure)
    statement = select(*columns).where(test_clocks.c.org_id == tx.org_id)
    row = tx.execute(statement.with_for_update() if lock else statement).first()
    if row is None:
        raise NoTestClock("This organization has no test clock; it lives by the server's.")
    return ClockState(now=row.now, target=row.target, status=ClockStatus(row.status), failure=row.failure)


def start_clock(tx: Transaction, now: datetime) -> ClockState:
    """Give an organization without a test clock one that shows `now`."""
    started = ClockState(now=now, target=now, status=ClockStatus.READY)
    tx.execute(insert(test_clocks).values(org_id=tx.org_id, now=now, target=now, status=started.status.value))
    return started


def aim_clock(tx: Transaction, target: datetime) -> ClockState:
    """Begin to move the clock on; what moves it is deferred. Raises ClockGoesBack, ClockIsMoving.

    Asked again while it is on its way there, it goes on: the first answer may have been lost.
    """
    clock = clock_of(tx, lock=True)
    if clock.status is ClockStatus.ADVANCING:
        if clock.target == target:
            return clock
        raise ClockIsMoving(f"The clock is on its way to {clock.target.isoformat()}; wait until it is READY.")
    if target < clock.now:
        raise ClockGoesBack(f"The clock shows {clock.now.isoformat()}, and goes forward only.")
    return set_clock(tx, ClockState(now=clock.now, target=target, status=ClockStatus.ADVANCING))


def set_clock(tx: Transaction, clock: ClockState) -> ClockState:
    """Store what the clock shows."""
    values = {**msgspec.structs.asdict(clock), "status": clock.status.value}
    tx.execute(update(test_clocks).where(test_clocks.c.org_id == tx.org_id).values(values))
    return clock
