"""Give and take permissions: nobody hands on more than they have themselves (decision 0022).

What is handed on is what a change newly allows: statements that allow, and statements that forbid and are
lifted. The caller must hold all of it, undenied, at this moment.
"""

from collections.abc import Iterable
from datetime import datetime
from typing import Final

import msgspec
from sqlalchemy import Text, cast, select

from tallystick.kernel.problems import Problem
from tallystick.organizations.access_key import AccessKey
from tallystick.organizations.errors import MoreThanYouHave, OwnAccess
from tallystick.organizations.permission_policy import (
    PermissionPolicy,
    PrincipalPermission,
    PrincipalType,
    policies_of,
    statements_of,
)
from tallystick.organizations.permissions import (
    Effect,
    Statement,
    added,
    exceeding,
    speaks_of,
    taken_away,
)
from tallystick.organizations.principal import Principal, PrincipalKind
from tallystick.organizations.resource_group import (
    USER_TYPE,
    ResourceGroup,
    ResourceGroupItem,
    TargetType,
    groups_around,
)
from tallystick.organizations.service_user import ServiceUser
from tallystick.organizations.support import Support, SupportRequest
from tallystick.organizations.user import User
from tallystick.platform.resources import Entity, Transaction, resource_of
from tallystick.platform.resources.declaration import VersionedRequest
from tallystick.platform.resources.transaction import (
    ResourceNotFound,
    from_request,
    replace_versioned,
    require_version,
)
from tallystick.platform.resources.wire import InvalidBody

_HOLDERS: Final[dict[PrincipalType, type[Entity]]] = {
    PrincipalType.USER: User,
    PrincipalType.SERVICEUSER: ServiceUser,
    PrincipalType.USERGROUP: ResourceGroup,
}
_INLINE: Final = (
    (PermissionPolicy, "permission_policy"),
    (User, "permission_policy"),
    (ServiceUser, "permission_policy"),
    (Support, "support_users_permission_policy"),
)
"Where statements are stored."


def require_to_hold(caller: Principal, given: Iterable[Statement]) -> None:
    """Let a caller hand on what statements allow; a support user nothing, or their access would not end.

    Raises MoreThanYouHave.
    """
    given = [each for each in given if each.effect is Effect.ALLOW]
    if given and caller.kind is PrincipalKind.SUPPORT_USER:
        raise MoreThanYouHave("Support users give no access: theirs ends.", principal_id=caller.id)
    for action, pattern in exceeding(caller.statements, given):
        message = (
            f"You may not give what you do not have yourself: {action.value} on {pattern}. "
            "Ask somebody who may do that."
        )
        raise MoreThanYouHave(message, principal_id=caller.id, action=action.value, resource=pattern)


# --- policies -----------------------------------------------------------------------------------


def create_policy(tx: Transaction, caller: Principal, request: VersionedRequest) -> PermissionPolicy:
    """Make a policy. Raises InvalidBody, MoreThanYouHave."""
    made = tx.create(from_request(PermissionPolicy, request))
    require_to_hold(caller, made.permission_policy)
    return made


def update_policy(
    tx: Transaction, caller: Principal, policy_id: str, request: VersionedRequest
) -> PermissionPolicy:
    """Change a policy for all who have it.

    Raises ResourceNotFound, ManagedPolicy, InvalidBody, StaleVersion, MoreThanYouHave.
    """
    old = tx.get(PermissionPolicy, policy_id, lock=True)
    new = replace_versioned(tx, old, request)
    require_to_hold(caller, added(old.permission_policy, new.permission_policy))
    return new


def give_policy(
    tx: Transaction, caller: Principal, policy_id: str, kind: PrincipalType, principal_id: str
) -> PrincipalPermission:
    """Give a policy to somebody; one who has it keeps it as it is.

    principal_id: of SUPPORTUSERS, the organization's. Raises ResourceNotFound, InvalidBody, MoreThanYouHave.
    """
    policy = tx.get(PermissionPolicy, policy_id, lock=True)
    _check_principal(tx, kind, principal_id)
    require_to_hold(caller, policy.permission_policy)
    return _given(tx, policy_id, kind, principal_id) or tx.create(
        PrincipalPermission(permission_policy_id=policy_id, principal_type=kind, principal_id=principal_id)
    )


def take_policy(
    tx: Transaction, caller: Principal, policy_id: str, kind: PrincipalType, principal_id: str
) -> PrincipalPermission:
    """Take a policy from somebody. Raises ResourceNotFound, OwnAccess, MoreThanYouHave."""
    policy = tx.get(PermissionPolicy, policy_id, lock=True)
    given = _given(tx, policy_id, kind, principal_id)
    if given is None:
        raise ResourceNotFound("This principal does not have this permission policy.")
    _not_oneself(caller, principal_id)
    require_to_hold(caller, taken_away(policy.permission_policy))
    return tx.delete(PrincipalPermission, given.id)


