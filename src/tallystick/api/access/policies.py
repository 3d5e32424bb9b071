"""Permission policies, and to whom they are given."""

from collections.abc import Callable, Iterator
from dataclasses import replace
from functools import partial
from typing import Final

from tallystick.api.crud import crud_route
from tallystick.api.routes import Call, Permission, Route, organization_path
from tallystick.organizations.granting import create_policy, give_policy, take_policy, update_policy
from tallystick.organizations.permission_policy import PermissionPolicy, PrincipalPermission, PrincipalType
from tallystick.platform.resources import Id, resource_of
from tallystick.platform.resources.declaration import VersionedRequest

_POLICY = resource_of(PermissionPolicy)
ASSIGN: Final = Permission("config:update", _POLICY.permission_object)
_WORDS: Final = {
    PrincipalType.USER: ("user", "User", "a user"),
    PrincipalType.USERGROUP: ("usergroup", "UserGroup", "a user group"),
    PrincipalType.SERVICEUSER: ("serviceuser", "ServiceUser", "a service user"),
    PrincipalType.SUPPORTUSERS: ("supportusers", "SupportUsers", "the support users"),
}


class PrincipalPermissionRequest(VersionedRequest, kw_only=True, rename="camel"):
    """Who gets a policy, or loses it."""

    principal_id: Id


class PermissionRequest(VersionedRequest, kw_only=True, rename="camel"):
    """Support users need no naming."""


def policy_routes() -> Iterator[Route]:
    """Make the routes that go beyond reading and deleting."""
    yield replace(crud_route(_POLICY, "create"), handler=create)
    yield replace(crud_route(_POLICY, "update"), handler=update)
    for kind, (word, name, whom) in _WORDS.items():
        yield _assignment("addto", f"addPolicyTo{name}", f"Give a policy to {whom}", kind, word)
        yield _assignment("removefrom", f"removePolicyFrom{name}", f"Take a policy from {whom}", kind, word)


def _assignment(verb: str, operation_id: str, summary: str, kind: PrincipalType, word: str) -> Route:
    handler: Callable[..., PrincipalPermission] = give if verb == "addto" else take
    body: type[VersionedRequest] | None = PrincipalPermissionRequest
    if kind is PrincipalType.SUPPORTUSERS:
        body = PermissionRequest if verb == "addto" else None
    return Route(
        method="POST",
        path=organization_path(f"permissionpolicies/{{id}}/{verb}{word}"),
        permission=ASSIGN,
        handler=partial(handler, kind=kind),
        operation_id=operation_id,
        tag="PermissionPolicy",
        summary=summary,
        request=body,
        answer=PrincipalPermission,
    )


def create(call: Call) -> PermissionPolicy:
    """Make a policy."""
    with call.writing() as tx:
        return create_policy(tx, call.principal, call.body)


def update(call: Call) -> PermissionPolicy:
    """Change a policy."""
    with call.writing() as tx:
        return update_policy(tx, call.principal, call.path["id"], call.body)


def give(call: Call, *, kind: PrincipalType) -> PrincipalPermission:
    """Give a policy to somebody."""
    with call.writing() as tx:
        return give_policy(tx, call.principal, call.path["id"], kind, _principal_id(call, kind))


def take(call: Call, *, kind: PrincipalType) -> PrincipalPermission:
    """Take a policy from somebody."""
    with call.writing() as tx:
        return take_policy(tx, call.principal, call.path["id"], kind, _principal_id(call, kind))


def _principal_id(call: Call, kind: PrincipalType) -> str:
    if kind is PrincipalType.SUPPORTUSERS:
        return call.org_id
    named: PrincipalPermissionRequest = call.body
    return named.principal_id
