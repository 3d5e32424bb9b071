"""The official Python SDK rules access: every method it has for users, groups, policies and invitations.

Semantics §2.
"""

from typing import Any

import m3ter
from m3ter.types.permission_statement_response_param import PermissionStatementResponseParam

from tests.support.people import caller, join
from tests.support.world import World

READ: PermissionStatementResponseParam = {
    "effect": "ALLOW",
    "action": ["CONFIG_RETRIEVE"],
    "resource": ["config:meter/*"],
}


def test_users_and_invitations(world: World, sdk: m3ter.M3ter) -> None:
    invited = sdk.users.invitations.create(email="ada@sdk.example", first_name="Ada", last_name="Byron")
    assert sdk.users.invitations.retrieve(invited.id).accepted is False
    assert [each.id for each in sdk.users.invitations.list()] == [invited.id]
    join(world, "bob@sdk.example").close()
    user = next(each for each in sdk.users.list() if each.email == "bob@sdk.example")
    assert sdk.users.retrieve(user.id).organizations == [world.org_id]
    updated = sdk.users.update(user.id, permission_policy=[READ], version=user.version or 0)
    assert updated.version == (user.version or 0) + 1
    sdk.users.resend_password(user.id)
    effective = sdk.users.get_permissions(user.id).permission_policy or []
    assert [each.resource for each in effective] == [["config:meter/*"]]
    assert sdk.users.get_user_groups(user.id).id == user.id
    me = sdk.users.me()
    assert (me.service_user and me.service_user.name, me.organization and me.organization.org_id) == (
        "administrator",
        world.org_id,
    )


def test_groups_and_policies(world: World, sdk: m3ter.M3ter) -> None:
    join(world, "cleo@sdk.example").close()
    user = next(each for each in sdk.users.list() if each.email == "cleo@sdk.example")
    program = caller(world, name="program")
    group = sdk.resource_groups.create("user", name="readers")
    group = sdk.resource_groups.update(group.id, type="user", name="Readers", version=1)
    assert sdk.resource_groups.retrieve(group.id, type="user").name == "Readers"
    assert [each.id for each in sdk.resource_groups.list("user")] == [group.id]
    member: Any = {"type": "user", "target_id": user.id, "target_type": "ITEM"}
    sdk.resource_groups.add_resource(group.id, **member)
    assert [each.target_id for each in sdk.resource_groups.list_contents(group.id, type="user")] == [user.id]
    policy = sdk.permission_policies.create(name="read", permission_policy=[READ])
    policy = sdk.permission_policies.update(policy.id, name="Read", permission_policy=[READ], version=1)
    assert sdk.permission_policies.retrieve(policy.id).managed_policy is False
    assert policy.id in [each.id for each in sdk.permission_policies.list()]
    policies, service_user = sdk.permission_policies, program.service_user_id  # type: ignore[attr-defined]
    assert policies.add_to_user(policy.id, principal_id=user.id).principal_type == "USER"
    assert policies.add_to_user_group(policy.id, principal_id=group.id).principal_type == "USERGROUP"
    assert policies.add_to_service_user(policy.id, principal_id=service_user).principal_id == service_user
    assert policies.add_to_support_user(policy.id).principal_type == "SUPPORTUSERS"
    listed = sdk.resource_groups.list_permissions(group.id, type="user")
    assert [each.id for each in listed] == [policy.id]
    policies.remove_from_user(policy.id, principal_id=user.id)
    policies.remove_from_user_group(policy.id, principal_id=group.id)
    policies.remove_from_service_user(policy.id, principal_id=service_user)
    policies.remove_from_support_user(policy.id)
    sdk.resource_groups.remove_resource(group.id, **member)
    assert sdk.permission_policies.delete(policy.id).id == policy.id
    assert sdk.resource_groups.delete(group.id, type="user").id == group.id
    program.close()
