"""Invite people, and make them users when they accept."""

from datetime import datetime
from typing import Final

import msgspec
from sqlalchemy import select, update

from tallystick.kernel.problems import Problem
from tallystick.organizations.errors import InvitationNotOpen
from tallystick.organizations.granting import require_to_hold
from tallystick.organizations.invitation import LIFETIME, Invitation, hash_token, new_token
from tallystick.organizations.passwords import hash_password, password_problems
from tallystick.organizations.permission_policy import (
    PrincipalPermission,
    PrincipalType,
    policies_of,
    statements_of,
)
from tallystick.organizations.principal import Principal
from tallystick.organizations.user import User
from tallystick.platform.database import EVERY_ORGANIZATION, Database
from tallystick.platform.ids import new_id
from tallystick.platform.jobs import defer
from tallystick.platform.resources import Transaction, resource_of
from tallystick.platform.resources.declaration import VersionedRequest
from tallystick.platform.resources.transaction import from_request
from tallystick.platform.resources.wire import InvalidBody

MAIL_TASK: Final = "organizations.mail_invitation"
_TABLE = resource_of(Invitation).table
_NOT_OPEN = "This invitation is unknown, was used, withdrawn or is too old. Ask for a new one."


class AcceptRequest(msgspec.Struct, kw_only=True, rename="camel"):
    """What whoever is invited sends: the token of the link, and the password they choose."""

    token: str
    password: str


def invite(tx: Transaction, caller: Principal, now: datetime, request: VersionedRequest) -> Invitation:
    """Invite somebody; a mail with the link follows. now: of the server, by which access ends.

    Raises InvalidBody, MoreThanYouHave. Rule: semantics §2 — it expires after 30 days unless it says else.
    """
    wanted = from_request(Invitation, request)
    wanted.dt_expiry = wanted.dt_expiry or now + LIFETIME
    times = {"dtExpiry": wanted.dt_expiry, "dtEndAccess": wanted.dt_end_access}
    if problems := [
        Problem(field, "out_of_range", "must be in the future")
        for field, at in times.items()
        if at is not None and at <= now
    ]:
        raise InvalidBody(problems)
    made = tx.create(wanted)
    require_to_hold(caller, statements_of(policies_of(tx, made.permission_policy_ids)))
    defer(tx, MAIL_TASK, {"org_id": tx.org_id, "invitation_id": made.id})
    return made


def renew_token(tx: Transaction, invitation: Invitation) -> str:
    """Give an invitation a new token; the one before is no longer taken. Only its hash is kept."""
    token = new_token()
    own = (_TABLE.c.org_id == tx.org_id, _TABLE.c.id == invitation.id)
    tx.execute(update(_TABLE).where(*own).values(token_hash=hash_token(token)))
    return token


def accept_invitation(database: Database, now: datetime, request: AcceptRequest) -> User:
    """Make the invited person a user with the password. Raises InvitationNotOpen, InvalidBody."""
    org_id, invitation_id = _find(database, request.token)
    if problems := [*password_problems("password", request.password)]:
        raise InvalidBody(problems)
    password_hash = hash_password(request.password)  # slow: not while the transaction is open
    user_id = new_id()
    with database.transaction(org_id, user_id) as tx:
        invitation = tx.get(Invitation, invitation_id, lock=True)
        if invitation.token_hash != hash_token(request.token) or not invitation.may_be_accepted(now):
            raise InvitationNotOpen(_NOT_OPEN)
        return take_up(tx, invitation, user_id, now, password_hash=password_hash)


def take_up(
    tx: Transaction,
    invitation: Invitation,
    user_id: str,
    now: datetime,
    *,
    password_hash: str | None = None,
    subject: str | None = None,
) -> User:
    """Make a user of an open invitation, with the policies it carries that still exist.

    subject: who single sign-on says they are. Raises InvalidBody when somebody is a user of the address.
    """
    user = tx.create(
        User(
            id=user_id,
            first_name=invitation.first_name,
            last_name=invitation.last_name,
            contact_number=invitation.contact_number,
            email=invitation.email,
            dt_end_access=invitation.dt_end_access,
            first_accepted_terms_and_conditions=now,
            last_accepted_terms_and_conditions=now,
            password_hash=password_hash,
            single_sign_on_subject=subject,
        )
    )
    give_at_start(tx, user.id, invitation.permission_policy_ids)
    tx.update(invitation, msgspec.structs.replace(invitation, accepted=True, token_hash=None))
    return user


def give_at_start(tx: Transaction, user_id: str, policy_ids: list[str]) -> None:
    """Give a new user the policies that were decided on before; those that are gone are left out."""
    tx.create_all(
        [
            PrincipalPermission(
                permission_policy_id=policy.id, principal_type=PrincipalType.USER, principal_id=user_id
            )
            for policy in policies_of(tx, policy_ids)
        ]
    )


def open_invitation(tx: Transaction, email: str, now: datetime) -> Invitation | None:
    """Find the newest open invitation of an address in an organization."""
    found = tx.find(Invitation, lock=True, email=email, accepted=False)
    return next((each for each in found if each.may_be_accepted(now)), None)


def organizations_inviting(database: Database, email: str, now: datetime) -> list[str]:
    """Give the organizations that have an open invitation of an address."""
    with database.reading(EVERY_ORGANIZATION) as tx:
        c = _TABLE.c
        mine = (c.email == email, c.accepted.is_(False), c.dt_expiry > now)
        return list(dict.fromkeys(tx.execute(select(c.org_id).where(*mine).order_by(c.id.desc())).scalars()))


def _find(database: Database, token: str) -> tuple[str, str]:
    """Find organization and invitation of a token. Raises InvitationNotOpen."""
    with database.reading(EVERY_ORGANIZATION) as tx:
        statement = select(_TABLE.c.org_id, _TABLE.c.id).where(_TABLE.c.token_hash == hash_token(token))
        found = tx.execute(statement).one_or_none()
    if found is None:
        raise InvitationNotOpen(_NOT_OPEN)
    return found.org_id, found.id
