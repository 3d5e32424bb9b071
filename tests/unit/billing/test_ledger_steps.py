"""Fees, charges, draw-downs and overage on a bill (semantics §18, §19, §20)."""

from datetime import date
from decimal import Decimal
from typing import Any

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from tallystick.accounts.account_plan import ChildBillingMode
from tallystick.balances.balance import BalanceLineItemType
from tallystick.balances.charge import ChargeEntityType, ChargeLineItemType
from tallystick.balances.commitment import CommitmentFee, CommitmentLineItemType
from tallystick.billing.calculate import BillInputs, Draft, calculate_bill
from tallystick.billing.calculate.fees import fee_in_advance, fees_on_dates, scheduled_fees
from tallystick.billing.calculate.inputs import CurrencyRule
from tallystick.billing.calculate.ledger_inputs import Reserve
from tallystick.billing.errors import NoConversionRate
from tallystick.billing.explain import explain
from tallystick.billing.lines import lines_of
from tallystick.kernel.decimals import ZERO, RoundingMode
from tallystick.kernel.zones import parse_zone
from tallystick.organizations.organization_config import CreditType
from tallystick.pricing.plan_group import PlanGroup
from tallystick.pricing.pricing import PricingBand, PricingType
from tests.unit.billing.drafts import (
    BILL_ID,
    OnPlan,
    aggregation,
    amounts,
    balance,
    charge,
    commitment,
    counter,
    family,
    priced,
    suite,
    utc,
    with_ledger,
)

D = Decimal
DOLLAR_A_GB = [priced([("0", "0", "1")])]
PLAN_MINIMUM = OnPlan(minimum="1000", in_advance=True, prices=DOLLAR_A_GB)
CENTS = CurrencyRule(2, RoundingMode.HALF_UP)
CONSUMED = {"COMMITMENT_CONSUMED", "BALANCE_CONSUMED"}


def bill(*reserves: Reserve, used: str = "100", on: OnPlan | None = None, **values: Any) -> Draft:
    on = on or OnPlan(prices=DOLLAR_A_GB)
    return calculate_bill(with_ledger(on.bill(used), *reserves, commitments=(), **values))


def drawn(draft: Draft) -> list[tuple[str, str]]:
    return [(kind, amount) for kind, amount in amounts(draft) if kind in CONSUMED]


# --- fees ---------------------------------------------------------------------------------------

FROM_FEB_15 = {
    "commitment_fee_bill_in_advance": True,
    "start_date": date(2024, 2, 15),
    "end_date": date(2024, 4, 15),
}


def fees_of(number: int, **values: Any) -> list[str]:
    """Give the fees on the number-th bill of a plan that began with the commitment."""
    on = OnPlan()
    draft = calculate_bill(with_ledger(on.bill(number=number), commitment(billing_plan_id="plan", **values)))
    return [f"{x.converted:f}" for x in draft.lines if x.line_item_type.value == "COMMITMENT_FEE"]


