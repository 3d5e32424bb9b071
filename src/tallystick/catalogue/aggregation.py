"""Aggregations: how the measurements of a billing period become one quantity."""

from collections.abc import Callable, Iterator
from typing import Annotated

from msgspec import Meta

from tallystick.catalogue.custom_sql import CustomSqlRefused, position, read_custom_sql
from tallystick.catalogue.meter import Meter
from tallystick.catalogue.product import Product
from tallystick.catalogue.scope import stays_in_scope
from tallystick.kernel.problems import Problem
from tallystick.platform.resources import (
    By,
    CustomFields,
    Entity,
    Id,
    Identifier,
    Name,
    NonNegative,
    Positive,
    Ref,
    Through,
    Transaction,
    resource,
)
from tallystick.platform.resources.checks import no_repeats
from tallystick.rating.method import Method
from tallystick.rating.units import UsageRounding

CONTRACT_METHODS = Meta(
    description="TIME_WEIGHTED is beyond the original API; only an aggregation made with it answers with it.",
    extra_json_schema={
        "enum": [m.value for m in Method if m is not Method.TIME_WEIGHTED],
        "x-extensible-enum": [Method.TIME_WEIGHTED.value],
    },
)
TEXT_METHODS = frozenset({Method.COUNT, Method.UNIQUE, Method.CUSTOM_SQL})
Segment = dict[str, str]
SegmentUser = Callable[[Transaction, str, Segment | None], str | None]


@resource(
    "aggregations",
    event="configuration.aggregation",
    unique=("code",),
    filters=(
        Through("productId", "meter_id", "meters", "product_id"),
        By("codes", "code", many=True, item=str),
    ),
)
class Aggregation(Entity, kw_only=True):
    """One quantity out of the measurements of a meter."""

    name: Name
    code: Identifier | None = None
    meter_id: Annotated[Id, Ref(Meter)]
    target_field: Annotated[str, Meta(min_length=1, max_length=80)]
    aggregation: Annotated[Method, CONTRACT_METHODS]
    rounding: UsageRounding
    quantity_per_unit: Positive
    unit: Annotated[str, Meta(min_length=1, max_length=50)]
    accounting_product_id: Annotated[Id | None, Ref(Product)] = None
    segmented_fields: Annotated[list[str], Meta(max_length=5)] = []
    segments: Annotated[list[Segment], Meta(max_length=1000)] = []
    default_value: NonNegative | None = None
    custom_sql: Annotated[str, Meta(max_length=2048)] | None = None
    custom_fields: CustomFields = {}

    def check(self) -> Iterator[Problem]:
        """Segments name exactly the segmented fields, each once; SQL stands exactly with CUSTOM_SQL."""
        yield from no_repeats("segmentedFields[{i}]", self.segmented_fields, "{value} stands twice")
        if self.segments and not self.segmented_fields:
            yield Problem("segmentedFields", "required", "name the fields that the segments are made of")
        if self.segmented_fields and not self.segments:
            yield Problem("segments", "required", "name at least one segment of the segmented fields")
        expected = set(self.segmented_fields)
        for i, segment in enumerate(self.segments):
            if self.segmented_fields and set(segment) != expected:
                message = f"must have exactly the fields {', '.join(self.segmented_fields)}"
                yield Problem(f"segments[{i}]", "wrong_fields", message)
        keys = [tuple(sorted(s.items())) for s in self.segments]
        yield from no_repeats("segments[{i}]", keys, "this segment stands twice")
        if self.aggregation is Method.CUSTOM_SQL:
            yield from self._custom_sql(None)
        elif self.custom_sql is not None:
            yield Problem("customSql", "not_applicable", "is only used with the aggregation CUSTOM_SQL")

    def check_stored(self, tx: Transaction, old: Entity | None) -> Iterator[Problem]:
        """The fields exist on the meter and suit what is done with them; priced segments stay."""
        meter = tx.find_one(Meter, id=self.meter_id)
        if meter is not None:
            yield from self._suits(meter)
        if isinstance(old, Aggregation):
            yield from segments_stay(tx, self.id, old.segments, self.segments, "segments")
            yield from compounds_stay_whole(tx, old, self)
            if meter is not None and old.meter_id != self.meter_id:
                yield from stays_in_scope(tx, Aggregation, self.id, meter.product_id, "meterId")

    def check_delete(self, tx: Transaction) -> Iterator[Problem]:
        """A compound aggregation does not lose what it calculates with."""
        from tallystick.catalogue.compound_aggregation import compounds_naming  # noqa: PLC0415 - the two know each other

        for compound in compounds_naming(tx, self.code):
            message = f"the compound aggregation {compound.name!r} calculates with it"
            yield Problem("code", "code_in_use", message)

    def fields_read(self, meter: Meter) -> set[str]:
        """Give the codes of the meter's fields that it reads: its target, its segments' and its SQL's."""
        own = {self.target_field, *self.segmented_fields}
        if self.custom_sql is not None:
            own |= read_custom_sql(self.custom_sql).reads
        return {field.code for field in meter.fields} & own

    def _custom_sql(self, meter: Meter | None) -> Iterator[Problem]:
        """Check that the SQL may be run, over the fields of this meter if it is given."""
        if self.custom_sql is None:
            yield Problem("customSql", "required", "is required with the aggregation CUSTOM_SQL")
            return
        try:
            read_custom_sql(self.custom_sql, None if meter is None else {f.code for f in meter.fields})
        except CustomSqlRefused as refused:
            yield Problem(
                "customSql", "invalid_sql", f"{position(self.custom_sql, refused.at)}{refused.reason}"
            )

    def _suits(self, meter: Meter) -> Iterator[Problem]:
        if self.aggregation is Method.CUSTOM_SQL and not list(self._custom_sql(None)):
            yield from self._custom_sql(meter)
        target = meter.field(self.target_field)
        if target is None:
            yield Problem(
                "targetField", "unknown_field", f"the meter {meter.code} has no field {self.target_field}"
            )
        elif self.aggregation not in TEXT_METHODS and not target.category.is_numeric:
            message = f"{self.aggregation} needs a number, and {target.code} is {target.category}"
            yield Problem("targetField", "wrong_category", message)
        elif self.aggregation is Method.UNIQUE and target.category.is_numeric:
            message = f"UNIQUE counts distinct texts, and {target.code} is {target.category}"
            yield Problem("targetField", "wrong_category", message)
        for i, code in enumerate(self.segmented_fields):
            field = meter.field(code)
            if field is None:
                yield Problem(
                    f"segmentedFields[{i}]", "unknown_field", f"the meter {meter.code} has no field {code}"
                )
            elif not field.category.is_dimension:
                message = f"segments are made of WHO, WHERE, WHAT and OTHER; {code} is {field.category}"
                yield Problem(f"segmentedFields[{i}]", "wrong_category", message)


