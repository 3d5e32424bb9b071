"""Derived fields on the real engines: calculated when a measurement comes in, and kept (semantics §8)."""

from datetime import UTC, datetime, timedelta
from decimal import Decimal
from typing import Any, TypeVar

import msgspec
import pytest
from sqlalchemy import event

from tallystick.accounts.account import Account
from tallystick.calc.errors import CalculationError
from tallystick.calc.values import Value
from tallystick.catalogue.compound_aggregation import CompoundAggregation
from tallystick.catalogue.meter import DataField, DerivedField, FieldCategory, Meter
from tallystick.catalogue.product import Product
from tallystick.kernel.periods import Period
from tallystick.organizations.custom_field import CustomField
from tallystick.platform.resources import Entity
from tallystick.platform.resources.wire import InvalidBody
from tallystick.rating.method import Method
from tallystick.rating.units import UsageRounding
from tallystick.usage.derived import Derivation
from tallystick.usage.envelope import Measurement
from tallystick.usage.meters import meter_reader, slot_of
from tallystick.usage.rules import FailureType, columns_of
from tallystick.usage.store.model import UsageQuery
from tests.unit.usage.conftest import NOW, Desk

D = Decimal
BYTES = DataField(category=FieldCategory.MEASURE, code="bytes", name="Bytes", unit="B")
REGION = DataField(category=FieldCategory.WHERE, code="region", name="Region")
TS = datetime(2025, 5, 31, 23, 59, 58, 250000, tzinfo=UTC)
TOO_LONG = "the text has more than"


def number(calculation: str, code: str = "out") -> DerivedField:
    return DerivedField(
        category=FieldCategory.MEASURE, code=code, name=code, unit="1", calculation=calculation
    )


def text(calculation: str, code: str = "out") -> DerivedField:
    return DerivedField(category=FieldCategory.WHAT, code=code, name=code, calculation=calculation)


E = TypeVar("E", bound=Entity)


def create(desk: Desk, entity: E) -> E:
    with desk.database.transaction(desk.org_id) as tx:
        return tx.create(entity)


def storage(desk: Desk, *derived: DerivedField, **more: Any) -> Meter:
    with desk.database.transaction(desk.org_id) as tx:
        fields = [BYTES, REGION]
        meter = Meter(name="S", code="storage", data_fields=fields, derived_fields=list(derived), **more)
        return tx.create(meter)


def use(amount: Any = 10, account: str = "acme", **more: Any) -> Measurement:
    values: dict[str, Any] = {
        "measure": {"bytes": amount},
        "where": {"region": "eu"},
        "ts": TS,
        "meter": "storage",
    }
    return Measurement(account=account, **values | more)


def kept(desk: Desk, meter: Meter, code: str = "out") -> list[Any]:
    return [row[meter.slots[code]] for row in desk.stored(meter)]


@pytest.mark.parametrize(
    ("calculation", "expected"),
    [
        pytest.param("bytes * 2", "20", id="a data field"),
        pytest.param("bytes / 3", "3.333333333333", id="twelve places are kept"),
        pytest.param("bytes / 6", "1.666666666667", id="rounded half up"),
        pytest.param("bytes * (timestamp.ets - timestamp.ts)", "17.5", id="byte-seconds, exact"),
        pytest.param("ets - ts", "1.75", id="the short names"),
        pytest.param("timestamp.ts", "1748735998.25", id="seconds since 1970"),
        pytest.param(
            "((timestamp.year * 100 + timestamp.month) * 100 + timestamp.day) * 10 + timestamp.weekday",
            "202505316",
            id="the day, a Saturday",
        ),
        pytest.param(
            "(timestamp.hour * 100 + timestamp.minute) * 100 + timestamp.second", "235958", id="the time"
        ),
        pytest.param("region == 'eu' AND account == 'acme' ? 1 : 0", "1", id="texts"),
        pytest.param("bytes * 0 * 10 ^ 40", "0", id="zero, however it is written"),
        pytest.param("7", "7", id="reads nothing"),
    ],
)
def test_a_number_is_calculated(desk: Desk, calculation: str, expected: str) -> None:
    meter = storage(desk, number(calculation))
    assert desk(use(ets=TS + timedelta(seconds=1.75))).failures == {}
    assert kept(desk, meter) == [D(expected)]


