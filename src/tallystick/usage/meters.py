"""A meter as measurements are read against it: which field stands where, and where it is kept."""

from collections.abc import Callable
from operator import attrgetter, itemgetter
from typing import Any

import msgspec

from tallystick.catalogue.meter import FieldCategory, Meter
from tallystick.usage.store.model import Slot, SlotKind

LONGEST_TEXT = 1024
LONGEST_METADATA = 256


class FieldReader(msgspec.Struct, frozen=True):
    """One data field. read: takes its value out of the map of its category, KeyError when it is absent."""

    code: str
    slot: Slot
    read: Callable[[Any], Any]


class CategoryReader(msgspec.Struct, frozen=True):
    """The data fields of one category; there may be none.

    name: of the map in a measurement, such as `what`. read: takes that map out of a measurement.
    longest: characters a text may have; None for numbers.
    """

    name: str
    read: Callable[[Any], Any]
    longest: int | None
    fields: tuple[FieldReader, ...]


class MeterReader(msgspec.Struct, frozen=True):
    """One state of a meter, ready to read measurements.

    categories: all eight. category_of: the map that each data field's code belongs into.
    derived: the slot of each derived field.
    """

    id: str
    code: str
    categories: tuple[CategoryReader, ...]
    category_of: dict[str, str]
    derived: dict[str, Slot]
    meter: Meter


def meter_reader(meter: Meter) -> MeterReader:
    """Prepare a stored meter."""
    return MeterReader(
        id=meter.id,
        code=meter.code,
        categories=tuple(_category_reader(meter, category) for category in FieldCategory),
        category_of={f.code: f.category.lower() for f in meter.data_fields},
        derived={f.code: slot_of(meter, f.code) for f in meter.derived_fields},
        meter=meter,
    )


def slot_of(meter: Meter, code: str) -> Slot:
    """Give the place of a field's values in the usage store."""
    name = meter.slots[code]
    return Slot(SlotKind(name[0]), int(name[1:]))


def longest_text(category: FieldCategory) -> int:
    """Give how many characters a text of a category may have."""
    return LONGEST_METADATA if category is FieldCategory.METADATA else LONGEST_TEXT


def _category_reader(meter: Meter, category: FieldCategory) -> CategoryReader:
    return CategoryReader(
        name=category.lower(),
        read=attrgetter(category.lower()),
        longest=None if category.is_numeric else longest_text(category),
        fields=tuple(
            FieldReader(f.code, slot_of(meter, f.code), itemgetter(f.code))
            for f in meter.data_fields
            if f.category is category
        ),
    )
