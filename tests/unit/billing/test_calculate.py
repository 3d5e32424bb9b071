"""The steps of the calculation, each with its arithmetic visible.

Prices: semantics §14. Standing charges and minimums: §15. Who says what is in advance: §13. Their order: §33.
"""

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
    """48,900 at 500 a unit, rounded up, $0.25 each: 24.50, not the 2.45 once printed (semantics §9)."""
    of = aggregation(quantity_per_unit=D(500), rounding=UsageRounding.UP)
    on = OnPlan(prices=[priced([("0", "0", "0.25")], of)])
    (line,) = calculate_bill(on.bill("48900")).lines
    assert (line.quantity, line.units, line.converted) == (48900, 98, D("24.50"))  # 97.8 becomes 98


@pytest.mark.parametrize(
    ("cumulative", "amount"),
    [
        pytest.param(True, "97.50", id="97 x 1 + 1 x 0.5"),
        pytest.param(False, "49.00", id="98 x 0.5"),
    ],
)
def test_limits_are_of_units_not_of_the_quantity(*, cumulative: bool, amount: str) -> None:
    """48,900 of 500 a unit are 98 units, rounded up: one more than the second band's limit of 97."""
    of = aggregation(quantity_per_unit=D(500), rounding=UsageRounding.UP)
    on = OnPlan(prices=[priced([("0", "0", "1"), ("97", "0", "0.5")], of, cumulative=cumulative)])
    assert amounts(calculate_bill(on.bill("48900"))) == [("USAGE", amount)]


@pytest.mark.parametrize("cumulative", [True, False])
def test_a_fixed_price_is_owed_whole_for_part_of_a_period(*, cumulative: bool) -> None:
    """The plan holds from the 17th, its price from the 20th: 7 + 3 x 1."""
    on = OnPlan(
        prices=[priced([("0", "7", "1")], start_date=utc(2024, 1, 20), cumulative=cumulative)],
        start=utc(2024, 1, 17),
    )
    assert amounts(calculate_bill(on.bill("3"))) == [("USAGE", "10.00")]


def test_before_its_price_a_plan_charges_its_standing_charge_only() -> None:
    """Attached from August 1, priced from September 1 (semantics §13)."""
    price = priced([("0", "0", "1")], start_date=utc(2024, 9, 1))
    on = OnPlan(standing="10", prices=[price], start=utc(2024, 8, 1))
    assert amounts(calculate_bill(on.bill("5", 0))) == [("STANDING_CHARGE", "10.00")]
    assert amounts(calculate_bill(on.bill("5", 1))) == [("USAGE", "5.00"), ("STANDING_CHARGE", "10.00")]


def test_no_data_makes_no_line_but_a_default_does() -> None:
    """No data is no line (semantics §9); an explicit zero owes the first band's fixed price (§14)."""
    assert calculate_bill(OnPlan(prices=[priced()]).bill()).lines == ()
    with_default = OnPlan(prices=[priced(SEATS, aggregation(default_value=D(0)))])
    (line,) = calculate_bill(with_default.bill()).lines
    assert line.converted == D("5.00")
    assert line.derivation.units is not None
    assert line.derivation.units.is_default


def test_each_pricing_prices_its_own_stretch_of_time() -> None:
    """Usage is aggregated while both hold (semantics §9); each on its own line, its tiers anew (§14)."""
    old = priced([("0", "0", "1")], name="old", end_date=utc(2024, 1, 11))
    new = priced([("0", "0", "2")], name="new", start_date=utc(2024, 1, 11))
    draft = calculate_bill(OnPlan(prices=[old, new]).bill("7"))
    found = [(x.pricing_id, x.service.start.day, x.service.end.day, x.converted) for x in draft.lines]
    assert found == [("old", 1, 11, D("7.00")), ("new", 11, 1, D("14.00"))]