@pytest.mark.parametrize(
    ("calculation", "expected"),
    [
        pytest.param("account.code + '/' + region + '/' + bytes", "acme/eu/10", id="joined"),
        pytest.param("bytes / 4", "2.5", id="a number, written plainly"),
        pytest.param("bytes > 5", "true", id="true"),
        pytest.param("bytes > 50", "false", id="false"),
        pytest.param("null", None, id="null is no fault"),
    ],
)
def test_a_text_is_calculated(desk: Desk, calculation: str, expected: str | None) -> None:
    meter = storage(desk, text(calculation))
    assert desk(use()).failures == {}
    assert kept(desk, meter) == [expected]


@pytest.mark.parametrize(
    ("field", "message"),
    [
        pytest.param(number("1 / (bytes - 10)"), "out: division by zero (line 1, column 3)", id="zero"),
        pytest.param(number("bytes * 10 ^ 26"), "has more than 26 digits before the point", id="too large"),
        pytest.param(number("10 ^ 26 - 10 ^ -20"), "has more than 26 digits", id="too large once rounded"),
        pytest.param(number("isnull(region, 1)"), "does not give a number", id="a text for a number"),
        pytest.param(number("ets - ts + region"), "", id="null swallows the rest"),
        pytest.param(text("region + '" + "x" * 1023 + "'"), f"{TOO_LONG} 1024", id="too long"),
        pytest.param(text("bytes * 10 ^ 2000"), f"{TOO_LONG} 1024", id="a number too long"),
        pytest.param(number("Lookup.findNumber('rates', 'rate', 0, region)"), "no lookup table", id="lookup"),
        pytest.param(number("bytes +"), "ends too early", id="from a version of another language"),
        pytest.param(number("account.customfields.gone"), "no custom field gone for account", id="no field"),
        pytest.param(number("timestamp.moon"), "moon is not known here", id="unknown"),
    ],
)
def test_what_fails_is_null_and_told(desk: Desk, field: DerivedField, message: str) -> None:
    fine = number("bytes + 1", "fine")
    row = use(uid="1")
    meter = storage(desk, number("bytes", field.code) if field.category.is_numeric else text("region"), fine)
    stale = msgspec.structs.replace(meter, derived_fields=[field, fine])
    reader = meter_reader(stale)
    answer = Derivation(desk.database, desk.resolution)(desk.org_id, reader, [row], columns_of(reader, [row]))
    assert answer.columns == {reader.derived[field.code]: [None], slot_of(meter, "fine"): [D(11)]}
    assert [message in told for _, told in answer.faults] == ([True] if message else [])


def test_a_failed_calculation_leaves_its_field_empty(desk: Desk) -> None:
    meter = storage(desk, number("100 / bytes"), number("bytes * 2", "double"))
    outcome = desk(use(0, uid="a"), use(4, uid="b"))
    assert (outcome.stored, outcome.rejected) == (2, 0)
    assert outcome.failures == {FailureType.CALCULATION_ERROR: 1}
    assert {row["uid"]: row[meter.slots["out"]] for row in desk.stored(meter)} == {"a": None, "b": D(25)}
    assert sorted(kept(desk, meter, "double")) == [0, 8]
    [told] = desk.events("ingest.validation.failure")
    assert told["messages"] == ["CalculationError: out: division by zero (line 1, column 5)"]


def test_a_changed_calculation_holds_for_what_comes_in_after_it(desk: Desk) -> None:
    meter = storage(desk, number("bytes * 2"))
    desk(use(uid="before"))
    with desk.database.transaction(desk.org_id) as tx:
        tx.update(meter, msgspec.structs.replace(meter, derived_fields=[number("bytes * 3")]))
    desk(use(uid="after", ts=TS - timedelta(days=99)))
    assert {r["uid"]: r[meter.slots["out"]] for r in desk.stored(meter)} == {"before": 20, "after": 30}


