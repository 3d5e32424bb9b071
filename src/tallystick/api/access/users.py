"""Users of an organization, and whoever is asking."""

from collections.abc import Iterator
from typing import Any

import msgspec

from tallystick.api.access.organization import OrganizationAnswer, organization_of
from tallystick.api.routes import KNOWN, Call, Permission, QueryParameter, Route, organization_path, paging
from tallystick.organizations.granting import UserRequest, policies_of_user, update_user
from tallystick.organizations.permission_policy import PermissionPolicy, statements_of
from tallystick.organizations.permissions import Statement
from tallystick.organizations.principal import PrincipalKind
from tallystick.organizations.resets import queue_password_link
from tallystick.organizations.resource_group import USER_TYPE, ResourceGroup, TargetType, groups_around
from tallystick.organizations.service_user import ServiceUser
from tallystick.organizations.user import User
from tallystick.platform.resources import Entity, resource_of
from tallystick.platform.resources.pages import PageRequest, to_token

LARGEST_PAGE = 200
_USER = resource_of(User)
READ = Permission("config:retrieve", _USER.permission_object)
UPDATE = Permission("config:update", _USER.permission_object)
INHERITED = QueryParameter("inherited", bool)


class Me(msgspec.Struct, kw_only=True, rename="camel"):
    """Who is asking: a user or a service user, and their organization."""

    user: User | None = None
    service_user: ServiceUser | None = None
    organization: OrganizationAnswer


class UserPermissions(Entity, kw_only=True):
    """What a user may do: all their statements as one policy of the user's id, and a page of the policies."""

    name: str
    permission_policy: list[Statement]
    managed_policy: bool = False
    data: list[PermissionPolicy] = []
    next_token: str | None = None


class UserGroups(Entity, kw_only=True):
    """The groups of a user, under the user's id and address."""

    name: str
    data: list[ResourceGroup] = []
    next_token: str | None = None


def user_routes() -> Iterator[Route]:
    """Make the routes."""
    me = organization_path("users/me")
    yield Route("GET", me, KNOWN, get_me, "getMe", "User", "Tell who is asking", answer=Me)
    one = organization_path("users/{id}")
    yield Route(
        "PUT",
        one,
        UPDATE,
        put_user,
        "updateUser",
        "User",
        "Update a user",
        request=UserRequest,
        answer=User,
    )
    yield Route(
        "PUT",
        f"{one}/password/resend",
        UPDATE,
        resend_password,
        "resendUserPassword",
        "User",
        "Mail a user a link to set a password",
    )
    yield Route(
        "GET",
        f"{one}/permissions",
        READ,
        get_permissions,
        "getUserPermissions",
        "User",
        "List what a user may do",
        answer=UserPermissions,
        query=(*paging(LARGEST_PAGE), INHERITED),
    )
    yield Route(
        "GET",
        f"{one}/usergroups",
        READ,
        get_groups,
        "getUserGroups",
        "User",
        "List the groups of a user",
        answer=UserGroups,
        query=(*paging(LARGEST_PAGE), INHERITED),
    )


def get_me(call: Call) -> Me:
    """Answer whose token this is. A support user is answered as the organization they support has it."""
    caller = call.principal
    with call.reading() as tx:
        organization = organization_of(tx)
        if caller.kind is PrincipalKind.SERVICE_USER:
            return Me(service_user=tx.get(ServiceUser, caller.id), organization=organization)
        if caller.kind is PrincipalKind.USER:
            return Me(user=tx.get(User, caller.id), organization=organization)
    visitor = User(id=caller.id, email=caller.name, support_user=True)
    visitor.permission_policy = list(caller.statements)
    return Me(user=visitor, organization=organization)


def put_user(call: Call) -> User:
    """Change what a user may do, and until when."""
    with call.writing() as tx:
        return update_user(tx, call.principal, call.path["id"], call.body)


def resend_password(call: Call) -> dict[str, Any]:
    """Mail a user a link to set a password. Raises ResourceNotFound."""
    with call.writing() as tx:
        queue_password_link(tx, tx.get(User, call.path["id"]))
    return {}


def get_permissions(call: Call) -> UserPermissions:
    """Answer a user's statements, and the policies they come from; `inherited=false` leaves groups out."""
    page = _page(call)
    inherited = call.one("inherited") is None or call.flag("inherited")
    with call.reading() as tx:
        user = tx.get(User, call.path["id"])
        found = policies_of_user(tx, user.id, inherited=inherited)
    answered = UserPermissions(
        id=user.id,
        version=user.version,
        name=user.email,
        permission_policy=[*user.permission_policy, *statements_of(found)],
    )
    answered.data, answered.next_token = cut(found, page)
    return answered


def get_groups(call: Call) -> UserGroups:
    """Answer the groups that a user is in; `inherited=true` adds those that these are in."""
    page, nested = _page(call), call.flag("inherited")
    with call.reading() as tx:
        user = tx.get(User, call.path["id"])
        ids = groups_around(tx, USER_TYPE, TargetType.ITEM, user.id, nested=nested)
        found = tx.find(ResourceGroup, id=list(ids))
    answered = UserGroups(id=user.id, version=user.version, name=user.email)
    answered.data, answered.next_token = cut(found, page)
    return answered


def _page(call: Call) -> PageRequest:
    return call.page(LARGEST_PAGE)


def cut(found: list[Any], page: PageRequest) -> tuple[list[Any], str | None]:
    """Cut a page, newest first, out of entities that were loaded whole, and give the token of the next."""
    ordered = sorted(found, key=lambda each: str(each.id), reverse=True)
    left = [each for each in ordered if page.after is None or each.id < page.after]
    shown = left[: page.size]
    return shown, to_token(shown[-1].id) if len(left) > page.size else None
