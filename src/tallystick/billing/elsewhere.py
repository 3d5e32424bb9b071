"""What a bill charges that stands on another bill already. Pure, but for what asks the stored bills.

How bills are grouped, and where a family's usage is shown, may change after some were made. What moved from
one bill to another may then stand on both: where the one that it left is locked, or is not made anew in the
same run. When bills fall may change, too: then new periods are cut across those that are billed.
"""

from collections import defaultdict
from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence
from datetime import date
from typing import Any

import msgspec
from sqlalchemy import ARRAY, ColumnElement, Row, exists, func, literal, select, true

from tallystick.accounts.account_plan import ChildBillingMode
from tallystick.billing.bill import Bill, BillStatus
from tallystick.billing.calculate import Draft
from tallystick.billing.calculate.break_down import child_key
from tallystick.billing.calculate.inputs import PlanTerms
from tallystick.billing.diff import Existing
from tallystick.billing.due import CONSOLIDATED, is_consolidated
from tallystick.billing.errors import BilledAlready, BilledBefore, BilledTwice
from tallystick.billing.line_item import LineItem, LineItemType
from tallystick.billing.lines import line_id
from tallystick.billing.store import key_of, lines_by_bill, stored_bills
from tallystick.kernel.periods import DateSpan, Period
from tallystick.kernel.zones import parse_zone
from tallystick.platform.resources import Transaction, resource_of
from tallystick.platform.resources.rows import among

Stored = Mapping[tuple[Any, ...], Existing]


def without_doubles(
    drafts: Sequence[Draft], existing: Stored, *, is_scheduled: bool
) -> tuple[list[Draft], list[tuple[Draft, BilledAlready]]]:
    """Part drafts from those that charge what another stored bill of the same end keeps charging.

    existing: the stored bills of these accounts and their `relatives` and of these ends, of all groupings. A
    bill of this run loses what has moved away from it, unless it is locked. A pending bill of before
    consolidation was switched on, or off, is left as it is beside a fresh one (semantics §22); a schedule
    starts none, and passes over what is on such bills. Gives what may be saved, and what is refused.
    """
    kept, refused = list(drafts), list[tuple[Draft, BilledAlready]]()
    while doubled := _doubled(kept, existing, is_scheduled=is_scheduled):
        for draft, other in doubled:
            if not (is_scheduled and _is_switched(draft, other)):
                refused.append((draft, BilledAlready(other.id)))
        gone = {id(draft) for draft, _ in doubled}
        kept = [draft for draft in kept if id(draft) not in gone]  # their stored lines stay: look again
    return kept, refused


def _doubled(drafts: Sequence[Draft], existing: Stored, *, is_scheduled: bool) -> list[tuple[Draft, Bill]]:
    made = {key_of(draft.inputs) for draft in drafts}
    others: dict[tuple[str, date], list[Existing]] = defaultdict(list)
    for key, stored in existing.items():
        if stored.bill.locked or key not in made:
            others[stored.bill.account_id, stored.bill.end_date].append(stored)
    found: list[tuple[Draft, Bill]] = []
    for draft in drafts:
        beside = others.get((draft.inputs.account.id, draft.inputs.head.dates.end), ())
        looked_at = [x for x in beside if is_scheduled or not _is_left_alone(draft, x.bill)]
        end = draft.inputs.head.dates.end
        looked_at += [each for account_id in relatives(draft) for each in others.get((account_id, end), ())]
        other = next((each.bill for each in looked_at if _doubles(draft, each)), None)
        if other is not None:
            found.append((draft, other))
    return found


def bills_beside(tx: Transaction, drafts: Sequence[Draft]) -> dict[tuple[Any, ...], Existing]:
    """Load the stored bills of accounts on whose bills the usage of these may stand, of the same ends."""
    wanted = {(account_id, d.inputs.head.dates.end) for d in drafts for account_id in relatives(d)}
    return stored_bills(tx, wanted)


def relatives(draft: Draft) -> list[str]:
    """Give the accounts on whose bills a family's usage may stand that this bill shows (semantics §17).

    Of a child's own bill its parent; of a parent's its children, unless they are billed by themselves.
    """
    found: set[str] = set()
    for terms in draft.inputs.plans:
        attached = terms.account_plan
        if terms.billed_child is not None:
            found.add(attached.account_id)
        elif attached.child_billing_mode is not ChildBillingMode.CHILD:
            found.update(terms.account_ids[1:])
    return sorted(found)


