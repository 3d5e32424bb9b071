"""Who is calling, and whether they may."""

from dataclasses import dataclass
from enum import StrEnum

from tallystick.organizations.errors import PermissionDenied
from tallystick.organizations.permissions import Statement, allows


class PrincipalKind(StrEnum):
    """What kind of caller this is."""

    USER = "USER"
    SERVICE_USER = "SERVICEUSER"


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


def require(principal: Principal, action: str, resource: str) -> None:
    """Let the principal pass if their statements allow it. Raises PermissionDenied."""
    if not allows(principal.statements, action, resource):
        message = f"You may not do {action} on {resource}. Ask an administrator to allow it."
        raise PermissionDenied(message, principal_id=principal.id, action=action, resource=resource)
