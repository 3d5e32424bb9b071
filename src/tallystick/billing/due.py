"""Which bills are due: each account plan's period, and the account plans that share a bill. Pure."""

from collections.abc import Iterable, Mapping
from datetime import date, timedelta, tzinfo
from decimal import Decimal

import msgspec

from tallystick.accounts.account import Account
from tallystick.accounts.account_plan import AccountPlan
from tallystick.kernel.periods import (
    BillingCycle,
    BillingFrequency,
    BillingPeriod,
    DateSpan,
    Period,
    latest_period_closed_by,
    period_ending,
)
from tallystick.organizations.organization_config import InvoiceDate, OrganizationConfig
from tallystick.pricing.plan_template import PlanTemplate

WITHOUT_PERIODS = frozenset({BillingFrequency.AD_HOC, BillingFrequency.MIXED})


class Selection(msgspec.Struct, frozen=True, kw_only=True):
    """Which bills are asked for, and what a job says otherwise than the organization.

    last_date: the last day of the period; None asks for the latest one closed by `bill_date`.
    given_bill_date, due_date, external_invoice_date: what a job sets on its bills; None where it does not.
    """

    zone: tzinfo
    timezone: str
    epochs: Mapping[BillingFrequency, date]
    bill_date: date
    last_date: date | None = None
    frequency: BillingFrequency | None = None
    interval: int | None = None
    given_bill_date: date | None = None
    due_date: date | None = None
    external_invoice_date: date | None = None
    currency: str | None = None
    rates: Mapping[tuple[str, str], Decimal] = {}

    def wants(self, frequency: BillingFrequency, interval: int) -> bool:
        """Tell whether plans of this frequency and interval are asked for."""
        is_wanted = self.frequency in {None, frequency} and self.interval in {None, interval}
        return is_wanted and frequency not in WITHOUT_PERIODS


class DuePlan(msgspec.Struct, frozen=True):
    """An account plan with the period that is due."""

    account_plan: AccountPlan
    template: PlanTemplate
    cycle: BillingCycle
    period: BillingPeriod
    active: Period


class DueBill(msgspec.Struct, frozen=True, kw_only=True):
    """A bill that is due. dates: from the first of its plans' starts to their common end."""

    account: Account
    frequency: BillingFrequency
    interval: int
    dates: DateSpan
    plans: tuple[DuePlan, ...]


def epochs_of(
    config: OrganizationConfig, overrides: Mapping[str, date | None]
) -> dict[BillingFrequency, date]:
    """Give the organization's epochs, or those that a job names instead (semantics §4)."""
    names = {
        BillingFrequency.DAILY: "day_epoch",
        BillingFrequency.WEEKLY: "week_epoch",
        BillingFrequency.MONTHLY: "month_epoch",
        BillingFrequency.ANNUALLY: "year_epoch",
    }
    return {f: overrides.get(name) or getattr(config, name) for f, name in names.items()}


def due_bills(
    selection: Selection,
    account: Account,
    plans: Iterable[tuple[AccountPlan, PlanTemplate]],
    lent: Iterable[DuePlan] = (),
) -> list[DueBill]:
    """Give the bills of one account: one for each frequency, interval and end of period.

    An account plan is on the bill if it is active in the period, if only for a part of it. Plans that
    end their period on the same day share a bill, wherever they started. lent: a parent's plans that are
    due, and bill this account its usage (semantics §17).
    """
    groups: dict[tuple[BillingFrequency, int, date], list[DuePlan]] = {}
    own = (due_plan(selection, account, account_plan, template) for account_plan, template in plans)
    for due in (*own, *lent):
        if due is not None:
            key = (due.cycle.frequency, due.cycle.interval, due.period.dates.end)
            groups.setdefault(key, []).append(due)
    return [
        DueBill(
            account=account,
            frequency=frequency,
            interval=interval,
            dates=DateSpan(min(p.period.dates.start for p in group), end),
            plans=tuple(sorted(group, key=lambda p: (p.account_plan.start_date, p.account_plan.id))),
        )
        for (frequency, interval, end), group in groups.items()
    ]


def due_plan(
    selection: Selection, account: Account, account_plan: AccountPlan, template: PlanTemplate
) -> DuePlan | None:
    """Give an account plan's period that is due; None when it has none, or is not active in it."""
    frequency, interval = template.bill_frequency, template.bill_frequency_interval or 1
    if not selection.wants(frequency, interval):
        return None
    epoch = account_plan.bill_epoch or account.bill_epoch or selection.epochs[frequency]
    cycle = BillingCycle(epoch, frequency, interval)
    active = Period.of(account_plan.start_date, account_plan.end_date)
    starting = active.local_dates(selection.zone).start
    if selection.last_date is None:
        period = latest_period_closed_by(cycle, starting, selection.bill_date)
    else:
        period = period_ending(cycle, starting, selection.last_date)
    if period is None or active.intersect(period.dates.instants(selection.zone)).is_empty:
        return None
    return DuePlan(account_plan, template, cycle, period, active)


def due_date_of(selection: Selection, account: Account, config: OrganizationConfig, bill_date: date) -> date:
    """Give the day by which a bill is to be paid (semantics §3)."""
    days = account.days_before_bill_due or config.days_before_bill_due
    return selection.due_date or bill_date + timedelta(days=days)


def external_invoice_date_of(selection: Selection, config: OrganizationConfig, dates: DateSpan) -> date:
    """Give the day that the invoice carries outside (semantics §3, §4)."""
    if selection.external_invoice_date is not None:
        return selection.external_invoice_date
    last_day = config.external_invoice_date is InvoiceDate.LAST_DAY_OF_ARREARS
    return dates.last_date if last_day else dates.end
