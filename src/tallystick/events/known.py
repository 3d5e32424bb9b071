"""Which events an organization can see: those that are declared, and those that it schedules itself."""

from tallystick.events.declared import event_fields
from tallystick.platform.resources import Transaction


def fields_of(_tx: Transaction, name: str) -> dict[str, str] | None:
    """Give the fields of an event, each with its type; None when there is no such event."""
    return event_fields(name).get(name)
