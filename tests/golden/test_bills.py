"""Whole bills as files to read: `tests/golden/<case>/bill.txt`. `make golden` writes them anew."""

from collections.abc import Callable
from datetime import date
from decimal import Decimal
from pathlib import Path
from typing import Any

import msgspec
import pytest

from tallystick.accounts.account_plan import ChildBillingMode
from tallystick.accounts.contract import UsageFilter, UsageFilterMode
from tallystick.billing.calculate import BillInputs, calculate_bill
from tallystick.billing.calculate.inputs import CurrencyRule, Part, PricedAggregation
from tallystick.billing.calculate.slices import usage_slices
from tallystick.billing.explain import explain
from tallystick.billing.lines import bill_of, lines_of
from tallystick.catalogue.meter import DataField, FieldCategory
from tallystick.kernel.decimals import RoundingMode
from tallystick.kernel.periods import BillingFrequency
from tallystick.kernel.zones import parse_zone
from tallystick.pricing.plan_group import PlanGroup
from tallystick.pricing.pricing import PricingBand, PricingType
from tallystick.rating.method import Method
from tallystick.rating.units import UsageRounding
from tests.unit.billing.drafts import (
    BILL_ID,
    METER,
    OnPlan,
    aggregation,
    balance,
    bill_inputs,
    charge,
    commitment,
    compound,
    counter,
    family,
    own_keys,
    priced,
    suite,
    utc,
    with_ledger,
)

D = Decimal
HERE = Path(__file__).parent


def tiered_with_standing_charge() -> BillInputs:
    """A whole month: 1,000 GB in two tiers, and a standing charge."""
    return OnPlan(standing="100", prices=[priced()]).bill("1000")


def first_bill_before_the_epoch() -> BillInputs:
    """Starts January 1, first billed on the epoch, February 15: more than one period's standing charge."""
    return OnPlan(standing="100", prices=[priced()], epoch=date(2024, 2, 15)).bill("48.9")


def minimum_in_advance() -> BillInputs:
    """The first bill of a plan in advance: January and February are charged, January's usage given back."""
    on = OnPlan(standing="10", minimum="1000", in_advance=True, prices=[priced([("0", "0", "1")])])
    return on.bill("800")


def price_change_in_other_currency() -> BillInputs:
    """Euro prices that change on the 11th, on a dollar bill; packs of 500, rounded up; Berlin's January."""
    zone = parse_zone("Europe/Berlin")
    of = aggregation("Messages", quantity_per_unit=D(500), rounding=UsageRounding.UP, unit="packs")
    old = priced([("0", "0", "0.25")], of, "old", end_date=utc(2024, 1, 10, 23))
    new = priced([("0", "5", "0.2")], of, "new", start_date=utc(2024, 1, 10, 23), cumulative=False)
    on = OnPlan(standing="15", prices=[old, new], currency="EUR", zone=zone, start=utc(2023, 12, 31, 23))
    return on.bill("48900", rates={("EUR", "USD"): D("1.12")})


def credits_never_below_zero() -> BillInputs:
    """A product credit worth more than the usage, in a currency without cents, and a plan that ends."""
    credit = priced([("0", "0", "9")], aggregation("Free"), "free", type=PricingType.PRODUCT_CREDIT)
    on = OnPlan(standing="3100", prices=[priced([("0", "0", "7")]), credit], end=utc(2024, 1, 11))
    return on.bill("150.5", currencies={"USD": CurrencyRule(0, RoundingMode.HALF_EVEN)})


def free_allowance_by_calculation() -> BillInputs:
    """100 requests are free for each app: 1,234 requests less 3 apps' allowance, in tens, rounded up."""
    requests, apps = aggregation("Requests", unit="requests"), aggregation("Apps", aggregation=Method.MAX)
    price = compound(
        "aggregation.requests - account.customfields.allowance * aggregation.apps",
        *(requests, apps),
        bands=[("0", "0", "0.4")],
        name="Requests beyond the allowance",
        quantity_per_unit=D(10),
        rounding=UsageRounding.UP,
    )
    terms = OnPlan(prices=[price]).terms()
    terms = msgspec.structs.replace(terms, custom_fields={"account.customfields.allowance": D(100)})
    month = terms.period.dates.instants(terms.zone)
    keys = [part.key(("account",), month) for part in price.parts]
    return bill_inputs([terms], dict(zip(keys, (D(1234), D(3)), strict=True)))