def test_the_plans_pricing_wins_over_the_templates_while_it_holds() -> None:
    """Semantics §13."""
    own = priced([("0", "0", "1")], name="own", start_date=utc(2024, 1, 10), end_date=utc(2024, 1, 20))
    inherited = priced([("0", "0", "3")], name="inherited")
    terms = OnPlan(prices=[own], inherited=[inherited])
    found = [(x.pricing_id, x.service.start.day) for x in calculate_bill(terms.bill("1")).lines]
    assert found == [("own", 10), ("inherited", 1), ("inherited", 20)]


def test_each_segment_is_its_own_line() -> None:
    """One price a segment, `*` too, and its value in the line's text (semantics §10)."""
    of = aggregation(segmented_fields=["region"], segments=[{"region": "EU"}, {"region": "*"}])
    prices = [priced([("0", "0", "2")], of, "eu", 0), priced([("0", "0", "1")], of, "rest", 1)]
    draft = calculate_bill(OnPlan(prices=prices).bill("10"))
    assert [(x.description, x.converted) for x in draft.lines] == [
        ("Gigabytes (EU)", D("20.00")),
        ("Gigabytes (*)", D("10.00")),
    ]


def test_a_lines_text_names_the_segment_in_the_order_of_its_fields() -> None:
    """The aggregation's order, whatever order the price's segment was stored in (semantics §10)."""
    stored = {"kind": "criminal", "location": "Leeds"}
    of = aggregation("Checks", segmented_fields=["location", "kind"], segments=[stored])
    (line,) = calculate_bill(OnPlan(prices=[priced(of=of, segment=0)]).bill("1")).lines
    assert line.description == "Checks (Leeds, criminal)"


def test_tiers_that_span_the_plan_go_on_where_earlier_bills_ended() -> None:
    """Each bill charges the increment (semantics §14)."""
    on = OnPlan(prices=[priced(tiers_span_plan=True)])
    first, second = (calculate_bill(on.bill("300", number)).lines[0] for number in (0, 1))
    assert first.converted == D("45.00")  # 300 x 0.15
    assert second.converted == D("45.00")  # bill() knows no earlier usage: none was rated before
    terms = on.terms(1)
    (piece,) = usage_slices(terms, terms.period)
    quantities = {key: D(300) for key in [key for _, key in piece.keys(terms)]}
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
        *(
            pytest.param(
                OnPlan(
                    standing="50",
                    interval=3,
                    template={"standing_charge_interval": 2, "standing_charge_offset": offset},
                ),
                number,
                lines,
                id=f"three months, every 2nd bill, offset {offset}: month {3 * number + 3}",
            )
            for offset, number, lines in (
                (0, 0, ["50.00"]),
                (0, 1, []),
                (0, 2, ["50.00"]),
                (1, 0, []),
                (1, 1, ["50.00"]),
            )
        ),
        pytest.param(
            OnPlan(standing="31", start=utc(2023, 8, 1), end=utc(2023, 8, 31)),
            0,
            ["30.00"],
            id="ends on August 31: active through the 30th, 31 x 30/31",
        ),
        pytest.param(OnPlan(standing="9", plan={"standing_charge": D(7)}), 0, ["7.00"], id="plan overrides"),
        pytest.param(OnPlan(standing="9", plan={"standing_charge": D(0)}), 0, [], id="also with nothing"),
    ],
)
def test_standing_charge(on: OnPlan, number: int, lines: list[str]) -> None:
    found = amounts(calculate_bill(on.bill(number=number)))
    assert found == [("STANDING_CHARGE", amount) for amount in lines]


def test_a_standing_charge_in_advance_falls_on_the_bill_that_opens_its_period() -> None:
    """Semantics §15, decision 0010."""
    on = OnPlan(standing="31", in_advance=True, end=utc(2024, 3, 11))
    bills = [calculate_bill(on.bill(number=n)) for n in range(3)]
    starts = [[(x.service.start.month, f"{x.converted:f}") for x in b.lines] for b in bills]
    # January's own period and February's on the first bill; 10 of 31 days of March on the second
    assert starts == [[(1, "31.00"), (2, "31.00")], [(3, "10.00")], []]