@pytest.mark.parametrize(
    ("number", "values", "fees"),
    [
        pytest.param(0, {}, ["1250.00"], id="15000 / 12"),
        pytest.param(11, {}, ["1250.00"], id="the last of twelve"),
        pytest.param(12, {}, [], id="after the end"),
        pytest.param(0, {"amount_pre_paid": D(3000)}, ["1000.00"], id="(15000 - 3000) / 12"),
        pytest.param(0, {"amount_pre_paid": D(15000)}, [], id="all was paid before"),
        pytest.param(0, {"amount_first_bill": D(4000)}, ["4000.00"], id="first bill"),
        pytest.param(1, {"amount_first_bill": D(4000)}, ["1000.00"], id="11000 / 11"),
        pytest.param(0, {"billing_interval": 6}, ["7500.00"], id="every six months, the first"),
        pytest.param(1, {"billing_interval": 6}, [], id="not the second"),
        pytest.param(5, {"billing_interval": 6, "billing_offset": 5}, ["7500.00"], id="offset 5: month 6"),
        pytest.param(0, {"commitment_fee_bill_in_advance": True}, ["1250.00"] * 2, id="opens two"),
        pytest.param(11, {"commitment_fee_bill_in_advance": True}, [], id="opens none"),
        pytest.param(0, {"start_date": date(2024, 2, 1)}, [], id="begins with the second bill"),
        pytest.param(0, {"bill_epoch": date(2024, 1, 1)}, [], id="on dates of its own"),
        pytest.param(0, FROM_FEB_15, [], id="in advance, not before it starts between two bills"),
        pytest.param(1, FROM_FEB_15, ["5000.00"] * 2, id="its first bill: February 15 on, and March opens"),
        pytest.param(2, FROM_FEB_15, ["5000.00"], id="and April"),
        pytest.param(3, FROM_FEB_15, [], id="nothing after its end on April 15"),
    ],
)
def test_fees_with_a_plan(number: int, values: dict[str, Any], fees: list[str]) -> None:
    assert fees_of(number, **values) == fees


@given(
    st.integers(1, 10**6),
    st.integers(1, 13),
    st.integers(0, 12),
    st.booleans(),
    st.dates(date(2024, 1, 1), date(2024, 6, 1)),
    st.dates(date(2024, 7, 1), date(2026, 1, 1)),
)
def test_fees_sum_to_what_is_outstanding(
    cents: int,
    interval: int,
    offset: int,
    in_advance: bool,  # noqa: FBT001 - a property
    start: date,
    end: date,
) -> None:
    made = commitment(
        amount=D(cents).scaleb(-2),
        billing_interval=interval,
        billing_offset=offset,
        start_date=start,
        end_date=end,
    ).commitment
    assert made is not None
    on = OnPlan()
    found = scheduled_fees(made, on.cycle, on.zone, {"USD": CENTS}, in_advance=in_advance)
    assert sum((fee.amount for _, fee in found), ZERO) == (made.amount if found else ZERO)
    assert all(start <= fee.service.start.date() < fee.service.end.date() <= end for _, fee in found)


@pytest.mark.parametrize(
    ("own", "default", "expected"),
    [(None, True, True), (None, False, False), (False, True, False), (True, False, True)],
)
def test_a_commitment_says_before_its_organization_whether_fees_are_in_advance(
    own: bool | None,  # noqa: FBT001 - a table
    default: bool,  # noqa: FBT001 - a table
    expected: bool,  # noqa: FBT001 - a table
) -> None:
    """Semantics §18."""
    made = commitment(commitment_fee_bill_in_advance=own).commitment
    assert made is not None
    assert fee_in_advance(made, default=default) is expected


def test_dated_fees_are_as_agreed() -> None:
    agreed = [
        CommitmentFee(
            date=day,
            amount=D(5),
            service_period_start_date=utc(2024, 1, 1),
            service_period_end_date=utc(2024, 1, 1),
        )
        for day in (date(2024, 3, 1), date(2024, 2, 1))
    ]
    reserve = commitment(fee_dates=agreed)
    assert reserve.commitment is not None
    fees = fees_on_dates(reserve.commitment)
    assert [(fee.date.month, fee.number, fee.of) for fee in fees] == [(2, 1, 2), (3, 2, 2)]
    draft = calculate_bill(with_ledger(OnPlan().bill(), dated_fees=(fees[0],)))
    assert amounts(draft) == [("COMMITMENT_FEE", "5.00")]


