"""Deliveries to a real server that takes them well, badly, or not at all (semantics §29)."""

import asyncio
import base64
import time
from collections.abc import Iterator
from contextlib import suppress
from datetime import timedelta
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from standardwebhooks import Webhook

from tallystick.notifications.alert import Alert, AlertType
from tallystick.notifications.attempts import MOST_FAILURES, wait_after
from tallystick.notifications.deliverer import Deliverer
from tallystick.notifications.delivery import (
    TRIED_FOR,
    WAITS_S,
    Delivery,
    DeliveryStatus,
    forget_deliveries,
    get_delivery,
)
from tallystick.notifications.outbox import Message
from tallystick.notifications.service import Webhooks
from tallystick.notifications.signing import secret_problem, signed_headers
from tallystick.notifications.webhook import (
    SignedCredentialsRequest,
    SignedType,
    WebhookDestination,
    WebhookDestinationRequest,
    activate_webhook,
)
from tallystick.platform.addresses import Allowed
from tallystick.platform.database import Database
from tallystick.platform.http_out import HttpOut
from tallystick.platform.ids import new_id
from tallystick.platform.sealed import Sealer
from tests.support.clock import START, MovableClock
from tests.support.receiver import Receiver, answers, babbles, hangs, receiver

SECRET = "whsec_" + base64.b64encode(b"0123456789abcdef01234567").decode()


@pytest.fixture
def server() -> Iterator[Receiver]:
    with receiver() as running:
        yield running


class Rig:
    """One organization with webhooks on a local server, whose clock and deliveries the test moves."""

    def __init__(self, database: Database, clock: MovableClock, org_id: str) -> None:
        self.database, self.clock, self.org_id = database, clock, org_id
        out = HttpOut(Allowed.read("127.0.0.1"), timeout_s=1)
        sealer = Sealer(b"s" * 32, "webhooks")
        self.webhooks = Webhooks(database, out, sealer, clock)
        self.deliverer = Deliverer(database, clock, out, sealer)

    def webhook(self, url: str, secret: str = SECRET) -> str:
        credentials = SignedCredentialsRequest(
            type=SignedType.M3TER_SIGNED_REQUEST, api_key="key-1", secret=secret
        )
        request = WebhookDestinationRequest(name="n", description="d", url=url, credentials=credentials)
        with self.database.transaction(self.org_id, "test") as tx:
            return self.webhooks.create(tx, request).id

    def put(self, webhook_id: str, value: int = 1, entity_id: str | None = None, **more: Any) -> str:
        message = Message(
            key=more.get("key", new_id()), type="test", at=START, facts={"n": value}, entity_id=entity_id
        )
        with self.database.transaction(self.org_id) as tx:
            return self.webhooks.outbox.put(tx, webhook_id, message)

    def deliver(self, *, failing: bool = False, most: int = 64) -> int:
        """Deliver what is due now, once each; give how many there were."""
        mine = [c for c in self.deliverer.claim(failing, most) if c.org_id == self.org_id]

        async def all_of_them() -> None:
            await asyncio.gather(*(self.deliverer.deliver(claimed) for claimed in mine))

        asyncio.run(all_of_them())
        return len(mine)

    def delivery(self, webhook_id: str, delivery_id: str) -> Delivery:
        with self.database.reading(self.org_id) as tx:
            return get_delivery(tx, webhook_id, delivery_id)

    def stored(self, webhook_id: str) -> WebhookDestination:
        with self.database.reading(self.org_id) as tx:
            return tx.get(WebhookDestination, webhook_id)

    def forward(self, **span: float) -> None:
        self.clock.instant += timedelta(**span)


@pytest.fixture
def rig(database: Database, clock: MovableClock, org_id: str) -> Rig:
    return Rig(database, clock, org_id)


def test_a_message_arrives_signed_in_both_ways(rig: Rig, server: Receiver) -> None:
    webhook = rig.webhook(server.url())
    made = rig.put(webhook, 7)
    assert rig.deliver() == 1
    _, headers, body = server.requests[0]
    assert server.bodies() == [{"type": "test", "timestamp": "2025-06-01T00:00:00Z", "data": {"n": 7}}]
    expected = signed_headers(SECRET, "key-1", headers["webhook-id"], START, body)
    assert expected.items() <= headers.items()
    found = rig.delivery(webhook, made)
    assert (found.status, found.attempts, found.message_id) == (
        DeliveryStatus.DELIVERED,
        1,
        headers["webhook-id"],
    )
    assert found.log is not None
    assert (found.log[0].status_code, found.log[0].response_body) == (200, "ok")


