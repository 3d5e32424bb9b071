"""Which bills are due: each account plan's period, and the account plans that share a bill. Pure."""

from collections.abc import Callable, Iterable, Mapping
from datetime import date, datetime, timedelta, tzinfo
from decimal import Decimal

import msgspec

from tallystick.accounts.account import Account
from tallystick.accounts.account_plan import AccountPlan
from tallystick.accounts.contract import Contract
from tallystick.kernel.periods import (
    BillingCycle,
    BillingFrequency,
    BillingPeriod,
    DateSpan,
    Period,
    latest_period_closed_by,
    period_containing,
    period_ending,
)
from tallystick.organizations.bill_grouping_key import BillGroupingKey
from tallystick.organizations.organization_config import InvoiceDate, OrganizationConfig
from tallystick.pricing.plan_template import PlanTemplate

WITHOUT_PERIODS = frozenset({BillingFrequency.AD_HOC, BillingFrequency.MIXED})
CONSOLIDATED = "ALL"


class Selection(msgspec.Struct, frozen=True, kw_only=True):
    """Which bills are asked for, and what a job says otherwise than the organization.

    last_date: the last day of the period; None asks for the latest one closed by `bill_date`.
    is_current: the period that `bill_date` is in, which has not closed.
    given_bill_date, due_date, external_invoice_date: what a job sets on its bills; None where it does not.
    consolidates: all that closes on one day shares a bill, whatever its frequency.
    """

    zone: tzinfo
    timezone: str
    epochs: Mapping[BillingFrequency, date]
    bill_date: date
    last_date: date | None = None
    is_current: bool = False
    frequency: BillingFrequency | None = None
    interval: int | None = None
    given_bill_date: date | None = None
    due_date: date | None = None
    external_invoice_date: date | None = None
    currency: str | None = None
    rates: Mapping[tuple[str, str], Decimal] = {}
    consolidates: bool = False

    def wants(self, frequency: BillingFrequency, interval: int) -> bool:
        """Tell whether plans of this frequency and interval are asked for."""
        is_wanted = self.frequency in {None, frequency} and self.interval in {None, interval}
        return is_wanted and frequency not in WITHOUT_PERIODS


class Frame(msgspec.Struct, frozen=True):
    """The contract that something is billed under, with its grouping key."""

    contract: Contract
    key: BillGroupingKey | None = None

    @property
    def group(self) -> str | None:
        """Name what it shares bills with: the key's contracts, only itself, or (None) the account's rest."""
        if self.key is None:
            return None
        return self.contract.id if self.key.exclusive else self.key.id

    def limits(self, zone: tzinfo) -> Period | None:
        """Give the time outside of which nothing is billed, if it is limited (semantics §21)."""
        contract = self.contract
        if not contract.apply_contract_period_limits:
            return None
        return DateSpan(contract.start_date, contract.end_date).instants(zone)


class Attached(msgspec.Struct, frozen=True):
    """An account plan with what says when it is billed."""

    account_plan: AccountPlan
    template: PlanTemplate
    frame: Frame | None = None

    def active(self, zone: tzinfo) -> Period:
        """Give when it is active: by its own dates, and by its contract's where that limits it."""
        own = Period.of(self.account_plan.start_date, self.account_plan.end_date)
        limits = self.frame.limits(zone) if self.frame else None
        return own if limits is None else own.intersect(limits)


class DuePlan(msgspec.Struct, frozen=True):
    """An account plan with the period that is due."""

    account_plan: AccountPlan
    template: PlanTemplate
    cycle: BillingCycle
    period: BillingPeriod
    active: Period
    frame: Frame | None = None


class DueBill(msgspec.Struct, frozen=True, kw_only=True):
    """A bill that is due. dates: from the first of its plans' starts to their common end.

    grouping: which of the account's bills of that end it is (`grouping_of`).
    """

    account: Account
    grouping: str
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


def grouping_of(selection: Selection, frequency: BillingFrequency, interval: int, frame: Frame | None) -> str:
    """Name which of an account's bills of one end something belongs on: what shares a bill has one name.

    By frequency and interval, unless the organization consolidates; by contract, where its grouping key
    says so (semantics §21, §22). An account has one bill of each name and end.
    """
    own = CONSOLIDATED if selection.consolidates else f"{frequency.value}:{interval}"
    group = frame.group if frame else None
    return own if group is None else f"{own}:{group}"


