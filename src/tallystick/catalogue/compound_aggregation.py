"""Compound aggregations: a quantity calculated from other quantities of the same billing period."""

import re
from collections.abc import Collection, Iterator, Sequence
from contextlib import suppress
from typing import Annotated, Any, Self

import msgspec
from msgspec import Meta
from sqlalchemy import update

from tallystick.calc.errors import ExpressionError
from tallystick.calc.expression import Compiled, compile_expression
from tallystick.calc.values import Kind
from tallystick.catalogue.aggregation import CONTRACT_METHODS, Aggregation, Segment, segments_stay
from tallystick.catalogue.lookup_find import lookup_problems
from tallystick.catalogue.product import Product
from tallystick.catalogue.scope import stays_in_scope
from tallystick.kernel.problems import Problem
from tallystick.organizations.custom_field import CustomField, Named, custom_field_readers
from tallystick.platform.resources import (
    By,
    Change,
    Computed,
    CustomFields,
    Entity,
    Hidden,
    Id,
    Identifier,
    Name,
    NonNegative,
    Positive,
    Ref,
    Transaction,
    resource,
    resource_of,
)
from tallystick.rating.method import Method
from tallystick.rating.units import UsageRounding

LONGEST_CALCULATION = 5000
CUSTOM_FIELD_OWNERS = (
    *("organization", "account", "accountPlan", "plan", "planTemplate"),
    *("product", "meter", "compoundAggregation", "contract"),
)
"Whose custom fields a compound aggregation may read."
_AGGREGATION = re.compile(r"aggregation\.([^.]+)")
_CUSTOM_FIELD = re.compile(r"(\w+)\.customfields\.([^.]+)")


@resource(
    "compoundaggregations",
    event="configuration.compoundaggregation",
    unique=("code",),
    filters=(By("productId", "product_id", many=True), By("codes", "code", many=True, item=str)),
    verbs=("get", "delete", "list"),
)
class CompoundAggregation(Entity, kw_only=True):
    """A calculation over aggregations; without a product it prices any plan (semantics §11)."""

    name: Name
    code: Identifier | None = None
    product_id: Annotated[Id | None, Ref(Product)] = None
    accounting_product_id: Annotated[Id | None, Ref(Product)] = None
    calculation: Annotated[str, Meta(min_length=1, max_length=LONGEST_CALCULATION)]
    rounding: UsageRounding
    quantity_per_unit: Positive
    unit: Annotated[str, Meta(min_length=1, max_length=50)]
    evaluate_null_aggregations: bool = False
    custom_fields: CustomFields = {}
    segments: Annotated[list[Segment], Computed()] = []
    "What can be priced apart: follows from the segments of the aggregations that it names."
    aggregation_codes: Annotated[list[str], Hidden()] = []

    def settle(self, tx: Transaction, old: Self | None) -> Self:
        """Find out which aggregations it names, and which segments they share."""
        named = named_codes(self.calculation)
        # Locked, so that none of them is deleted or loses its code at the same time.
        aggregations = tx.find(Aggregation, lock=True, code=named)
        return msgspec.structs.replace(self, aggregation_codes=named, segments=shared_segments(aggregations))

    def check(self) -> Iterator[Problem]:
        """The calculation can be made, and gives a number."""
        try:
            compiled = compile_expression(self.calculation)
        except ExpressionError as error:
            yield Problem("calculation", error.code, error.message)
            return
        if compiled.kind in {Kind.TEXT, Kind.BOOLEAN}:
            yield Problem("calculation", "wrong_kind", f"gives {compiled.kind}, and a quantity is a number")

    def check_stored(self, tx: Transaction, old: Entity | None) -> Iterator[Problem]:
        """Everything that it names exists; priced segments stay."""
        with suppress(ExpressionError):  # told by `check`
            yield from unknown_names(tx, compile_expression(self.calculation))
        if isinstance(old, CompoundAggregation):
            yield from segments_stay(tx, self.id, old.segments, self.segments, "calculation")
            if old.product_id != self.product_id:
                yield from stays_in_scope(tx, CompoundAggregation, self.id, self.product_id, "productId")


class WrittenCompoundAggregation(CompoundAggregation, kw_only=True):
    """What create and update answer: also the fields of an aggregation, which a compound one mostly lacks."""

    meter_id: Id | None = None
    target_field: str | None = None
    aggregation: Annotated[Method | None, CONTRACT_METHODS] = None
    segmented_fields: list[str] = []
    default_value: NonNegative | None = None
    custom_sql: str | None = None


