"""How an organization bills: zone, epochs, currency, and the defaults that plans and accounts override."""

from collections.abc import Iterator
from datetime import date, tzinfo
from decimal import Decimal
from enum import StrEnum
from typing import Annotated

import msgspec
from msgspec import Meta

from tallystick.kernel.errors import Invalid
from tallystick.kernel.problems import Problem
from tallystick.kernel.zones import parse_zone
from tallystick.organizations.currency import DEFAULT_CURRENCY, chosen_currency
from tallystick.platform.resources import AMOUNT, Entity, Positive, Ref, Transaction, resource
from tallystick.platform.resources.checks import no_repeats
from tallystick.platform.resources.fields import DescribedAsText, Id

SCHEDULED_BILL_INTERVALS = tuple(
    Decimal(h) for h in ("0", "0.25", "0.5", "1", "2", "3", "4", "6", "8", "12", "24")
)
ONCE_A_DAY = Decimal(24)


class TimePeriodUnit(StrEnum):
    """The unit of the grace period."""

    MINUTES = "MINUTES"
    HOURS = "HOURS"
    DAYS = "DAYS"


class InvoiceDate(StrEnum):
    """Which day of a billing period an invoice carries outside (semantics §3, §4)."""

    LAST_DAY_OF_ARREARS = "LAST_DAY_OF_ARREARS"
    FIRST_DAY_OF_NEXT_PERIOD = "FIRST_DAY_OF_NEXT_PERIOD"


class StatementMode(StrEnum):
    """Which statement files an approved bill gets by itself."""

    NONE = "NONE"
    JSON = "JSON"
    JSON_AND_CSV = "JSON_AND_CSV"


class CreditType(StrEnum):
    """What a bill may be paid from."""

    PREPAYMENT = "PREPAYMENT"
    BALANCE = "BALANCE"


class CurrencyConversion(msgspec.Struct, rename={"from_currency": "from", "to_currency": "to"}, kw_only=True):
    """One unit of `from` is `multiplier` units of `to`."""

    from_currency: Annotated[str, Meta(min_length=1)]
    to_currency: Annotated[str, Meta(min_length=1)]
    multiplier: Positive = Decimal(1)


PositiveInt = Annotated[int, Meta(gt=0, le=2**31 - 1)]


@resource("organizationconfig", event="configuration.organizationconfig", singleton=True)
class OrganizationConfig(Entity, kw_only=True):
    """The billing configuration of an organization (semantics §3)."""

    timezone: str
    year_epoch: date
    month_epoch: date
    week_epoch: date
    day_epoch: date
    currency: Annotated[str, Meta(min_length=1)]
    currency_conversions: list[CurrencyConversion] = []
    days_before_bill_due: PositiveInt
    scheduled_bill_interval: Annotated[Decimal | None, AMOUNT] = None
    scheduled_bill_offset: Annotated[int, Meta(ge=0, le=23)] | None = None
    standing_charge_bill_in_advance: bool = False
    commitment_fee_bill_in_advance: bool = False
    minimum_spend_bill_in_advance: bool = False
    pro_rate_minimum_spend: bool = True
    "Beyond the original API: a minimum is owed by active days; False owes it whole for each period touched."
    auto_approve_bills_grace_period: PositiveInt | None = None
    auto_approve_bills_grace_period_unit: Annotated[TimePeriodUnit | None, DescribedAsText()] = None
    external_invoice_date: Annotated[InvoiceDate, DescribedAsText()] = InvoiceDate.FIRST_DAY_OF_NEXT_PERIOD
    suppressed_empty_bills: bool = False
    consolidate_bills: bool = False
    default_statement_definition_id: Annotated[Id | None, Ref("statementdefinitions")] = None
    auto_generate_statement_mode: StatementMode = StatementMode.NONE
    credit_application_order: list[CreditType] = msgspec.field(default_factory=lambda: list(CreditType))
    allow_negative_balances: bool = False
    allow_overlapping_plans: bool = False
    bill_prefix: str | None = None
    sequence_start_number: Annotated[int, Meta(ge=0, le=2**31 - 1)] | None = None

    def check(self) -> Iterator[Problem]:
        """Values that only make sense together, or only in some forms."""
        try:
            parse_zone(self.timezone)
        except Invalid as error:
            yield Problem("timezone", "unknown_timezone", error.message)
        if (
            self.scheduled_bill_interval is not None
            and self.scheduled_bill_interval not in SCHEDULED_BILL_INTERVALS
        ):
            allowed = ", ".join(str(h) for h in SCHEDULED_BILL_INTERVALS)
            yield Problem(
                "scheduledBillInterval", "unknown_value", f"must be one of {allowed} hours; 0 is off"
            )
        if self.scheduled_bill_offset is not None and self.scheduled_bill_interval != ONCE_A_DAY:
            yield Problem(
                "scheduledBillOffset", "not_applicable", "is only used with a scheduledBillInterval of 24"
            )
        if (self.auto_approve_bills_grace_period is None) != (
            self.auto_approve_bills_grace_period_unit is None
        ):
            missing = "" if self.auto_approve_bills_grace_period is None else "Unit"
            name = f"autoApproveBillsGracePeriod{missing}"
            yield Problem(name, "required", "give both the grace period and its unit, or neither")
        if not self.credit_application_order:
            yield Problem("creditApplicationOrder", "wrong_length", "name PREPAYMENT, BALANCE, or both")
        yield from no_repeats(
            "creditApplicationOrder[{i}]", self.credit_application_order, "{value} stands twice"
        )
        pairs = [(c.from_currency, c.to_currency) for c in self.currency_conversions]
        yield from no_repeats("currencyConversions[{i}]", pairs, "this pair is converted twice")

    def check_stored(self, tx: Transaction, old: Entity | None) -> Iterator[Problem]:
        """The billing currency exists."""
        yield from chosen_currency(tx, self.currency, old)


def default_config() -> OrganizationConfig:
    """Make the configuration that a new organization starts with (semantics §3)."""
    return OrganizationConfig(
        timezone="UTC",
        year_epoch=date(2022, 1, 1),
        month_epoch=date(2022, 1, 1),
        week_epoch=date(2022, 1, 4),
        day_epoch=date(2022, 1, 1),
        currency=DEFAULT_CURRENCY,
        days_before_bill_due=30,
    )


def config_of(tx: Transaction) -> OrganizationConfig:
    """Give the organization's configuration, which it has from its start."""
    return tx.find(OrganizationConfig)[0]


def organization_zone(tx: Transaction) -> tzinfo:
    """Give the zone that the organization's local dates are in."""
    return parse_zone(config_of(tx).timezone)
