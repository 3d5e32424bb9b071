"""Notifications: what goes beyond the generic routes."""

from collections.abc import Iterator

from tallystick.api.routes import Call, Permission, Route, organization_path
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
    yield Route(
        "POST",
        organization_path("notifications/evaluate"),
        EVALUATE,
        evaluate_calculation,
        "evaluateCalculation",
        Notification.__name__,
        "Try a notification's calculation",
        request=EvaluateCalculationRequest,
        answer=EvaluateCalculationResponse,
        repeatable=True,
    )


def evaluate_calculation(call: Call) -> EvaluateCalculationResponse:
    """Check a rule, and calculate it with an event that happened. Raises InvalidBody, EventNotFound."""
    with call.reading() as tx:
        return evaluate(tx, call.body, call.services.lookups(call.org_id))
