"""Who is calling, and whether they may."""

from collections.abc import Callable, Collection
from dataclasses import dataclass
from enum import StrEnum

from tallystick.organizations.errors import PermissionDenied
from tallystick.organizations.permissions import Statement, allows, allows_all, no_groups


class PrincipalKind(StrEnum):
    """What kind of caller this is."""

    USER = "USER"
    SERVICE_USER = "SERVICEUSER"
    SUPPORT_USER = "SUPPORTUSERS"
    "A user of another organization, let in by a support grant."


@dataclass(frozen=True)
class Principal:
    """An authenticated caller of one organization.

    id: of the user or service user; what they change carries it as createdBy and lastModifiedBy.
    """

    id: str
    org_id: str
    kind: PrincipalKind
    name: str
    statements: tuple[Statement, ...]


def require(
    principal: Principal,
    action: str,
    resource: str,
    groups: Callable[[], Collection[str]] = no_groups,
) -> None:
    """Let the principal pass if their statements allow it. Raises PermissionDenied.

    groups: gives the ids of the resource groups that the resource is in.
    """
    if not allows(principal.statements, action, resource, groups):
        raise _denied(principal, action, resource)


def require_all(principal: Principal, action: str, pattern: str) -> None:
    """Let the principal pass if they may do it to all that a pattern means. Raises PermissionDenied."""
    if not allows_all(principal.statements, action, pattern):
        raise _denied(principal, action, pattern)


def _denied(principal: Principal, action: str, resource: str) -> PermissionDenied:
    message = f"You may not do {action} on {resource}. Ask an administrator to allow it."
    return PermissionDenied(message, principal_id=principal.id, action=action, resource=resource)