def seats_in_advance() -> BillInputs:
    """June of tiered seats, by days, in advance: 18 held, 25 from the 15th, 22 from the 25th; July opens."""
    price = counter(
        [("0", "0", "2"), ("20", "5", "3")],
        cumulative=True,
        running_total_bill_in_advance=True,
        pro_rate_running_total=True,
        pro_rate_adjustment_debit=True,
        pro_rate_adjustment_credit=True,
    )
    terms = OnPlan(counters=[price], start=utc(2024, 5, 1)).terms(1)
    held = ((date(2024, 5, 3), D(18)), (date(2024, 6, 15), D(25)), (date(2024, 6, 25), D(22)))
    return bill_inputs([terms], {}, counters={("account", "seats"): held})


def family_broken_down() -> BillInputs:
    """A parent and two children, one block of 1,000 GB in two tiers; each sees its own part."""
    used = {"account": "333.3", "east": "600", "west": "66.7"}
    return family(OnPlan(standing="10", prices=[priced()]), used, ChildBillingMode.PARENT_BREAKDOWN)


def _suite(minimum: str, **values: Any) -> BillInputs:
    """$125 of storage, and $30 of messages under a minimum of $50: $175 count toward the group's minimum."""
    group = PlanGroup(id="suite", name="Suite", currency="USD", minimum_spend=D(minimum), **values)
    messages = priced([("0", "0", "0.5")], aggregation("Messages", unit="messages"), "message-price")
    storage = OnPlan(prices=[priced()], product_id="storage")
    return suite(group, (storage, "1000"), (OnPlan(minimum="50", prices=[messages], product_id="talk"), "60"))


def plan_group_without_minimum() -> BillInputs:
    """A group of two plans, the cheapest tier: each plan as if attached alone, and the group's own $20."""
    return _suite("0", standing_charge=D(20))


def plan_group_with_minimum_of_250() -> BillInputs:
    """The same at the middle tier: the plans come to $175, so $75 are topped up."""
    return _suite("250")


def plan_group_with_minimum_of_1000_in_advance() -> BillInputs:
    """The highest tier, in advance: January and February are charged, $175 of January given back."""
    return _suite("1000", minimum_spend_bill_in_advance=True)


def contract_filtered_and_limited() -> BillInputs:
    """A contract from January 10 up to 25 that limits, for EU and US without trials: 15 of 31 days."""
    on = OnPlan(
        standing="31", prices=[priced([("0", "0", "1")])], start=utc(2024, 1, 10), end=utc(2024, 1, 25)
    )
    include, exclude = UsageFilterMode.INCLUDE, UsageFilterMode.EXCLUDE
    kept = (("kind", "trial", exclude), ("region", "EU", include), ("region", "US", include))
    filters = tuple(UsageFilter(dimension_code=d, value=v, mode=mode) for d, v, mode in kept)
    terms = msgspec.structs.replace(on.terms(), usage_filters=filters)
    fields = [DataField(category=FieldCategory.WHERE, code=c, name=c) for c in ("kind", "region")]
    meter = msgspec.structs.replace(METER, data_fields=[*METER.data_fields, *fields])
    price = PricedAggregation.simple(on.prices[0].pricing, Part(aggregation(), meter, None))
    terms = msgspec.structs.replace(terms, own=(price,))
    (piece,) = usage_slices(terms, terms.period)
    return bill_inputs([terms], {key: D("123.45") for key in own_keys(piece)})


def consolidated_week_and_month() -> BillInputs:
    """What closes on February 1: a week from January 25, a month, and a quarter that began in November."""
    week = OnPlan(
        standing="7",
        prices=[priced([("0", "0", "1")], aggregation("Calls"), "call-price")],
        frequency=BillingFrequency.WEEKLY,
        epoch=date(2022, 1, 6),
        start=utc(2024, 1, 25),
        account_plan_id="weekly",
    )
    month = OnPlan(standing="31", prices=[priced()], account_plan_id="monthly", product_id="storage")
    quarter = OnPlan(
        standing="90", interval=3, epoch=date(2022, 2, 1), start=utc(2023, 11, 1), account_plan_id="quarterly"
    )
    plans = [quarter.terms(), month.terms(), week.terms()]
    used = {key: D(10) for t in plans for piece in usage_slices(t, t.period) for key in own_keys(piece)}
    inputs = bill_inputs(plans, used)
    head = msgspec.structs.replace(
        inputs.head, grouping="ALL", frequency=BillingFrequency.MIXED, interval=1, dates=plans[0].period.dates
    )
    return msgspec.structs.replace(inputs, head=head)


def commitment_fee_and_draw_down() -> BillInputs:
    """The first of twelve: a fee of $1,250, and 20,000 transactions at $0.46 covered by the commitment."""
    transactions = aggregation("Transactions", unit="transactions")
    on = OnPlan(prices=[priced([("0", "0", "0.46")], transactions)], standing="50")
    promised = commitment(billing_plan_id="plan", overage_surcharge_percent=D(1))
    return with_ledger(on.bill("20000"), promised)


