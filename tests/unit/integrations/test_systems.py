"""Which systems can be named, how runs stand, and when too much failed (semantics §29)."""

import pytest

from tallystick.integrations.config import MOST_FAILURES, TriggerType
from tallystick.integrations.registry import Registry
from tallystick.integrations.run import TO_RUN, RunStatus
from tallystick.notifications import attempts
from tallystick.platform.external_systems import ExternalSystem

LISTED = (
    "WEBHOOK NETSUITE STRIPE STRIPE_TEST AWS PADDLE PADDLE_SANDBOX SALESFORCE XERO CHARGEBEE"
    " QUICKBOOKS QUICKBOOKS_SANDBOX M3TER"
)
STATUSES = (
    "WAITING STARTED COMPLETE ERROR AWAITING_RETRY AUTH_FAILED ACCOUNTING_PERIOD_CLOSED"
    " INVOICE_ALREADY_PAID DISABLED TIMEOUT_LIMIT_EXCEEDED RATE_LIMIT_RETRY"
)


def test_the_systems_and_statuses_are_those_of_the_section() -> None:
    assert {each.value for each in ExternalSystem} == set(LISTED.split())
    assert {each.value for each in RunStatus} == set(STATUSES.split())
    assert {each.value for each in TriggerType} == {"EVENT", "SCHEDULE"}
    assert RunStatus.COMPLETE not in TO_RUN


def test_ten_failures_in_a_row_switch_off() -> None:
    assert MOST_FAILURES == attempts.MOST_FAILURES == 10


@pytest.mark.parametrize("name", [*LISTED.split(), "Webhook", "stripe"])
def test_each_can_be_configured_in_whichever_case(name: str) -> None:
    system = Registry(()).system(name)
    assert system is not None
    assert system.name == name.upper()