@pytest.mark.parametrize("secret", [SECRET, "any text at all", "päßword"])
def test_the_public_library_verifies_a_signature(secret: str, monkeypatch: pytest.MonkeyPatch) -> None:
    body = b'{"type":"test"}'
    headers = signed_headers(secret, "key", "msg_1", START, body)
    name = "_Webhook__verify_timestamp"  # it compares with the wall clock, and START is long ago
    monkeypatch.setattr(Webhook, name, lambda *_: START)
    key = secret if secret == SECRET else secret.encode()
    assert Webhook(key).verify(body, headers) == {"type": "test"}


def test_a_secret_that_only_looks_like_base64_is_refused() -> None:
    assert secret_problem("whsec_!!") is not None
    assert secret_problem("whsec_") is not None
    assert secret_problem(SECRET) is None
    assert secret_problem("anything") is None


def test_the_secret_is_stored_sealed_and_never_answered(rig: Rig, server: Receiver) -> None:
    stored = rig.stored(rig.webhook(server.url(), "open sesame"))
    assert "sesame" not in str(stored)
    assert stored.credentials.secret is None


def test_a_failed_delivery_is_tried_again_later_each_time(rig: Rig, server: Receiver) -> None:
    webhook = rig.webhook(server.behave("/bad", answers(500)))
    made = rig.put(webhook)
    assert rig.deliver() == 1
    assert rig.deliver() == rig.deliver(failing=True) == 0, "not before the wait is over"
    rig.forward(seconds=6)  # 5 s, and up to a fifth more
    assert rig.deliver(failing=True) == 1
    rig.forward(seconds=6)
    assert rig.deliver(failing=True) == 0, "30 s now"
    server.behave("/bad", answers(204))
    rig.forward(seconds=30)
    assert rig.deliver(failing=True) == 1
    found = rig.delivery(webhook, made)
    assert (found.status, found.attempts) == (DeliveryStatus.DELIVERED, 3)
    assert rig.stored(webhook).failures == 0
    assert len({headers["webhook-id"] for _, headers, _ in server.requests}) == 1


def test_about_one_thing_messages_go_in_order_about_others_at_once(rig: Rig, server: Receiver) -> None:
    webhook, bill = rig.webhook(server.url()), new_id()
    for value in (1, 2):
        rig.put(webhook, value, bill)
    rig.put(webhook, 3, new_id())
    assert rig.deliver() == 2
    assert {body["data"]["n"] for body in server.bodies()} == {1, 3}
    assert rig.deliver() == 1
    assert server.bodies()[-1]["data"]["n"] == 2


def test_one_that_fails_holds_up_what_is_about_the_same_thing(rig: Rig, server: Receiver) -> None:
    webhook, bill = rig.webhook(server.behave("/bad", answers(500))), new_id()
    for value in (1, 2):
        rig.put(webhook, value, bill)
    rig.deliver()
    rig.forward(hours=23)
    rig.deliver(failing=True)
    assert {body["data"]["n"] for body in server.bodies("/bad")} == {1}
    rig.forward(hours=2)  # the first one is given up
    rig.deliverer.expire()
    server.behave("/bad", answers(200))
    rig.put(webhook, 3, bill)
    rig.deliver(failing=True)
    assert server.bodies("/bad")[-1]["data"]["n"] == 3


def test_no_webhook_has_more_than_four_requests_and_a_failing_one_more_than_one(
    rig: Rig, server: Receiver
) -> None:
    webhook = rig.webhook(server.behave("/bad", answers(500)))
    for value in range(10):
        rig.put(webhook, value)
    assert rig.deliver() == 4
    assert rig.stored(webhook).failures == 1, "what was under way together fails as one"
    rig.forward(seconds=7)
    assert rig.deliver(failing=True) == 1


def test_ten_failures_in_a_row_switch_a_webhook_off_with_an_alert(rig: Rig, server: Receiver) -> None:
    webhook = rig.webhook(server.behave("/bad", answers(500)))
    for value in range(MOST_FAILURES):
        rig.put(webhook, value)
        assert rig.deliver(failing=value > 0) == 1
        rig.forward(seconds=WAITS_S[min(value, 9)] * 2)
    assert not rig.stored(webhook).active
    with rig.database.reading(rig.org_id) as tx:
        (alert,) = tx.find(Alert)
    assert (alert.type, alert.entity_id) == (AlertType.WEBHOOK_DISABLED, webhook)
    rig.put(webhook, 99)
    assert rig.deliver() == rig.deliver(failing=True) == 0
    server.behave("/bad", answers(200))
    with rig.database.transaction(rig.org_id) as tx:
        activate_webhook(tx, webhook, active=True)
    assert rig.deliver() > 0, "what waited goes out"