def _given(
    tx: Transaction, policy_id: str, kind: PrincipalType, principal_id: str
) -> PrincipalPermission | None:
    return tx.find_one(
        PrincipalPermission,
        permission_policy_id=policy_id,
        principal_type=kind.value,
        principal_id=principal_id,
    )


def _check_principal(tx: Transaction, kind: PrincipalType, principal_id: str) -> None:
    if kind is PrincipalType.SUPPORTUSERS:
        return
    found = tx.find_one(_HOLDERS[kind], id=principal_id)
    if found is None or (isinstance(found, ResourceGroup) and found.type != USER_TYPE):
        noun = "user group" if kind is PrincipalType.USERGROUP else resource_of(_HOLDERS[kind]).noun
        problem = Problem("principalId", "unknown_reference", f"{principal_id} is not the id of any {noun}")
        raise InvalidBody([problem])


def _not_oneself(caller: Principal, principal_id: str) -> None:
    if caller.id == principal_id:
        raise OwnAccess("Nobody takes away their own access, or lengthens it: ask another administrator.")


# --- users --------------------------------------------------------------------------------------


class UserRequest(VersionedRequest, kw_only=True, rename="camel"):
    """What can be changed of a user (semantics §1: what is omitted is cleared)."""

    permission_policy: list[Statement] = []
    dt_end_access: datetime | None = None


def update_user(tx: Transaction, caller: Principal, user_id: str, request: UserRequest) -> User:
    """Change what a user may do themselves, and until when.

    Raises ResourceNotFound, InvalidBody, StaleVersion, OwnAccess, MoreThanYouHave.
    """
    old = tx.get(User, user_id, lock=True)
    require_version(old, request)
    changes = {"permission_policy": request.permission_policy, "dt_end_access": request.dt_end_access}
    if all(getattr(old, name) == value for name, value in changes.items()):
        return old
    _not_oneself(caller, user_id)
    new = tx.update(old, msgspec.structs.replace(old, **changes))
    given = added(old.permission_policy, new.permission_policy)
    if _lasts_longer(old.dt_end_access, new.dt_end_access):
        given += [*new.permission_policy, *statements_of(policies_of_user(tx, user_id))]
    require_to_hold(caller, given)
    return new


def _lasts_longer(old: datetime | None, new: datetime | None) -> bool:
    return old is not None and (new is None or new > old)


def policies_given(
    tx: Transaction, kind: PrincipalType, principal_ids: Iterable[str]
) -> list[PermissionPolicy]:
    """Give the policies that principals of a kind have been given themselves, newest first."""
    ids = list(principal_ids)
    if not ids:
        return []
    given = tx.find(PrincipalPermission, principal_type=kind.value, principal_id=ids)
    return policies_of(tx, sorted({each.permission_policy_id for each in given}))


def policies_of_user(tx: Transaction, user_id: str, *, inherited: bool = True) -> list[PermissionPolicy]:
    """Give the policies of a user; inherited: also those of the groups they are in."""
    own = policies_given(tx, PrincipalType.USER, [user_id])
    if not inherited:
        return own
    groups = groups_around(tx, USER_TYPE, TargetType.ITEM, user_id)
    found = [*own, *policies_given(tx, PrincipalType.USERGROUP, groups)]
    return list({policy.id: policy for policy in found}.values())


# --- groups -------------------------------------------------------------------------------------


def add_to_group(tx: Transaction, caller: Principal, group: ResourceGroup, item: ResourceGroupItem) -> None:
    """Put something into a group; what is in it stays. Raises InvalidBody, MoreThanYouHave."""
    if _held(tx, item) is None:
        tx.create(item)
    require_to_hold(caller, [s for s in _said_of(tx, group, item) if s.effect is Effect.ALLOW])


def remove_from_group(
    tx: Transaction, caller: Principal, group: ResourceGroup, item: ResourceGroupItem
) -> None:
    """Take something out of a group. Raises ResourceNotFound, MoreThanYouHave."""
    found = _held(tx, item)
    if found is None:
        raise ResourceNotFound("This group does not hold this.")
    if group.type == USER_TYPE and item.target_type is TargetType.ITEM:
        _not_oneself(caller, item.target_id)
    require_to_hold(caller, taken_away(_said_of(tx, group, item)))
    tx.delete(ResourceGroupItem, found.id)


def _held(tx: Transaction, item: ResourceGroupItem) -> ResourceGroupItem | None:
    return tx.find_one(
        ResourceGroupItem,
        resource_group_id=item.resource_group_id,
        target_type=item.target_type.value,
        target_id=item.target_id,
    )