def segments_stay(
    tx: Transaction, owner_id: str, old: list[Segment], new: list[Segment], field: str
) -> Iterator[Problem]:
    """Refuse to lose a segment that a pricing names (semantics §10). owner_id: of what has the segments.

    Cutting what is priced whole into segments loses the whole: that price would bill nothing any more.
    """
    gone: list[Segment | None] = [s for s in old if s not in new]
    if new and not old:
        gone = [None]
    for find_user in segment_users:
        for segment in gone:
            user = find_user(tx, owner_id, segment)
            if user is not None:
                what = "this cannot be segmented" if segment is None else f"{segment} cannot be removed"
                yield Problem(field, "segment_in_use", f"{what}: {user} prices it")


def compounds_stay_whole(tx: Transaction, old: Aggregation, new: Aggregation) -> Iterator[Problem]:
    """Refuse to take from a compound aggregation what it names, or a priced segment (semantics §11)."""
    from tallystick.catalogue.compound_aggregation import compounds_naming, segments_with  # noqa: PLC0415 - the same

    for compound in compounds_naming(tx, old.code):
        if new.code != old.code:
            message = f"cannot change: the compound aggregation {compound.name!r} names {old.code}"
            yield Problem("code", "code_in_use", message)
        elif new.segments != old.segments:
            left = segments_with(tx, compound, new)
            yield from segments_stay(tx, compound.id, compound.segments, left, "segments")


segment_users: list[SegmentUser] = []
"Asks those further up who may use a segment of an aggregation, compound or not, by its id."
