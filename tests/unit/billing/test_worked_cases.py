"""Bills worked out by hand where rules meet the calendar (semantics §4), the cent (§25), each other (§33)."""

from datetime import UTC, date, datetime
from decimal import Decimal
from typing import Any

import pytest

from tallystick.accounts.account_plan import ChildBillingMode
from tallystick.billing.calculate import BillInputs, calculate_bill
from tallystick.billing.calculate.inputs import CurrencyRule
from tallystick.kernel.decimals import RoundingMode
from tallystick.kernel.periods import BillingFrequency, start_of_day
from tallystick.kernel.zones import parse_zone
from tallystick.pricing.pricing import PricingType
from tests.unit.billing.drafts import (
    OnPlan,
    aggregation,
    amounts,
    balance,
    bill_inputs,
    commitment,
    counter,
    family,
    priced,
    utc,
    with_ledger,
)

D = Decimal
DOLLAR_A_GB = [priced([("0", "0", "1")])]
BY_DAYS: dict[str, Any] = {
    "running_total_bill_in_advance": False,
    "pro_rate_running_total": True,
    "pro_rate_adjustment_debit": True,
    "pro_rate_adjustment_credit": True,
}


def local_plan(zone_name: str, start: date, end: date) -> BillInputs:
    """Give a bill of $300 a month by the days of a zone, from one local midnight to another."""
    zone = parse_zone(zone_name)
    on = OnPlan(standing="300", start=start_of_day(start, zone), end=start_of_day(end, zone), zone=zone)
    return on.bill()


def june_of_seats(*held: tuple[date, int], end: datetime | None = None, **price: Any) -> BillInputs:
    """Give June's bill of a plan that began in May. held: each new number of seats."""
    bands = price.pop("bands", [("0", "0", "2")])
    terms = OnPlan(counters=[counter(bands, **price)], start=utc(2024, 5, 1), end=end).terms(1)
    values = tuple((day, D(value)) for day, value in held)
    return bill_inputs([terms], {}, counters={("account", "seats"): values})


def in_cents(places: int, mode: RoundingMode) -> dict[str, CurrencyRule]:
    return {"USD": CurrencyRule(places, mode)}


def credited(*prices: str) -> OnPlan:
    made = [
        priced([("0", "0", price)], aggregation(f"Free {n}"), f"free{n}", type=PricingType.PRODUCT_CREDIT)
        for n, price in enumerate(prices)
    ]
    return OnPlan(prices=[*DOLLAR_A_GB, *made])