def test_gone_switches_off_at_once(rig: Rig, server: Receiver) -> None:
    webhook = rig.webhook(server.behave("/gone", answers(410)))
    rig.put(webhook)
    rig.deliver()
    assert not rig.stored(webhook).active


def test_slow_and_hostile_ones_do_not_hold_up_the_others(rig: Rig, server: Receiver) -> None:
    bad = [rig.webhook(server.behave(f"/bad{i}", hangs if i % 2 else babbles)) for i in range(8)]
    good = rig.webhook(server.url())
    for webhook in (*bad, good):
        for value in range(3):
            rig.put(webhook, value)

    async def run_for_a_while() -> None:
        running = asyncio.create_task(rig.deliverer.run(alone=True))
        until = time.monotonic() + 5
        while len(server.bodies()) < 3 and time.monotonic() < until:  # noqa: ASYNC110 - of another thread
            await asyncio.sleep(0.02)
        running.cancel()
        with suppress(asyncio.CancelledError):
            await running

    began = time.monotonic()
    asyncio.run(run_for_a_while())
    assert len(server.bodies()) == 3
    assert time.monotonic() - began < 4


def test_what_a_killed_process_had_taken_is_taken_up(rig: Rig, server: Receiver) -> None:
    webhook = rig.webhook(server.url())
    rig.put(webhook)
    assert len([c for c in rig.deliverer.claim(failing=False, most=64) if c.org_id == rig.org_id]) == 1
    assert rig.deliver() == 0, "it is taken"
    rig.forward(seconds=61)
    assert rig.deliver() == 1


def test_put_twice_under_one_key_it_is_delivered_once(rig: Rig, server: Receiver) -> None:
    webhook = rig.webhook(server.url())
    assert rig.put(webhook, key="run-1") == rig.put(webhook, key="run-1")
    rig.deliver()
    assert len(server.bodies()) == 1


def test_a_message_is_delivered_again_under_its_own_id(rig: Rig, server: Receiver) -> None:
    webhook = rig.webhook(server.url())
    made = rig.put(webhook)
    rig.deliver()
    with rig.database.transaction(rig.org_id) as tx:
        again = rig.webhooks.outbox.again(tx, webhook, made)
    rig.deliver()
    assert again.id != made
    assert len({headers["webhook-id"] for _, headers, _ in server.requests}) == 1
    assert len(server.requests) == 2


def test_a_try_is_logged_and_told_as_it_went(rig: Rig, server: Receiver) -> None:
    found = rig.webhooks.test(rig.org_id, rig.webhook(server.url()))
    assert (found.status, found.type) == (DeliveryStatus.DELIVERED, "webhook.test")
    nul = answers(200, b"a\x00b" * 5000, **{"x-long": "y" * 2000})
    found = rig.webhooks.test(rig.org_id, rig.webhook(server.behave("/nul", nul)))
    assert found.log is not None
    assert len(found.log[0].response_body or "") == 4000
    assert len((found.log[0].response_headers or {})["x-long"]) == 500
    failed = rig.webhooks.test(rig.org_id, rig.webhook(server.behave("/hangs", hangs)))
    assert failed.status is DeliveryStatus.FAILED
    assert failed.log is not None
    assert "no whole answer" in (failed.log[0].error or "")


def test_a_delivery_to_a_deleted_webhook_is_given_up_in_time(rig: Rig, server: Receiver) -> None:
    webhook = rig.webhook(server.url())
    made = rig.put(webhook)
    with rig.database.transaction(rig.org_id) as tx:
        tx.delete(WebhookDestination, webhook)
    assert rig.deliver() == 0
    rig.forward(hours=25)
    rig.deliverer.expire()
    assert rig.delivery(webhook, made).status is DeliveryStatus.FAILED
    rig.forward(days=28)
    with rig.database.transaction(rig.org_id) as tx:
        assert forget_deliveries(tx, rig.clock.now()) == 1


@given(failures=st.integers(1, 20), jitter=st.integers(80, 120))
def test_a_wait_is_never_shorter_than_the_one_before(failures: int, jitter: int) -> None:
    wait = wait_after(failures, jitter)
    assert timedelta(seconds=4) <= wait <= timedelta(hours=9, minutes=36)
    assert wait_after(failures + 1, jitter) >= wait


def test_the_waits_fit_into_a_day() -> None:
    assert timedelta(hours=21) < timedelta(seconds=sum(WAITS_S)) < TRIED_FOR