def commitment_exhausted_with_surcharge() -> BillInputs:
    """5,800 are left of 15,000; 20,000 transactions cost 9,200: the rest is owed, and 1 % on top of it."""
    transactions = aggregation("Transactions", unit="transactions")
    on = OnPlan(prices=[priced([("0", "0", "0.46")], transactions)])
    promised = commitment(
        "5800", billing_plan_id="plan", overage_surcharge_percent=D(1), amount_spent=D(9200)
    )
    return with_ledger(on.bill("20000", number=1), promised)


def separate_overage_with_bands() -> BillInputs:
    """$42.50 are left: 45 of 100 GB are within; the 55 beyond are priced by the bands for overage."""
    price = priced(
        [("0", "5", "1"), ("30", "0", "0.5")],
        overage_pricing_bands=[
            PricingBand(lower_limit=D(0), fixed_price=D(0), unit_price=D(2)),
            PricingBand(lower_limit=D(50), fixed_price=D(0), unit_price=D("1.5")),
        ],
    )
    promised = commitment("42.5", separate_overage_usage=True)
    return with_ledger(OnPlan(prices=[price]).bill("100"), promised)


def balance_for_part_of_a_period() -> BillInputs:
    """Euro credits that begin on January 11: they cover 21 of 31 days of usage and standing charge."""
    on = OnPlan(standing="31", prices=[priced([("0", "0", "0.31")])])
    credits_ = balance("500", currency="EUR", start_date=utc(2024, 1, 11))
    rates = {("EUR", "USD"): D("1.12")}
    currencies = {name: CurrencyRule(2, RoundingMode.HALF_UP) for name in ("USD", "EUR")}
    return with_ledger(on.bill("1000", rates=rates, currencies=currencies), credits_)


def balance_rolls_over() -> BillInputs:
    """$250 that end on January 11, of which 80 may be used until the 21st: 100, 80, and 130 owed."""
    on = OnPlan(prices=[priced([("0", "0", "0.31")])])
    ends = balance(
        "250", end_date=utc(2024, 1, 11), rollover_end_date=utc(2024, 1, 21), rollover_amount=D(80)
    )
    return with_ledger(on.bill("1000"), ends)


def onboarding_charge() -> BillInputs:
    """A $500 onboarding fee, and three hours of training, on the bill of their date."""
    training = charge(
        None, id="training", name="Training", code="training", units=D(3), unit_price=D("120.50")
    )
    return with_ledger(OnPlan(standing="100").bill(), charges=(charge(description="Onboarding"), training))


CASES = (
    commitment_fee_and_draw_down,
    commitment_exhausted_with_surcharge,
    separate_overage_with_bands,
    balance_for_part_of_a_period,
    balance_rolls_over,
    onboarding_charge,
    tiered_with_standing_charge,
    first_bill_before_the_epoch,
    minimum_in_advance,
    price_change_in_other_currency,
    credits_never_below_zero,
    free_allowance_by_calculation,
    seats_in_advance,
    family_broken_down,
    plan_group_without_minimum,
    plan_group_with_minimum_of_250,
    plan_group_with_minimum_of_1000_in_advance,
    contract_filtered_and_limited,
    consolidated_week_and_month,
)


def written(inputs: BillInputs, title: str) -> str:
    """Write a bill as text: its head, each line with its derivation, the total."""
    draft = calculate_bill(inputs)
    bill = bill_of(draft, BILL_ID)
    parts = [f"# {title}", f"{bill.account_code}, {bill.start_date} up to {bill.end_date}", ""]
    for line in lines_of(draft, BILL_ID):
        parts.append(
            f"{line.sequence_number}. {line.description}  {line.converted_subtotal:f} {bill.currency}"
        )
        parts += [f"     {step}" for step in explain(line)]
        parts.append("")
    return "\n".join([*parts, f"total  {bill.bill_total:f} {bill.currency}", ""])


@pytest.mark.parametrize("case", CASES, ids=lambda case: case.__name__)
def test_bill(case: Callable[[], BillInputs], *, update_golden: bool) -> None:
    path = HERE / case.__name__ / "bill.txt"
    found = written(case(), case.__doc__ or "")
    if update_golden:
        path.parent.mkdir(exist_ok=True)
        path.write_text(found, "utf-8")
    assert found == path.read_text("utf-8"), f"read what changed; if it is right: make golden ({path.name})"


def test_every_golden_folder_has_its_case() -> None:
    folders = {path.parent.name for path in HERE.glob("*/bill.txt")}
    assert folders == {case.__name__ for case in CASES}
