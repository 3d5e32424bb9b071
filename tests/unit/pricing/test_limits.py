"""The limits of what plans, prices, bill jobs and currencies are asked with, on both sides of each."""

from decimal import Decimal
from typing import Any
from uuid import uuid4

import pytest

from tallystick.accounts.account import Account
from tallystick.api.bills import ApproveBillsRequest, BillJobRecalculateRequest
from tallystick.billing.bill_job import BillJob
from tallystick.billing.memo import CreditLineItem
from tallystick.organizations.currency import Currency
from tallystick.platform.resources import resource_of
from tallystick.platform.resources.wire import InvalidBody, read
from tallystick.pricing.counter_pricing import CounterPricing
from tallystick.pricing.plan_template import PlanTemplate
from tallystick.pricing.pricing import Pricing
from tallystick.usage.counter_adjustment import CounterAdjustment

D = Decimal
ID = "4a2755e8-6b3b-4eda-9038-713262a20ad1"
TEMPLATE, PRICING, COUNTER_PRICING, JOB, CURRENCY, ACCOUNT, MEMO, ADJUSTMENT = (
    resource_of(each).request_type
    for each in (
        *(PlanTemplate, Pricing, CounterPricing, BillJob),
        *(Currency, Account, CreditLineItem, CounterAdjustment),
    )
)
BAND = {"lowerLimit": 0, "fixedPrice": 0, "unitPrice": 0}
RATE = {"from": "EUR", "to": "USD", "multiplier": 1}
WHOLE: dict[Any, dict[str, Any]] = {
    TEMPLATE: {
        "name": "n",
        "productId": ID,
        "currency": "USD",
        "billFrequency": "DAILY",
        "standingCharge": 0,
    },
    PRICING: {"planId": ID, "aggregationId": ID, "startDate": "2024-01-01T00:00:00Z", "pricingBands": [BAND]},
    COUNTER_PRICING: {
        "planId": ID,
        "counterId": ID,
        "startDate": "2024-01-01T00:00:00Z",
        "pricingBands": [BAND],
    },
    JOB: {},
    CURRENCY: {"name": "n"},
    ACCOUNT: {"name": "n", "code": "c", "emailAddress": "a@example.com"},
    MEMO: {
        "amount": 1,
        "description": "d",
        "productId": ID,
        "accountingProductId": ID,
        "servicePeriodStartDate": "2024-01-01T00:00:00Z",
        "servicePeriodEndDate": "2024-02-01T00:00:00Z",
    },
    ADJUSTMENT: {"counterId": ID, "accountId": ID, "date": "2024-01-01", "value": 0},
    BillJobRecalculateRequest: {},
    ApproveBillsRequest: {},
}


def ids(count: int) -> list[str]:
    return [str(uuid4()) for _ in range(count)]


def faults(kind: Any, **values: Any) -> list[str]:
    try:
        read({**WHOLE[kind], **values}, kind)
    except InvalidBody as refused:
        return [problem.field for problem in refused.problems]
    return []


@pytest.mark.parametrize(
    ("kind", "field", "allowed", "refused"),
    [
        pytest.param(
            TEMPLATE, "billFrequency", ["WEEKLY", "MONTHLY", "ANNUALLY", "AD_HOC"], ["HOURLY"], id="§4"
        ),
        pytest.param(TEMPLATE, "billFrequencyInterval", [1, 365], [0, 366, D("1.5")], id="§4, §13 interval"),
        pytest.param(
            TEMPLATE, "standingCharge", [0, D("0.01")], [D("-0.01"), None], id="§13 standing charge"
        ),
        pytest.param(TEMPLATE, "standingChargeInterval", [1, 365], [0, 366], id="§13 its interval"),
        pytest.param(TEMPLATE, "standingChargeOffset", [0, 364], [-1, 365], id="§13 its offset"),
        pytest.param(TEMPLATE, "minimumSpend", [0, 1], [-1], id="§13 minimum"),
        pytest.param(TEMPLATE, "currency", ["USD"], [None, "DOLLARS"], id="§13 currency"),
        pytest.param(PRICING, "startDate", ["2024-01-01T00:00:00+02:00"], [None, "soon"], id="§14 start"),
        pytest.param(
            PRICING, "type", ["DEBIT", "PRODUCT_CREDIT", "GLOBAL_CREDIT"], ["CREDIT"], id="§14 type"
        ),
        pytest.param(PRICING, "pricingBands", [[BAND], [BAND] * 2], [[], None], id="§14 bands"),
        pytest.param(PRICING, "minimumSpend", [0], [-1], id="§14 minimum"),
        pytest.param(COUNTER_PRICING, "pricingBands", [[BAND]], [[], None], id="§16 bands"),
        pytest.param(ADJUSTMENT, "value", [0, 2**31 - 1], [-1, D("0.5"), 2**31, None], id="§16 value"),
        pytest.param(ADJUSTMENT, "purchaseOrderNumber", ["x" * 100], ["x" * 101], id="§16 purchase order"),
        pytest.param(JOB, "accountIds", [ids(1), ids(100)], [[], ids(101)], id="§22 accounts of a job"),
        pytest.param(JOB, "currencyConversions", [[], [RATE] * 250], [[RATE] * 251], id="§22 rates of a job"),
        pytest.param(JOB, "billFrequencyInterval", [1, 365], [0, 366], id="§22 interval of a job"),
        pytest.param(JOB, "billingFrequency", ["AD_HOC", "DAILY"], ["MIXED"], id="§22 frequency of a job"),
        pytest.param(
            BillJobRecalculateRequest, "billIds", [ids(1), ids(100)], [[], ids(101), None], id="§22 made anew"
        ),
        pytest.param(ApproveBillsRequest, "billIds", [ids(1)], [[], None], id="§22 approved"),
        pytest.param(MEMO, "amount", [D("0.01")], [0, -1, None], id="§24 amount"),
        pytest.param(MEMO, "description", ["d", "d" * 200], ["", "d" * 201, None], id="§24 description"),
        pytest.param(CURRENCY, "maxDecimalPlaces", [0, 5], [-1, 6, D("2.5")], id="§25 places"),
        pytest.param(
            CURRENCY,
            "roundingMode",
            ["UP", "DOWN", "CEILING", "FLOOR", "HALF_UP", "HALF_DOWN", "HALF_EVEN", "UNNECESSARY"],
            ["NEAREST", "half_up"],
            id="§25 modes",
        ),
        pytest.param(ACCOUNT, "daysBeforeBillDue", [1, 90], [0, -1], id="§22 days before a bill is due"),
    ],
)
def test_limits(kind: Any, field: str, allowed: list[Any], refused: list[Any]) -> None:
    for value in allowed:
        assert faults(kind, **{field: value}) == [], value
    for value in refused:
        assert faults(kind, **{field: value}) == [field], value


@pytest.mark.parametrize(("multiplier", "is_allowed"), [(D("1.12"), True), (0, False), (-1, False)])
def test_a_rate_is_above_zero(multiplier: Decimal | int, *, is_allowed: bool) -> None:
    """Semantics §25."""
    found = faults(JOB, currencyConversions=[{**RATE, "multiplier": multiplier}])
    assert found == ([] if is_allowed else ["currencyConversions[0].multiplier"])


def test_a_limit_of_a_band_is_not_below_zero_and_its_prices_may_be() -> None:
    """Semantics §14."""
    assert faults(PRICING, pricingBands=[{"lowerLimit": 0, "fixedPrice": -1, "unitPrice": -1}]) == []
    assert faults(PRICING, pricingBands=[{**BAND, "lowerLimit": -1}]) == ["pricingBands[0].lowerLimit"]