def test_derived_fields_are_aggregated(desk: Desk) -> None:
    meter = storage(desk, number("bytes / 4", "quarter"))
    desk(use(10), use(3))
    query = UsageQuery(
        meter_id=meter.id,
        method=Method.SUM,
        windows=(Period(TS - timedelta(days=1), TS + timedelta(days=1)),),
        field=slot_of(meter, "quarter"),
    )
    assert [answer.value for answer in desk.store.aggregate(desk.org_id, query)] == [D("3.25")]


def test_custom_fields_come_from_the_entity_or_the_organization(desk: Desk) -> None:
    defaults = CustomField(
        organization={"vat": 20},
        account={"discount": D("0.5"), "tier": "free"},
        meter={"factor": 2},
        product={"rate": 3},
    )
    create(desk, defaults)
    product = create(desk, Product(name="P", code="p"))
    other = create(desk, Product(name="Q", code="q", custom_fields={"rate": 7}))
    own = {"discount": 1, "tier": "paid"}
    gold = create(desk, Account(name="G", code="gold", email_address="g@example.com", custom_fields=own))
    calculation = (
        "account.customfields.discount * 1000 + meter.customfields.factor * 100"
        " + product.customfields.rate * 10 + organization.customfields.vat"
    )
    fields = number(calculation), text("account.customfields.tier", "tier")
    meter = storage(desk, *fields, product_id=product.id)
    desk(use(account="gold"), use(account="new"))
    assert sorted(kept(desk, meter)) == [750, 1250]
    assert sorted(kept(desk, meter, "tier")) == ["free", "paid"]
    with desk.database.transaction(desk.org_id) as tx:
        tx.update(meter, msgspec.structs.replace(meter, product_id=other.id, custom_fields={"factor": 4}))
        tx.update(gold, msgspec.structs.replace(gold, custom_fields={}))
    desk(use(account="gold"))
    assert sorted(kept(desk, meter)) == [750, 990, 1250]  # what was stored before stays as it was


def test_custom_fields_cost_no_query_a_measurement(desk: Desk) -> None:
    create(desk, CustomField(account={"discount": 2}))
    storage(desk, number("bytes * account.customfields.discount"))
    accounts = [f"a{i}" for i in range(20)]
    rows = [use(account=account) for account in accounts]
    desk(*rows)
    desk(*rows)  # the accounts were just made: only now are they remembered
    statements: list[str] = []

    def note(*arguments: Any) -> None:
        statements.append(arguments[2])

    engine = desk.database.engine
    event.listen(engine, "before_cursor_execute", note)
    try:
        assert desk(*rows).failures == {}
    finally:
        event.remove(engine, "before_cursor_execute", note)
    assert not statements


def test_a_changed_default_is_used_at_once(desk: Desk) -> None:
    defaults = create(desk, CustomField(account={"discount": 2}))
    meter = storage(desk, number("bytes * account.customfields.discount"))
    desk(use())
    with desk.database.transaction(desk.org_id) as tx:
        tx.update(defaults, msgspec.structs.replace(defaults, account={"discount": 3}))
    desk(use())
    assert sorted(kept(desk, meter)) == [20, 30]


def test_a_default_that_a_calculation_reads_stays(desk: Desk) -> None:
    """Without it the field would be null for good; defaults are replaced whole (semantics §8, §11)."""
    defaults = create(desk, CustomField(account={"discount": 2, "free": 1}, meter={"discount": 1}))
    storage(desk, number("bytes * account.customfields.discount"))
    calculation = "account.customfields.free + meter.customfields.discount"
    units = {"rounding": UsageRounding.NONE, "quantity_per_unit": D(1), "unit": "1"}
    create(desk, CompoundAggregation(name="Both", calculation=calculation, **units))
    with pytest.raises(InvalidBody) as refused, desk.database.transaction(desk.org_id) as tx:
        tx.update(defaults, msgspec.structs.replace(defaults, account={}, meter={}, plan={"free": 1}))
    assert {(p.field, p.code, p.message) for p in refused.value.problems} == {
        ("account.discount", "field_in_use", "cannot be removed: the meter storage reads it"),
        ("account.free", "field_in_use", "cannot be removed: the compound aggregation 'Both' reads it"),
        ("meter.discount", "field_in_use", "cannot be removed: the compound aggregation 'Both' reads it"),
    }


