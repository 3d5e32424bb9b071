"""What an organization's configuration can be (semantics §3)."""

from collections.abc import Mapping
from datetime import date
from typing import Any

import msgspec
import pytest

from tallystick.organizations.organization_config import (
    CreditType,
    InvoiceDate,
    OrganizationConfig,
    StatementMode,
    default_config,
)
from tallystick.platform.resources import resource_of
from tallystick.platform.resources.transaction import from_request
from tallystick.platform.resources.wire import InvalidBody, encode, parse, read

REQUEST = resource_of(OrganizationConfig).request_type


def problems(**changed: Any) -> dict[str, str]:
    """Give the problems of a configuration as JSON has it: those of its form, else those of its values."""
    try:
        request = read({**parse(encode(default_config())), **changed}, REQUEST)
    except InvalidBody as error:
        return {each.field: each.code for each in error.problems}
    return {each.field: each.code for each in from_request(OrganizationConfig, request).check()}


def test_the_defaults_are_those_of_the_section() -> None:
    config = default_config()
    assert (config.timezone, config.currency) == ("UTC", "USD")
    epochs = (config.year_epoch, config.month_epoch, config.week_epoch, config.day_epoch)
    assert epochs == (date(2022, 1, 1), date(2022, 1, 1), date(2022, 1, 4), date(2022, 1, 1))
    assert config.external_invoice_date is InvoiceDate.FIRST_DAY_OF_NEXT_PERIOD
    assert config.auto_generate_statement_mode is StatementMode.NONE
    assert config.credit_application_order == [CreditType.PREPAYMENT, CreditType.BALANCE]
    assert (config.allow_negative_balances, config.allow_overlapping_plans) == (False, False)
    assert (config.bill_prefix, config.scheduled_bill_interval) == (None, None)
    assert list(config.check()) == []


@pytest.mark.parametrize(
    "changed",
    [
        *({"scheduledBillInterval": hours} for hours in (0, 0.25, 0.5, 1, 2, 3, 4, 6, 8, 12, 24)),
        *({"scheduledBillInterval": 24, "scheduledBillOffset": hour} for hour in (0, 23)),
        *(
            {"creditApplicationOrder": order}
            for order in (["PREPAYMENT", "BALANCE"], ["BALANCE", "PREPAYMENT"], ["PREPAYMENT"], ["BALANCE"])
        ),
        *({"timezone": zone} for zone in ("UTC+1:00", "GMT+1:00", "GMT+1", "+1:00", "+1", "Europe/Berlin")),
        {"autoApproveBillsGracePeriod": 1, "autoApproveBillsGracePeriodUnit": "MINUTES"},
        {"currencyConversions": [{"from": "EUR", "to": "USD", "multiplier": 1.12}]},
        {"daysBeforeBillDue": 1},
        {"externalInvoiceDate": "LAST_DAY_OF_ARREARS", "autoGenerateStatementMode": "JSON_AND_CSV"},
    ],
    ids=str,
)
def test_what_can_be(changed: Mapping[str, Any]) -> None:
    exact = parse(msgspec.json.encode(changed))
    assert problems(**exact) == {}


@pytest.mark.parametrize(
    ("changed", "expected"),
    [
        ({"timezone": "Europe/Atlantis"}, {"timezone": "unknown_timezone"}),
        ({"monthEpoch": "2022-02-30"}, {"monthEpoch": "wrong_format"}),
        ({"currency": ""}, {"currency": "wrong_length"}),
        (
            {"currencyConversions": [{"from": "EUR", "to": "USD", "multiplier": 0}]},
            {"currencyConversions[0].multiplier": "out_of_range"},
        ),
        (
            {"currencyConversions": [{"from": "EUR", "to": "USD"}] * 2},
            {"currencyConversions[1]": "duplicate"},
        ),
        ({"daysBeforeBillDue": 0}, {"daysBeforeBillDue": "out_of_range"}),
        ({"scheduledBillInterval": 5}, {"scheduledBillInterval": "unknown_value"}),
        ({"scheduledBillInterval": -1}, {"scheduledBillInterval": "unknown_value"}),
        ({"scheduledBillInterval": 12, "scheduledBillOffset": 1}, {"scheduledBillOffset": "not_applicable"}),
        ({"scheduledBillOffset": 1}, {"scheduledBillOffset": "not_applicable"}),
        ({"scheduledBillInterval": 24, "scheduledBillOffset": 24}, {"scheduledBillOffset": "out_of_range"}),
        ({"scheduledBillInterval": 24, "scheduledBillOffset": -1}, {"scheduledBillOffset": "out_of_range"}),
        ({"autoApproveBillsGracePeriod": 2}, {"autoApproveBillsGracePeriodUnit": "required"}),
        ({"autoApproveBillsGracePeriodUnit": "HOURS"}, {"autoApproveBillsGracePeriod": "required"}),
        (
            {"autoApproveBillsGracePeriod": 0, "autoApproveBillsGracePeriodUnit": "HOURS"},
            {"autoApproveBillsGracePeriod": "out_of_range"},
        ),
        ({"autoApproveBillsGracePeriodUnit": "WEEKS"}, {"autoApproveBillsGracePeriodUnit": "unknown_value"}),
        ({"externalInvoiceDate": "TODAY"}, {"externalInvoiceDate": "unknown_value"}),
        ({"autoGenerateStatementMode": "PDF"}, {"autoGenerateStatementMode": "unknown_value"}),
        ({"creditApplicationOrder": []}, {"creditApplicationOrder": "wrong_length"}),
        ({"creditApplicationOrder": ["BALANCE", "BALANCE"]}, {"creditApplicationOrder[1]": "duplicate"}),
        ({"sequenceStartNumber": -1}, {"sequenceStartNumber": "out_of_range"}),
    ],
    ids=str,
)
def test_what_cannot_be(changed: Mapping[str, Any], expected: Mapping[str, str]) -> None:
    assert problems(**changed) == expected
