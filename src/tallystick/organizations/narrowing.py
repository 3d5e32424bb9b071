"""What lists and searches leave out: what the caller is denied singly, or in a resource group (semantics §2).

It is part of the question to the database, so pages are full and tokens go on where they end.
"""

from collections.abc import Iterator
from dataclasses import replace
from typing import Any, Final

from sqlalchemy import ColumnElement, Select, Text, cast, select

from tallystick.organizations.permissions import Denied, Effect, Statement, denied_singly
from tallystick.organizations.principal import Principal
from tallystick.organizations.resource_group import ResourceGroup, ResourceGroupItem, TargetType
from tallystick.platform.resources import Resource, Transaction, resource_of
from tallystick.platform.resources.rows import is_id

READ: Final = "config:retrieve"
_GROUPS, _ITEMS = (resource_of(each).table.c for each in (ResourceGroup, ResourceGroupItem))


def narrowed(tx: Transaction, caller: Principal) -> Transaction:
    """Let the lists of a transaction leave out what the caller may not read."""
    denies = tuple(each for each in caller.statements if each.effect is Effect.DENY)
    if not denies:
        return tx
    return replace(tx, narrowing=lambda declared, ids: _conditions(tx.org_id, denies, declared, ids))


def _conditions(
    org_id: str, denies: tuple[Statement, ...], declared: Resource, ids: ColumnElement[Any]
) -> Iterator[ColumnElement[bool]]:
    denied = denied_singly(denies, READ, declared.permission_object)
    items = [each for each in denied.items if is_id(each)]
    if items:
        yield ids.not_in(items)
    if denied.any_group or any(map(is_id, denied.groups)):
        yield cast(ids, Text).not_in(_inside(org_id, declared, denied))


def _inside(org_id: str, declared: Resource, denied: Denied) -> Select[Any]:
    """Ask for the ids of the things in groups, and in the groups inside those."""
    mine = select(_GROUPS.id).where(
        _GROUPS.org_id == org_id, _GROUPS.type == declared.permission_object.partition(":")[2]
    )
    if not denied.any_group:
        mine = mine.where(_GROUPS.id.in_([each for each in denied.groups if is_id(each)]))
    groups = mine.cte("denied_groups", recursive=True)
    nested = select(cast(_ITEMS.target_id, groups.c.id.type)).where(
        _ITEMS.org_id == org_id,
        _ITEMS.resource_group_id == groups.c.id,
        _ITEMS.target_type == TargetType.GROUP.value,
    )
    groups = groups.union(nested)
    return select(_ITEMS.target_id).where(
        _ITEMS.org_id == org_id,
        _ITEMS.target_type == TargetType.ITEM.value,
        _ITEMS.resource_group_id.in_(select(groups.c.id)),
    )
