"""Permission policies: statements under a name, given to users, groups, service users and support users."""

from collections.abc import Iterator
from enum import StrEnum
from typing import Annotated, Final
from uuid import UUID, uuid5

from msgspec import Meta
from sqlalchemy import Index

from tallystick.kernel.errors import Invalid
from tallystick.kernel.problems import Problem
from tallystick.organizations.permissions import (
    ALLOW_EVERYTHING,
    Action,
    Effect,
    Statement,
    statement_problems,
)
from tallystick.platform.resources import Computed, Entity, Id, Ref, Transaction, resource, resource_of

Statements = Annotated[list[Statement], Meta(min_length=1)]
ACCESS_TYPES: Final = (
    "user",
    "invitation",
    "permissionpolicy",
    "resourcegroup",
    "serviceuser",
    "accesskey",
    "support",
    "singlesignon",
)
"The resource types by which access itself is ruled."


class ManagedPolicy(Invalid):
    """A managed policy was asked to change."""

    code = "managed_policy"


@resource("permissionpolicies", event="configuration.permissionpolicy", verbs=("get", "delete", "list"))
class PermissionPolicy(Entity, kw_only=True):
    """Permission statements under a name. A managed one comes with the organization and never changes."""

    name: Annotated[str, Meta(min_length=1, max_length=100)]
    permission_policy: Statements
    managed_policy: Annotated[bool, Computed()] = False

    def check(self) -> Iterator[Problem]:
        """Statements name resources."""
        yield from statement_problems("permissionPolicy", self.permission_policy)

    def check_stored(self, tx: Transaction, old: Entity | None) -> Iterator[Problem]:
        """A managed policy is only ever assigned (semantics §2)."""
        if isinstance(old, PermissionPolicy) and old.managed_policy:
            raise ManagedPolicy("This policy is managed: it can be assigned, but not changed.")
        yield from ()

    def check_delete(self, tx: Transaction) -> Iterator[Problem]:
        """A managed policy stays."""
        if self.managed_policy:
            raise ManagedPolicy("This policy is managed: it can be assigned, but not deleted.")
        yield from ()


class PrincipalType(StrEnum):
    """Whom a policy is given to."""

    USER = "USER"
    USERGROUP = "USERGROUP"
    SERVICEUSER = "SERVICEUSER"
    SUPPORTUSERS = "SUPPORTUSERS"


@resource(
    "grants",
    event="configuration.principalpermission",
    unique=(("permission_policy_id", "principal_type", "principal_id"),),
    verbs=(),
)
class PrincipalPermission(Entity, kw_only=True):
    """A policy given to somebody. Support users are one principal: its id is the organization's."""

    permission_policy_id: Annotated[Id, Ref(PermissionPolicy)]
    principal_type: PrincipalType
    principal_id: Id


_TABLE = resource_of(PrincipalPermission).table
Index("ix_grants_principal", _TABLE.c.org_id, _TABLE.c.principal_type, _TABLE.c.principal_id)


_READ = [
    Action.CONFIG_RETRIEVE,
    Action.ANALYTICS_QUERY,
    Action.MEASUREMENTS_RETRIEVE,
    Action.FORECAST_RETRIEVE,
    Action.HEALTHSCORES_RETRIEVE,
    Action.ANOMALIES_RETRIEVE,
]
_CHANGE = [Action.CONFIG_CREATE, Action.CONFIG_UPDATE, Action.CONFIG_DELETE]
MANAGED: Final[dict[str, list[Statement]]] = {
    "Administrator": [ALLOW_EVERYTHING],
    "Everything but access": [
        ALLOW_EVERYTHING,
        Statement(effect=Effect.DENY, action=_CHANGE, resource=[f"config:{each}/*" for each in ACCESS_TYPES]),
    ],
    "Read only": [Statement(effect=Effect.ALLOW, action=_READ, resource=["*"])],
    "Send usage": [
        Statement(
            effect=Effect.ALLOW,
            action=[Action.MEASUREMENTS_UPLOAD, Action.MEASUREMENTS_FILEUPLOAD],
            resource=["*"],
        )
    ],
}
"The managed policies that every organization has."


def managed_policies(org_id: str) -> list[PermissionPolicy]:
    """Make the managed policies of an organization; their ids follow from its own."""
    return [
        PermissionPolicy(
            id=managed_policy_id(org_id, name), name=name, permission_policy=statements, managed_policy=True
        )
        for name, statements in MANAGED.items()
    ]


def managed_policy_id(org_id: str, name: str) -> str:
    """Give the id of a managed policy in an organization."""
    return str(uuid5(UUID(org_id), f"managed policy {name}"))


def policies_of(tx: Transaction, ids: list[str]) -> list[PermissionPolicy]:
    """Load the policies of these ids, in no order; those that are gone are left out."""
    return tx.find(PermissionPolicy, id=ids)


def unknown_policies(tx: Transaction, field: str, ids: list[str]) -> Iterator[Problem]:
    """Find the ids that are no policy's."""
    known = {policy.id for policy in policies_of(tx, ids)}
    for i, each in enumerate(ids):
        if each not in known:
            yield Problem(
                f"{field}[{i}]", "unknown_reference", f"{each} is not the id of any permission policy"
            )


def statements_of(policies: list[PermissionPolicy]) -> list[Statement]:
    """Give the statements of several policies."""
    return [statement for policy in policies for statement in policy.permission_policy]
