"""Getting a token: programs exchange an access key (OAuth 2 client credentials), people log in."""

import base64
import binascii
from collections.abc import Iterator
from enum import StrEnum
from typing import Annotated, Any
from urllib.parse import parse_qs

import msgspec

from tallystick.api.routes import Call, Route
from tallystick.organizations.audit import append_audit
from tallystick.organizations.errors import Unauthenticated
from tallystick.organizations.principal import Principal
from tallystick.organizations.service import log_in
from tallystick.organizations.tokens import AccessToken
from tallystick.platform.resources.fields import Id
from tallystick.platform.resources.wire import parse, read

FORM = "application/x-www-form-urlencoded"


class GrantType(StrEnum):
    """The one grant that machines use."""

    CLIENT_CREDENTIALS = "client_credentials"


class TokenRequest(msgspec.Struct):
    """What is asked for; the key and its secret come with HTTP Basic, or beside it in the body."""

    grant_type: GrantType
    scope: str | None = None
    client_id: str | None = None
    client_secret: str | None = None


class LogInRequest(msgspec.Struct, rename="camel"):
    """Who a person says they are; orgId chooses among several organizations."""

    email: Annotated[str, msgspec.Meta(max_length=320)]
    password: Annotated[str, msgspec.Meta(max_length=1000)]
    org_id: Id | None = None


def oauth_routes() -> Iterator[Route]:
    """Make the two routes."""
    yield Route(
        method="POST",
        path="/login",
        permission=None,
        handler=log_in_person,
        operation_id="logIn",
        tag="Auth",
        summary="Log in with e-mail address and password",
        request=LogInRequest,
        answer=AccessToken,
        body_limit=10_000,
    )
    yield Route(
        method="POST",
        path="/oauth/token",
        permission=None,
        handler=exchange_token,
        operation_id="exchangeToken",
        tag="Auth",
        summary="Exchange an access key for a bearer token",
        request=TokenRequest,
        answer=AccessToken,
        reads_raw=True,
        media_types=(FORM, "application/json"),
        body_limit=10_000,
    )


def log_in_person(call: Call) -> AccessToken:
    """Check a person's password and sign a token. Raises WrongCredentials, TooManyAttempts."""
    services, person = call.services, person_of(call)
    with services.database.transaction(person.org_id, person.id) as tx:
        append_audit(tx, "logged_in", "user", person.id, {"by": "password", "address": call.address})
    return services.tokens.issue(person)


def person_of(call: Call) -> Principal:
    """Give the person whose address and password a body has. Raises WrongCredentials, TooManyAttempts."""
    asked = call.body
    return log_in(
        call.services.database,
        call.services.throttle,
        email=asked.email,
        password=asked.password,
        address=call.address,
        org_id=asked.org_id,
    )


def exchange_token(call: Call) -> AccessToken:
    """Check the key's secret and sign a token. Raises Unauthenticated, TooMany."""
    request = read(_body(call), TokenRequest)
    key_id, secret = _basic(call.headers.get("authorization", "")) or (
        request.client_id,
        request.client_secret,
    )
    if not key_id or not secret:
        raise Unauthenticated("Send the access key and its secret with HTTP Basic: `-u ACCESS_KEY:SECRET`.")
    return call.services.tokens.exchange(key_id, secret, call.address)


def _body(call: Call) -> Any:
    """Read the body as a form or as JSON, by what it says it is."""
    if call.headers.get("content-type", "").startswith(FORM):
        return {k: v[0] for k, v in parse_qs(call.raw.decode("latin-1")).items()}
    return parse(call.raw)


def _basic(header: str) -> tuple[str, str] | None:
    """Read an HTTP Basic header. None when there is none, or it is not one."""
    scheme, _, encoded = header.partition(" ")
    if scheme.lower() != "basic":
        return None
    try:
        key_id, _, secret = base64.b64decode(encoded, validate=True).decode().partition(":")
    except (binascii.Error, UnicodeDecodeError):
        return None
    return key_id, secret