@pytest.mark.parametrize(
    ("inputs", "lines"),
    [
        # --- the calendar
        pytest.param(
            OnPlan(standing="100", start=utc(2024, 3, 10), epoch=date(2024, 1, 31)).bill(),
            ["STANDING_CHARGE 67.74"],
            id="epoch on the 31st: 21 of the 31 days from February 29 to March 31",
        ),
        pytest.param(
            OnPlan(standing="366", start=utc(2024, 2, 29), frequency=BillingFrequency.ANNUALLY).bill(),
            ["STANDING_CHARGE 307.00"],
            id="a leap year from its leap day: 307 of 366 days",
        ),
        pytest.param(
            OnPlan(
                standing="100",
                minimum="50",
                prices=DOLLAR_A_GB,
                start=utc(2024, 1, 10, 10),
                end=utc(2024, 1, 10, 14),
            ).bill("7"),
            ["USAGE 7.00"],
            id="four hours of a plan: its usage, and no day of anything else",
        ),
        pytest.param(
            local_plan("America/Santiago", date(2024, 9, 8), date(2024, 9, 20)),
            ["STANDING_CHARGE 120.00"],
            id="Santiago, from a day that begins at 01:00: 12 of 30 days",
        ),
        pytest.param(
            local_plan("America/Santiago", date(2024, 4, 1), date(2024, 4, 7)),
            ["STANDING_CHARGE 60.00"],
            id="Santiago, up to a midnight that comes twice: 6 of 30 days",
        ),
        pytest.param(
            local_plan("Australia/Lord_Howe", date(2024, 4, 7), date(2024, 5, 1)),
            ["STANDING_CHARGE 240.00"],
            id="Lord Howe, from a day of 24.5 hours: 24 of 30 days",
        ),
        pytest.param(
            local_plan("Africa/Casablanca", date(2024, 3, 10), date(2024, 4, 1)),
            ["STANDING_CHARGE 212.90"],
            id="Casablanca, through Ramadan: 22 of 31 days",
        ),
        # --- counters
        pytest.param(
            june_of_seats(
                (date(2024, 5, 3), 15),
                (date(2024, 6, 10), 25),
                (date(2024, 6, 20), 18),
                (date(2024, 6, 30), 21),
                bands=[("0", "0", "2"), ("20", "0", "3")],
                cumulative=True,
                **BY_DAYS,
            ),
            [
                "COUNTER_RUNNING_TOTAL_CHARGE 30.00",  # 15 x 2
                "COUNTER_ADJUSTMENT_DEBIT 17.50",  # (55 - 30) x 21/30
                "COUNTER_ADJUSTMENT_CREDIT -6.97",  # (36 - 55) x 11/30
                "COUNTER_ADJUSTMENT_DEBIT 0.23",  # (43 - 36) x 1/30
            ],
            id="three changes across a tier, by days",
        ),
        pytest.param(
            june_of_seats(
                (date(2024, 5, 3), 20), (date(2024, 6, 10), 21), bands=[("0", "0", "2"), ("20", "0", "1.5")]
            ),
            ["COUNTER_RUNNING_TOTAL_CHARGE 40.00", "COUNTER_ADJUSTMENT_DEBIT -8.50"],
            id="volume: 21 x 1.5 - 20 x 2, a seat more costs less",
        ),
        pytest.param(
            june_of_seats((date(2024, 5, 3), 10), (date(2024, 6, 11), 0), end=utc(2024, 6, 16), **BY_DAYS),
            ["COUNTER_RUNNING_TOTAL_CHARGE 10.00", "COUNTER_ADJUSTMENT_CREDIT -3.33"],
            id="none held from June 11, the plan ends on the 16th: 20 x 15/30, 20 x 5/30",
        ),
        # --- places and rounding
        *(
            pytest.param(
                OnPlan(prices=[priced([("0", "0", "2.5")])]).bill("1", currencies=in_cents(0, mode)),
                [f"USAGE {amount}"],
                id=f"2.5 without places, {mode.value}",
            )
            for mode, amount in (
                (RoundingMode.UP, 3),
                (RoundingMode.DOWN, 2),
                (RoundingMode.CEILING, 3),
                (RoundingMode.FLOOR, 2),
                (RoundingMode.HALF_UP, 3),
                (RoundingMode.HALF_DOWN, 2),
                (RoundingMode.HALF_EVEN, 2),
            )
        ),
        pytest.param(
            OnPlan(standing="100", end=utc(2024, 1, 11)).bill(currencies=in_cents(3, RoundingMode.UP)),
            ["STANDING_CHARGE 32.259"],
            id="three places, up: 100 x 10/31 = 32.25806",
        ),
        pytest.param(
            OnPlan(minimum="100.5", prices=[priced([("0", "0", "0.4")])]).bill(
                "1", currencies=in_cents(0, RoundingMode.HALF_UP)
            ),
            ["USAGE 0", "MINIMUM_SPEND 101"],
            id="a minimum without places: 0.4 is 0, 100.5 is 101",
        ),
        # --- families and credits
        pytest.param(
            family(
                OnPlan(prices=[priced([("0", "0", "0.1")])]),
                {"account": "10", "east": "-4", "south": "1", "west": "1"},
                ChildBillingMode.PARENT_BREAKDOWN,
            ),
            ["USAGE 0.67", "USAGE 0.07", "USAGE 0.06"],
            id="one below nothing: 0.80 by 10, 1 and 1; 0.666… + 0.0666… + 0.0666…",
        ),
        pytest.param(
            credited("0.7", "0.7").bill("10"),
            ["USAGE 10.00", "USAGE_CREDIT -7.00", "USAGE_CREDIT -3.00"],
            id="two credits of 7 for usage of 10",
        ),
        # --- what is drawn
        pytest.param(
            with_ledger(
                OnPlan(standing="10", prices=[priced([("0", "0", "0.46")])]).bill("20000"),
                commitment("5800", overage_surcharge_percent=D(1)),
                commitments=(),
            ),
            [
                "USAGE 9200.00",
                "STANDING_CHARGE 10.00",
                "OVERAGE_SURCHARGE 34.10",  # (9200 - 5790) x 1 %
                "COMMITMENT_CONSUMED -10.00",
                "COMMITMENT_CONSUMED -5790.00",
            ],
            id="exhausted on this bill",
        ),
        pytest.param(
            with_ledger(
                OnPlan(prices=DOLLAR_A_GB).bill("310"),
                balance(
                    "1000",
                    start_date=utc(2023, 1, 1),
                    end_date=utc(2024, 1, 11),
                    rollover_end_date=utc(2024, 1, 21),
                    rollover_amount=D(50),
                ),
            ),
            ["USAGE 310.00", "BALANCE_CONSUMED -100.00", "BALANCE_CONSUMED -50.00"],
            id="ends on the 11th, 50 of it last until the 21st: 310 x 10/31, then of 100 only 50",
        ),
        pytest.param(
            with_ledger(
                OnPlan(standing="20").bill(rates={("EUR", "USD"): D("1.12")}), balance("10", currency="EUR")
            ),
            ["STANDING_CHARGE 20.00", "BALANCE_CONSUMED -11.20"],
            id="10 euros cover 11.20 dollars",
        ),
    ],
)
def test_by_hand(inputs: BillInputs, lines: list[str]) -> None:
    assert [f"{kind} {amount}" for kind, amount in amounts(calculate_bill(inputs))] == lines


@pytest.mark.parametrize(
    ("zone", "day", "begins"),
    [
        ("America/Santiago", date(2024, 9, 8), datetime(2024, 9, 8, 4, tzinfo=UTC)),  # midnight is left out
        ("America/Santiago", date(2024, 4, 7), datetime(2024, 4, 7, 4, tzinfo=UTC)),  # after the second 23:00
        ("Australia/Lord_Howe", date(2024, 4, 7), datetime(2024, 4, 6, 13, tzinfo=UTC)),
        ("Australia/Lord_Howe", date(2024, 4, 8), datetime(2024, 4, 7, 13, 30, tzinfo=UTC)),
    ],
)
def test_a_day_begins(zone: str, day: date, begins: datetime) -> None:
    assert start_of_day(day, parse_zone(zone)) == begins
