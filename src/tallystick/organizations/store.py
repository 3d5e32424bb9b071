"""Find who may come in, before an organization is known: the queries of log-ins and tokens.

They run in a transaction bound to EVERY_ORGANIZATION and name what they look for by its own id.
"""

import re
from collections.abc import Sequence
from dataclasses import dataclass, replace
from datetime import datetime
from typing import Any

import msgspec
from sqlalchemy import Select, select, text

from tallystick.organizations import permission_policy  # noqa: F401 - declares a table that is read here
from tallystick.organizations.access_key import AccessKey
from tallystick.organizations.permissions import Statement
from tallystick.organizations.principal import Principal, PrincipalKind
from tallystick.organizations.resource_group import TargetType, groups_around
from tallystick.organizations.service_user import ServiceUser
from tallystick.organizations.support import Support
from tallystick.organizations.user import User
from tallystick.platform.resources import Transaction, resource_of
from tallystick.platform.resources.fields import UUID_PATTERN

_KEYS, _SERVICE_USERS, _USERS, _SUPPORT = (
    resource_of(c).table.c for c in (AccessKey, ServiceUser, User, Support)
)
_UUID = re.compile(UUID_PATTERN)
MOST_USERS = 20
"How many users of one e-mail address a log-in looks at."


@dataclass(frozen=True)
class Holder:
    """Who a credential belongs to, what proves it, and from when on it is no longer taken."""

    principal: Principal
    proof_hash: str | None
    ends_at: datetime | None
    credentials_version: int = 0
    is_support: bool = False

    def may_come_in(self, now: datetime) -> bool:
        """Tell whether the credential is still taken."""
        return self.ends_at is None or now < self.ends_at


_GIVEN = text(r"""
WITH RECURSIVE groups (id) AS (
    SELECT i.resource_group_id FROM resourcegroupitems i
    JOIN resourcegroups g ON g.org_id = i.org_id AND g.id = i.resource_group_id AND g.type = 'user'
    WHERE i.org_id = :org_id AND i.target_type = 'ITEM' AND i.target_id = :id AND :kind = 'USER'
  UNION
    SELECT i.resource_group_id FROM groups
    JOIN resourcegroupitems i
      ON i.org_id = :org_id AND i.target_type = 'GROUP' AND i.target_id = CAST(groups.id AS text)
)
SELECT DISTINCT ON (p.id) p.permission_policy FROM permissionpolicies p
JOIN grants g ON g.org_id = p.org_id AND g.permission_policy_id = p.id
WHERE p.org_id = :org_id AND (
    (g.principal_type = :kind AND g.principal_id = :id)
    OR (g.principal_type = 'USERGROUP' AND g.principal_id IN (SELECT CAST(id AS text) FROM groups))
)
""")


def with_given(tx: Transaction, holder: Holder) -> Holder:
    """Add to a holder's own statements those of the policies given to them and to their groups."""
    principal = holder.principal
    given = _statements_given(tx, principal.org_id, principal.kind.value, principal.id)
    return replace(holder, principal=replace(principal, statements=(*principal.statements, *given)))


@dataclass(frozen=True)
class SupportAccess:
    """Until when support users may enter an organization, exclusive, and what they may do there."""

    ends_at: datetime
    statements: tuple[Statement, ...]


@dataclass(frozen=True)
class GroupsAround:
    """The groups that something is in."""

    ids: frozenset[str]


def groups_of_item(tx: Transaction, org_id: str, type_name: str, item_id: str) -> GroupsAround:
    """Find the resource groups that a thing is in.

    item_id: what a caller wrote, in whichever case; no UUID is in no group.
    """
    if not _UUID.fullmatch(item_id):
        return GroupsAround(frozenset())
    bound = replace(tx, org_id=org_id)
    return GroupsAround(frozenset(groups_around(bound, type_name, TargetType.ITEM, item_id.lower())))


def support_access(tx: Transaction, org_id: str) -> SupportAccess | None:
    """Find until when support users may enter an organization, and what they may do there."""
    columns = (_SUPPORT.dt_end_support_users_access, _SUPPORT.support_users_permission_policy)
    found: Any = tx.execute(select(*columns).where(_SUPPORT.org_id == org_id)).one_or_none()
    if found is None:
        return None
    own = msgspec.convert(found[1], list[Statement])
    given = _statements_given(tx, org_id, PrincipalKind.SUPPORT_USER.value, org_id)
    return SupportAccess(found[0], (*own, *given))


def _statements_given(tx: Transaction, org_id: str, kind: str, principal_id: str) -> list[Statement]:
    values = {"org_id": org_id, "kind": kind, "id": principal_id}
    policies = tx.execute(_GIVEN, values).scalars()
    return [statement for raw in policies for statement in msgspec.convert(raw, list[Statement])]


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
    return with_given(tx, _holder(found, PrincipalKind.SERVICE_USER)) if found else None


def user_holder(tx: Transaction, user_id: str) -> Holder | None:
    """Find a user, ended or not. user_id: a UUID."""
    found = tx.execute(_users().where(_USERS.id == user_id)).one_or_none()
    return with_given(tx, _holder(found, PrincipalKind.USER)) if found else None


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
        _USERS.credentials_version,
        _USERS.support_user,
    )


def _holder(row: Sequence[Any], kind: PrincipalKind) -> Holder:
    org_id, principal_id, name, policy, *proof = row
    statements = tuple(msgspec.convert(policy, list[Statement]))
    return Holder(Principal(principal_id, org_id, kind, name, statements), *proof)