@pytest.mark.parametrize(
    ("plan", "template", "organization", "in_advance"),
    [
        (True, False, False, True),
        (False, True, True, False),
        (None, True, False, True),
        (None, False, True, False),
        (None, None, True, True),
        (None, None, False, False),
    ],
)
@pytest.mark.parametrize("charge", ["standing_charge", "minimum_spend"])
def test_in_advance_the_plan_says_else_its_template_else_the_organization(
    charge: str,
    plan: bool | None,  # noqa: FBT001 - a table's row
    template: bool | None,  # noqa: FBT001 - a table's row
    organization: bool,  # noqa: FBT001 - a table's row
    in_advance: bool,  # noqa: FBT001 - a table's row
) -> None:
    """Semantics §13; usage is always billed in arrears (§14)."""
    says = f"{charge}_bill_in_advance"
    on = OnPlan(
        prices=[priced([("0", "0", "1")])],
        in_advance=organization,
        plan={says: plan},
        template={charge: D(50), says: template},
    )
    found = [(x.line_item_type.value, x.service.start.month) for x in calculate_bill(on.bill("1")).lines]
    assert found[0] == ("USAGE", 1)
    charged = [month for kind, month in found if kind in {"STANDING_CHARGE", "MINIMUM_SPEND"}]
    assert charged == ([1, 2] if in_advance else [1])


@pytest.mark.parametrize(
    ("pricing", "organization", "months"),
    [(True, False, [1, 2]), (False, True, [1]), (None, True, [1, 2]), (None, False, [1])],
)
def test_in_advance_a_pricing_says_else_the_organization(
    pricing: bool | None,  # noqa: FBT001 - a table's row
    organization: bool,  # noqa: FBT001 - a table's row
    months: list[int],
) -> None:
    """Of its own minimum, whatever its plan says of the plan's (semantics §13)."""
    price = priced([("0", "0", "1")], minimum_spend=D(9), minimum_spend_bill_in_advance=pricing)
    on = OnPlan(
        prices=[price], in_advance=organization, plan={"minimum_spend_bill_in_advance": not organization}
    )
    lines = calculate_bill(on.bill("1")).lines
    assert [x.service.start.month for x in lines if x.line_item_type.value == "MINIMUM_SPEND"] == months


@pytest.mark.parametrize(
    ("used", "lines"),
    [
        pytest.param("400", [("USAGE", "60.00"), ("MINIMUM_SPEND", "40.00")], id="100 - 60"),
        pytest.param("1000", [("USAGE", "125.00")], id="usage reaches it"),
        pytest.param(None, [("MINIMUM_SPEND", "100.00")], id="no usage at all"),
    ],
)
def test_minimum_spend_in_arrears(used: str | None, lines: list[tuple[str, str]]) -> None:
    """A top-up for the difference (semantics §15)."""
    assert amounts(calculate_bill(OnPlan(minimum="100", prices=[priced()]).bill(used))) == lines


