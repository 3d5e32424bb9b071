"""Service users and their access keys."""

from collections.abc import Iterator
from functools import partial

from tallystick.api.routes import Call, Permission, Route, organization_path, paging
from tallystick.organizations import service
from tallystick.organizations.access_key import AccessKey
from tallystick.organizations.granting import (
    create_service_user_as,
    delete_service_user,
    require_to_hold_what_service_user_may,
    update_service_user,
)
from tallystick.organizations.service import NewAccessKey
from tallystick.organizations.service_user import ServiceUser
from tallystick.platform.resources import Page, Resource, resource_of

LARGEST_PAGE = 100
_USER, _KEY = resource_of(ServiceUser), resource_of(AccessKey)
ONE = organization_path("serviceusers/{id}")
KEYS = f"{ONE}/accesskeys"


def service_user_routes() -> Iterator[Route]:
    """Make the routes that go beyond reading."""
    path, body, answer = organization_path("serviceusers"), _USER.request_type, ServiceUser
    may, of_keys = partial(_may, _USER), partial(_may, _KEY, item="keyId")
    tag = "ServiceUser"
    yield Route(
        "POST", path, may("create"), create, "createServiceUser", tag, "Create a service user",
        request=body, answer=answer,
    )  # fmt: skip
    yield Route(
        "PUT", ONE, may("update"), update, "updateServiceUser", tag, "Update a service user",
        request=body, answer=answer,
    )  # fmt: skip
    yield Route(
        "DELETE", ONE, may("delete"), delete, "deleteServiceUser", tag, "Delete a service user", answer=answer
    )
    yield Route(
        "POST", KEYS, of_keys("create"), create_key, "createAccessKey", tag, "Create an access key",
        answer=NewAccessKey, repeatable=True,
    )  # fmt: skip
    yield Route(
        "GET", KEYS, of_keys("retrieve"), list_keys, "listAccessKeys", tag, "List the keys of a service user",
        answer=Page[AccessKey], query=paging(LARGEST_PAGE),
    )  # fmt: skip
    yield Route(
        "DELETE", f"{KEYS}/{{keyId}}", of_keys("delete"), revoke_key, "revokeAccessKey", tag,
        "Revoke an access key", answer=AccessKey,
    )  # fmt: skip


def _may(declared: Resource, verb: str, item: str = "id") -> Permission:
    return Permission(f"config:{verb}", declared.permission_object, item)


def create(call: Call) -> ServiceUser:
    """Make a service user."""
    with call.writing() as tx:
        return create_service_user_as(tx, call.principal, call.body)


def update(call: Call) -> ServiceUser:
    """Change a service user's name and statements."""
    with call.writing() as tx:
        return update_service_user(tx, call.principal, call.path["id"], call.body)


def delete(call: Call) -> ServiceUser:
    """Delete a service user with its keys, and what it was given."""
    with call.writing() as tx:
        return delete_service_user(tx, call.principal, call.path["id"])


def create_key(call: Call) -> NewAccessKey:
    """Make an access key; its secret is answered here and never again."""
    with call.writing() as tx:
        require_to_hold_what_service_user_may(tx, call.principal, call.path["id"])
        return service.create_access_key(tx, call.path["id"])


def list_keys(call: Call) -> Page[AccessKey]:
    """List the keys of a service user, revoked ones too."""
    page = call.page(LARGEST_PAGE)
    with call.reading() as tx:
        owner = tx.get(ServiceUser, call.path["id"])
        return tx.page(AccessKey, page, [_KEY.table.c.service_user_id == owner.id])


def revoke_key(call: Call) -> AccessKey:
    """Revoke a key: neither it nor its tokens are taken any more. Raises ResourceNotFound."""
    with call.writing() as tx:
        return service.revoke_key_of(tx, call.path["id"], call.path["keyId"])