def test_lookup_tables_are_those_of_the_organization(desk: Desk) -> None:
    class Tables:
        def __init__(self, org_id: str) -> None:
            self.org_id = org_id

        def find(self, table: str, keys: Any) -> dict[str, Value] | None:
            if table != "rates":
                raise CalculationError(f"there is no lookup table {table}")
            return {"rate": D(3)} if (self.org_id, keys) == (desk.org_id, ["eu"]) else None

    meter = storage(desk, number("bytes"))
    looking = number("bytes * Lookup.findNumber('rates', 'rate', 1, region)")
    reader = meter_reader(msgspec.structs.replace(meter, derived_fields=[looking]))
    derive = Derivation(desk.database, desk.resolution, Tables)
    rows = [use(), use(where={"region": "us"})]
    answer = derive(desk.org_id, reader, rows, columns_of(reader, rows))
    assert list(answer.columns.values()) == [[30, 10]]
    assert answer.faults == []


@pytest.mark.parametrize(
    ("field", "code", "message"),
    [
        pytest.param(
            number("bytes + * 2"),
            "invalid_expression",
            "unexpected *; a value belongs here (line 1, column 9)",
            id="no expression",
        ),
        pytest.param(
            number("1 + gb"),
            "unknown_reference",
            "gb is no data field of this meter (line 1, column 5)",
            id="unknown",
        ),
        pytest.param(
            number("first + 1"),
            "unknown_reference",
            "first is calculated itself; only data fields can be read (line 1, column 1)",
            id="derived from derived",
        ),
        pytest.param(
            number("plan.customfields.x"),
            "unknown_reference",
            "plan.customfields.x is no data field of this meter (line 1, column 1)",
            id="not resolvable",
        ),
        pytest.param(
            number("product.customfields.x"),
            "unknown_reference",
            "product.customfields.x cannot be read: the meter belongs to no product (line 1, column 1)",
            id="a global meter has no product",
        ),
        pytest.param(
            number("account.customfields.x"),
            "unknown_custom_field",
            "the organization has no custom field x for account; give it a default first (line 1, column 1)",
            id="not defined",
        ),
        pytest.param(
            number("bytes + Lookup.findNumber('t', 'f', 0, region)"),
            "unknown_lookup_table",
            "there is no lookup table t (line 1, column 9)",
            id="no such table",
        ),
        pytest.param(number("'a' + bytes"), "wrong_kind", "gives a text, and out is a number", id="text"),
        pytest.param(
            number("bytes > 1"), "wrong_kind", "gives true or false, and out is a number", id="truth"
        ),
    ],
)
def test_a_calculation_is_refused_when_it_is_saved(
    desk: Desk, field: DerivedField, code: str, message: str
) -> None:
    create(desk, CustomField())
    with pytest.raises(InvalidBody) as refused:
        storage(desk, number("bytes", "first"), field)
    told = {(p.field, p.code, p.message) for p in refused.value.problems}
    where = "derivedFields[1].calculation"
    assert (where, code, message) in told
    assert {place for place, _, _ in told} == {where}


def test_a_data_field_goes_before_a_name_of_the_system(desk: Desk) -> None:
    fields = [DataField(category=FieldCategory.MEASURE, code="ts", name="Tons", unit="t")]
    meter = Meter(name="S", code="storage", data_fields=fields, derived_fields=[number("ts * 2")])
    with desk.database.transaction(desk.org_id) as tx:
        meter = tx.create(meter)
    desk(Measurement(meter="storage", account="a", ts=NOW, measure={"ts": 4}))
    assert kept(desk, meter) == [8]
