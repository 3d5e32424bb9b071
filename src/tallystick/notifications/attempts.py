"""One attempt to deliver: make it, and note what came of it."""

from datetime import datetime, timedelta
from time import monotonic_ns
from typing import Any, Final

import msgspec
from sqlalchemy import insert, select, update

from tallystick.kernel.clock import Clock
from tallystick.notifications.alert import Alarm, AlertType, Severity, raise_alerts
from tallystick.notifications.delivery import WAITS_S, Attempt, DeliveryStatus, attempts, deliveries
from tallystick.notifications.signing import signed_headers
from tallystick.notifications.webhook import WebhookDestination, note_attempts
from tallystick.platform.database import Database
from tallystick.platform.http_out import AddressRefused, Answer, HttpOut, NoAnswer
from tallystick.platform.resources import Transaction
from tallystick.platform.sealed import SealBroken, Sealer

MOST_FAILURES: Final = 10
"So many attempts in a row that fail switch a webhook off (semantics §29)."
GONE: Final = 410
"The receiver says that it will never be there again."
MOST_HEADERS, LONGEST_HEADER, LONGEST_BODY = 50, 500, 4_000
_NS_PER_MS: Final = 1_000_000


class Claimed(msgspec.Struct, frozen=True, kw_only=True):
    """A delivery that is this process's to make, with where it goes and how it is signed."""

    org_id: str
    id: str
    destination_id: str
    message_id: str
    body: str
    url: str
    sealed_secret: str
    api_key: str


async def make_attempt(out: HttpOut, sealer: Sealer, claimed: Claimed, clock: Clock) -> Attempt:
    """Send a message once, and tell what came of it; nothing of it is stored yet."""
    at, began, body = clock.now(), monotonic_ns(), claimed.body.encode()
    headers: dict[str, str] = {}
    answer: Answer | None = None
    error: str | None = None
    try:
        secret = sealer.open(claimed.sealed_secret)
        headers = signed_headers(secret, claimed.api_key, claimed.message_id, at, body)
        answer = await out.post(claimed.url, headers, body)
    except (AddressRefused, SealBroken) as refused:
        error = refused.message
    except NoAnswer as none:
        error = str(none)
    return Attempt(
        number=0,
        url=claimed.url,
        dt_started=at,
        duration_ms=(monotonic_ns() - began) // _NS_PER_MS,
        request_headers=headers,
        status_code=answer.status if answer else None,
        response_headers=_bounded(answer.headers) if answer else None,
        response_body=_storable(answer.body, LONGEST_BODY) if answer else None,
        error=_storable(error, LONGEST_BODY) if error else None,
    )


def note_attempt(database: Database, clock: Clock, claimed: Claimed, attempt: Attempt, jitter: int) -> None:
    """Store an attempt, and what follows from it for the delivery and the webhook. jitter: percent."""
    with database.transaction(claimed.org_id) as tx:
        webhooks = tx.find(WebhookDestination, lock=True, id=claimed.destination_id)
        own = (deliveries.c.org_id == tx.org_id, deliveries.c.id == claimed.id)
        row = tx.execute(select(deliveries).where(*own).with_for_update()).one_or_none()
        if row is None or row.status != DeliveryStatus.PENDING.value:
            return
        now = clock.now()
        number = row.attempts + 1
        store_attempt(tx, claimed.id, msgspec.structs.replace(attempt, number=number))
        values: dict[str, Any] = {"attempts": number, "claimed_until": None}
        if attempt.got_through:
            values["status"] = DeliveryStatus.DELIVERED.value
        else:
            again = now + wait_after(number, jitter)
            given_up = number > len(WAITS_S) or again >= row.expires_at or not webhooks
            values |= {"status": DeliveryStatus.FAILED.value} if given_up else {"next_attempt_at": again}
        tx.execute(update(deliveries).where(*own).values(**values))
        for webhook in webhooks:
            _note_at(tx, webhook, attempt, now, jitter)


def store_attempt(tx: Transaction, delivery_id: str, attempt: Attempt) -> None:
    """Add an attempt to a delivery's log."""
    values = {"org_id": tx.org_id, "delivery_id": delivery_id, **msgspec.structs.asdict(attempt)}
    tx.execute(insert(attempts).values(values))


def wait_after(failures: int, jitter: int) -> timedelta:
    """Give how long to wait after so many failures in a row, from 1. jitter: 100 is as the table says."""
    seconds = WAITS_S[min(failures, len(WAITS_S)) - 1]
    return timedelta(milliseconds=seconds * 10 * jitter)


def _note_at(
    tx: Transaction, webhook: WebhookDestination, attempt: Attempt, now: datetime, jitter: int
) -> None:
    """Keep how a webhook fares: requests that were under way together fail as one."""
    if attempt.got_through:
        if webhook.failures:
            fine = msgspec.structs.replace(webhook, failures=0, paused_until=None)
            note_attempts(tx, fine)
        return
    if webhook.paused_until is not None and attempt.dt_started < webhook.paused_until:
        return
    failures = webhook.failures + 1
    if not webhook.active:
        return
    if failures >= MOST_FAILURES or attempt.status_code == GONE:
        _switch_off(tx, webhook, attempt, failures)
        return
    paused = now + wait_after(failures, jitter)
    note_attempts(tx, msgspec.structs.replace(webhook, failures=failures, paused_until=paused))


def _switch_off(tx: Transaction, webhook: WebhookDestination, attempt: Attempt, failures: int) -> None:
    tx.update(webhook, msgspec.structs.replace(webhook, active=False, failures=0, paused_until=None))
    reason = attempt.error or f"it answered {attempt.status_code}"
    description = f"The webhook {webhook.name} was switched off after {failures} failed attempts: {reason}"
    alarm = Alarm(
        severity=Severity.ERROR,
        type=AlertType.WEBHOOK_DISABLED,
        description=description,
        about=f"webhook:{webhook.id}",
        entity_id=webhook.id,
    )
    raise_alerts(tx, [alarm])


def _bounded(headers: dict[str, str]) -> dict[str, str]:
    some = list(headers.items())[:MOST_HEADERS]
    return {_storable(name, LONGEST_HEADER): _storable(value, LONGEST_HEADER) for name, value in some}


def _storable(told: str, longest: int) -> str:
    """Cut a text off, and take out what the database keeps in no text."""
    return told[:longest].replace("\x00", "\ufffd").encode("utf-8", "replace").decode()