def written(compound: CompoundAggregation) -> WrittenCompoundAggregation:
    """Give a compound aggregation with the fields that its segments are made of."""
    fields = compound.segments[0] if compound.segments else {}
    return WrittenCompoundAggregation(**msgspec.structs.asdict(compound), segmented_fields=[*fields])


def named_codes(calculation: str) -> list[str]:
    """Give the codes of the aggregations that a calculation names; none when it cannot be compiled."""
    return [match[1] for name in _references(calculation) if (match := _AGGREGATION.fullmatch(name))]


def _references(calculation: str) -> Collection[str]:
    try:
        return compile_expression(calculation).references
    except ExpressionError:
        return ()


def unknown_names(tx: Transaction, compiled: Compiled) -> Iterator[Problem]:
    """Find names that stand for nothing: aggregations, custom fields without a default, lookup tables."""
    codes = named_codes(compiled.text)
    known = {a.code for a in tx.find(Aggregation, code=codes)} if codes else set()
    defaults: dict[str, Any] = {}
    if any(_CUSTOM_FIELD.fullmatch(name) for name in compiled.references):
        defaults = msgspec.to_builtins(tx.find_one(CustomField)) or {}
    for name, at in compiled.references.items():
        aggregation, custom = _AGGREGATION.fullmatch(name), _CUSTOM_FIELD.fullmatch(name)
        if aggregation and aggregation[1] not in known:
            code, reason = "unknown_aggregation", f"there is no aggregation with the code {aggregation[1]}"
        elif custom and (
            custom[1] not in CUSTOM_FIELD_OWNERS or custom[2] not in defaults.get(custom[1], {})
        ):
            reason = f"the organization defines no custom field {custom[2]} for {custom[1]}"
            code, reason = "unknown_custom_field", f"{reason}; give it a default first"
        elif not aggregation and not custom:
            code, reason = "unknown_reference", f"{name} is neither an aggregation nor a custom field"
        else:
            continue
        yield Problem("calculation", code, compiled.problem_at(reason, at).message)
    yield from lookup_problems(tx, "calculation", compiled)


def shared_segments(aggregations: Sequence[Aggregation]) -> list[Segment]:
    """Give the segments that all segmented ones among the aggregations have, in the first one's order."""
    segmented = [a.segments for a in sorted(aggregations, key=lambda a: a.id) if a.segments]
    if not segmented:
        return []
    return [segment for segment in segmented[0] if all(segment in other for other in segmented[1:])]


def compounds_naming(tx: Transaction, code: str | None) -> list[CompoundAggregation]:
    """Find the compound aggregations that name an aggregation."""
    if code is None:
        return []
    table = resource_of(CompoundAggregation).table
    return tx.load(
        CompoundAggregation, tx.select(CompoundAggregation, table.c.aggregation_codes.contains([code]))
    )


def segments_with(tx: Transaction, compound: CompoundAggregation, changed: Aggregation) -> list[Segment]:
    """Give the segments that a compound aggregation has once one of its aggregations has changed."""
    others = [a for a in tx.find(Aggregation, code=compound.aggregation_codes) if a.id != changed.id]
    return shared_segments([*others, changed])


def follow_segments(tx: Transaction, change: Change) -> None:
    """Hear of every change, in its transaction: keep `segments` what the named aggregations share."""
    old, new = change.old, change.new
    if not isinstance(old, Aggregation) or not isinstance(new, Aggregation) or old.segments == new.segments:
        return
    table = resource_of(CompoundAggregation).table
    naming = table.c.aggregation_codes.contains([new.code])
    # Locked before the aggregations are read: of two changes at once, the later one sees the earlier.
    for compound in tx.load(CompoundAggregation, tx.select(CompoundAggregation, naming).with_for_update()):
        own = (table.c.org_id == tx.org_id, table.c.id == compound.id)
        tx.execute(update(table).where(*own).values(segments=segments_with(tx, compound, new)))


def compounds_reading(tx: Transaction) -> Iterator[tuple[str, set[Named]]]:
    """Name the compound aggregations that read custom fields, with these."""
    for compound in tx.find(CompoundAggregation):
        names = map(_CUSTOM_FIELD.fullmatch, _references(compound.calculation))
        read = {(match[1], match[2]) for match in names if match}
        yield f"the compound aggregation {compound.name!r}", read


custom_field_readers.append(compounds_reading)
