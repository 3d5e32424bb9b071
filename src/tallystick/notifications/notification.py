"""Notifications: rules that say which events are worth telling."""

from collections.abc import Iterator
from typing import Annotated

from msgspec import Meta

from tallystick.calc.errors import ExpressionError
from tallystick.calc.expression import LONGEST, compile_expression
from tallystick.catalogue.lookup_find import lookup_problems
from tallystick.events.known import fields_of
from tallystick.kernel.problems import Problem
from tallystick.notifications.rules import rule_problems
from tallystick.platform.resources import By, Code, Entity, Name, Transaction, resource

Text = Annotated[str, Meta(min_length=1, max_length=500)]


@resource(
    "notifications/configurations",
    event="configuration.notification",
    unique=("code",),
    filters=(By("active", "active", item=bool), By("eventName", "event_name", item=str)),
    table="notifications",
)
class Notification(Entity, kw_only=True):
    """A rule: when an event of this name happens and the calculation is true, it is told (semantics §28)."""

    name: Name
    description: Text
    code: Code
    event_name: Text
    active: bool = True
    always_fire_event: bool = False
    "True skips the calculation: every such event is told."
    calculation: Annotated[str, Meta(max_length=LONGEST)] | None = None

    def check(self) -> Iterator[Problem]:
        """There is a calculation, unless every event is told."""
        if not self.calculation and not self.always_fire_event:
            message = "is required, unless alwaysFireEvent is true"
            yield Problem("calculation", "required", message)

    def check_stored(self, tx: Transaction, old: Entity | None) -> Iterator[Problem]:
        """The event is one that can happen, and has every field that the calculation reads."""
        fields = fields_of(tx, self.event_name)
        if fields is None:
            yield Problem("eventName", "unknown_event", f"there is no event {self.event_name}")
        elif self.calculation:
            yield from calculation_problems(tx, self.calculation, self.event_name, fields)


def calculation_problems(
    tx: Transaction, calculation: str, event_name: str, fields: dict[str, str]
) -> Iterator[Problem]:
    """Find what is wrong with a rule, lookups too."""
    yield from rule_problems(calculation, event_name, fields)
    try:
        yield from lookup_problems(tx, "calculation", compile_expression(calculation))
    except ExpressionError:
        return  # told above
