"""Invitations: how a person becomes a user of an organization."""

import hashlib
import secrets
from collections.abc import Iterator
from datetime import datetime, timedelta
from typing import Annotated, Final, Self

import msgspec
from msgspec import Meta
from sqlalchemy import Index

from tallystick.kernel.problems import Problem
from tallystick.organizations.permission_policy import unknown_policies
from tallystick.organizations.user import LONGEST_EMAIL, User, is_email, plain_email
from tallystick.platform.resources import Computed, Entity, Hidden, Id, Transaction, resource, resource_of

LIFETIME: Final = timedelta(days=30)
"Rule: semantics §2."
TOKEN_BYTES: Final = 32
GivenName = Annotated[str, Meta(min_length=1, max_length=100)]


@resource(
    "invitations",
    event="configuration.invitation",
    max_page_size=200,
    verbs=("get", "delete", "list"),
)
class Invitation(Entity, kw_only=True):
    """Who is asked to join, with which policies, and until when."""

    m3ter_user: bool | None = None
    first_name: GivenName
    last_name: GivenName
    contact_number: Annotated[str, Meta(max_length=50)] | None = None
    email: Annotated[str, Meta(min_length=1, extra_json_schema={"format": "email"})]
    permission_policy_ids: list[Id] = []
    dt_end_access: datetime | None = None
    "When the access of the user ends by itself; None does not."
    dt_expiry: datetime | None = None
    "Until when it can be accepted, exclusive; None is 30 days from now."
    inviting_principal_id: Annotated[Id | None, Computed()] = None
    accepted: Annotated[bool, Computed()] = False
    token_hash: Annotated[str | None, Hidden()] = None

    def settle(self, tx: Transaction, old: Self | None) -> Self:
        """Write the address as it is stored, and say who invites."""
        if old is not None:
            return self
        return msgspec.structs.replace(
            self,
            email=plain_email(self.email),
            inviting_principal_id=tx.actor,
        )

    def check(self) -> Iterator[Problem]:
        """The e-mail address could be one."""
        if not is_email(self.email):
            message = f"must be an e-mail address of at most {LONGEST_EMAIL} characters"
            yield Problem("email", "wrong_format", message)

    def check_stored(self, tx: Transaction, old: Entity | None) -> Iterator[Problem]:
        """Policies exist, and nobody is invited who is a user already."""
        if old is not None:
            return
        yield from unknown_policies(tx, "permissionPolicyIds", self.permission_policy_ids)
        if tx.find_one(User, email=self.email) is not None:
            yield Problem("email", "duplicate", f"{self.email} is already a user of this organization")

    def may_be_accepted(self, now: datetime) -> bool:
        """Tell whether it is still open."""
        return not self.accepted and (self.dt_expiry is None or now < self.dt_expiry)


_TABLE = resource_of(Invitation).table
_HASH = _TABLE.c.token_hash
Index("ix_invitations_token_hash", _HASH, unique=True, postgresql_where=_HASH.is_not(None))
Index("ix_invitations_email", _TABLE.c.email)  # single sign-on knows a person before an organization


def new_token() -> str:
    """Make a one-time token: what a mailed link carries."""
    return secrets.token_urlsafe(TOKEN_BYTES)


def hash_token(token: str) -> str:
    """Hash a one-time token; being random, it needs no slow hash."""
    return hashlib.sha256(token.encode(errors="surrogatepass")).hexdigest()
