"""Which events an organization can see: those that are declared, and those that it schedules itself."""

from tallystick.events.declared import event_fields, resource_words
from tallystick.events.scheduled import PREFIX, ScheduledEventConfiguration, entity_of
from tallystick.platform.resources import Transaction


def fields_of(tx: Transaction, name: str) -> dict[str, str] | None:
    """Give the fields of an event, each with its type; None when there is no such event."""
    if name.startswith(PREFIX):
        return scheduled_fields(tx).get(name)
    return event_fields(name).get(name)


def scheduled_fields(tx: Transaction) -> dict[str, dict[str, str]]:
    """Give the fields of every event that the organization schedules: those of its entity, as `new.`."""
    found: dict[str, dict[str, str]] = {}
    for configuration in tx.find(ScheduledEventConfiguration):
        declared = entity_of(configuration.entity)
        words = resource_words(declared) if declared is not None else {}
        found[configuration.name] = {f"new.{field}": word for field, word in words.items()}
    return found
