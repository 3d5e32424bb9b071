"""The quantity that a price counts: as aggregated, or calculated from several (semantics §9, §11)."""

from collections.abc import Mapping
from decimal import Decimal

import msgspec

from tallystick.billing.calculate.inputs import BillInputs, Part, PlanTerms, Pool, PricedAggregation
from tallystick.billing.derivation import AwayFrom, CalculatedFrom, InputFrom, UsageSource
from tallystick.billing.errors import UsageFilterUnknown
from tallystick.calc.errors import CalculationError
from tallystick.calc.expression import Compiled, compile_expression
from tallystick.calc.values import Lookups, Value, as_value, text_of
from tallystick.catalogue.aggregation import Aggregation
from tallystick.catalogue.compound_aggregation import CompoundAggregation
from tallystick.kernel.periods import Period
from tallystick.rating.units import quantity_or_default

LARGEST = Decimal(10) ** 26
"A calculation that gives this much is a mistake, and no bill could be made of it."


class Quantity(msgspec.Struct, frozen=True):
    """A quantity, and how it came to be: from usage, or calculated. is_default: there was no data."""

    amount: Decimal
    is_default: bool = False
    usage: UsageSource | None = None
    calculation: CalculatedFrom | None = None


def quantity_of(
    inputs: BillInputs,
    terms: PlanTerms,
    priced: PricedAggregation,
    window: Period,
    pool: Pool,
) -> Quantity | None:
    """Give the quantity of some accounts in a window; None means that there is nothing to price.

    Raises CalculationError.
    """
    of = priced.aggregation
    if isinstance(of, CompoundAggregation):
        return _calculated(inputs, terms, of, priced.parts, window, pool)
    part = priced.parts[0]
    found = _found(inputs, terms, part, window, pool)
    amount = quantity_or_default(found, of.default_value)
    if amount is None:
        return None
    return Quantity(amount, found is None, _source(terms, part, window, pool, priced.pricing.segment))


def _calculated(
    inputs: BillInputs,
    terms: PlanTerms,
    compound: CompoundAggregation,
    parts: tuple[Part, ...],
    window: Period,
    pool: Pool,
) -> Quantity | None:
    """Evaluate a compound aggregation on base values: quantityPerUnit and rounding of its parts do not count.

    None where a part is null, unless the compound is to be evaluated then, and where the result is null.
    Raises CalculationError. Rule: semantics §11.
    """
    values: dict[str, Value] = {**terms.custom_fields, **_own_fields(compound)}
    sources: dict[str, UsageSource] = {}
    for part in parts:
        found = _found(inputs, terms, part, window, pool)
        amount = quantity_or_default(found, part.aggregation.default_value)
        if amount is None and not compound.evaluate_null_aggregations:
            return None
        name = f"aggregation.{part.aggregation.code}"
        values[name] = amount
        segment = None if part.segment is None else part.aggregation.segments[part.segment]
        sources[name] = _source(terms, part, window, pool, segment)
    result = _evaluated(inputs, compound, values)
    if result is None:
        return None
    references = compile_expression(compound.calculation).references
    why = CalculatedFrom(
        compound_aggregation_id=compound.id,
        name=compound.name,
        expression=compound.calculation,
        inputs=tuple(
            InputFrom(name=name, value=text_of(values[name]), usage=sources.get(name))
            for name in sorted(references, key=lambda name: references[name])
        ),
        result=result,
    )
    return Quantity(result, calculation=why)


def _evaluated(
    inputs: BillInputs, compound: CompoundAggregation, values: Mapping[str, Value]
) -> Decimal | None:
    """Give the calculation's number, or null. Raises CalculationError with the compound's name."""
    try:
        return _number(compile_expression(compound.calculation), values, inputs.lookups)
    except CalculationError as error:
        message = f"The compound aggregation {compound.name} cannot be calculated: {error.message}."
        raise CalculationError(message, compound_aggregation_id=compound.id) from error


def _number(compiled: Compiled, values: Mapping[str, Value], lookups: Lookups) -> Decimal | None:
    missing = next((name for name in compiled.references if name not in values), None)
    if missing is not None:
        raise CalculationError(f"there is no {missing}")
    result = compiled.evaluate(values, lookups)
    if result is not None and not isinstance(result, Decimal):
        raise CalculationError("the result is not a number")
    if result is not None and abs(result) >= LARGEST:
        raise CalculationError("the result is too large to be billed")
    return result


def _own_fields(compound: CompoundAggregation) -> dict[str, Value]:
    return {f"compoundAggregation.customfields.{k}": as_value(v) for k, v in compound.custom_fields.items()}


def _found(inputs: BillInputs, terms: PlanTerms, part: Part, window: Period, pool: Pool) -> Decimal | None:
    """Give what was aggregated. Raises UsageFilterUnknown, CustomSqlFailed."""
    unknown = part.unknown_dimension(terms.usage_filters)
    if unknown is not None:
        raise UsageFilterUnknown(unknown, part.meter.code)
    return inputs.quantities.get(part.key(pool.account_ids, window, terms.usage_filters, pool.away))


def _source(
    terms: PlanTerms,
    part: Part,
    window: Period,
    pool: Pool,
    segment: Mapping[str, str] | None,
) -> UsageSource:
    aggregation: Aggregation = part.aggregation
    return UsageSource(
        meter_id=part.meter.id,
        meter_code=part.meter.code,
        aggregation_id=aggregation.id,
        aggregation_name=aggregation.name,
        method=aggregation.aggregation.value,
        field=aggregation.target_field,
        start=window.start,
        end=window.end,
        account_ids=pool.account_ids,
        away=tuple(AwayFrom.of(each, terms.child_codes) for each in pool.away),
        segment=dict(segment) if segment else None,
        sql=aggregation.custom_sql,
        filters=terms.usage_filters,
    )
