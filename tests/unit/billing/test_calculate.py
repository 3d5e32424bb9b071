"""The steps of the calculation, each with its arithmetic visible."""

from collections.abc import Sequence
from datetime import date
from decimal import Decimal
from typing import Any

import pytest

from tallystick.billing.calculate import calculate_bill
from tallystick.billing.calculate.inputs import CurrencyRule
from tallystick.billing.calculate.slices import usage_slices
from tallystick.billing.errors import AmountTooLarge, NoConversionRate, UnknownCurrency
from tallystick.kernel.decimals import RoundingMode, RoundingNecessary
from tallystick.kernel.zones import parse_zone
from tallystick.pricing.pricing import PricingType
from tallystick.rating.units import UsageRounding
from tests.unit.billing.drafts import (
    TIERED,
    Band,
    OnPlan,
    aggregation,
    amounts,
    bill_inputs,
    counter,
    priced,
    utc,
)

D = Decimal
SEATS = (("0", "5", "1"), ("10", "20", "0.5"))


@pytest.mark.parametrize(
    ("bands", "cumulative", "used", "amount"),
    [
        pytest.param(TIERED, True, "500", "75.00", id="tiered, on the limit: 500 x 0.15"),
        pytest.param(TIERED, True, "1000", "125.00", id="tiered: 500 x 0.15 + 500 x 0.10"),
        pytest.param(TIERED, False, "500", "75.00", id="volume, on the limit stays below: 500 x 0.15"),
        pytest.param(TIERED, False, "1000", "100.00", id="volume: 1000 x 0.10"),
        pytest.param(
            (("0", "12", "0"), ("4", "25", "0"), ("6", "50", "0")), False, "5", "25.00", id="stairstep"
        ),
        pytest.param(SEATS, True, "10.5", "35.25", id="custom tiered: 5 + 10 + 20 + 0.25"),
        pytest.param(SEATS, False, "10.5", "25.25", id="custom volume: 20 + 10.5 x 0.5"),
        pytest.param(SEATS, True, "0", "5.00", id="an explicit zero owes the first fixed price"),
        pytest.param(TIERED, True, "-3", "0.00", id="less than nothing costs nothing"),
    ],
)
def test_usage_is_rated_by_the_pricing_type(
    bands: Sequence[Band], *, cumulative: bool, used: str, amount: str
) -> None:
    on = OnPlan(prices=[priced(bands, cumulative=cumulative)])
    assert amounts(calculate_bill(on.bill(used))) == [("USAGE", amount)]


def test_units_are_rounded_after_quantity_per_unit() -> None:
    of = aggregation(quantity_per_unit=D(500), rounding=UsageRounding.UP)
    on = OnPlan(prices=[priced([("0", "0", "0.25")], of)])
    (line,) = calculate_bill(on.bill("48900")).lines
    assert (line.quantity, line.units, line.converted) == (48900, 98, D("24.50"))  # 97.8 becomes 98


def test_no_data_makes_no_line_but_a_default_does() -> None:
    assert calculate_bill(OnPlan(prices=[priced()]).bill()).lines == ()
    with_default = OnPlan(prices=[priced(SEATS, aggregation(default_value=D(0)))])
    (line,) = calculate_bill(with_default.bill()).lines
    assert line.converted == D("5.00")
    assert line.derivation.units is not None
    assert line.derivation.units.is_default


def test_each_pricing_prices_its_own_stretch_of_time() -> None:
    old = priced([("0", "0", "1")], name="old", end_date=utc(2024, 1, 11))
    new = priced([("0", "0", "2")], name="new", start_date=utc(2024, 1, 11))
    draft = calculate_bill(OnPlan(prices=[old, new]).bill("7"))
    found = [(x.pricing_id, x.service.start.day, x.service.end.day, x.converted) for x in draft.lines]
    assert found == [("old", 1, 11, D("7.00")), ("new", 11, 1, D("14.00"))]


def test_the_plans_pricing_wins_over_the_templates_while_it_holds() -> None:
    own = priced([("0", "0", "1")], name="own", start_date=utc(2024, 1, 10), end_date=utc(2024, 1, 20))
    inherited = priced([("0", "0", "3")], name="inherited")
    terms = OnPlan(prices=[own], inherited=[inherited])
    found = [(x.pricing_id, x.service.start.day) for x in calculate_bill(terms.bill("1")).lines]
    assert found == [("own", 10), ("inherited", 1), ("inherited", 20)]


