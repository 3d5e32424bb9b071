"""Meters: the fields that a measurement of some kind carries."""

from collections.abc import Iterator
from enum import StrEnum
from typing import Annotated

import msgspec
from msgspec import Meta

from tallystick.catalogue.product import Product
from tallystick.kernel.problems import Problem
from tallystick.platform.resources import (
    By,
    Code,
    CustomFields,
    Entity,
    Hidden,
    Id,
    Identifier,
    Name,
    Ref,
    Transaction,
    resource,
)


class FieldCategory(StrEnum):
    """What a field tells; MEASURE, INCOME and COST are numbers, the others text (semantics §5)."""

    WHO = "WHO"
    WHERE = "WHERE"
    WHAT = "WHAT"
    OTHER = "OTHER"
    METADATA = "METADATA"
    MEASURE = "MEASURE"
    INCOME = "INCOME"
    COST = "COST"

    @property
    def is_numeric(self) -> bool:
        """Tell whether fields of this category hold numbers."""
        return self in {FieldCategory.MEASURE, FieldCategory.INCOME, FieldCategory.COST}


class DataField(msgspec.Struct, kw_only=True, rename="camel"):
    """A field that every measurement of the meter brings."""

    category: FieldCategory
    code: Identifier
    name: Name
    unit: Annotated[str, Meta(min_length=1, max_length=50)] | None = None


class DerivedField(DataField, kw_only=True, rename="camel"):
    """A field that is calculated once, when the measurement comes in (semantics §8)."""

    calculation: Annotated[str, Meta(min_length=1, max_length=5000)]


@resource(
    "meters",
    event="configuration.meter",
    unique=("code",),
    filters=(By("productId", "product_id", many=True), By("codes", "code", many=True, item=str)),
)
class Meter(Entity, kw_only=True):
    """A kind of measurement; without a product it is global (semantics §5)."""

    product_id: Annotated[Id | None, Ref(Product)] = None
    group_id: Annotated[Id | None, Ref("metergroups")] = None
    name: Name
    code: Code
    data_fields: Annotated[list[DataField], Meta(min_length=1, max_length=15)]
    derived_fields: Annotated[list[DerivedField], Meta(max_length=15)]
    custom_fields: CustomFields = {}
    slots: Annotated[dict[str, str], Hidden()] = {}
    "Which column of the usage store holds each field; a slot once given is never given to another field."

    @property
    def fields(self) -> list[DataField]:
        """All fields, data before derived."""
        return [*self.data_fields, *self.derived_fields]

    def field(self, code: str) -> DataField | None:
        """Find a field by its code."""
        return next((f for f in self.fields if f.code == code), None)

    def check(self) -> Iterator[Problem]:
        """Field codes are unique in the meter; numbers have a unit."""
        seen: set[str] = set()
        for name, fields in (("dataFields", self.data_fields), ("derivedFields", self.derived_fields)):
            for i, field in enumerate(fields):
                where = f"{name}[{i}]"
                if field.code in seen:
                    yield Problem(f"{where}.code", "duplicate", f"{field.code} is used twice in this meter")
                seen.add(field.code)
                if field.category.is_numeric and field.unit is None:
                    yield Problem(f"{where}.unit", "required", f"is required for a {field.category} field")

    def check_stored(self, tx: Transaction, old: Entity | None) -> Iterator[Problem]:
        """Fields that an aggregation reads stay, and keep their kind (semantics §5)."""
        if isinstance(old, Meter):
            yield from fields_still_read(tx, old, self)


def fields_still_read(tx: Transaction, old: Meter, new: Meter) -> Iterator[Problem]:
    """Find the aggregations that would lose the field they read."""
    from tallystick.catalogue.aggregation import Aggregation  # noqa: PLC0415 - the two know each other

    for aggregation in tx.find(Aggregation, meter_id=old.id):
        for code in (aggregation.target_field, *aggregation.segmented_fields):
            before, after = old.field(code), new.field(code)
            if before is not None and after is None:
                message = f"{code} cannot be removed: the aggregation {aggregation.name!r} reads it"
                yield Problem("dataFields", "field_in_use", message)
            elif before and after and before.category.is_numeric != after.category.is_numeric:
                message = f"{code} cannot change between number and text: {aggregation.name!r} reads it"
                yield Problem("dataFields", "field_in_use", message)
