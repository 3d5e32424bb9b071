"""Webhooks: where messages are sent to, and how they are signed."""

from collections.abc import Iterator
from datetime import datetime
from enum import StrEnum
from typing import Annotated

import msgspec
from msgspec import Meta
from sqlalchemy import update

from tallystick.kernel.problems import Problem
from tallystick.notifications.signing import secret_problem
from tallystick.platform.external_systems import ExternalSystem
from tallystick.platform.http_out import AddressRefused, HttpOut
from tallystick.platform.ids import new_id
from tallystick.platform.resources import (
    Code,
    Computed,
    Entity,
    Hidden,
    Name,
    Transaction,
    resource,
    resource_of,
)
from tallystick.platform.resources.declaration import VersionedRequest
from tallystick.platform.resources.transaction import stale
from tallystick.platform.resources.wire import InvalidBody
from tallystick.platform.sealed import Sealer

DESTINATION = "WEBHOOK"
Url = Annotated[str, Meta(min_length=1, max_length=2000)]
Secret = Annotated[str, Meta(min_length=1, max_length=500)]


class SignedType(StrEnum):
    """How requests are signed; there is one way."""

    M3TER_SIGNED_REQUEST = "M3TER_SIGNED_REQUEST"


class SignedCredentialsRequest(msgspec.Struct, kw_only=True, rename="camel"):
    """The key that requests name, and the secret that they are signed with."""

    version: int | None = None
    empty: bool | None = None
    type: SignedType
    name: str | None = None
    destination: ExternalSystem | None = None
    "Whatever it says, it is the webhook."
    api_key: Annotated[str, Meta(min_length=1, max_length=200, pattern=r"^[\x21-\x7e]+$(?!\n)")]
    secret: Secret


class SignedCredentials(msgspec.Struct, kw_only=True, rename="camel"):
    """How requests are signed. The secret is kept to sign with, and never shown again."""

    id: str
    version: int
    dt_created: datetime | None = None
    dt_last_modified: datetime | None = None
    created_by: str | None = None
    last_modified_by: str | None = None
    type: str = SignedType.M3TER_SIGNED_REQUEST.value
    destination: str = DESTINATION
    destination_id: str | None = None
    name: str | None = None
    api_key: str = ""
    secret: str | None = None


class WebhookDestinationRequest(VersionedRequest, kw_only=True):
    """Where to send to, and how to sign."""

    name: Name
    description: Annotated[str, Meta(min_length=1, max_length=500)]
    code: Code | None = None
    active: bool = True
    url: Url
    credentials: SignedCredentialsRequest


@resource(
    "integrationdestinations/webhooks",
    event="configuration.webhookdestination",
    unique=("code",),
    max_page_size=200,
    verbs=("get", "delete", "list"),
)
class WebhookDestination(Entity, kw_only=True):
    """A URL that is told of events (semantics §29)."""

    name: Name
    description: str
    code: Code | None = None
    active: bool = True
    url: Url
    credentials: Annotated[SignedCredentials, Computed()]
    sealed_secret: Annotated[str, Hidden()] = ""
    failures: Annotated[int, Hidden()] = 0
    "Attempts that failed since one got through."
    paused_until: Annotated[datetime | None, Hidden()] = None
    "Nothing is sent before, after a failure."


def create_webhook(tx: Transaction, request: WebhookDestinationRequest, sealer: Sealer) -> WebhookDestination:
    """Make a webhook. Raises InvalidBody. The URL has been checked by `check_url`."""
    webhook_id = new_id()
    webhook = _webhook(tx, request, sealer, webhook_id, None)
    return tx.create(msgspec.structs.replace(webhook, id=webhook_id))


def update_webhook(
    tx: Transaction, webhook_id: str, request: WebhookDestinationRequest, sealer: Sealer
) -> WebhookDestination:
    """Replace a webhook; its failures are forgotten. Raises ResourceNotFound, StaleVersion, InvalidBody."""
    old = tx.get(WebhookDestination, webhook_id, lock=True)
    if request.version is None:
        raise InvalidBody([Problem("version", "required", f"is required: the current one is {old.version}")])
    if request.version != old.version:
        raise stale(resource_of(WebhookDestination), request.version, old.version)
    return tx.update(old, _webhook(tx, request, sealer, old.id, old.credentials))


def activate_webhook(tx: Transaction, webhook_id: str, *, active: bool) -> WebhookDestination:
    """Switch a webhook on or off; what waits is kept for its 24 hours. Raises ResourceNotFound."""
    old = tx.get(WebhookDestination, webhook_id, lock=True)
    if old.active == active and not old.failures:
        return old
    return tx.update(old, msgspec.structs.replace(old, active=active, failures=0, paused_until=None))


def note_attempts(tx: Transaction, webhook: WebhookDestination) -> None:
    """Store how attempts went, without a version or an event: it happens with each of them."""
    table = resource_of(WebhookDestination).table
    own = (table.c.org_id == tx.org_id, table.c.id == webhook.id)
    state = {name: getattr(webhook, name) for name in ("failures", "paused_until")}
    tx.execute(update(table).where(*own).values(**state))


def check_url(out: HttpOut, request: WebhookDestinationRequest) -> None:
    """Refuse a URL that would not be called; takes as long as the name server does. Raises InvalidBody."""
    problems = [*_problems(out, request)]
    if problems:
        raise InvalidBody(problems)


def _problems(out: HttpOut, request: WebhookDestinationRequest) -> Iterator[Problem]:
    try:
        out.check(request.url)
    except AddressRefused as error:
        yield Problem("url", error.code, error.message)
    fault = secret_problem(request.credentials.secret)
    if fault is not None:
        yield Problem("credentials.secret", "wrong_format", fault)


def _webhook(
    tx: Transaction,
    request: WebhookDestinationRequest,
    sealer: Sealer,
    webhook_id: str,
    old: SignedCredentials | None,
) -> WebhookDestination:
    now, given = tx.clock.now(), request.credentials
    credentials = SignedCredentials(
        id=old.id if old else new_id(),
        version=old.version + 1 if old else 1,
        dt_created=old.dt_created if old else now,
        created_by=old.created_by if old else tx.actor,
        dt_last_modified=now,
        last_modified_by=tx.actor,
        destination_id=webhook_id,
        name=given.name,
        api_key=given.api_key,
    )
    return WebhookDestination(
        name=request.name,
        description=request.description,
        code=request.code,
        active=request.active,
        url=request.url,
        credentials=credentials,
        sealed_secret=sealer.seal(given.secret),
    )
