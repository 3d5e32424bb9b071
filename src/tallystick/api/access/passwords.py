"""Forgotten passwords: asked for by anyone, answered only by mail."""

from collections.abc import Iterator
from typing import Annotated, Any

import msgspec

from tallystick.api.routes import Call, Route
from tallystick.organizations.resets import ResetRequest, queue_forgotten, reset_password
from tallystick.organizations.tokens import AccessToken
from tallystick.organizations.user import plain_email

SMALL_BODY_BYTES = 10_000


class ForgottenRequest(msgspec.Struct, kw_only=True):
    """Whose password is forgotten."""

    email: Annotated[str, msgspec.Meta(max_length=320)]


def password_routes() -> Iterator[Route]:
    """Make the routes."""
    yield Route(
        method="POST",
        path="/password/forgotten",
        permission=None,
        handler=forgotten,
        operation_id="forgotPassword",
        tag="Auth",
        summary="Ask for a mail with a link to set a password",
        request=ForgottenRequest,
        body_limit=SMALL_BODY_BYTES,
    )
    yield Route(
        method="POST",
        path="/password/reset",
        permission=None,
        handler=reset,
        operation_id="resetPassword",
        tag="Auth",
        summary="Set a password with the token of a mailed link",
        request=ResetRequest,
        answer=AccessToken,
        body_limit=SMALL_BODY_BYTES,
    )


def forgotten(call: Call) -> dict[str, Any]:
    """Answer the same for every address. Raises TooManyAttempts."""
    services = call.services
    services.throttle.attempt(f"forgotten {plain_email(call.body.email)}", call.address)
    queue_forgotten(services.database, call.body.email)
    return {}


def reset(call: Call) -> AccessToken:
    """Set the password, end all sessions and tokens, and let its owner in. Raises ResetNotOpen."""
    services = call.services
    user_id = reset_password(services.database, services.clock.now(), call.body)
    return services.tokens.issue_to(user_id)
