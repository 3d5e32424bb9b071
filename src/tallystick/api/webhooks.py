"""Webhooks: making them, switching them, trying them out, and what was delivered."""

from collections.abc import Iterator
from typing import Any

from tallystick.api.routes import (
    Call,
    Permission,
    QueryParameter,
    Route,
    filter_parameters,
    paging,
    verb_route,
)
from tallystick.notifications.delivery import (
    Delivery,
    DeliveryStatus,
    deliveries,
    get_delivery,
    page_of_deliveries,
)
from tallystick.notifications.webhook import WebhookDestination, WebhookDestinationRequest, activate_webhook
from tallystick.platform.resources import By, Page, resource_of

TAG = WebhookDestination.__name__
READ, CREATE, UPDATE = (
    Permission(f"config:{a}", resource_of(WebhookDestination).permission_object)
    for a in ("retrieve", "create", "update")
)
LARGEST_PAGE = 200
FILTERS = (
    By("status", "status", item=DeliveryStatus),
    By("type", "type", item=str),
    By("entityId", "entity_id"),
)


def webhook_routes() -> Iterator[Route]:
    """Make the routes."""
    path = resource_of(WebhookDestination).path
    one = f"{path}/{{id}}"
    body: dict[str, Any] = {"request": WebhookDestinationRequest, "answer": WebhookDestination}
    yield verb_route("POST", path, CREATE, create, "createWebhookDestination", TAG, **body)
    yield verb_route("PUT", one, UPDATE, update, "updateWebhookDestination", TAG, **body)
    switched: dict[str, Any] = {"answer": WebhookDestination, "query": (QueryParameter("active", bool),)}
    yield verb_route("PUT", f"{one}/active", UPDATE, activate, "activateWebhookDestination", TAG, **switched)
    tried: dict[str, Any] = {"answer": Delivery, "repeatable": True}
    yield verb_route("POST", f"{one}/test", UPDATE, test, "testWebhook", TAG, **tried)
    sent = f"{one}/deliveries"
    query = (*paging(LARGEST_PAGE), *filter_parameters(FILTERS))
    listed: dict[str, Any] = {"answer": Page[Delivery], "query": query}
    yield verb_route("GET", sent, READ, list_deliveries, "listWebhookDeliveries", TAG, **listed)
    sent = f"{sent}/{{deliveryId}}"
    yield verb_route("GET", sent, READ, get, "getWebhookDelivery", TAG, answer=Delivery)
    yield verb_route("POST", f"{sent}/redeliver", UPDATE, redeliver, "redeliverWebhook", TAG, answer=Delivery)


def create(call: Call) -> WebhookDestination:
    """Make a webhook; its secret is kept and never shown. Raises InvalidBody."""
    webhooks = call.services.webhooks
    webhooks.check(call.body)
    with call.writing() as tx:
        return webhooks.create(tx, call.body)


def update(call: Call) -> WebhookDestination:
    """Replace a webhook. Raises ResourceNotFound, StaleVersion, InvalidBody."""
    webhooks = call.services.webhooks
    webhooks.check(call.body)
    with call.writing() as tx:
        return webhooks.update(tx, call.path["id"], call.body)


def activate(call: Call) -> WebhookDestination:
    """Switch a webhook on or off. Switched on, its failures are forgotten. Raises ResourceNotFound."""
    with call.writing() as tx:
        return activate_webhook(tx, call.path["id"], active=call.flag("active"))


def test(call: Call) -> Delivery:
    """Try a webhook out: send a message now, and give what came of it. Raises ResourceNotFound."""
    return call.services.webhooks.test(call.org_id, call.path["id"])


def list_deliveries(call: Call) -> Page[Delivery]:
    """List a webhook's deliveries, newest first. Raises ResourceNotFound."""
    page, clauses = call.page(LARGEST_PAGE), call.clauses(FILTERS, deliveries)
    with call.reading() as tx:
        webhook = tx.get(WebhookDestination, call.path["id"])
        return page_of_deliveries(tx, webhook.id, page, clauses)


def get(call: Call) -> Delivery:
    """Get a delivery, its message and the log of its attempts. Raises ResourceNotFound, DeliveryNotFound."""
    with call.reading() as tx:
        webhook = tx.get(WebhookDestination, call.path["id"])
        return get_delivery(tx, webhook.id, call.path["deliveryId"])


def redeliver(call: Call) -> Delivery:
    """Deliver a message again. Raises ResourceNotFound, DeliveryNotFound."""
    with call.writing() as tx:
        webhook = tx.get(WebhookDestination, call.path["id"])
        return call.services.webhooks.outbox.again(tx, webhook.id, call.path["deliveryId"])
