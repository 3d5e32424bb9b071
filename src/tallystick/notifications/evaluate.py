"""Try a rule out, without saving it."""

import msgspec

from tallystick.calc.errors import CalculationError
from tallystick.calc.values import Lookups
from tallystick.events.feed import Happened
from tallystick.events.known import fields_of
from tallystick.events.read import get_event
from tallystick.kernel.problems import Problem
from tallystick.notifications.notification import calculation_problems
from tallystick.notifications.rules import is_met
from tallystick.platform.resources import Transaction
from tallystick.platform.resources.wire import InvalidBody


class EvaluateCalculationRequest(msgspec.Struct, rename="camel"):
    """A rule, and what it is about: an event that happened, or a kind of event; the name wins over the id."""

    event_id: str | None = None
    event_name: str | None = None
    calculation: str | None = None


class EvaluateCalculationResponse(msgspec.Struct, rename="camel"):
    """Whether the rule is a valid one; not whether it was met (semantics §28)."""

    success: bool
    error_message: str | None = None


def evaluate(
    tx: Transaction, request: EvaluateCalculationRequest, lookups: Lookups
) -> EvaluateCalculationResponse:
    """Check a rule against the fields of an event; with an event's id, calculate it with what it holds.

    Raises InvalidBody, EventNotFound.
    """
    event = None
    if not request.event_name and not request.event_id:
        raise InvalidBody([Problem("eventName", "required", "is required, or eventId")])
    if not request.event_name:
        found = get_event(tx, request.event_id or "")
        event = Happened(found.id, found.event_name, found.event_time, None, found.m3ter_event.event_data)
    name = event.name if event else request.event_name or ""
    calculation = request.calculation or ""
    fields = fields_of(tx, name)
    if fields is None:
        return EvaluateCalculationResponse(success=False, error_message=f"there is no event {name}")
    problems = [*calculation_problems(tx, calculation, name, fields)]
    if problems:
        message = "; ".join(problem.message for problem in problems)
        return EvaluateCalculationResponse(success=False, error_message=message)
    try:
        if event is not None:
            is_met(calculation, event.states, lookups)
    except CalculationError as error:
        return EvaluateCalculationResponse(success=False, error_message=error.message)
    return EvaluateCalculationResponse(success=True)
