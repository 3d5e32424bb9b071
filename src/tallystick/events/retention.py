"""Forget old events (semantics §28)."""

from datetime import timedelta
from typing import Final

from sqlalchemy import delete

from tallystick.events.record import events
from tallystick.events.told import told
from tallystick.platform.resources import Transaction

KEPT: Final = timedelta(days=28)
"Rule: semantics §28, all kinds of events."


def forget_events(tx: Transaction) -> int:
    """Delete the events that are older than 28 days. Gives how many there were."""
    tx.execute(delete(told).where(told.c.dt_created < tx.clock.now() - KEPT))
    return tx.execute(delete(events).where(events.c.event_time < tx.clock.now() - KEPT)).rowcount
