"""Find who may come in, before an organization is known: the queries of log-ins and tokens.

They run in a transaction bound to EVERY_ORGANIZATION and name what they look for by its own id.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

import msgspec
from sqlalchemy import Select, select

from tallystick.organizations.access_key import AccessKey
from tallystick.organizations.permissions import Statement
from tallystick.organizations.principal import Principal, PrincipalKind
from tallystick.organizations.service_user import ServiceUser
from tallystick.organizations.user import User
from tallystick.platform.resources import Transaction, resource_of

_KEYS, _SERVICE_USERS, _USERS = (resource_of(c).table.c for c in (AccessKey, ServiceUser, User))
MOST_USERS = 20
"How many users of one e-mail address a log-in looks at."


@dataclass(frozen=True)
class Holder:
    """Who a credential belongs to, what proves it, and from when on it is no longer taken."""

    principal: Principal
    proof_hash: str | None
    ends_at: datetime | None

    def may_come_in(self, now: datetime) -> bool:
        """Tell whether the credential is still taken."""
        return self.ends_at is None or now < self.ends_at


def key_holder(tx: Transaction, key_id: str) -> Holder | None:
    """Find the service user of an access key, revoked or not. key_id: a UUID."""
    owner = (_SERVICE_USERS.org_id == _KEYS.org_id) & (_SERVICE_USERS.id == _KEYS.service_user_id)
    statement = (
        select(
            _SERVICE_USERS.org_id,
            _SERVICE_USERS.id,
            _SERVICE_USERS.name,
            _SERVICE_USERS.permission_policy,
            _KEYS.secret_hash,
            _KEYS.revoked_at,
        )
        .join_from(_KEYS.id.table, _SERVICE_USERS.id.table, owner)
        .where(_KEYS.id == key_id)
    )
    found = tx.execute(statement).one_or_none()
    return _holder(found, PrincipalKind.SERVICE_USER) if found else None


def user_holder(tx: Transaction, user_id: str) -> Holder | None:
    """Find a user, ended or not. user_id: a UUID."""
    found = tx.execute(_users().where(_USERS.id == user_id)).one_or_none()
    return _holder(found, PrincipalKind.USER) if found else None


def users_of_email(tx: Transaction, email: str) -> list[Holder]:
    """Find the users that have this e-mail address, of all organizations, oldest first."""
    statement = _users().where(_USERS.email == email).order_by(_USERS.id).limit(MOST_USERS)
    return [_holder(row, PrincipalKind.USER) for row in tx.execute(statement)]


def _users() -> Select[Any]:
    return select(
        _USERS.org_id,
        _USERS.id,
        _USERS.email,
        _USERS.permission_policy,
        _USERS.password_hash,
        _USERS.dt_end_access,
    )


def _holder(row: Sequence[Any], kind: PrincipalKind) -> Holder:
    org_id, principal_id, name, policy, proof_hash, ends_at = row
    statements = tuple(msgspec.convert(policy, list[Statement]))
    return Holder(Principal(principal_id, org_id, kind, name, statements), proof_hash, ends_at)
