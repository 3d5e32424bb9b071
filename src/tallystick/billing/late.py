"""Which bills late usage changes: what came in after the run that closed its period (semantics §6)."""

from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence
from datetime import datetime, timedelta

import msgspec
from sqlalchemy import select

from tallystick.accounts.account import Account
from tallystick.accounts.account_plan import AccountPlan
from tallystick.billing.bill import Bill
from tallystick.billing.slots import CATCH_UP, Slots
from tallystick.billing.usage import UsageQueries
from tallystick.kernel.periods import Period
from tallystick.platform.resources import Transaction, resource_of
from tallystick.platform.resources.rows import among

EVERY = timedelta(hours=1)
"So often late usage is looked for, and once more at the end of the time in which it counts."
_MOST_BETWEEN_RUNS = timedelta(days=2)
_MOST_OFF_UTC = timedelta(days=1)
Came = Mapping[str, Period]


class Closed(msgspec.Struct, frozen=True):
    """Bills' periods that a run closed a short while ago. by: that run's slot."""

    end: datetime
    by: datetime

    @property
    def until(self) -> datetime:
        """When late usage ceases to count."""
        return self.by + CATCH_UP

    def next_look(self, looked_at: datetime) -> datetime | None:
        """Give when to look next; None when the last look was at the end of the time, or after it."""
        return None if looked_at >= self.until else min(max(looked_at, self.by) + EVERY, self.until)


def closed_periods(tx: Transaction, slots: Slots, looked_at: datetime, ran_at: datetime) -> list[Closed]:
    """Give the ends of periods that late usage still counts for: those that a run has closed by `ran_at`."""
    table = resource_of(Bill).table
    first, last = (looked_at - CATCH_UP - _MOST_BETWEEN_RUNS).date(), (ran_at + _MOST_OFF_UTC).date()
    ends = select(table.c.end_date_time_utc).distinct()
    ends = ends.where(table.c.org_id == tx.org_id, table.c.end_date.between(first, last), ~table.c.locked)
    found = [Closed(end, slots.closing(end)) for end in tx.execute(ends).scalars()]
    return [c for c in found if c.by <= ran_at and looked_at < c.until]


def bills_changed(
    tx: Transaction, usage: UsageQueries, closed: Sequence[Closed], since: datetime
) -> list[str]:
    """Give the bills of these periods that usage came in for. since: by the server's clock.

    A family's usage may be on the parent's bill, so the parent's is one of them.
    """
    if not closed:
        return []
    table = resource_of(Bill).table
    ends = {c.end: c for c in closed}
    of_periods = (table.c.end_date_time_utc.in_(ends), ~table.c.locked)
    start = tx.execute(
        select(table.c.start_date_time_utc)
        .where(table.c.org_id == tx.org_id, *of_periods)
        .order_by(table.c.start_date_time_utc)
        .limit(1)
    ).scalar_one_or_none()
    if start is None:
        return []
    found = usage.received(tx.org_id, Period(start, max(ends)), since)
    came = _with_parents(tx, found)
    bills = (
        tx.load(Bill, tx.select(Bill, *of_periods, among(table.c.account_id, sorted(came)))) if came else []
    )
    ended = _plan_ends(tx, bills)
    now = tx.clock.now()
    return sorted(
        bill.id
        for bill in bills
        if not _span(bill).intersect(came[bill.account_id]).is_empty
        and now <= _until(ends[bill.end_date_time_utc], ended.get(bill.id))
    )


def _span(bill: Bill) -> Period:
    return Period(bill.start_date_time_utc, bill.end_date_time_utc)


def _until(closed: Closed, plans_end: datetime | None) -> datetime:
    """Late usage counts for 24 h after the run, or after the end of plans that ended before it (§6)."""
    return closed.until if plans_end is None else plans_end + CATCH_UP


def _with_parents(tx: Transaction, found: Iterable[tuple[str, datetime, datetime]]) -> Came:
    """Give the span of late usage by account; a parent's holds its children's."""
    came: dict[str, Period] = {}
    rows = list(found)
    accounts = tx.by_id(Account, (row[0] for row in rows))
    for account_id, first, last in rows:
        account = accounts.get(account_id)
        for each in {account_id, (account and account.parent_account_id) or account_id}:
            span = Period(first, last + timedelta(milliseconds=1))
            known = came.get(each, span)
            came[each] = Period(min(known.start, span.start), max(known.end, span.end))
    return came


def _plan_ends(tx: Transaction, bills: Sequence[Bill]) -> dict[str, datetime]:
    """Give, by bill, when the last of the account's plans in its period ended, if that was before it did."""
    plans: dict[str, list[AccountPlan]] = defaultdict(list)
    account_ids = sorted({bill.account_id for bill in bills})
    for plan in tx.find(AccountPlan, account_id=account_ids):
        plans[plan.account_id].append(plan)
    last: dict[str, datetime] = {}
    for bill in bills:
        held = (Period.of(plan.start_date, plan.end_date) for plan in plans[bill.account_id])
        ends = [span.end for each in held if not (span := each.intersect(_span(bill))).is_empty]
        if ends and max(ends) < bill.end_date_time_utc:
            last[bill.id] = max(ends)
    return last