@pytest.mark.parametrize(
    ("on", "by_days", "whole"),
    [
        pytest.param({}, ["24.00"], ["24.00"], id="a whole month: 31 - 7"),
        pytest.param({"start": utc(2024, 1, 17)}, ["8.00"], ["24.00"], id="from the 17th: 31 x 15/31 - 7"),
        pytest.param({"end": utc(2024, 1, 11)}, ["3.00"], ["24.00"], id="up to the 11th: 31 x 10/31 - 7"),
        pytest.param(
            {"start": utc(2024, 1, 10, 10), "end": utc(2024, 1, 10, 14)}, [], [], id="for four hours, no day"
        ),
        pytest.param(
            {"epoch": date(2024, 2, 15)},
            ["38.00"],
            ["24.00"],
            id="before the epoch: 31 x (14/31 + 31/31) - 7, and whole once a bill",
        ),
    ],
)
def test_a_minimum_is_by_days_unless_the_organization_says_whole(
    on: dict[str, Any], by_days: list[str], whole: list[str]
) -> None:
    """Semantics §15, decision 0030; of plans, pricings and groups alike."""
    unit = [("0", "0", "1")]
    own = {"prices": [priced(unit, minimum_spend=D(31))]}
    for expected, switch in ((by_days, True), (whole, False)):
        for values in ({"prices": [priced(unit)], "minimum": "31"}, own):
            draft = calculate_bill(OnPlan(**{**on, **values}, minimum_by_days=switch).bill("7"))
            assert [amount for kind, amount in amounts(draft) if kind == "MINIMUM_SPEND"] == expected


@pytest.mark.parametrize("by_days", [True, False])
def test_a_minimum_in_advance_of_a_plan_that_ends(*, by_days: bool) -> None:
    """February's 10 of 29 days of 290, in advance: 100, or all of it; nothing for March."""
    on = OnPlan(minimum="290", in_advance=True, minimum_by_days=by_days, end=utc(2024, 2, 11))
    months = [[x.converted for x in calculate_bill(on.bill(number=n)).lines] for n in (0, 1)]
    assert months == [[D(290), D(100) if by_days else D(290)], []]


def test_what_counts_toward_a_minimum() -> None:
    """Usage less the product's credits; no standing charge, no credit on the whole bill (semantics §15)."""
    free = {"type": PricingType.PRODUCT_CREDIT}
    whole = {"type": PricingType.GLOBAL_CREDIT}
    prices = [
        priced([("0", "0", "1")]),
        priced([("0", "15", "0")], aggregation("Free"), "free", **free),
        priced([("0", "20", "0")], aggregation("Gift"), "gift", **whole),
    ]
    assert amounts(calculate_bill(OnPlan(standing="50", minimum="100", prices=prices).bill("60"))) == [
        ("USAGE", "60.00"),
        ("USAGE_CREDIT", "-15.00"),
        ("USAGE_CREDIT", "-20.00"),
        ("MINIMUM_SPEND", "55.00"),  # 100 - (60 - 15)
        ("STANDING_CHARGE", "50.00"),
    ]


def test_minimum_spend_in_advance_is_given_back_up_to_the_usage() -> None:
    """min(usage, minimum), not the unused part: semantics §15, CONFLICT."""
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
    """The order of semantics §33."""
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
    """Semantics §14."""
    charge = priced([("0", "0", "1")])
    credit = priced([("0", "0", "5")], aggregation("Free"), "free", type=PricingType.GLOBAL_CREDIT)
    draft = calculate_bill(OnPlan(standing="10", prices=[charge, credit]).bill("20"))
    assert amounts(draft) == [("USAGE", "20.00"), ("USAGE_CREDIT", "-30.00"), ("STANDING_CHARGE", "10.00")]
    assert draft.total == 0


def test_rounding_never_leaves_a_credited_bill_below_zero() -> None:
    """Never drives a bill negative (semantics §14), also not by rounding (§25)."""
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
    """Each line for itself, by the billing currency (semantics §25)."""
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
    """A missing rate fails the bill; codes are of one case (semantics §25)."""
    with pytest.raises(error):
        calculate_bill(OnPlan(prices=[priced()]).bill("50.5", **values))


def test_a_missing_rate_names_the_pair() -> None:
    with pytest.raises(NoConversionRate, match="from EUR to USD"):
        calculate_bill(OnPlan(currency="EUR", prices=[priced()]).bill("50"))


def test_an_amount_of_too_many_digits_is_refused() -> None:
    on = OnPlan(prices=[priced([("0", "0", "9" * 26)])])
    with pytest.raises(AmountTooLarge):
        calculate_bill(on.bill("9" * 26))
