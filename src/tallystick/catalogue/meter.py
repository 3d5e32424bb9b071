"""Meters: the fields that a measurement of some kind carries."""

from collections.abc import Iterable, Iterator, Mapping
from enum import StrEnum
from typing import Annotated, Self

import msgspec
from msgspec import Meta

from tallystick.catalogue.cloud_events import CloudEventMapping
from tallystick.catalogue.derived_fields import calculation_problems, custom_fields_read, stored_problems
from tallystick.catalogue.product import Product
from tallystick.catalogue.scope import stays_in_scope
from tallystick.kernel.problems import Problem
from tallystick.organizations.custom_field import Named, custom_field_readers
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

SLOTS_OF_A_KIND = 30
"As many numbers, and as many texts, has the usage store a place for on one measurement."


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

    @property
    def is_dimension(self) -> bool:
        """Tell whether fields of this category say who, what or where, so that usage is chosen by them."""
        return not self.is_numeric and self is not FieldCategory.METADATA


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
    cloud_events: CloudEventMapping | None = None
    "Beyond the original API: which CloudEvents are measurements of this meter."
    slots: Annotated[dict[str, str], Hidden()] = {}
    "The place of each field in the usage store, by its code; one once given is never given to another field."

    @property
    def fields(self) -> list[DataField]:
        """All fields, data before derived."""
        return [*self.data_fields, *self.derived_fields]

    def field(self, code: str) -> DataField | None:
        """Find a field by its code."""
        return next((f for f in self.fields if f.code == code), None)

    def settle(self, tx: Transaction, old: Self | None) -> Self:
        """Give each new field its place in the usage store."""
        return msgspec.structs.replace(self, slots=assign_slots(old.slots if old else {}, self.fields))

    def check(self) -> Iterator[Problem]:
        """Field codes are unique; numbers have a unit; each field has its place; calculations can be made."""
        yield from calculation_problems(self)
        if self.cloud_events is not None:
            yield from self.cloud_events.check({f.code for f in self.data_fields})
        seen: set[str] = set()
        for name, fields in (("dataFields", self.data_fields), ("derivedFields", self.derived_fields)):
            for i, field in enumerate(fields):
                where = f"{name}[{i}]"
                if field.code in seen:
                    yield Problem(f"{where}.code", "duplicate", f"{field.code} is used twice in this meter")
                seen.add(field.code)
                if field.category.is_numeric and field.unit is None:
                    yield Problem(f"{where}.unit", "required", f"is required for a {field.category} field")
                if self.slots and field.code not in self.slots:
                    message = (
                        f"{field.code} has no place left: with the fields removed since, this meter "
                        f"has had {SLOTS_OF_A_KIND} of its kind; make another meter"
                    )
                    yield Problem(where, "too_many_fields", message)

    def check_stored(self, tx: Transaction, old: Entity | None) -> Iterator[Problem]:
        """Fields that an aggregation reads stay, and keep their kind; what calculations look up exists."""
        yield from stored_problems(tx, self)
        if isinstance(old, Meter):
            yield from fields_still_read(tx, old, self)
            if old.product_id != self.product_id:
                yield from product_still_suits(tx, self)


def assign_slots(before: Mapping[str, str], fields: Iterable[DataField]) -> dict[str, str]:
    """Give each field the name of its slot in the usage store: `n` and `s` count numbers and texts from 0.

    before: what was given until now. A field keeps its slot, also after it was removed and comes back; a new
    one gets the lowest that no field ever had, or none when all are gone. The slot of a field that changed
    its kind stays kept as `<code> <kind>`, which is no field's code.
    """
    slots = dict(before)
    for field in fields:
        kind, other = ("n", "s") if field.category.is_numeric else ("s", "n")
        if slots.get(field.code, kind).startswith(other):
            slots[f"{field.code} {other}"] = slots.pop(field.code)
        if field.code in slots:
            continue
        used = set(slots.values())
        free = (f"{kind}{i}" for i in range(SLOTS_OF_A_KIND) if f"{kind}{i}" not in used)
        slot = slots.pop(f"{field.code} {kind}", None) or next(free, None)
        if slot is not None:
            slots[field.code] = slot
    return slots


def fields_still_read(tx: Transaction, old: Meter, new: Meter) -> Iterator[Problem]:
    """Find the aggregations that would lose a field they read, in their SQL too."""
    from tallystick.catalogue.aggregation import Aggregation  # noqa: PLC0415 - the two know each other

    for aggregation in tx.find(Aggregation, meter_id=old.id):
        for code in sorted(aggregation.fields_read(old)):
            before, after = old.field(code), new.field(code)
            if before is not None and after is None:
                message = f"{code} cannot be removed: the aggregation {aggregation.name!r} reads it"
                yield Problem("dataFields", "field_in_use", message)
            elif before and after and before.category.is_numeric != after.category.is_numeric:
                message = f"{code} cannot change between number and text: {aggregation.name!r} reads it"
                yield Problem("dataFields", "field_in_use", message)
            elif after and code in aggregation.segmented_fields and not after.category.is_dimension:
                message = f"{code} cannot become {after.category}: {aggregation.name!r} is segmented by it"
                yield Problem("dataFields", "field_in_use", message)


def product_still_suits(tx: Transaction, meter: Meter) -> Iterator[Problem]:
    """Find the aggregations of a meter that plans of another product price."""
    from tallystick.catalogue.aggregation import Aggregation  # noqa: PLC0415 - the two know each other

    for aggregation in tx.find(Aggregation, meter_id=meter.id):
        yield from stays_in_scope(tx, Aggregation, aggregation.id, meter.product_id, "productId")


def meters_reading(tx: Transaction) -> Iterator[tuple[str, set[Named]]]:
    """Name the meters whose derived fields read custom fields, with these."""
    for meter in tx.find(Meter):
        yield f"the meter {meter.code}", custom_fields_read(meter)


custom_field_readers.append(meters_reading)
