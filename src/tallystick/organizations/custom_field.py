"""Defaults of custom fields, by the type of entity that has them."""

from collections.abc import Callable, Iterator
from typing import Annotated, Any

import msgspec
from msgspec import Meta

from tallystick.kernel.problems import Problem
from tallystick.platform.resources import Entity, Transaction, resource
from tallystick.platform.resources.checks import map_values

_VALUE = {"anyOf": [{"type": "string"}, {"type": "integer"}, {"type": "number"}]}
Defaults = Annotated[dict[str, Any], Meta(max_length=25, extra_json_schema={"additionalProperties": _VALUE})]
LONGEST_VALUE = 5000
Named = tuple[str, str]
"A custom field as calculations name it: its owner, such as `accountPlan`, and its own name."
custom_field_readers: list[Callable[[Transaction], Iterator[tuple[str, set[Named]]]]] = []
"Asks those further up who reads which custom fields."


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

    def check_stored(self, tx: Transaction, old: Entity | None) -> Iterator[Problem]:
        """What a calculation reads stays: without it a derived field is null for good (semantics §8, §11)."""
        gone = _defined(old) - _defined(self) if isinstance(old, CustomField) else set()
        for readers in custom_field_readers if gone else ():
            for reader, reads in readers(tx):
                for owner, name in sorted(reads & gone):
                    message = f"cannot be removed: {reader} reads it"
                    yield Problem(f"{owner}.{name}", "field_in_use", message)


def _defined(defaults: CustomField) -> set[Named]:
    owners = {field.encode_name: getattr(defaults, field.name) for field in msgspec.structs.fields(defaults)}
    return {(owner, name) for owner, names in owners.items() if isinstance(names, dict) for name in names}