def _doubles(draft: Draft, other: Existing) -> bool:
    if other.bill.account_id != draft.inputs.account.id:
        return any(line_id(other.bill.id, key) in other.lines for key in _names(draft, other.bill.account_id))
    if other.bill.grouping == draft.inputs.head.grouping:
        return False
    # Draw-downs may well be on several bills, and charges know the one that they are on.
    own = (x for x in draft.lines if x.terms is not None or x.line_item_type is LineItemType.COMMITMENT_FEE)
    return any(line_id(other.bill.id, line.key) in other.lines for line in own)


def _names(draft: Draft, account_id: str) -> Iterator[str]:
    """Give what a child's part of pooled usage is called: on its own bill, and on its parent's."""
    for line in draft.lines:
        if line.child_account_id is not None:
            yield line.key
        elif isinstance(line.terms, PlanTerms) and line.terms.shows_one_line and line.derivation.is_of_usage:
            yield child_key(line.key, account_id)


class Billed(msgspec.Struct, frozen=True):
    """What a stored bill of another end charges for an account plan, of the time that the bill closes."""

    bill_id: str
    bill: DateSpan
    days: DateSpan


def without_overlaps(
    tx: Transaction, drafts: Sequence[Draft], existing: Stored
) -> tuple[list[Draft], list[tuple[Draft, BilledBefore]]]:
    """Part drafts from those that charge days of an account plan that a bill of another end keeps charging.

    An account plan's periods lie end to end, so this is only where its epoch or frequency has changed since
    the other bill was made (semantics §4). What is billed in advance is not looked at (decision 0010).
    Gives what may be saved, and what is refused.
    """
    made = {key_of(draft.inputs) for draft in drafts}
    new = [draft for draft in drafts if _has_new_plans(draft, existing.get(key_of(draft.inputs)))]
    billed = _billed(tx, new, made)
    refused: list[tuple[Draft, BilledBefore]] = []
    for draft in new:
        other = next((b for b in _of_draft(draft, billed)), None)
        if other is not None:
            refused.append((draft, BilledBefore(other.bill_id, other.bill)))
    gone = {id(draft) for draft, _ in refused}
    return [draft for draft in drafts if id(draft) not in gone], refused


def _has_new_plans(draft: Draft, stored: Existing | None) -> bool:
    before = {line.account_plan_id for line in stored.lines.values()} if stored else set()
    return any(line.account_plan_id not in before for line in draft.lines if line.account_plan_id)


def _of_draft(draft: Draft, billed: Mapping[tuple[str, str], Iterable[Billed]]) -> Iterator[Billed]:
    head, account_id = draft.inputs.head, draft.inputs.account.id
    zone = parse_zone(head.timezone)
    for line in draft.lines:
        plan_id = line.account_plan_id
        if plan_id is None or line.service.start >= head.span.end:
            continue
        days = line.service.local_dates(zone)
        for other in billed.get((account_id, plan_id), ()):
            if other.bill.end != head.dates.end and not other.days.intersect(days).is_empty:
                yield other


def _billed(
    tx: Transaction, drafts: Sequence[Draft], made: Collection[tuple[Any, ...]]
) -> dict[tuple[str, str], list[Billed]]:
    """Load what stored bills that reach into these drafts' days charge, by account and account plan.

    made: the bills of this run; those that are not locked lose what is not theirs any more.
    """
    heads = {(draft.inputs.account.id, draft.inputs.head.dates) for draft in drafts}
    kept = {
        row.id: row
        for row in _reaching(tx, heads)
        if row.locked or (row.account_id, row.grouping, row.end_date) not in made
    }
    found: dict[tuple[str, str], list[Billed]] = defaultdict(list)
    if not kept:
        return found
    line = _lines.c
    charged = select(
        *(line.bill_id, line.account_plan_id, line.service_period_start_date, line.service_period_end_date)
    ).where(line.org_id == tx.org_id, among(line.bill_id, kept), line.account_plan_id.is_not(None))
    for row in tx.execute(charged.order_by(line.bill_id, line.sequence_number)):
        bill = kept[row.bill_id]
        if row.service_period_start_date < bill.end_date_time_utc:
            service = Period(row.service_period_start_date, row.service_period_end_date)
            dates, days = (
                DateSpan(bill.start_date, bill.end_date),
                service.local_dates(parse_zone(bill.timezone)),
            )
            found[bill.account_id, row.account_plan_id].append(Billed(bill.id, dates, days))
    return found