# --- what is covered ----------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("reserve", "covered"),
    [
        pytest.param(commitment(), "110.00", id="everything"),
        pytest.param(balance("200"), "110.00", id="a balance, everything"),
        pytest.param(balance("200", product_ids=["other"]), "0", id="another product"),
        pytest.param(balance("200", product_ids=["product"]), "110.00", id="its product"),
        pytest.param(balance("200", contract_id="contract"), "0", id="another contract"),
        pytest.param(
            balance("200", line_item_types=[BalanceLineItemType.STANDING_CHARGE]), "10.00", id="one type"
        ),
        pytest.param(
            commitment(line_item_types=[CommitmentLineItemType.USAGE]),
            "100.00",
            id="its one type",
        ),
        pytest.param(balance("0"), "0", id="used up"),
        pytest.param(balance("0", rollover_end_date=utc(2025, 2, 1)), "0", id="used up, and would roll over"),
        pytest.param(balance("-5"), "0", id="overdrawn"),
        pytest.param(balance("0", allow_overdraft=True), "110.00", id="overdraft"),
        pytest.param(balance("200", start_date=utc(2024, 2, 1)), "0", id="begins later"),
        pytest.param(balance("200", end_date=utc(2024, 1, 1), start_date=utc(2023, 1, 1)), "0", id="ended"),
        pytest.param(commitment(contract_id="contract"), "0", id="a contract's, for what is under none"),
        pytest.param(commitment(product_ids=["other"]), "0", id="a commitment for another product"),
        pytest.param(
            commitment(end_date=date(2024, 1, 16)), "53.23", id="ends before the 16th: (100 + 10) x 15/31"
        ),
        pytest.param(
            commitment(start_date=date(2023, 1, 1), end_date=date(2024, 1, 1)), "0", id="ended as it began"
        ),
    ],
)
def test_what_a_reserve_covers(reserve: Reserve, covered: str) -> None:
    """Semantics §18, §19: what it is for, while it is active; nothing is refunded of what is left."""
    draft = bill(reserve, on=OnPlan(prices=DOLLAR_A_GB, standing="10"))
    assert -sum((x.converted for x in draft.lines if x.drawn), ZERO) == D(covered)
    assert draft.total == D(110) - D(covered)


def test_an_organization_may_allow_negative_balances() -> None:
    assert drawn(bill(balance("0"), allow_negative_balances=True)) == [("BALANCE_CONSUMED", "-100.00")]


def test_charges_are_covered_by_balances_only_and_fees_by_nothing() -> None:
    fee = charge(
        "7",
        id="fee",
        code="fee",
        entity_type=ChargeEntityType.BALANCE,
        line_item_type=ChargeLineItemType.BALANCE_FEE,
        entity_id="balance",
    )
    draft = bill(commitment(), balance("600"), used="0", charges=(charge(), fee))
    assert drawn(draft) == [("BALANCE_CONSUMED", "-500.00")]
    assert draft.total == D(7)


@pytest.mark.parametrize(
    ("values", "line"),
    [
        pytest.param({}, ("500.00", 1, 500, "Onboarding"), id="an amount, by its name"),
        pytest.param({"description": "Set-up"}, ("500.00", 1, 500, "Set-up"), id="its own text"),
        pytest.param({"amount": D(-50)}, ("-50.00", 1, -50, "Onboarding"), id="a credit"),
        pytest.param(
            {"amount": None, "units": D(3), "unit_price": D("2.505")},
            ("7.52", 3, D("7.515"), "Onboarding"),
            id="3 x 2.505 = 7.515, rounded on the bill",
        ),
    ],
)
def test_a_charge_is_a_line(values: dict[str, Any], line: tuple[str, int, Decimal, str]) -> None:
    """Semantics §20: its amount, or units at a price; its notes are for nobody's bill."""
    made = charge(**{"notes": "for us only", **values})
    draft = calculate_bill(with_ledger(OnPlan().bill(), charges=(made,)))
    (shown,) = lines_of(draft, BILL_ID)
    told = (f"{shown.converted_subtotal:f}", shown.units, shown.subtotal, shown.description)
    assert told == line
    assert "for us only" not in f"{shown} {explain(shown)}"


