"""Webhooks: making them, switching them, trying them out, and what was delivered."""

from collections.abc import Callable, Iterator
from typing import Any, Literal

from sqlalchemy import ColumnElement

from tallystick.api.crud import paging
from tallystick.api.routes import Call, Permission, QueryParameter, Route, organization_path
from tallystick.notifications.delivery import (
    Delivery,
    DeliveryStatus,
    deliveries,
    get_delivery,
    page_of_deliveries,
)
from tallystick.notifications.webhook import WebhookDestination, WebhookDestinationRequest, activate_webhook
from tallystick.platform.resources import By, Page, resource_of
from tallystick.platform.resources.pages import page_request

TAG = WebhookDestination.__name__
LARGEST_PAGE = 200
FILTERS = (
    By("status", "status", item=DeliveryStatus),
    By("type", "type", item=str),
    By("entityId", "entity_id"),
)


def webhook_routes() -> Iterator[Route]:
    """Make the routes."""
    request: dict[str, Any] = {"request": WebhookDestinationRequest, "answer": WebhookDestination}
    yield _route("POST", "", "create", create, "createWebhookDestination", "Create a webhook", **request)
    yield _route("PUT", "/{id}", "update", update, "updateWebhookDestination", "Update a webhook", **request)
    yield _route(
        "PUT",
        "/{id}/active",
        "update",
        activate,
        "activateWebhookDestination",
        "Switch a webhook on or off",
        answer=WebhookDestination,
        query=(QueryParameter("active", bool),),
    )
    tried: dict[str, Any] = {"answer": Delivery, "repeatable": True}
    yield _route("POST", "/{id}/test", "update", test, "testWebhook", "Try a webhook out", **tried)
    query = (*paging(LARGEST_PAGE), *(QueryParameter(f.name, f.kind) for f in FILTERS))
    listed: dict[str, Any] = {"answer": Page[Delivery], "query": query}
    under = "/{id}/deliveries"
    summary = "List a webhook's deliveries"
    yield _route("GET", under, "retrieve", list_deliveries, "listWebhookDeliveries", summary, **listed)
    one = f"{under}/{{deliveryId}}"
    summary = "Get a delivery with its log"
    yield _route("GET", one, "retrieve", get, "getWebhookDelivery", summary, answer=Delivery)
    summary = "Deliver a message again"
    yield _route(
        "POST", f"{one}/redeliver", "update", redeliver, "redeliverWebhook", summary, answer=Delivery
    )


def _route(
    method: Literal["GET", "POST", "PUT"],
    suffix: str,
    action: str,
    handler: Callable[[Call], Any],
    operation_id: str,
    summary: str,
    **more: Any,
) -> Route:
    declared = resource_of(WebhookDestination)
    permission = Permission(f"config:{action}", declared.permission_object)
    path = organization_path(f"{declared.path}{suffix}")
    return Route(method, path, permission, handler, operation_id, TAG, summary, **more)


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
    """Switch a webhook on, which forgets its failures, or off. Raises ResourceNotFound."""
    with call.writing() as tx:
        return activate_webhook(tx, call.path["id"], active=call.flag("active"))


def test(call: Call) -> Delivery:
    """Send a message now and give what came of it. Raises ResourceNotFound."""
    return call.services.webhooks.test(call.org_id, call.path["id"])


def list_deliveries(call: Call) -> Page[Delivery]:
    """List deliveries, newest first. Raises ResourceNotFound."""
    page = page_request(call.one("pageSize"), call.one("nextToken"), LARGEST_PAGE)
    now = call.services.clock.now()
    clauses: list[ColumnElement[bool]] = [c for f in FILTERS for c in f.clauses(deliveries, call.query, now)]
    with call.reading() as tx:
        webhook = tx.get(WebhookDestination, call.path["id"])
        return page_of_deliveries(tx, webhook.id, page, clauses)


def get(call: Call) -> Delivery:
    """Get a delivery, its message and the log of its attempts. Raises ResourceNotFound, DeliveryNotFound."""
    with call.reading() as tx:
        webhook = tx.get(WebhookDestination, call.path["id"])
        return get_delivery(tx, webhook.id, call.path["deliveryId"])


def redeliver(call: Call) -> Delivery:
    """Put a message into the outbox again. Raises ResourceNotFound, DeliveryNotFound."""
    with call.writing() as tx:
        webhook = tx.get(WebhookDestination, call.path["id"])
        return call.services.webhooks.outbox.again(tx, webhook.id, call.path["deliveryId"])
