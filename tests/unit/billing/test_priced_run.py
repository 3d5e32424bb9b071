"""From stored prices of calculations (semantics §11) and counters (§16) to stored bills."""

import re
from datetime import UTC, date, datetime
from decimal import Decimal
from typing import Any

import msgspec
import pytest

from tallystick.accounts.account_plan import AccountPlan
from tallystick.accounts.contract import Contract
from tallystick.billing import service
from tallystick.billing.priced import LoadedLookups, LoadedTable
from tallystick.calc.errors import CalculationError
from tallystick.calc.values import Value
from tallystick.catalogue.compound_aggregation import CompoundAggregation
from tallystick.catalogue.counter import Counter
from tallystick.catalogue.lookup_find import WHOLE_UP_TO, published_tables
from tallystick.catalogue.lookup_rows import schema_of
from tallystick.catalogue.lookup_store import upsert_rows
from tallystick.catalogue.lookup_table import (
    LookupField,
    LookupFieldType,
    LookupTable,
    LookupTableRevision,
    RevisionStatus,
)
from tallystick.catalogue.product import Product
from tallystick.organizations.custom_field import CustomField
from tallystick.platform.resources import resources
from tallystick.platform.resources.wire import InvalidBody
from tallystick.pricing.counter_pricing import CounterPricing
from tallystick.pricing.plan import Plan
from tallystick.pricing.pricing import PricingBand
from tallystick.rating.units import UsageRounding
from tallystick.usage.counter_adjustment import CounterAdjustment
from tests.unit.billing.conftest import JAN, MAR, Books, lines

D = Decimal


@pytest.fixture
def plan(books: Books) -> Plan:
    """Give a plan without any charge of its own."""
    return books.plan()


def compound_price(books: Books, plan: Plan, calculation: str) -> None:
    """Price a calculation at $1 a unit; `aggregation.gb` is the sum of gigabytes."""
    books.aggregate(name="GB", code="gb")
    one = CompoundAggregation(
        name="One", calculation=calculation, rounding=UsageRounding.NONE, quantity_per_unit=D(1), unit="1"
    )
    books.price(plan, ("0", "0", "1"), aggregation_id=None, compound_aggregation_id=books.create(one).id)


def test_a_compound_price_is_billed_from_usage_and_custom_fields(books: Books, plan: Plan) -> None:
    books.create(CustomField(account={"free": D(10)}))
    compound_price(books, plan, "aggregation.gb - account.customfields.free")
    default, own = books.account("acme", plan), books.account("bolt", plan, custom_fields={"free": D(25)})
    for account in (default, own):
        books.usage.add(account.id, JAN, "100")
    books.run()
    assert ("USAGE", "90.00") in lines(books.bill(default))  # 100 - 10
    assert ("USAGE", "75.00") in lines(books.bill(own))  # 100 - 25
    with books.database.snapshot(books.org_id) as tx:
        assert service.verify_bill(tx, books.usage, books.bill(own).id).matches


def test_a_contracts_own_custom_field_goes_before_the_organizations(books: Books, plan: Plan) -> None:
    """On stored data, too (semantics §11)."""
    books.create(CustomField(contract={"free": D(10)}))
    compound_price(books, plan, "aggregation.gb - contract.customfields.free")
    dates = {"start_date": date(2024, 1, 1), "end_date": date(2025, 1, 1)}
    for code, own, left in (("acme", {}, "90.00"), ("bolt", {"free": D(25)}, "75.00")):
        account = books.account(code)
        contract = books.create(Contract(account_id=account.id, name="C", custom_fields=own, **dates))
        under = {"account_id": account.id, "plan_id": plan.id, "contract_id": contract.id}
        books.create(AccountPlan(start_date=JAN, **under))
        books.usage.add(account.id, JAN, "100")
        books.run()
        assert ("USAGE", left) in lines(books.bill(account))  # 100 - 10, 100 - 25