def test_contract_charges_are_covered_by_the_contracts_commitment() -> None:
    on = OnPlan(prices=DOLLAR_A_GB)
    terms = on.terms()
    under = msgspec.structs.replace(terms.account_plan, contract_id="contract")
    inputs = on.bill("100")
    inputs = msgspec.structs.replace(inputs, plans=(msgspec.structs.replace(terms, account_plan=under),))
    draft = calculate_bill(with_ledger(inputs, commitment(contract_id="contract")))
    assert drawn(draft) == [("COMMITMENT_CONSUMED", "-100.00")]


@pytest.mark.parametrize(
    ("order", "expected"),
    [
        pytest.param(("PREPAYMENT", "BALANCE"), ["COMMITMENT 60.00", "BALANCE 40.00"], id="prepayment first"),
        pytest.param(("BALANCE", "PREPAYMENT"), ["BALANCE 50.00", "COMMITMENT 50.00"], id="balance first"),
        pytest.param(("PREPAYMENT",), ["COMMITMENT 60.00"], id="prepayment only"),
        pytest.param(("BALANCE",), ["BALANCE 50.00"], id="balance only"),
    ],
)
def test_credits_apply_in_the_accounts_order(order: tuple[str, ...], expected: list[str]) -> None:
    draft = bill(commitment("60"), balance("50"), credit_order=tuple(map(CreditType, order)))
    found = [f"{kind.removesuffix('_CONSUMED')} {amount[1:]}" for kind, amount in drawn(draft)]
    assert sorted(found) == sorted(expected)


@pytest.mark.parametrize(
    "earlier",
    [
        pytest.param({"end_date": utc(2024, 6, 1), "start_date": utc(2024, 1, 1)}, id="by end"),
        pytest.param({"start_date": utc(2023, 6, 1)}, id="ending alike, by start"),
        pytest.param({"dt_created": utc(2023, 6, 1)}, id="of the same days, by creation"),
        pytest.param(
            {"rollover_end_date": utc(2026, 1, 1), "start_date": utc(2023, 6, 1)},
            id="by its own end, whatever rolls over",
        ),
    ],
)
def test_the_reserve_that_ends_first_is_used_up_first(earlier: dict[str, Any]) -> None:
    """Semantics §19: by end, then start, then creation."""
    late = balance("80", id="a-late", code="late", start_date=utc(2023, 12, 1))
    early = balance("80", **{"id": "b-early", "start_date": utc(2023, 12, 1)} | earlier)
    draft = bill(late, early)
    assert [(x.balance_id, x.converted) for x in draft.lines if x.drawn] == [
        ("b-early", -80),
        ("a-late", -20),
    ]


def test_a_product_credit_for_a_standing_charge_comes_before_what_is_drawn_for_it() -> None:
    """Usage of 100 and 40 standing, less a credit of 120: 100 of the usage, 20 of the standing charge."""
    credit = priced([("0", "0", "1.2")], aggregation("Free"), "free", type=PricingType.PRODUCT_CREDIT)
    draft = bill(balance("1000"), on=OnPlan(standing="40", prices=[*DOLLAR_A_GB, credit]))
    assert drawn(draft) == [("BALANCE_CONSUMED", "-20.00")]
    assert draft.total == ZERO


def test_a_product_credit_comes_before_what_is_drawn() -> None:
    credit = priced([("0", "0", "0.3")], aggregation("Free"), "free", type=PricingType.PRODUCT_CREDIT)
    draft = bill(balance("1000"), on=OnPlan(prices=[*DOLLAR_A_GB, credit]))
    assert amounts(draft) == [("USAGE", "100.00"), ("USAGE_CREDIT", "-30.00"), ("BALANCE_CONSUMED", "-70.00")]
    assert draft.total == ZERO


USAGE_ONLY = [CommitmentLineItemType.USAGE]
PRICING_MINIMUM = [priced([("0", "0", "1")], minimum_spend=D(1000), minimum_spend_bill_in_advance=True)]