def delete_group(tx: Transaction, caller: Principal, group: ResourceGroup) -> ResourceGroup:
    """Delete a group with the record of what it holds.

    Raises InvalidBody while permissions rest on it, MoreThanYouHave.
    """
    given = policies_given(tx, PrincipalType.USERGROUP, [group.id])
    if given or statements_naming(tx, group.type, {group.id}):
        message = "permissions rest on it: take its policies away, and the statements that name it"
        raise InvalidBody([Problem("", "in_use", message)])
    for item in tx.find(ResourceGroupItem, resource_group_id=group.id):
        tx.delete(ResourceGroupItem, item.id)
    for item in tx.find(ResourceGroupItem, target_type=TargetType.GROUP.value, target_id=group.id):
        remove_from_group(tx, caller, tx.get(ResourceGroup, item.resource_group_id), item)
    return tx.delete(ResourceGroup, group.id)


def statements_naming(tx: Transaction, group_type: str, groups: set[str]) -> list[Statement]:
    """Give the stored statements about one of the groups of a type, by its id or as any group."""
    found: list[Statement] = []
    for cls, column in _INLINE:
        table = resource_of(cls).table
        mentions = cast(table.c[column], Text).like("%/group%")
        rows = tx.execute(select(table.c[column]).where(table.c.org_id == tx.org_id, mentions)).scalars()
        found += [s for raw in rows for s in msgspec.convert(raw, list[Statement])]
    return [s for s in found if speaks_of(s, group_type, groups)]


def _said_of(tx: Transaction, group: ResourceGroup, item: ResourceGroupItem) -> list[Statement]:
    """Give what being in a group means for a thing: for a user, what the group may do; for any, what is
    said of the group, told of the thing itself.
    """
    around = {group.id, *groups_around(tx, group.type, TargetType.GROUP, group.id)}
    kind = item.target_type.value.lower()
    named = [
        Statement(effect=s.effect, action=s.action, resource=[f"config:{group.type}/{kind}/{item.target_id}"])
        for s in statements_naming(tx, group.type, around)
    ]
    if group.type != USER_TYPE:
        return named
    return [*named, *statements_of(policies_given(tx, PrincipalType.USERGROUP, around))]


# --- service users and support ------------------------------------------------------------------


def create_service_user_as(tx: Transaction, caller: Principal, request: VersionedRequest) -> ServiceUser:
    """Make a service user. Raises InvalidBody, MoreThanYouHave."""
    made = tx.create(from_request(ServiceUser, request))
    require_to_hold(caller, made.permission_policy)
    return made


def update_service_user(
    tx: Transaction, caller: Principal, service_user_id: str, request: VersionedRequest
) -> ServiceUser:
    """Change a service user.

    Raises ResourceNotFound, InvalidBody, StaleVersion, OwnAccess, MoreThanYouHave.
    """
    old = tx.get(ServiceUser, service_user_id, lock=True)
    new = replace_versioned(tx, old, request)
    if old.permission_policy != new.permission_policy:
        _not_oneself(caller, old.id)
        require_to_hold(caller, added(old.permission_policy, new.permission_policy))
    return new


def delete_service_user(tx: Transaction, caller: Principal, service_user_id: str) -> ServiceUser:
    """Delete a service user with its keys, and what it was given. Raises ResourceNotFound, OwnAccess."""
    old = tx.get(ServiceUser, service_user_id, lock=True)
    _not_oneself(caller, old.id)
    for key in tx.find(AccessKey, service_user_id=old.id):
        tx.delete(AccessKey, key.id)
    for given in tx.find(
        PrincipalPermission, principal_type=PrincipalType.SERVICEUSER.value, principal_id=old.id
    ):
        tx.delete(PrincipalPermission, given.id)
    return tx.delete(ServiceUser, old.id)


def require_to_hold_what_service_user_may(tx: Transaction, caller: Principal, service_user_id: str) -> None:
    """Let a caller act as a service user, by a key of it. Raises ResourceNotFound, MoreThanYouHave."""
    owner = tx.get(ServiceUser, service_user_id)
    given = policies_given(tx, PrincipalType.SERVICEUSER, [owner.id])
    require_to_hold(caller, [*owner.permission_policy, *statements_of(given)])


def set_support_access(tx: Transaction, caller: Principal, request: SupportRequest) -> Support:
    """Grant support access, or change it. Raises InvalidBody, StaleVersion, OwnAccess, MoreThanYouHave."""
    if caller.kind is PrincipalKind.SUPPORT_USER:
        _not_oneself(caller, caller.id)
    old = tx.find_one(Support, lock=True)
    wanted = request.support()
    if old is None:
        new = tx.create(wanted)
    else:
        require_version(old, request)
        new = tx.update(old, wanted)
    before = old.support_users_permission_policy if old is not None else []
    given = added(before, new.support_users_permission_policy)
    if old is None or new.dt_end_support_users_access > old.dt_end_support_users_access:
        policies = policies_given(tx, PrincipalType.SUPPORTUSERS, [tx.org_id])
        given += [*new.support_users_permission_policy, *statements_of(policies)]
    require_to_hold(caller, given)
    return new