@pytest.mark.parametrize("owner", ["accountPlan", "plan", "planTemplate", "product", "compoundAggregation"])
def test_every_owners_own_custom_field_goes_before_the_organizations(
    books: Books, plan: Plan, owner: str
) -> None:
    """Semantics §27: the entity's value overrides the organization's default of the same name."""
    defaults: Any = {re.sub("([A-Z])", r"_\1", owner).lower(): {"rate": D(2)}}
    books.create(CustomField(**defaults))
    compound_price(books, plan, f"aggregation.gb * {owner}.customfields.rate")
    account = books.account("acme", plan)
    books.usage.add(account.id, JAN, "10")
    books.run()
    assert ("USAGE", "20.00") in lines(books.bill(account))  # 10 x 2
    with books.database.transaction(books.org_id) as tx:
        cls = next(each.cls for each in resources() if each.cls.__name__.lower() == owner.lower())
        own: Any = tx.find(cls)[0]
        tx.update(own, msgspec.structs.replace(own, custom_fields={"rate": D(3)}))
    books.run()
    assert ("USAGE", "30.00") in lines(books.bill(account))  # 10 x 3


def test_a_calculation_that_fails_fails_that_bill_and_no_other(books: Books, plan: Plan) -> None:
    compound_price(books, plan, "100 / aggregation.gb")
    good, bad = books.account("acme", plan), books.account("bolt", plan)
    books.usage.add(good.id, JAN, "4")
    books.usage.add(bad.id, JAN, "0")
    books.run()
    assert ("USAGE", "25.00") in lines(books.bill(good))
    assert books.bills(bad) == []
    (told,) = books.told("billing.bill.failed")
    assert told["newDto"]["code"] == "calculation_failed"
    assert "The compound aggregation One cannot be calculated" in told["newDto"]["message"]


def discounts(books: Books, **row: Any) -> LookupTable:
    """Publish a table of discounts by country, with one row."""
    table: LookupTable = books.create(LookupTable(name="Discounts", code="discounts"))
    fields = [
        LookupField(name="country", type=LookupFieldType.STRING),
        LookupField(name="rate", type=LookupFieldType.NUMBER),
    ]
    revision = LookupTableRevision(
        name="First",
        status=RevisionStatus.PUBLISHED,
        fields=fields,
        keys=["country"],
        lookup_table_id=table.id,
        item_count=1,
    )
    made = books.create(revision)
    schema = schema_of(made)
    with books.database.transaction(books.org_id) as tx:
        upsert_rows(tx, made.id, {schema.key_of([row["country"]]): row})
    return table


def test_a_calculation_looks_things_up_in_what_is_published(books: Books, plan: Plan) -> None:
    discounts(books, country="FR", rate=D("0.5"))
    books.create(CustomField(account={"country": "DE"}))
    found = "Lookup.findNumber('discounts', 'rate', 2, account.customfields.country)"
    compound_price(books, plan, f"aggregation.gb * {found}")
    acme, bolt = books.account("acme", plan), books.account("bolt", plan, custom_fields={"country": "FR"})
    for account in (acme, bolt):
        books.usage.add(account.id, JAN, "100")
    books.run()
    assert ("USAGE", "200.00") in lines(books.bill(acme))  # no row of DE: 100 x 2
    assert ("USAGE", "50.00") in lines(books.bill(bolt))  # 100 x 0.5


def test_looking_up_by_something_else_finds_nothing(books: Books) -> None:
    discounts(books, country="FR", rate=D("0.5"))
    with books.database.reading(books.org_id) as tx:
        (published,) = published_tables(tx, ["discounts"]).values()
    loaded = LoadedTable(published, {})
    large = LoadedTable(msgspec.structs.replace(published, item_count=WHOLE_UP_TO + 1), {})
    draft = LoadedTable(msgspec.structs.replace(published, revision_id=None), {})
    lookups = LoadedLookups({"discounts": loaded, "large": large, "draft": draft})
    assert lookups.find("draft", ["FR"]) is None
    for key in (D(1), None, "IT"):
        assert lookups.find("discounts", [key]) is None
    keys: list[Value] = ["FR", "FR"]
    for table, message in (("gone", "no lookup table"), ("large", "more than"), ("discounts", "has 1 keys")):
        with pytest.raises(CalculationError, match=message):
            lookups.find(table, keys)