@pytest.mark.parametrize(
    ("on", "used", "types", "consumed", "payable"),
    [
        pytest.param(PLAN_MINIMUM, "800", [], "1000.00", "0.00", id="800 - 800 refunded, February's 1000"),
        pytest.param(PLAN_MINIMUM, "1200", [], "1200.00", "0.00", id="1200 - 1000 refunded, February's 1000"),
        pytest.param(
            PLAN_MINIMUM, "800", USAGE_ONLY, "800.00", "200.00", id="the minimum is paid: 1000 - 800"
        ),
        pytest.param(
            OnPlan(prices=PRICING_MINIMUM), "800", [], "1000.00", "0.00", id="a single pricing's minimum"
        ),
        pytest.param(
            OnPlan(minimum="1500", in_advance=True, prices=PRICING_MINIMUM),
            *("800", [], "1500.00", "0.00"),
            id="a pricing's and a plan's: 800 - 800, 1000 - 1000 that the plan's gives back, 1500",
        ),
    ],
)
def test_a_minimum_in_advance_is_not_drawn_twice(
    on: OnPlan, used: str, types: list[CommitmentLineItemType], consumed: str, payable: str
) -> None:
    """The second bill of a plan: over the contract max(usage, minimum) is drawn, and nothing paid out."""
    reserve = commitment(line_item_types=types)
    draft = calculate_bill(with_ledger(on.bill(used, number=1), reserve, commitments=()))
    assert sum(-x.converted for x in draft.lines if x.drawn) == D(consumed)
    assert draft.total == D(payable)


@given(st.lists(st.integers(0, 3000), min_size=3, max_size=3), st.booleans())
def test_over_a_contract_a_minimum_draws_the_greater_of_it_and_the_usage(
    used: list[int],
    in_advance: bool,  # noqa: FBT001 - drawn
) -> None:
    on = OnPlan(minimum="1000", in_advance=in_advance, prices=DOLLAR_A_GB, end=utc(2024, 4, 1))
    bills = [with_ledger(on.bill(f"{u}", number=n), commitment(), commitments=()) for n, u in enumerate(used)]
    drafts = [calculate_bill(each) for each in bills]
    consumed = -sum(x.converted for draft in drafts for x in draft.lines if x.drawn)
    assert consumed == sum(max(u, 1000) for u in used)
    assert {draft.total for draft in drafts} == {ZERO}


def test_a_minimum_in_advance_pays_no_usage_of_another_plan() -> None:
    """Usage of 100 on each plan: the one's is refunded, the other's drawn beside the next 1000."""
    inputs, other = PLAN_MINIMUM.bill("100", number=1), OnPlan(prices=DOLLAR_A_GB).terms(1)
    attached = msgspec.structs.replace(other.account_plan, id="other")
    both = (*inputs.plans, msgspec.structs.replace(other, account_plan=attached))
    inputs = msgspec.structs.replace(inputs, plans=both)
    draft = calculate_bill(with_ledger(inputs, commitment(), commitments=()))
    assert -sum(x.converted for x in draft.lines if x.drawn) == 1000 + 100
    assert draft.total == ZERO


def test_a_groups_minimum_in_advance_is_not_drawn_twice() -> None:
    """Usage of 100 and 20 under a plan's 50: 150 count; the group's 1000 were paid in advance."""
    group = PlanGroup(
        id="suite", name="Suite", currency="USD", minimum_spend=D(1000), minimum_spend_bill_in_advance=True
    )
    small = OnPlan(prices=DOLLAR_A_GB, product_id="talk", minimum="50")
    inputs = suite(group, (OnPlan(prices=DOLLAR_A_GB, product_id="storage"), "100"), (small, "20"), number=1)
    draft = calculate_bill(with_ledger(inputs, commitment(), commitments=()))
    assert [(k, a) for k, a in amounts(draft) if k in CONSUMED] == [("COMMITMENT_CONSUMED", "-1000.00")]
    assert draft.total == ZERO