def _reaching(tx: Transaction, heads: Collection[tuple[str, DateSpan]]) -> list[Row[Any]]:
    """Load the bills of accounts that hold some of the same days, and end on another.

    By account, one after the other: without statistics all bills of the run might be read by their end.
    """
    if not heads:
        return []
    accounts = literal(sorted({account_id for account_id, _ in heads}), ARRAY(_bills.c.account_id.type))
    asked = func.unnest(accounts).table_valued("account_id", name="asked").render_derived()
    bill = _bills.c
    columns = (
        bill.id,
        bill.account_id,
        bill.grouping,
        bill.start_date,
        bill.end_date,
        bill.end_date_time_utc,
    )
    own = select(*columns, bill.timezone, bill.locked).where(
        *(bill.org_id == tx.org_id, bill.account_id == asked.c.account_id),
        bill.start_date < max(dates.end for _, dates in heads),
        bill.end_date > min(dates.start for _, dates in heads),
    )
    of_account = own.offset(0).lateral("of_account")
    found = tx.execute(select(of_account).select_from(asked).join(of_account, true())).all()
    days: dict[str, list[DateSpan]] = defaultdict(list)
    for account_id, dates in heads:
        days[account_id].append(dates)
    return [
        row
        for row in sorted(found, key=lambda row: (row.end_date, row.id))
        if any(
            row.end_date != each.end and row.start_date < each.end and each.start < row.end_date
            for each in days[row.account_id]
        )
    ]


def _is_left_alone(draft: Draft, other: Bill) -> bool:
    return _is_switched(draft, other) and not other.locked and other.status is BillStatus.PENDING


def _is_switched(draft: Draft, other: Bill) -> bool:
    return is_consolidated(other.grouping) != is_consolidated(draft.inputs.head.grouping)


_bills, _lines = resource_of(Bill).table, resource_of(LineItem).table
_others = _bills.alias("other_bills")


def has_other(*also: ColumnElement[bool]) -> ColumnElement[bool]:
    """Ask whether a bill has one of its account and day of before consolidation was switched, or since.

    also: what the other one is, beside. An index read for each bill: it asks no lines.
    """
    return exists().where(
        _others.c.org_id == _bills.c.org_id,
        _others.c.account_id == _bills.c.account_id,
        # Not by the index of ends, which all bills of a run share: without statistics it may be taken.
        func.coalesce(_others.c.end_date, _bills.c.end_date) == _bills.c.end_date,
        _consolidates(_others.c.grouping) != _consolidates(_bills.c.grouping),
        *also,
    )


def check_not_doubled(tx: Transaction, bills: Sequence[Bill]) -> None:
    """Refuse to approve what another bill charges that is approved, or approved together with it.

    `lock_bills` is held. Raises BilledTwice.
    """
    ids = [bill.id for bill in bills]
    found = tx.load(Bill, tx.select(Bill, among(_bills.c.id, ids), has_other())) if ids else []
    for bill in found:
        of_day = tx.find(Bill, account_id=bill.account_id, end_date=bill.end_date)
        kept = [x for x in of_day if x.status is BillStatus.APPROVED or x.id in ids]
        others = [x.id for x in kept if is_consolidated(x.grouping) != is_consolidated(bill.grouping)]
        lines = lines_by_bill(tx, [bill.id, *others])
        own = {_charged(line) for line in lines[bill.id]} - {None}
        if any(_charged(line) in own for other in others for line in lines[other]):
            raise BilledTwice(bill.id)


def _charged(line: LineItem) -> tuple[object, ...] | None:
    """Name what a line charges for a plan or as a fee; draw-downs may well be on several bills."""
    is_fee = line.line_item_type is LineItemType.COMMITMENT_FEE
    of = line.commitment_id if is_fee else line.account_plan_id
    return None if of is None else (of, line.line_item_type, line.service_period_start_date)


def _consolidates(grouping: ColumnElement[str]) -> ColumnElement[bool]:
    return func.split_part(grouping, ":", 1) == CONSOLIDATED