def test_each_segment_is_its_own_line() -> None:
    of = aggregation(segmented_fields=["region"], segments=[{"region": "EU"}, {"region": "*"}])
    prices = [priced([("0", "0", "2")], of, "eu", 0), priced([("0", "0", "1")], of, "rest", 1)]
    draft = calculate_bill(OnPlan(prices=prices).bill("10"))
    assert [(x.description, x.converted) for x in draft.lines] == [
        ("Gigabytes (EU)", D("20.00")),
        ("Gigabytes (*)", D("10.00")),
    ]


def test_tiers_that_span_the_plan_go_on_where_earlier_bills_ended() -> None:
    on = OnPlan(prices=[priced(tiers_span_plan=True)])
    first, second = (calculate_bill(on.bill("300", number)).lines[0] for number in (0, 1))
    assert first.converted == D("45.00")  # 300 x 0.15
    assert second.converted == D("45.00")  # bill() knows no earlier usage: none was rated before
    terms = on.terms(1)
    (piece,) = usage_slices(terms, terms.period)
    quantities = {key: D(300) for key in [key for _, key in piece.keys(("account",))]}
    (line,) = calculate_bill(bill_inputs([terms], quantities)).lines
    assert line.converted == D("40.00")  # units 301 to 500 at 0.15 and 501 to 600 at 0.10: 30 + 10


def test_tiers_that_span_the_plan_go_on_after_days_of_another_price() -> None:
    """The plan's own price holds from the 10th to the 19th; then the template's tiers fill up further."""
    inherited = priced([("0", "0", "2"), ("100", "0", "1")], name="template", tiers_span_plan=True)
    own = priced([("0", "0", "5")], name="own", start_date=utc(2024, 1, 10), end_date=utc(2024, 1, 20))
    draft = calculate_bill(OnPlan(prices=[own], inherited=[inherited]).bill("100"))
    found = [(line.service.start.day, line.converted) for line in draft.lines]
    assert found == [(10, D("500.00")), (1, D("200.00")), (20, D("100.00"))]  # 100 x 5, 100 x 2, 100 x 1


@pytest.mark.parametrize(
    ("on", "number", "lines"),
    [
        pytest.param(OnPlan(standing="100"), 0, ["100.00"], id="a whole month"),
        pytest.param(OnPlan(standing="0"), 0, [], id="none"),
        pytest.param(
            OnPlan(standing="100", end=utc(2024, 1, 16)), 0, ["48.39"], id="15 of 31 days: 100 x 15/31"
        ),
        pytest.param(OnPlan(standing="100", start=utc(2024, 1, 17)), 0, ["48.39"], id="starts mid-month"),
        pytest.param(
            OnPlan(standing="100", epoch=date(2024, 2, 15)),
            0,
            ["145.16"],
            id="before the epoch: 14 of 31 days (Dec 15 to Jan 15) and a whole period: 45.16 + 100",
        ),
        pytest.param(
            OnPlan(standing="31", zone=parse_zone("Europe/Berlin"), start=utc(2023, 12, 31, 23)),
            0,
            ["31.00"],
            id="from local midnight",
        ),
        pytest.param(
            OnPlan(standing="50", template={"standing_charge_interval": 2}), 0, ["50.00"], id="1st of 2"
        ),
        pytest.param(OnPlan(standing="50", template={"standing_charge_interval": 2}), 1, [], id="2nd of 2"),
        pytest.param(
            OnPlan(standing="50", template={"standing_charge_interval": 2, "standing_charge_offset": 1}),
            1,
            ["50.00"],
            id="offset 1: the second bill",
        ),
        pytest.param(OnPlan(standing="9", plan={"standing_charge": D(7)}), 0, ["7.00"], id="plan overrides"),
    ],
)
def test_standing_charge(on: OnPlan, number: int, lines: list[str]) -> None:
    found = amounts(calculate_bill(on.bill(number=number)))
    assert found == [("STANDING_CHARGE", amount) for amount in lines]