def price_seats(books: Books, plan: Plan, **values: Any) -> Counter:
    """Price seats at $2, in arrears, not prorated."""
    seats: Counter = books.create(Counter(name="Seats", code="seats", unit="seats"))
    declared: dict[str, Any] = {
        "plan_id": plan.id,
        "counter_id": seats.id,
        "start_date": datetime(2020, 1, 1, tzinfo=UTC),
        "pricing_bands": [PricingBand(lower_limit=D(0), fixed_price=D(0), unit_price=D(2))],
        "running_total_bill_in_advance": False,
        "pro_rate_running_total": False,
        "pro_rate_adjustment_debit": False,
    }
    books.create(CounterPricing(**declared | values))
    return seats


def test_seats_are_billed_from_their_adjustments(books: Books, plan: Plan) -> None:
    seats = price_seats(books, plan)
    acme, other = books.account("acme", plan), books.account("bolt", plan)
    for account, day, value in ((acme, 1, 15), (acme, 15, 18), (other, 3, 1)):
        adjustment = {"account_id": account.id, "date": date(2024, 1, day), "value": value}
        books.create(CounterAdjustment(counter_id=seats.id, **adjustment))
    books.run()
    debits = [x for x in lines(books.bill(acme)) if x[0] == "COUNTER_ADJUSTMENT_DEBIT"]
    assert debits == [("COUNTER_ADJUSTMENT_DEBIT", "30.00"), ("COUNTER_ADJUSTMENT_DEBIT", "6.00")]
    assert ("COUNTER_ADJUSTMENT_DEBIT", "2.00") in lines(books.bill(other))
    books.run(at=MAR)
    running = ("COUNTER_RUNNING_TOTAL_CHARGE", "36.00")
    assert running in lines(books.bills(acme)[1])
    with books.database.snapshot(books.org_id) as tx:
        assert service.verify_bill(tx, books.usage, books.bills(acme)[1].id).matches


@pytest.mark.parametrize(
    ("values", "problem"),
    [
        pytest.param({}, ("startDate", "overlapping_pricing"), id="twice at once"),
        pytest.param({"plan_id": None}, ("planId", "exactly_one"), id="on nothing"),
        pytest.param(
            {"pricing_bands": [PricingBand(lower_limit=D(1), fixed_price=D(0), unit_price=D(2))]},
            ("pricingBands[0].lowerLimit", "first_band_not_at_zero"),
            id="bands",
        ),
    ],
)
def test_a_counter_price_that_cannot_be_is_refused(
    books: Books, plan: Plan, values: dict[str, Any], problem: tuple[str, str]
) -> None:
    seats = price_seats(books, plan)
    with books.database.reading(books.org_id) as tx:
        (held,) = tx.find(CounterPricing, counter_id=seats.id)
    with pytest.raises(InvalidBody) as refused:
        books.create(msgspec.structs.replace(held, id="", **values))
    assert problem in [(p.field, p.code) for p in refused.value.problems]


def test_a_counter_of_another_product_is_refused(books: Books, plan: Plan) -> None:
    other = books.create(Product(name="Other", code="other"))
    seats = books.create(Counter(name="Desks", code="desks", unit="desks", product_id=other.id))
    price = CounterPricing(
        plan_id=plan.id,
        counter_id=seats.id,
        start_date=JAN,
        pricing_bands=[PricingBand(lower_limit=D(0), fixed_price=D(0), unit_price=D(2))],
    )
    with pytest.raises(InvalidBody) as refused:
        books.create(price)
    assert [p.code for p in refused.value.problems] == ["wrong_product"]
