"""What a bill charges that stands on another bill already. Pure, but for what asks the stored bills.

How bills are grouped may change after some were made. What moved from one bill to another may then stand
on both: where the one that it left is locked, or is not made anew in the same run.
"""

from collections import defaultdict
from collections.abc import Mapping, Sequence
from datetime import date
from typing import Any

from sqlalchemy import ColumnElement, and_, exists, func, or_

from tallystick.billing.bill import Bill, BillStatus
from tallystick.billing.calculate import Draft
from tallystick.billing.diff import Existing
from tallystick.billing.due import CONSOLIDATED, is_consolidated
from tallystick.billing.errors import BilledAlready, BilledTwice
from tallystick.billing.line_item import LineItem, LineItemType
from tallystick.billing.lines import line_id
from tallystick.billing.store import key_of
from tallystick.platform.resources import Transaction, resource_of

_AT_ONCE = 1000
Stored = Mapping[tuple[Any, ...], Existing]


def without_doubles(
    drafts: Sequence[Draft], existing: Stored, *, is_scheduled: bool
) -> tuple[list[Draft], list[tuple[Draft, BilledAlready]]]:
    """Part drafts from those that charge what another stored bill of the same end keeps charging.

    existing: the stored bills of these accounts and ends, of all groupings. A bill of this run loses what
    has moved away from it, unless it is locked. A pending bill of before consolidation was switched on, or
    off, is left as it is beside a fresh one (semantics §22); a schedule starts none, and passes over what is
    on such bills. Gives what may be saved, and what is refused.
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
        looked_at = (x for x in beside if is_scheduled or not _is_left_alone(draft, x.bill))
        other = next((each.bill for each in looked_at if _doubles(draft, each)), None)
        if other is not None:
            found.append((draft, other))
    return found


def _doubles(draft: Draft, other: Existing) -> bool:
    if other.bill.grouping == draft.inputs.head.grouping:
        return False
    # Draw-downs may well be on several bills, and charges know the one that they are on.
    own = (x for x in draft.lines if x.terms is not None or x.line_item_type is LineItemType.COMMITMENT_FEE)
    return any(line_id(other.bill.id, line.key) in other.lines for line in own)


def _is_left_alone(draft: Draft, other: Bill) -> bool:
    return _is_switched(draft, other) and not other.locked and other.status is BillStatus.PENDING


def _is_switched(draft: Draft, other: Bill) -> bool:
    return is_consolidated(other.grouping) != is_consolidated(draft.inputs.head.grouping)


_bills = resource_of(Bill).table
_others = _bills.alias("other_bills")
_lines = resource_of(LineItem).table.alias("own_lines")
_doubles_of = resource_of(LineItem).table.alias("other_lines")


def is_doubled(*also: ColumnElement[bool]) -> ColumnElement[bool]:
    """Ask whether a bill charges what one of before consolidation was switched, or since, charges too.

    also: what the other one is, beside.
    """
    own, other = _lines.c, _doubles_of.c
    same = ("line_item_type", "service_period_start_date")
    is_fee = own.line_item_type == LineItemType.COMMITMENT_FEE.value
    return exists().where(
        _others.c.org_id == _bills.c.org_id,
        _others.c.account_id == _bills.c.account_id,
        _others.c.end_date == _bills.c.end_date,
        _consolidates(_others.c.grouping) != _consolidates(_bills.c.grouping),
        own.org_id == _bills.c.org_id,
        own.bill_id == _bills.c.id,
        other.org_id == _others.c.org_id,
        other.bill_id == _others.c.id,
        *(own[name] == other[name] for name in same),
        or_(
            own.account_plan_id == other.account_plan_id,
            and_(is_fee, own.commitment_id == other.commitment_id),
        ),
        *also,
    )


def check_not_doubled(tx: Transaction, bills: Sequence[Bill]) -> None:
    """Refuse to approve what another bill charges that is approved, or approved together with it.

    `lock_bills` is held. Raises BilledTwice.
    """
    ids = [bill.id for bill in bills]
    is_kept = (_others.c.status == BillStatus.APPROVED.value) | _others.c.id.in_(ids)
    for first in range(0, len(ids), _AT_ONCE):
        mine = _bills.c.id.in_(ids[first : first + _AT_ONCE])
        found = tx.load(Bill, tx.select(Bill, mine, is_doubled(is_kept)).limit(1))
        if found:
            raise BilledTwice(found[0].id)


def _consolidates(grouping: ColumnElement[str]) -> ColumnElement[bool]:
    return func.split_part(grouping, ":", 1) == CONSOLIDATED
