"""Put messages into the outbox of a webhook, from where they are delivered."""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any
from uuid import UUID, uuid5

import msgspec
from sqlalchemy import insert, select

from tallystick.kernel.clock import Clock
from tallystick.notifications.delivery import TRIED_FOR, Delivery, DeliveryStatus, deliveries, get_delivery
from tallystick.notifications.webhook import WebhookDestination
from tallystick.platform.ids import new_id
from tallystick.platform.resources import Transaction
from tallystick.platform.resources.wire import encode


class Message(msgspec.Struct, frozen=True, kw_only=True):
    """What a webhook is told.

    key: of this message to this webhook; put twice under the same key, it is delivered once. type: such as
    an event's name. entity_id: what it is about; those about the same thing go in order. None has no order.
    """

    key: str
    type: str
    at: datetime
    facts: Mapping[str, Any]
    entity_id: str | None = None


@dataclass(frozen=True)
class Outbox:
    """Where messages wait. clock: the server's own, whatever clock an organization is rehearsed on."""

    clock: Clock

    def put(self, tx: Transaction, webhook_id: str, message: Message) -> str:
        """Have a message delivered, if the transaction commits. Gives the delivery's id.

        Raises ResourceNotFound when there is no such webhook. To one that is switched off it is delivered
        when that is switched on again within 24 hours.
        """
        tx.get(
            WebhookDestination, webhook_id, lock=True
        )  # so that of two under one key the second sees the first
        message_id = str(uuid5(UUID(webhook_id), message.key))
        same = (
            deliveries.c.org_id == tx.org_id,
            deliveries.c.destination_id == webhook_id,
            deliveries.c.message_id == message_id,
        )
        body = {"type": message.type, "timestamp": message.at, "data": dict(message.facts)}
        known = tx.execute(select(deliveries.c.id).where(*same).limit(1)).scalar()
        if known is not None:
            return str(known)
        row = self.row(tx.org_id, webhook_id, message.entity_id or message_id)
        row |= {"message_id": message_id, "type": message.type, "body": encode(body).decode()}
        tx.execute(insert(deliveries).values(row))
        return str(row["id"])

    def again(self, tx: Transaction, webhook_id: str, delivery_id: str) -> Delivery:
        """Deliver a message once more, under its own id. Raises DeliveryNotFound."""
        old = get_delivery(tx, webhook_id, delivery_id)
        row = self.row(tx.org_id, webhook_id, old.entity_id)
        row |= {"message_id": old.message_id, "type": old.type, "body": old.body}
        tx.execute(insert(deliveries).values(row))
        return get_delivery(tx, webhook_id, str(row["id"]))

    def row(self, org_id: str, webhook_id: str, entity_id: str) -> dict[str, Any]:
        """Give the columns of a new delivery, but for its message."""
        now = self.clock.now()
        return {
            "org_id": org_id,
            "id": new_id(),
            "destination_id": webhook_id,
            "entity_id": entity_id,
            "status": DeliveryStatus.PENDING.value,
            "attempts": 0,
            "dt_created": now,
            "next_attempt_at": now,
            "expires_at": now + TRIED_FOR,
        }
