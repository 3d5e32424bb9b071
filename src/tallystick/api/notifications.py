"""Notifications: what goes beyond the generic routes."""

from collections.abc import Iterator
from typing import Any

from tallystick.api.routes import Call, Permission, Route, verb_route
from tallystick.notifications.evaluate import (
    EvaluateCalculationRequest,
    EvaluateCalculationResponse,
    evaluate,
)
from tallystick.notifications.notification import Notification
from tallystick.platform.resources import resource_of

EVALUATE = Permission("config:retrieve", resource_of(Notification).permission_object)


def notification_routes() -> Iterator[Route]:
    """Make the routes."""
    tag, path = Notification.__name__, "notifications/evaluate"
    tried: dict[str, Any] = {
        "request": EvaluateCalculationRequest,
        "answer": EvaluateCalculationResponse,
        "repeatable": True,
    }
    yield verb_route("POST", path, EVALUATE, evaluate_calculation, "evaluateCalculation", tag, **tried)


def evaluate_calculation(call: Call) -> EvaluateCalculationResponse:
    """Try a notification's calculation with an event that happened. Raises InvalidBody, EventNotFound."""
    with call.reading() as tx:
        return evaluate(tx, call.body, call.services.lookups(call.org_id))
