"""The caller's organization: its name, address and contacts."""

from collections.abc import Iterator
from typing import Annotated

import msgspec

from tallystick.api.routes import Call, Permission, Route
from tallystick.organizations.organization import Line, Organization, OrganizationStatus, OrganizationType
from tallystick.platform.resources import Entity, Id, Name, Transaction
from tallystick.platform.resources.declaration import VersionedRequest
from tallystick.platform.resources.transaction import require_version

PATH = "/organizations/{orgId}"
_OBJECT = "config:organization"


class OrganizationAnswer(Entity, kw_only=True):
    """An organization as it is answered: `name` is `organizationName` there."""

    org_id: str
    organization_name: str
    type: OrganizationType
    status: OrganizationStatus
    short_name: str | None = None
    customer_id: str | None = None
    address_line1: str | None = None
    address_line2: str | None = None
    address_line3: str | None = None
    address_line4: str | None = None
    locality: str | None = None
    region: str | None = None
    post_code: str | None = None
    country: str | None = None
    tax_id: str | None = None
    purchase_order_number: str | None = None
    invoice_general_reference: str | None = None
    billing_contact_user_id1: str | None = None
    billing_contact_user_id2: str | None = None
    billing_contact_user_id3: str | None = None


class OrganizationRequest(VersionedRequest, kw_only=True, rename="camel"):
    """What can be changed of an organization (semantics §1: what is omitted is cleared)."""

    organization_name: Name
    short_name: Line | None = None
    customer_id: Line | None = None
    address_line1: Line | None = None
    address_line2: Line | None = None
    address_line3: Line | None = None
    address_line4: Line | None = None
    locality: Line | None = None
    region: Line | None = None
    post_code: Line | None = None
    country: Line | None = None
    tax_id: Line | None = None
    purchase_order_number: Annotated[str, msgspec.Meta(max_length=100)] | None = None
    invoice_general_reference: Line | None = None
    billing_contact_user_id1: Id | None = None
    billing_contact_user_id2: Id | None = None
    billing_contact_user_id3: Id | None = None


def organization_routes() -> Iterator[Route]:
    """Make the routes."""
    yield Route(
        "GET",
        PATH,
        Permission("config:retrieve", _OBJECT, "orgId"),
        get_organization,
        "getOrganization",
        "Organization",
        "Get the organization",
        answer=OrganizationAnswer,
    )
    yield Route(
        "PUT",
        PATH,
        Permission("config:update", _OBJECT, "orgId"),
        update_organization,
        "updateOrganization",
        "Organization",
        "Update the organization",
        request=OrganizationRequest,
        answer=OrganizationAnswer,
    )


def get_organization(call: Call) -> OrganizationAnswer:
    """Answer the caller's organization."""
    with call.reading() as tx:
        return organization_of(tx)


def update_organization(call: Call) -> OrganizationAnswer:
    """Change name, address and contacts. Raises InvalidBody, StaleVersion."""
    with call.writing() as tx:
        old = tx.get(Organization, call.org_id, lock=True)
        require_version(old, call.body)
        given = msgspec.structs.asdict(call.body)
        name = given.pop("organization_name")
        given.pop("version")
        tx.update(old, msgspec.structs.replace(old, name=name, **given))
        return organization_of(tx)


def organization_of(tx: Transaction) -> OrganizationAnswer:
    """Give the organization of a transaction, as it is answered."""
    found = msgspec.structs.asdict(tx.get(Organization, tx.org_id))
    name = found.pop("name")
    found.pop("demo")
    return OrganizationAnswer(org_id=tx.org_id, organization_name=name, **found)
