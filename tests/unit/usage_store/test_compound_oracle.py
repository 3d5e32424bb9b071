"""Compound aggregations (semantics §11), from stored measurements to the quantity, by a plain evaluation."""

from collections.abc import Callable
from decimal import Decimal
from typing import Any
from uuid import UUID, uuid4

import msgspec
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from tallystick.billing.calculate.inputs import Pool, PricedAggregation
from tallystick.billing.calculate.quantities import quantity_of
from tallystick.billing.priced import PricedThings
from tallystick.billing.usage import load_quantities
from tallystick.calc.errors import CalculationError
from tallystick.calc.values import NoLookups
from tallystick.catalogue.aggregation import Aggregation
from tallystick.catalogue.compound_aggregation import CompoundAggregation, named_codes, shared_segments
from tallystick.catalogue.meter import DataField, FieldCategory, Meter
from tallystick.kernel.periods import Period
from tallystick.rating.method import Method
from tallystick.rating.units import UsageRounding
from tallystick.usage.store.store import UsageStore
from tallystick.usage.store.writer import GroupedWriter
from tests.unit.billing.drafts import OnPlan, aggregation, bill_inputs, compound
from tests.unit.usage_store.test_aggregate import ACCOUNTS, METER, NUMBER, TEXT, store_rows
from tests.unit.usage_store.test_oracle import CASES, Row, plain, segment_of

D = Decimal
Value = Decimal | None
Plain = Callable[[dict[str, Value]], Value]
CODES = ("a", "b", "c")
FIELD = "account.customfields.rate"
METHODS = [method for method in Method if method is not Method.CUSTOM_SQL]
USE = Meter(
    id=METER,
    name="Use",
    code="use",
    data_fields=[
        DataField(category=FieldCategory.MEASURE, code="n", name="Number", unit="x"),
        DataField(category=FieldCategory.WHERE, code="s", name="Text"),
    ],
    derived_fields=[],
    slots={"n": NUMBER.name, "s": TEXT.name},
)


def both(compute: Callable[[D, D], Value]) -> Callable[[Plain, Plain], Plain]:
    """Compute with two numbers; a null makes null (semantics §7)."""

    def computed(left: Plain, right: Plain, values: dict[str, Value]) -> Value:
        a, b = left(values), right(values)
        return None if a is None or b is None else compute(a, b)

    return lambda left, right: lambda values: computed(left, right, values)


def or_else(left: Plain, right: Plain) -> Plain:
    """Give the left side unless it is null; only then is the right one looked at."""
    return lambda values: right(values) if left(values) is None else left(values)


OPERATORS: dict[str, tuple[str, Callable[[Plain, Plain], Plain]]] = {
    "plus": ("({} + {})", both(lambda a, b: a + b)),
    "minus": ("({} - {})", both(lambda a, b: a - b)),
    "times": ("({} * {})", both(lambda a, b: a * b)),
    "by": ("({} / {})", both(lambda a, b: a / b)),
    "most": ("Math.max({}, {})", both(max)),
    "else": ("isnull({}, {})", or_else),
    "if": ("({0} == null ? {1} : {0})", or_else),
}
Expression = tuple[str, Plain]


def combined(name: str, left: Expression, right: Expression) -> Expression:
    text, make = OPERATORS[name]
    return text.format(left[0], right[0]), make(left[1], right[1])


def reading(name: str) -> Expression:
    return name, lambda values: values[name]


LEAVES = st.sampled_from([reading(f"aggregation.{code}") for code in CODES] + [reading(FIELD)]) | st.integers(
    0, 9
).map(lambda n: (str(n), lambda _: D(n)))
EXPRESSIONS = st.recursive(
    LEAVES, lambda inner: st.builds(combined, st.sampled_from(sorted(OPERATORS)), inner, inner), max_leaves=6
)
SEGMENTS = st.lists(st.sampled_from(["a", "b", "*"]), max_size=3, unique=True).map(
    lambda values: [{"s": value} for value in values]
)


