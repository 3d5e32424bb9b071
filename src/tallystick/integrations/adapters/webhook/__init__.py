"""Webhooks: a notification, or an approved bill, to one of the organization's webhook destinations.

How a webhook is signed, sent, retried and logged is not decided here: `deliver` takes it from here on.
"""

from collections.abc import Callable, Iterator, Mapping, Sequence
from typing import Any, Final

import msgspec

from tallystick.integrations.adapter import Outgoing, Sent, System
from tallystick.integrations.errors import EntityRefused
from tallystick.kernel.problems import Problem
from tallystick.platform.resources.wire import answer

SYSTEM: Final = System(
    "WEBHOOK", "Webhook", ("Notification", "Bill"), ("M3TER_SIGNED_REQUEST",), categories=("messaging",)
)


class WebhookMessage(msgspec.Struct, frozen=True, kw_only=True):
    """What a webhook is told. key: the same message has the same. type: such as an event's name."""

    key: str
    type: str
    entity_id: str
    facts: Mapping[str, Any]


Deliver = Callable[[str, str, WebhookMessage], None]
"Take a message over, durably: organization, destination, message. Refuses an unknown destination."


class WebhookAdapter:
    """Hands messages to the webhooks of the organization."""

    system = SYSTEM

    def __init__(self, deliver: Deliver) -> None:
        self._deliver = deliver

    def check(self, config: Mapping[str, Any]) -> Iterator[Problem]:
        """Nothing of its own: the destination says where."""
        yield from ()

    def send(self, outgoing: Outgoing) -> Sent:
        """Hand the message over."""
        if outgoing.destination_id is None:
            raise EntityRefused("The configuration has no destinationId: name a webhook destination.")
        facts = dict(outgoing.facts or {})
        if outgoing.bill is not None:
            facts = {"entityType": outgoing.entity_type, "bill": answer(outgoing.bill)}
        message = WebhookMessage(
            key=outgoing.key,
            type=str(facts.get("eventName") or "bill.approved"),
            entity_id=str(facts.get("entityId") or outgoing.entity_id),
            facts=facts,
        )
        self._deliver(outgoing.org_id, outgoing.destination_id, message)
        return Sent(log={"handedTo": outgoing.destination_id})

    def known(
        self, entity_type: str, table: str | None, credentials: Mapping[str, str]
    ) -> Sequence[tuple[str, str]]:
        """Webhooks know nothing by an id."""
        return ()
