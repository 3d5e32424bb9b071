"""An organization: a vendor, with everything it owns."""

from enum import StrEnum
from typing import Annotated

from msgspec import Meta

from tallystick.platform.resources import Computed, Entity, Hidden, Id, Name, resource

Line = Annotated[str, Meta(max_length=200)]


class OrganizationType(StrEnum):
    """What an organization is for."""

    PRODUCTION = "PRODUCTION"
    SANDBOX = "SANDBOX"


class OrganizationStatus(StrEnum):
    """Whether an organization is still in use."""

    ACTIVE = "ACTIVE"
    ARCHIVED = "ARCHIVED"


@resource("organizations", event="configuration.organization", verbs=())
class Organization(Entity, kw_only=True):
    """A vendor. Its own id is the `org_id` of every row it owns."""

    name: Name
    short_name: Line | None = None
    customer_id: Line | None = None
    "What whoever runs this server calls it."
    address_line1: Line | None = None
    address_line2: Line | None = None
    address_line3: Line | None = None
    address_line4: Line | None = None
    locality: Line | None = None
    region: Line | None = None
    post_code: Line | None = None
    country: Line | None = None
    tax_id: Line | None = None
    purchase_order_number: Annotated[str, Meta(max_length=100)] | None = None
    invoice_general_reference: Line | None = None
    billing_contact_user_id1: Id | None = None
    billing_contact_user_id2: Id | None = None
    billing_contact_user_id3: Id | None = None
    type: Annotated[OrganizationType, Computed()] = OrganizationType.PRODUCTION
    status: Annotated[OrganizationStatus, Computed()] = OrganizationStatus.ACTIVE
    demo: Annotated[bool, Hidden()] = False