def one(code: str) -> Any:
    """Draw an aggregation: any method, with or without segments and default, base values never rounded."""
    return st.builds(
        lambda method, segments, default: aggregation(
            id=str(UUID(int=ord(code))),
            code=code,
            meter_id=METER,
            target_field="n",
            aggregation=method,
            segments=segments,
            segmented_fields=["s"] if segments else [],
            default_value=default,
            quantity_per_unit=D(10),
            rounding=UsageRounding.UP,
        ),
        st.sampled_from(METHODS),
        SEGMENTS,
        st.sampled_from([None, D(0), D(3)]),
    )


def naive(of: Aggregation, rows: list[Row], window: Period, segment: dict[str, str] | None) -> Value:
    """Aggregate by hand: what is in the window and, if the aggregation is cut, in the segment."""
    mine = rows
    if segment is not None and of.segments:
        cut = [{TEXT: each["s"]} for each in of.segments]
        mine = [row for row in rows if segment_of(row, cut) == of.segments.index(segment)]
    found = plain(mine, window, of.aggregation)
    return found[0] if found else of.default_value


class Case(msgspec.Struct, frozen=True):
    """What is priced: a calculation, the aggregations it may name, one custom field, and null's meaning."""

    expression: Expression
    of: tuple[Aggregation, ...]
    rate: Value
    evaluates: bool

    @property
    def named(self) -> list[Aggregation]:
        return [each for each in self.of if each.code in named_codes(self.expression[0])]

    def by_hand(self, rows: list[Row], window: Period, segment: dict[str, str] | None) -> Value | str:
        values = {f"aggregation.{each.code}": naive(each, rows, window, segment) for each in self.named}
        if None in values.values() and not self.evaluates:
            return None
        try:
            return self.expression[1]({**values, FIELD: self.rate})
        except ArithmeticError:
            return "division by zero"

    def priced(self, segment: dict[str, str] | None) -> PricedAggregation:
        declared = compound(self.expression[0], evaluate_null_aggregations=self.evaluates)
        assert isinstance(declared.aggregation, CompoundAggregation)
        settled = msgspec.structs.replace(
            declared.aggregation,
            aggregation_codes=[each.code for each in self.named],
            segments=shared_segments(self.named),
        )
        things = PricedThings(
            aggregations={each.id: each for each in self.of},
            compounds={settled.id: settled},
            meters={METER: USE},
            custom_fields=None,
            lookups=NoLookups(),
        )
        return things.priced(msgspec.structs.replace(declared.pricing, segment=segment))

    def billed(
        self, store: UsageStore, org: str, window: Period, segment: dict[str, str] | None
    ) -> Value | str:
        """Give the quantity as a bill gets it: priced, loaded from the store and calculated."""
        pool = Pool((ACCOUNTS[0],))
        price = self.priced(segment)
        wanted = [(part, part.key(pool.account_ids, window)) for part in price.parts]
        terms = msgspec.structs.replace(OnPlan(prices=[price]).terms(), custom_fields={FIELD: self.rate})
        inputs = bill_inputs([terms], load_quantities(store, org, wanted))
        try:
            found = quantity_of(inputs, terms, price, window, pool)
        except CalculationError as error:
            return "division by zero" if "division by zero" in error.message else error.message
        return None if found is None else found.amount


DRAWN = st.builds(
    Case, EXPRESSIONS, st.tuples(*map(one, CODES)), st.sampled_from([None, D(0), D("1.5")]), st.booleans()
)


@settings(max_examples=20, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(usage=CASES, case=DRAWN)
def test_equals_a_plain_evaluation(
    store: UsageStore, writer: GroupedWriter, usage: tuple[list[Period], list[Row]], case: Case
) -> None:
    windows, rows = usage
    org = str(uuid4())
    flags = store_rows(writer, org, rows)
    kept = [row for row, flag in zip(rows, flags, strict=True) if not flag]
    mine = [row for row in kept if row["account"] == ACCOUNTS[0] and row["fields"][NUMBER] is not None]
    mine.sort(key=lambda row: row["ts"])  # stable: keeps the order of receipt
    for segment in [None, *shared_segments(case.named)]:
        for window in windows:
            assert case.billed(store, org, window, segment) == case.by_hand(mine, window, segment)
