"""Who an issuer's word lets in: users, those invited, and people of a domain that the organization allows."""

import re
from dataclasses import dataclass
from datetime import datetime
from typing import Final

import msgspec
from sqlalchemy import select

from tallystick.kernel.clock import Clock
from tallystick.organizations.errors import SignOnRefused
from tallystick.organizations.granting import require_to_hold
from tallystick.organizations.inviting import (
    give_at_start,
    open_invitation,
    organizations_inviting,
    take_up,
)
from tallystick.organizations.oidc import Away, Identity, OpenIdConnect, Provider
from tallystick.organizations.permissions import ALLOW_EVERYTHING
from tallystick.organizations.principal import Principal
from tallystick.organizations.single_sign_on import SingleSignOn, SingleSignOnRequest
from tallystick.organizations.user import User, plain_email
from tallystick.platform.database import EVERY_ORGANIZATION, Database
from tallystick.platform.fetch import Fetch
from tallystick.platform.ids import new_id
from tallystick.platform.resources import Transaction, resource_of
from tallystick.platform.resources.fields import UUID_PATTERN
from tallystick.platform.resources.transaction import require_version
from tallystick.platform.sealed import Sealer

_USERS: Final = resource_of(User).table.c
_NOBODY: Final = "Nobody of this address may come in this way. Ask an administrator for an invitation."


@dataclass(frozen=True)
class SignOns:
    """Single sign-on by the issuer of an organization, else by that of the installation.

    own: the installation's issuer. fetch: how organizations' issuers are asked, which are strangers' servers.
    """

    database: Database
    clock: Clock
    connect: OpenIdConnect
    sealer: Sealer
    fetch: Fetch
    own: Provider | None = None

    def begin(self, org_id: str | None, redirect_uri: str, return_to: str) -> tuple[str, str]:
        """Give the address to send the browser to, and its cookie. Raises SignOnRefused, FetchFailed."""
        if org_id is not None and not _is_uuid(org_id):
            raise SignOnRefused("There is no such organization.")
        return self.connect.begin(self._provider(org_id), org_id, redirect_uri, _local(return_to))

    def end(self, cookie: str | None, state: str | None, code: str | None) -> tuple[str, str]:
        """Give the user who came back, and the page they wanted. Raises SignOnRefused, FetchFailed."""
        away = self.connect.away(cookie, state)
        if not code:
            raise SignOnRefused("The issuer let nobody through.")
        provider = self._provider(away.org_id)
        if provider.issuer != away.issuer:
            raise SignOnRefused("The issuer has changed meanwhile. Begin again.")
        return self._user(away, self.connect.end(provider, away, code)), away.return_to

    def _provider(self, org_id: str | None) -> Provider:
        if org_id is not None:
            with self.database.reading(org_id) as tx:
                found = tx.find_one(SingleSignOn)
            if found is not None and found.enabled:
                sealed = found.client_secret_sealed
                secret = self.sealer.open(sealed) if sealed is not None else None
                return Provider(found.issuer, found.client_id, secret, self.fetch)
        if self.own is None:
            raise SignOnRefused("Single sign-on is not set up here.")
        return self.own

    def _user(self, away: Away, identity: Identity) -> str:
        """Find whose identity this is, or make a user who is invited or of an allowed domain."""
        email, now = plain_email(identity.email), self.clock.now()
        for org_id in self._organizations(away.org_id, identity, email, now):
            with self.database.transaction(org_id, new_id()) as tx:
                user_id = _let_in(tx, identity, email, now)
            if user_id is not None:
                return user_id
        raise SignOnRefused(_NOBODY)

    def _organizations(self, org_id: str | None, identity: Identity, email: str, now: datetime) -> list[str]:
        if org_id is not None:
            return [org_id]
        known = (_USERS.single_sign_on_subject == identity.key) | (_USERS.email == email)
        with self.database.reading(EVERY_ORGANIZATION) as tx:
            mine = tx.execute(select(_USERS.org_id).where(known).order_by(_USERS.id)).scalars().all()
        return list(dict.fromkeys([*mine, *organizations_inviting(self.database, email, now)]))


def _let_in(tx: Transaction, identity: Identity, email: str, now: datetime) -> str | None:
    """Give the user of an identity in an organization; None is nobody there. Raises SignOnRefused."""
    user = tx.find_one(User, single_sign_on_subject=identity.key) or tx.find_one(User, email=email, lock=True)
    if user is not None:
        if user.single_sign_on_subject not in (None, identity.key):
            raise SignOnRefused("Somebody else came with this address before. Ask an administrator.")
        if user.dt_end_access is not None and user.dt_end_access <= now:
            return None
        if user.single_sign_on_subject is None:
            tx.update(user, msgspec.structs.replace(user, single_sign_on_subject=identity.key))
        return user.id
    invitation = open_invitation(tx, email, now)
    if invitation is not None:
        return take_up(tx, invitation, tx.actor, now, subject=identity.key).id
    settings = tx.find_one(SingleSignOn)
    if settings is None or settings.issuer != identity.issuer or not settings.enabled:
        return None
    if email.rpartition("@")[2] not in settings.allowed_domains:
        return None
    made = tx.create(
        User(
            id=tx.actor,
            email=email,
            first_name=identity.given_name,
            last_name=identity.family_name,
            single_sign_on_subject=identity.key,
        )
    )
    give_at_start(tx, made.id, settings.permission_policy_ids)
    return made.id


def set_single_sign_on(
    tx: Transaction, caller: Principal, sealer: Sealer, request: SingleSignOnRequest
) -> SingleSignOn:
    """Name an organization's issuer. Who does can come in as anybody, so they must hold everything.

    Raises InvalidBody, StaleVersion, MoreThanYouHave.
    """
    require_to_hold(caller, [ALLOW_EVERYTHING])
    old = tx.find_one(SingleSignOn, lock=True)
    sealed = old.client_secret_sealed if old is not None and old.issuer == request.issuer else None
    if request.client_secret is not None:
        sealed = sealer.seal(request.client_secret)
    new = SingleSignOn(
        issuer=request.issuer,
        client_id=request.client_id,
        allowed_domains=request.allowed_domains,
        permission_policy_ids=request.permission_policy_ids,
        enabled=request.enabled,
        client_secret_sealed=sealed,
    )
    if old is None:
        return tx.create(new)
    require_version(old, request)
    return tx.update(old, new)


def _local(return_to: str) -> str:
    """Give a page of this server, or its first one: nobody is sent on to another site."""
    is_local = return_to.startswith("/") and not return_to.startswith(("//", "/\\"))
    return return_to if is_local and return_to.isprintable() and return_to.isascii() else "/"


def _is_uuid(text: str) -> bool:
    return re.fullmatch(UUID_PATTERN, text) is not None