def test_a_standing_charge_in_advance_falls_on_the_bill_that_opens_its_period() -> None:
    on = OnPlan(standing="31", in_advance=True, end=utc(2024, 3, 11))
    bills = [calculate_bill(on.bill(number=n)) for n in range(3)]
    starts = [[(x.service.start.month, f"{x.converted:f}") for x in b.lines] for b in bills]
    # January's own period and February's on the first bill; 10 of 31 days of March on the second
    assert starts == [[(1, "31.00"), (2, "31.00")], [(3, "10.00")], []]


@pytest.mark.parametrize(
    ("used", "lines"),
    [
        pytest.param("400", [("USAGE", "60.00"), ("MINIMUM_SPEND", "40.00")], id="100 - 60"),
        pytest.param("1000", [("USAGE", "125.00")], id="usage reaches it"),
        pytest.param(None, [("MINIMUM_SPEND", "100.00")], id="no usage at all"),
    ],
)
def test_minimum_spend_in_arrears(used: str | None, lines: list[tuple[str, str]]) -> None:
    assert amounts(calculate_bill(OnPlan(minimum="100", prices=[priced()]).bill(used))) == lines


def test_minimum_spend_in_advance_is_given_back_up_to_the_usage() -> None:
    on = OnPlan(minimum="1000", in_advance=True, prices=[priced([("0", "0", "1")])], end=utc(2024, 3, 1))
    first, second = (calculate_bill(on.bill("800", number)) for number in (0, 1))
    # January and February in advance; January's usage of 800 is given back: net 1000 for each month
    assert amounts(first) == [
        ("USAGE", "800.00"),
        ("MINIMUM_SPEND_REFUND", "-800.00"),
        ("MINIMUM_SPEND", "1000.00"),
        ("MINIMUM_SPEND", "1000.00"),
    ]
    assert amounts(second) == [("USAGE", "800.00"), ("MINIMUM_SPEND_REFUND", "-800.00")]
    assert first.total + second.total == 2000


def test_a_pricings_minimum_comes_first_and_counts_toward_the_plans() -> None:
    on = OnPlan(minimum="100", prices=[priced([("0", "0", "1")], minimum_spend=D(30))])
    # usage 10, topped up to the pricing's 30, topped up to the plan's 100
    assert amounts(calculate_bill(on.bill("10"))) == [
        ("USAGE", "10.00"),
        ("MINIMUM_SPEND", "20.00"),
        ("MINIMUM_SPEND", "70.00"),
    ]


def test_a_pricings_minimum_is_prorated_by_the_days_it_holds() -> None:
    price = priced([("0", "0", "1")], minimum_spend=D(31), start_date=utc(2024, 1, 22))
    assert amounts(calculate_bill(OnPlan(prices=[price]).bill())) == [("MINIMUM_SPEND", "10.00")]  # 10/31


@pytest.mark.parametrize(
    ("price", "on", "lines"),
    [
        pytest.param("0.5", {"standing": "10"}, ["20.00", "-10.00", "10.00"], id="less than the usage"),
        pytest.param("1.2", {"standing": "10"}, ["20.00", "-24.00", "10.00"], id="20 of usage, 4 of 10"),
        pytest.param("5", {"standing": "10"}, ["20.00", "-30.00", "10.00"], id="100, at most 20 + 10"),
        pytest.param(
            *("5", {"standing": "10", "minimum": "25"}, ["20.00", "-30.00", "25.00", "10.00"]),
            id="the minimum is owed: 20 - 20 count toward it",
        ),
        pytest.param("5", {"counters": False}, ["20.00", "30.00", "-50.00"], id="and counters: 15 x 2"),
        pytest.param(
            "5",
            {"counters": True},
            ["20.00", "-30.00", "0.00"],
            id="what counters give back: 20 - 30 leave nothing",
        ),
        pytest.param(
            *("5", {"counters": True, "standing": "15"}, ["20.00", "-30.00", "15.00", "-5.00"]),
            id="20 - 30 + 15 leave 5",
        ),
    ],
)
def test_a_product_credit_takes_no_more_than_the_products_other_lines(
    price: str, on: dict[str, Any], lines: list[str]
) -> None:
    """counters: 15 seats are held; in advance, they were paid on the bill before, and are given back now."""
    in_advance = on.get("counters")
    held = [(date(2023, 12, 1), D(15)), *([(date(2024, 1, 1), D(0))] if in_advance else [])]
    seats = [counter(running_total_bill_in_advance=in_advance)] if "counters" in on else []
    charge = priced([("0", "0", "1")])
    credit = priced([("0", "0", price)], aggregation("Free"), "free", type=PricingType.PRODUCT_CREDIT)
    others = {"prices": [charge, credit], "start": utc(2023, 12, 1), "counters": seats}
    january = OnPlan(**{**on, **others}).bill("20", 1, counters={("account", "seats"): held})
    assert sorted(x.converted for x in calculate_bill(january).lines) == sorted(map(D, lines))


