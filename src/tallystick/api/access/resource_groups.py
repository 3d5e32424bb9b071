"""Resource groups of every type, what they hold, and what groups of users may do."""

from collections.abc import Iterator
from typing import Any

from tallystick.api.access.users import cut
from tallystick.api.routes import Call, Permission, QueryParameter, Route, paging, verb_route
from tallystick.organizations.granting import (
    add_to_group,
    delete_group,
    policies_given,
    remove_from_group,
)
from tallystick.organizations.permission_policy import PermissionPolicy, PrincipalType
from tallystick.organizations.resource_group import (
    ResourceGroup,
    ResourceGroupItem,
    TargetType,
    groups_around,
    type_named,
)
from tallystick.platform.resources import Id, Page, Transaction, resource_of
from tallystick.platform.resources.declaration import VersionedRequest
from tallystick.platform.resources.transaction import ResourceNotFound, replace_versioned

LARGEST_PAGE = 100
PATH = "resourcegroups/{type}"
_GROUP = resource_of(ResourceGroup)
READ, CREATE, UPDATE, DELETE = (
    Permission(f"config:{a}", _GROUP.permission_object) for a in ("retrieve", "create", "update", "delete")
)
TAG = ResourceGroup.__name__


class ResourceGroupItemRequest(VersionedRequest, kw_only=True, rename="camel"):
    """What a group is to hold, or to hold no longer."""

    target_id: Id
    target_type: TargetType


def resource_group_routes() -> Iterator[Route]:
    """Make the routes."""
    body, answer, one = _GROUP.request_type, ResourceGroup, f"{PATH}/{{id}}"
    many, pages = Page[ResourceGroup], paging(LARGEST_PAGE)
    yield verb_route("POST", PATH, CREATE, create, "createResourceGroup", TAG, request=body, answer=answer)
    yield verb_route("GET", PATH, READ, list_groups, "listResourceGroups", TAG, answer=many, query=pages)
    yield verb_route("GET", one, READ, get, "getResourceGroup", TAG, answer=answer)
    yield verb_route("PUT", one, UPDATE, update, "updateResourceGroup", TAG, request=body, answer=answer)
    yield verb_route("DELETE", one, DELETE, delete, "deleteResourceGroup", TAG, answer=answer)
    item: dict[str, Any] = {"request": ResourceGroupItemRequest, "answer": answer}
    yield verb_route("POST", f"{one}/addresource", UPDATE, add, "addResourceToGroup", TAG, **item)
    path = f"{one}/removeresource"
    yield verb_route("POST", path, UPDATE, remove, "removeResourceFromGroup", TAG, **item)
    held: dict[str, Any] = {"answer": Page[ResourceGroupItem], "query": pages, "repeatable": True}
    yield verb_route("POST", f"{one}/contents", READ, contents, "listResourceGroupContents", TAG, **held)
    query = (*pages, QueryParameter("inherited", bool))
    given: dict[str, Any] = {"answer": Page[PermissionPolicy], "query": query}
    path = f"{one}/permissions"
    yield verb_route("GET", path, READ, permissions, "getResourceGroupPermissions", TAG, **given)


def create(call: Call) -> ResourceGroup:
    """Create a resource group of a type. Raises UnknownGroupType, InvalidBody."""
    with call.writing() as tx:
        return tx.create(ResourceGroup(name=call.body.name, type=_type(call)))


def list_groups(call: Call) -> Page[ResourceGroup]:
    """List the resource groups of a type."""
    page = call.page(LARGEST_PAGE)
    with call.reading() as tx:
        return tx.page(ResourceGroup, page, [_GROUP.table.c.type == _type(call)])


def get(call: Call) -> ResourceGroup:
    """Get a resource group."""
    with call.reading() as tx:
        return _group(tx, call)


def update(call: Call) -> ResourceGroup:
    """Rename a resource group."""
    with call.writing() as tx:
        return replace_versioned(tx, _group(tx, call, lock=True), call.body)


def delete(call: Call) -> ResourceGroup:
    """Delete a resource group that no permission rests on."""
    with call.writing() as tx:
        return delete_group(tx, call.principal, _group(tx, call, lock=True))


def add(call: Call) -> ResourceGroup:
    """Put a thing or a group into a group."""
    with call.writing() as tx:
        group = _group(tx, call, lock=True)
        add_to_group(tx, call.principal, group, _item(call, group))
        return group


def remove(call: Call) -> ResourceGroup:
    """Take a thing or a group out of a group."""
    with call.writing() as tx:
        group = _group(tx, call, lock=True)
        remove_from_group(tx, call.principal, group, _item(call, group))
        return group


def contents(call: Call) -> Page[ResourceGroupItem]:
    """List what a group holds itself, newest first."""
    page = call.page(LARGEST_PAGE)
    with call.reading() as tx:
        group = _group(tx, call)
        items = resource_of(ResourceGroupItem).table.c
        return tx.page(ResourceGroupItem, page, [items.resource_group_id == group.id])


def permissions(call: Call) -> Page[PermissionPolicy]:
    """List the policies of a group of users; `inherited=true` adds those of the groups it is in."""
    page = call.page(LARGEST_PAGE)
    inherited = call.flag("inherited")
    with call.reading() as tx:
        group = _group(tx, call)
        ids = {group.id}
        if inherited:
            ids |= groups_around(tx, group.type, TargetType.GROUP, group.id)
        found = policies_given(tx, PrincipalType.USERGROUP, ids)
    return Page(*cut(found, page))


def _type(call: Call) -> str:
    return type_named(call.path["type"]).permission_object.removeprefix("config:")


def _group(tx: Transaction, call: Call, *, lock: bool = False) -> ResourceGroup:
    found = tx.get(ResourceGroup, call.path["id"], lock=lock)
    if found.type != _type(call):
        raise ResourceNotFound(f"There is no resource group of this type with id {found.id!r}.")
    return found


def _item(call: Call, group: ResourceGroup) -> ResourceGroupItem:
    asked: ResourceGroupItemRequest = call.body
    return ResourceGroupItem(
        resource_group_id=group.id, target_type=asked.target_type, target_id=asked.target_id
    )
