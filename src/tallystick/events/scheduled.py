"""Scheduled events: configurations of events that happen a number of days after a date of a thing."""

import re
from collections.abc import Iterator
from datetime import date, datetime
from typing import Annotated, Final

from msgspec import Meta

from tallystick.kernel.problems import Problem
from tallystick.platform.resources import Entity, Resource, resource, resources
from tallystick.platform.resources.declaration import FieldSpec

PREFIX: Final = "scheduled."
_NAME = re.compile(r"scheduled\.([A-Za-z]+)\.[^\s.][^\s]*")
_MOST_DAYS: Final = 36_500


@resource(
    "scheduledevents/configurations",
    event="configuration.scheduledeventconfiguration",
    unique=("name",),
    table="scheduled_event_configurations",
)
class ScheduledEventConfiguration(Entity, kw_only=True):
    """An event `scheduled.<entity>.<custom>`, `offset` days after a date of each such entity (semantics §28).

    A negative offset is before it. It happens once for each value that the field of an entity has had.
    """

    name: Annotated[str, Meta(min_length=1, max_length=200)]
    entity: Annotated[str, Meta(min_length=1, max_length=80)]
    field: Annotated[str, Meta(min_length=1, max_length=80)]
    offset: Annotated[int, Meta(ge=-_MOST_DAYS, le=_MOST_DAYS)]
    "Days; a day of a date is one of the organization's zone, of an instant 24 hours."

    def check(self) -> Iterator[Problem]:
        """The name is of the entity, and the field is a date of it."""
        named = _NAME.fullmatch(self.name)
        if named is None or named[1].lower() != self.entity.lower():
            message = f"must be scheduled.{self.entity.lower()}. and a word of your own"
            yield Problem("name", "wrong_format", message)
        declared = entity_of(self.entity)
        if declared is None:
            yield Problem("entity", "unknown_entity", f"there is no entity {self.entity}")
        elif date_field(declared, self.field) is None:
            known = ", ".join(sorted(f.wire_name for f in declared.fields if _is_date(f)))
            yield Problem("field", "unknown_field", f"must be a date of {self.entity}: {known}")


def entity_of(word: str) -> Resource | None:
    """Find the resource that an entity's name means: the last word of its events, in any case."""
    wanted = word.lower()
    return next((each for each in resources() if each.event.rpartition(".")[2] == wanted), None)


def date_field(declared: Resource, name: str) -> FieldSpec | None:
    """Find a field by its name in JSON, if it is a date or an instant."""
    return next((f for f in declared.fields if f.wire_name == name and _is_date(f)), None)


def _is_date(field: FieldSpec) -> bool:
    return not field.hidden and field.bare in {date, datetime}
