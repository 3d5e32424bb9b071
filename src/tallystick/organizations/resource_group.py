"""Resource groups: things of one type under a name, nested; groups of users are those of type `user`."""

from collections.abc import Iterator
from enum import StrEnum
from typing import Annotated, Final

from msgspec import Meta
from sqlalchemy import Index, text

from tallystick.kernel.errors import Invalid
from tallystick.kernel.problems import Problem
from tallystick.platform.resources import (
    Entity,
    Hidden,
    Id,
    Ref,
    Resource,
    Transaction,
    resource,
    resource_of,
    resources,
)

USER_TYPE: Final = "user"
_LOCK = text("SELECT pg_advisory_xact_lock(hashtextextended('resource groups ' || :org_id, 0))")


class UnknownGroupType(Invalid):
    """The path names a type of thing that there is not."""

    code = "unknown_group_type"


class TargetType(StrEnum):
    """What a group holds: a thing of its type, or another group of the type."""

    ITEM = "ITEM"
    GROUP = "GROUP"

    @classmethod
    def _missing_(cls, value: object) -> "TargetType | None":
        return cls.__members__.get(value.upper()) if isinstance(value, str) else None


@resource("resourcegroups", event="configuration.resourcegroup", verbs=())
class ResourceGroup(Entity, kw_only=True):
    """Things of one type that permission statements can name together."""

    name: Annotated[str, Meta(min_length=1, max_length=100)]
    type: Annotated[str, Hidden()] = ""
    "The resource type, as permissions name it: `meter`, `user`."


@resource(
    "resourcegroupitems",
    event="configuration.resourcegroupitem",
    unique=(("resource_group_id", "target_type", "target_id"),),
    verbs=(),
)
class ResourceGroupItem(Entity, kw_only=True):
    """One thing, or one group, in a group."""

    resource_group_id: Annotated[Id, Ref(ResourceGroup)]
    target_type: TargetType
    target_id: Id

    def check_stored(self, tx: Transaction, old: Entity | None) -> Iterator[Problem]:
        """The target is there and of the group's type; a group never comes to hold itself."""
        group = tx.get(ResourceGroup, self.resource_group_id)
        if self.target_type is TargetType.ITEM:
            declared = type_named(group.type)
            if tx.find_one(declared.cls, id=self.target_id) is None:
                yield _unknown(f"{self.target_id} is not the id of any {declared.noun}")
            return
        tx.execute(_LOCK, {"org_id": tx.org_id})  # two additions at once could close a circle
        target = tx.find_one(ResourceGroup, id=self.target_id, type=group.type)
        if target is None:
            yield _unknown(f"{self.target_id} is not the id of any group of type {group.type}")
        elif target.id in {group.id, *groups_around(tx, group.type, TargetType.GROUP, group.id)}:
            yield Problem("targetId", "circular", f"{target.name} holds this group already, itself or inside")


_ITEMS = resource_of(ResourceGroupItem).table
Index("ix_resourcegroupitems_target", _ITEMS.c.org_id, _ITEMS.c.target_type, _ITEMS.c.target_id)

_AROUND = text(r"""
WITH RECURSIVE around (id) AS (
    SELECT i.resource_group_id FROM resourcegroupitems i
    JOIN resourcegroups g ON g.org_id = i.org_id AND g.id = i.resource_group_id AND g.type = :type
    WHERE i.org_id = :org_id AND i.target_type = :target_type AND i.target_id = :target_id
  UNION
    SELECT i.resource_group_id FROM around
    JOIN resourcegroupitems i
      ON i.org_id = :org_id AND i.target_type = 'GROUP' AND i.target_id = CAST(around.id AS text) AND :nested
)
SELECT id FROM around
""")


def groups_around(
    tx: Transaction, group_type: str, target_type: TargetType, target_id: str, *, nested: bool = True
) -> set[str]:
    """Give the ids of the groups that something is in; nested: also of the groups around those."""
    values = {
        "org_id": tx.org_id,
        "type": group_type,
        "target_type": target_type.value,
        "target_id": target_id,
        "nested": nested,
    }
    return set(tx.execute(_AROUND, values).scalars())


def type_named(name: str) -> Resource:
    """Give the resource of a type's name, as permissions write it. Raises UnknownGroupType."""
    for declared in resources():
        if declared.permission_object.removeprefix("config:") == name.casefold():
            return declared
    raise UnknownGroupType(f"There is no resource type {name[:60]!r}. Name one such as meter, plan or user.")


def _unknown(message: str) -> Problem:
    return Problem("targetId", "unknown_reference", message)