def test_a_global_credit_takes_no_more_than_the_whole_bill() -> None:
    charge = priced([("0", "0", "1")])
    credit = priced([("0", "0", "5")], aggregation("Free"), "free", type=PricingType.GLOBAL_CREDIT)
    draft = calculate_bill(OnPlan(standing="10", prices=[charge, credit]).bill("20"))
    assert amounts(draft) == [("USAGE", "20.00"), ("USAGE_CREDIT", "-30.00"), ("STANDING_CHARGE", "10.00")]
    assert draft.total == 0


def test_rounding_never_leaves_a_credited_bill_below_zero() -> None:
    of = [aggregation(f"A{n}") for n in range(3)]
    charges = [priced([("0", "0", "0.004")], a, f"p{n}") for n, a in enumerate(of)]
    credit = priced([("0", "0", "1")], aggregation("Free"), "free", type=PricingType.PRODUCT_CREDIT)
    draft = calculate_bill(OnPlan(prices=[*charges, credit]).bill("1"))
    assert draft.total == 0  # three lines of 0.004 round to 0.00, so the credit of 0.012 is 0.00 too


@pytest.mark.parametrize(
    ("rule", "rate", "amount"),
    [
        pytest.param(CurrencyRule(2, RoundingMode.HALF_UP), "1.12", "8.40", id="7.50 x 1.12"),
        pytest.param(CurrencyRule(0, RoundingMode.HALF_EVEN), "1", "8", id="7.5 to even"),
        pytest.param(CurrencyRule(0, RoundingMode.DOWN), "1.12", "8", id="8.4 down"),
        pytest.param(CurrencyRule(3, RoundingMode.UNNECESSARY), "1.12", "8.400", id="nothing to round"),
    ],
)
def test_lines_are_converted_and_then_rounded(rule: CurrencyRule, rate: str, amount: str) -> None:
    on = OnPlan(currency="EUR", prices=[priced()])
    made = on.bill("50", currencies={"USD": rule}, rates={("EUR", "USD"): D(rate)})
    (line,) = calculate_bill(made).lines
    assert (f"{line.converted:f}", line.currency, line.subtotal) == (amount, "EUR", D("7.50"))


@pytest.mark.parametrize(
    ("values", "error"),
    [
        pytest.param({"currency": "GBP", "currencies": {}}, NoConversionRate, id="no rate"),
        pytest.param({"currency": "usd", "rates": {("USD", "usd"): D(1)}}, UnknownCurrency, id="other case"),
        pytest.param(
            {"currencies": {"USD": CurrencyRule(1, RoundingMode.UNNECESSARY)}}, RoundingNecessary, id="digits"
        ),
    ],
)
def test_what_cannot_be_converted_is_refused(values: dict[str, Any], error: type[Exception]) -> None:
    with pytest.raises(error):
        calculate_bill(OnPlan(prices=[priced()]).bill("50.5", **values))


def test_a_missing_rate_names_the_pair() -> None:
    with pytest.raises(NoConversionRate, match="from EUR to USD"):
        calculate_bill(OnPlan(currency="EUR", prices=[priced()]).bill("50"))


def test_an_amount_of_too_many_digits_is_refused() -> None:
    on = OnPlan(prices=[priced([("0", "0", "9" * 26)])])
    with pytest.raises(AmountTooLarge):
        calculate_bill(on.bill("9" * 26))
