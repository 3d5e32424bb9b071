"""A resource is declared once: its class is its JSON, its table, its OpenAPI schema and its checks."""

from tallystick.platform.resources.declaration import Entity, Resource, resource, resource_of, resources
from tallystick.platform.resources.fields import (
    AMOUNT,
    AtLeast,
    Code,
    Computed,
    CustomFields,
    Hidden,
    Id,
    Identifier,
    MoreThan,
    Name,
    NonNegative,
    Positive,
    Ref,
)
from tallystick.platform.resources.filters import ActiveAt, By, Filter, Through
from tallystick.platform.resources.pages import Page, PageRequest
from tallystick.platform.resources.transaction import Change, Transaction

__all__ = [
    "AMOUNT",
    "ActiveAt",
    "AtLeast",
    "By",
    "Change",
    "Code",
    "Computed",
    "CustomFields",
    "Entity",
    "Filter",
    "Hidden",
    "Id",
    "Identifier",
    "MoreThan",
    "Name",
    "NonNegative",
    "Page",
    "PageRequest",
    "Positive",
    "Ref",
    "Resource",
    "Through",
    "Transaction",
    "resource",
    "resource_of",
    "resources",
]