def test_a_credit_on_the_whole_bill_takes_what_is_left() -> None:
    """It comes after what is drawn (semantics §33)."""
    credit = priced([("0", "0", "1")], aggregation("Free"), "free", type=PricingType.GLOBAL_CREDIT)
    draft = bill(balance("70"), on=OnPlan(prices=[*DOLLAR_A_GB, credit]))
    assert draft.total == ZERO
    assert drawn(draft) == [("BALANCE_CONSUMED", "-70.00")]


def test_counters_are_covered_before_usage() -> None:
    on = OnPlan(prices=DOLLAR_A_GB, counters=[counter()])
    inputs = msgspec.structs.replace(
        on.bill("100"), counters={("account", "seats"): ((date(2024, 1, 1), D(5)),)}
    )
    draft = calculate_bill(with_ledger(inputs, balance("30"), commitments=()))
    described = [x.description for x in draft.lines if x.drawn]
    assert (len(described), described[-1]) == (2, "Balance Consumed: Gigabytes")


def test_the_minimum_is_covered_after_usage() -> None:
    """Semantics §18: 10 of standing charge, 100 of usage, and of 100 up to the minimum what is left, 5."""
    draft = bill(balance("115"), on=OnPlan(prices=DOLLAR_A_GB, standing="10", minimum="200"))
    covered = {f"{line.converted:f}" for line in draft.lines if line.drawn}
    assert (covered, draft.total) == ({"-10.00", "-100.00", "-5.00"}, D(95))


def test_another_currency_needs_a_rate_only_where_it_is_drawn() -> None:
    euros = balance("50", currency="EUR")
    with pytest.raises(NoConversionRate):
        bill(euros)
    assert bill(euros, used="0").total == ZERO
    assert bill(balance("0", currency="EUR")).total == D(100)
    converted = with_ledger(OnPlan(prices=DOLLAR_A_GB).bill("100", rates={("EUR", "USD"): D("1.1")}), euros)
    assert calculate_bill(converted).total == D(45)  # 50 x 1.1 = 55 are covered


@pytest.mark.parametrize(
    ("mode", "lines"),
    [
        (ChildBillingMode.PARENT_BREAKDOWN, ["-60.00", "-40.00"]),
        (ChildBillingMode.PARENT_SUMMARY, ["-100.00"]),
        (ChildBillingMode.CHILD, ["-60.00", "-40.00"]),
    ],
)
def test_a_commitment_is_told_apart_by_account_or_in_one(mode: ChildBillingMode, lines: list[str]) -> None:
    used = {"account": "60", "east": "40"}
    inputs = family(OnPlan(prices=DOLLAR_A_GB), used, ChildBillingMode.PARENT_BREAKDOWN)
    draft = calculate_bill(with_ledger(inputs, commitment(child_billing_mode=mode)))
    found = [x for x in draft.lines if x.drawn]
    assert [f"{x.converted:f}" for x in found] == lines
    assert [x.child_account_id for x in found][1:] == ["east"] * (len(lines) - 1)


def test_what_is_drawn_says_for_what_in_its_own_words() -> None:
    own = {"commitment_usage_description": "Prepaid", "drawdowns_accounting_product_id": "draw"}
    (line,) = [x for x in bill(commitment(**own)).lines if x.drawn]
    assert (line.description, line.accounting_product_id) == ("Prepaid", "draw")
    own = {"balance_draw_down_description": "Credits", "consumptions_accounting_product_id": "draw"}
    (line,) = [x for x in bill(balance("9", **own)).lines if x.drawn]
    assert (line.description, line.accounting_product_id) == ("Credits", "draw")


# --- what is beyond -----------------------------------------------------------------------------

BANDS = [PricingBand(lower_limit=D(0), fixed_price=D(0), unit_price=D(3))]
BEYOND = "beyond what was committed or paid ahead"
BANDED = [priced([("0", "0", "1")], overage_pricing_bands=BANDS)]


