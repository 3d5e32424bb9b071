"""Invitations: made by who may, accepted by who holds the mailed link."""

from collections.abc import Iterator
from dataclasses import replace

from tallystick.api.crud import crud_route
from tallystick.api.routes import Call, Route
from tallystick.organizations.invitation import Invitation
from tallystick.organizations.inviting import AcceptRequest, accept_invitation, invite
from tallystick.organizations.tokens import AccessToken
from tallystick.platform.resources import resource_of

SMALL_BODY_BYTES = 10_000


def invitation_routes() -> Iterator[Route]:
    """Make the routes."""
    yield replace(crud_route(resource_of(Invitation), "create"), handler=create_invitation)
    yield Route(
        method="POST",
        path="/invitations/accept",
        permission=None,
        handler=accept,
        operation_id="acceptInvitation",
        tag="Invitation",
        summary="Accept an invitation and choose a password",
        request=AcceptRequest,
        answer=AccessToken,
        body_limit=SMALL_BODY_BYTES,
    )


def create_invitation(call: Call) -> Invitation:
    """Invite somebody; the link goes by mail."""
    with call.writing() as tx:
        return invite(tx, call.principal, call.services.clock.now(), call.body)


def accept(call: Call) -> AccessToken:
    """Make the invited person a user, and let them in. Raises InvitationNotOpen. No token can be guessed."""
    services = call.services
    user = accept_invitation(services.database, services.clock.now(), call.body)
    return services.tokens.issue_to(user.id)