def is_consolidated(grouping: str) -> bool:
    """Tell whether a bill of this name holds all frequencies."""
    return grouping.partition(":")[0] == CONSOLIDATED


def is_of_contracts(grouping: str) -> bool:
    """Tell whether a bill of this name is apart from the account's rest, for its contracts say so."""
    return grouping.count(":") > (0 if is_consolidated(grouping) else 1)


def due_bills(
    selection: Selection, account: Account, due_of: Callable[[Selection], Iterable[DuePlan]]
) -> list[DueBill]:
    """Give the bills of one account: one for each end of period and what shares it.

    An account plan is on the bill if it is active in the period, if only for a part of it. Plans that
    end their period on the same day share a bill, wherever they started. due_of: gives the plans that are
    due under a selection: the account's own, and a parent's that bill it its usage (semantics §17).
    A consolidated bill holds all that ends with a plan that was asked for, also what was not.
    """
    due = list(due_of(selection))
    if selection.consolidates:
        ends = sorted({plan.period.dates.end for plan in due})
        due = [plan for end in ends for plan in due_of(all_ending(selection, end))]
    groups: dict[tuple[date, str], list[DuePlan]] = {}
    for plan in due:
        name = grouping_of(selection, plan.cycle.frequency, plan.cycle.interval, plan.frame)
        groups.setdefault((plan.period.dates.end, name), []).append(plan)
    return [_due_bill(account, end, name, groups[end, name]) for end, name in sorted(groups)]


class Closing(msgspec.Struct, frozen=True):
    """What closes for some accounts under a selection. due_of: by account, as `due_bills` asks."""

    selection: Selection
    accounts: Mapping[str, Account]
    due_of: Mapping[str, Callable[[Selection], Iterable[DuePlan]]]

    def bills(self) -> list[DueBill]:
        """Give the bills that are due."""
        asked = self.selection
        return [b for i, account in self.accounts.items() for b in due_bills(asked, account, self.due_of[i])]

    def on(self, account_id: str, end: date) -> list[DueBill]:
        """Give the bills of an account of all that closes on a day, whatever frequency is asked for."""
        asked = all_ending(self.selection, end)
        return due_bills(asked, self.accounts[account_id], self.due_of[account_id])


def all_ending(selection: Selection, end: date) -> Selection:
    """Select all periods that end on a day, of any frequency."""
    last_date = end - timedelta(days=1)
    return msgspec.structs.replace(
        selection, last_date=last_date, is_current=False, frequency=None, interval=None
    )


def _due_bill(account: Account, end: date, grouping: str, plans: list[DuePlan]) -> DueBill:
    frequencies = {(plan.cycle.frequency, plan.cycle.interval) for plan in plans}
    frequency, interval = frequencies.pop() if len(frequencies) == 1 else (BillingFrequency.MIXED, 1)
    return DueBill(
        account=account,
        grouping=grouping,
        frequency=frequency,
        interval=interval,
        dates=DateSpan(min(plan.period.dates.start for plan in plans), end),
        plans=tuple(sorted(plans, key=_place)),
    )


def _place(due: DuePlan) -> tuple[datetime, str, str]:
    plan = due.account_plan
    return plan.start_date, plan.id, plan.plan_id or ""


def due_plan(selection: Selection, account: Account, attached: Attached) -> DuePlan | None:
    """Give an account plan's period that is due; None when it has none, or is not active in it.

    Where its contract limits it, it is active only as long as that holds.
    """
    account_plan, template, frame = attached.account_plan, attached.template, attached.frame
    frequency, interval = template.frequency
    if not selection.wants(frequency, interval):
        return None
    epoch = account_plan.bill_epoch or account.bill_epoch or selection.epochs[frequency]
    cycle = BillingCycle(epoch, frequency, interval)
    active = attached.active(selection.zone)
    if active.is_empty:
        return None
    starting = active.local_dates(selection.zone).start
    if selection.is_current:
        period = period_containing(cycle, starting, selection.bill_date)
    elif selection.last_date is None:
        period = latest_period_closed_by(cycle, starting, selection.bill_date)
    else:
        period = period_ending(cycle, starting, selection.last_date)
    if period is None or active.intersect(period.dates.instants(selection.zone)).is_empty:
        return None
    return DuePlan(account_plan, template, cycle, period, active, frame)


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