@pytest.mark.parametrize(
    ("reserve", "prices", "expected"),
    [
        pytest.param(
            commitment("60", overage_surcharge_percent=D(10)),
            DOLLAR_A_GB,
            [("USAGE", "100.00"), ("OVERAGE_SURCHARGE", "4.00"), ("COMMITMENT_CONSUMED", "-60.00")],
            id="40 x 10 %",
        ),
        pytest.param(
            commitment("60", overage_surcharge_percent=D(-50)),
            BANDED,
            [("USAGE", "100.00"), ("OVERAGE_SURCHARGE", "-20.00"), ("COMMITMENT_CONSUMED", "-60.00")],
            id="a discount, which wins over bands",
        ),
        pytest.param(
            commitment("60", separate_overage_usage=True),
            DOLLAR_A_GB,
            [("USAGE", "60.00"), ("OVERAGE_USAGE", "40.00"), ("COMMITMENT_CONSUMED", "-60.00")],
            id="on a line of its own",
        ),
        pytest.param(
            commitment("60", separate_overage_usage=True),
            BANDED,
            [("USAGE", "60.00"), ("OVERAGE_USAGE", "120.00"), ("COMMITMENT_CONSUMED", "-60.00")],
            id="40 x 3",
        ),
        pytest.param(
            commitment("0", separate_overage_usage=True), BANDED, [("OVERAGE_USAGE", "300.00")], id="100 x 3"
        ),
        pytest.param(
            commitment("60"),
            BANDED,
            [("USAGE", "100.00"), ("COMMITMENT_CONSUMED", "-60.00")],
            id="a commitment's bands need separate usage",
        ),
        pytest.param(
            balance("60"),
            BANDED,
            [("USAGE", "60.00"), ("OVERAGE_USAGE", "120.00"), ("BALANCE_CONSUMED", "-60.00")],
            id="a balance's do not",
        ),
        pytest.param(
            balance("60", overage_surcharge_percent=D(10), overage_description="Extra"),
            BANDED,
            [("USAGE", "100.00"), ("OVERAGE_SURCHARGE", "4.00"), ("BALANCE_CONSUMED", "-60.00")],
            id="a balance's surcharge",
        ),
        pytest.param(
            balance("60", overage_surcharge_percent=ZERO),
            BANDED,
            [("USAGE", "100.00"), ("BALANCE_CONSUMED", "-60.00")],
            id="a surcharge of nothing",
        ),
    ],
)
def test_what_is_beyond(reserve: Reserve, prices: Any, expected: list[tuple[str, str]]) -> None:
    assert amounts(bill(reserve, on=OnPlan(prices=prices))) == expected


def test_a_family_reaches_the_bands_for_what_is_beyond_together() -> None:
    """Semantics §17, §18: 60 of 220 are covered, 160 beyond: 100 x 3 + 60 x 2 = 420, as one block.

    One child's alone; or 420 x 50/160 and x 110/160, of two that used 110 each.
    """
    bands = [
        PricingBand(lower_limit=D(at), fixed_price=D(0), unit_price=D(p)) for at, p in ((0, 3), (100, 2))
    ]
    on = OnPlan(prices=[priced([("0", "0", "1")], overage_pricing_bands=bands)])
    for used, covered, beyond in (
        ({"account": "60", "east": "160"}, "60", ["420.00"]),
        ({"account": "0", "east": "110", "west": "110"}, "60", ["131.25", "288.75"]),
    ):
        inputs = family(on, used, ChildBillingMode.PARENT_BREAKDOWN)
        reserve = commitment(covered, separate_overage_usage=True)
        draft = calculate_bill(with_ledger(inputs, reserve))
        found = draft.lines
        assert [f"{x.converted:f}" for x in found if x.line_item_type.value == "OVERAGE_USAGE"] == beyond
        assert sum(x.units for x in found if x.derivation.is_of_usage) == sum(map(D, used.values()))
    last = next(x for x in reversed(lines_of(draft, BILL_ID)) if x.line_item_type.value == "OVERAGE_USAGE")
    assert explain(last)[3:] == [
        "share of west-code: 110 of 220 used, of 220.00 = 110.00",
        f"{BEYOND}: 110 of 110 GB, priced by the bands for it, 160 of all accounts at once",
        "band from 0: 68.75 x 3 = 206.25 USD",  # 100 x 110/160
        "band from 100: 41.25 x 2 = 82.5 USD",  # 60 x 110/160
        "bands together: 288.75 USD",
        "billed: 288.75 USD, rounded HALF_UP to 2 places",
    ]


