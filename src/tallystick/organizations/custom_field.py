"""Defaults of custom fields, by the type of entity that has them."""

from collections.abc import Iterator
from typing import Annotated, Any

import msgspec
from msgspec import Meta

from tallystick.kernel.problems import Problem
from tallystick.platform.resources import Entity, resource
from tallystick.platform.resources.checks import map_values

_VALUE = {"anyOf": [{"type": "string"}, {"type": "integer"}, {"type": "number"}]}
Defaults = Annotated[dict[str, Any], Meta(max_length=25, extra_json_schema={"additionalProperties": _VALUE})]
LONGEST_VALUE = 5000


@resource("customfields", event="configuration.customfield", singleton=True)
class CustomField(Entity, kw_only=True):
    """What an entity's custom field is worth where the entity does not say itself (semantics §27)."""

    organization: Defaults = {}
    account: Defaults = {}
    account_plan: Defaults = {}
    meter: Defaults = {}
    product: Defaults = {}
    plan_template: Defaults = {}
    plan: Defaults = {}
    aggregation: Defaults = {}
    compound_aggregation: Defaults = {}
    contract: Defaults = {}

    def check(self) -> Iterator[Problem]:
        """Texts have a length that a calculation can carry."""
        for field in msgspec.structs.fields(self):
            value = getattr(self, field.name)
            if isinstance(value, dict):
                yield from map_values(field.encode_name, value, LONGEST_VALUE)
