"""What callers do with webhooks."""

import asyncio
from dataclasses import dataclass

import msgspec
from sqlalchemy import insert

from tallystick.kernel.clock import Clock
from tallystick.notifications.attempts import Claimed, make_attempt, store_attempt
from tallystick.notifications.delivery import Delivery, DeliveryStatus, deliveries, get_delivery
from tallystick.notifications.outbox import Outbox
from tallystick.notifications.webhook import (
    WebhookDestination,
    WebhookDestinationRequest,
    check_url,
    create_webhook,
    update_webhook,
)
from tallystick.platform.database import Database
from tallystick.platform.http_out import HttpOut
from tallystick.platform.resources import Transaction
from tallystick.platform.resources.wire import encode
from tallystick.platform.sealed import Sealer

TEST = "webhook.test"
"The type of messages that only try a webhook out."


@dataclass(frozen=True)
class Webhooks:
    """Makes, changes and tries webhooks out. clock: the server's own."""

    database: Database
    out: HttpOut
    sealer: Sealer
    clock: Clock

    @property
    def outbox(self) -> Outbox:
        """Where messages to webhooks are put."""
        return Outbox(self.clock)

    def check(self, request: WebhookDestinationRequest) -> None:
        """Refuse what would never be called, before a transaction: name servers take their time.

        Raises InvalidBody.
        """
        check_url(self.out, request)

    def create(self, tx: Transaction, request: WebhookDestinationRequest) -> WebhookDestination:
        """Make a webhook that was checked. Raises InvalidBody."""
        return create_webhook(tx, request, self.sealer)

    def update(
        self, tx: Transaction, webhook_id: str, request: WebhookDestinationRequest
    ) -> WebhookDestination:
        """Replace a webhook that was checked. Raises ResourceNotFound, StaleVersion, InvalidBody."""
        return update_webhook(tx, webhook_id, request, self.sealer)

    def test(self, org_id: str, webhook_id: str) -> Delivery:
        """Send a message now, once, also to a webhook that is switched off; give what came of it.

        It is logged as a delivery that is not tried again. Raises ResourceNotFound.
        """
        with self.database.reading(org_id) as tx:
            webhook = tx.get(WebhookDestination, webhook_id)
        row = self.outbox.row(org_id, webhook.id, webhook.id)
        told = {"webhookId": webhook.id, "name": webhook.name}
        body = encode({"type": TEST, "timestamp": self.clock.now(), "data": told}).decode()
        claimed = Claimed(
            org_id=org_id,
            id=row["id"],
            destination_id=webhook.id,
            message_id=row["id"],
            body=body,
            url=webhook.url,
            sealed_secret=webhook.sealed_secret,
            api_key=webhook.credentials.api_key,
        )
        attempt = asyncio.run(make_attempt(self.out, self.sealer, claimed, self.clock))
        status = DeliveryStatus.DELIVERED if attempt.got_through else DeliveryStatus.FAILED
        row |= {"message_id": row["id"], "type": TEST, "body": body, "status": status.value, "attempts": 1}
        with self.database.transaction(org_id) as tx:
            tx.execute(insert(deliveries).values(row))
            store_attempt(tx, row["id"], msgspec.structs.replace(attempt, number=1))
            return get_delivery(tx, webhook.id, row["id"])