def test_only_usage_is_beyond_and_the_last_that_says_something_decides() -> None:
    on = OnPlan(prices=DOLLAR_A_GB, standing="50")
    silent = balance("10", id="silent", code="silent", end_date=utc(2026, 1, 1))
    draft = bill(commitment("20", overage_surcharge_percent=D(10)), silent, on=on)
    # 20 and 10 of the standing charge are covered; the surcharge is on the usage alone.
    assert [x for x in amounts(draft) if x[0] == "OVERAGE_SURCHARGE"] == [("OVERAGE_SURCHARGE", "10.00")]


@pytest.mark.parametrize(
    ("values", "expected"),
    [
        ({"overage_surcharge_percent": D(10)}, [("USAGE", "100.00"), ("OVERAGE_SURCHARGE", "10.00")]),
        ({"separate_overage_usage": True}, [("OVERAGE_USAGE", "100.00")]),
    ],
)
def test_what_is_beyond_on_different_days_is_one_line(
    values: dict[str, Any], expected: list[tuple[str, str]]
) -> None:
    """From the 11th on a balance was there, too, and exhausted as well."""
    other = balance("0", start_date=utc(2024, 1, 11))
    assert amounts(bill(commitment("0", **values), other)) == expected


def test_usage_before_a_reserve_began_is_not_beyond_it() -> None:
    on = OnPlan(prices=[priced([("0", "0", "0.31")])])
    late = balance("0", start_date=utc(2024, 1, 11), overage_surcharge_percent=D(10))
    # 310 x 21/31 = 210 are beyond.
    assert ("OVERAGE_SURCHARGE", "21.00") in amounts(bill(late, used="1000", on=on))


def test_usage_that_no_plan_priced_has_no_overage_bands() -> None:
    other = priced([("0", "0", "1")], name="other", aggregation_id="Gigabytes")
    draft = bill(balance("60"), on=OnPlan(prices=DOLLAR_A_GB, inherited=[other]))
    assert [kind for kind, _ in amounts(draft)] == ["USAGE", "BALANCE_CONSUMED"]


# --- always -------------------------------------------------------------------------------------


@given(
    used=st.integers(0, 10**6),
    left=st.integers(-1000, 10**8),
    more=st.integers(0, 10**8),
    start=st.dates(date(2023, 12, 1), date(2024, 2, 10)),
    zone=st.sampled_from(["UTC", "Europe/Berlin", "America/New_York"]),
)
def test_covered_and_payable_are_the_charge(used: int, left: int, more: int, start: date, zone: str) -> None:
    begins = utc(start.year, start.month, start.day)
    reserves = (balance(f"{D(left).scaleb(-2)}", start_date=begins), commitment(f"{D(more).scaleb(-2)}"))
    on = OnPlan(
        prices=[priced([("0", "1", "0.0123"), ("1000", "0", "0.0077")])],
        standing="9.99",
        zone=parse_zone(zone),
    )
    inputs: BillInputs = on.bill(str(used))
    draft = calculate_bill(with_ledger(inputs, *reserves, commitments=()))
    plain = calculate_bill(inputs)
    taken = {
        r.of.id: sum((x.drawn.amount for x in draft.lines if x.drawn and x.drawn.of_id == r.of.id), ZERO)
        for r in reserves
    }
    assert draft.total + sum(taken.values(), ZERO) == plain.total
    assert draft.total >= ZERO
    for reserve in reserves:
        assert ZERO <= taken[reserve.of.id] <= max(ZERO, reserve.left)
