"""What a bill charges that stands on another bill already. Pure.

How bills are grouped may change after some were made. What moved from one bill to another may then stand
on both: where the one that it left is locked, or is not made anew in the same run.
"""

from collections import defaultdict
from collections.abc import Mapping, Sequence
from datetime import date
from typing import Any

from tallystick.billing.bill import Bill, BillStatus
from tallystick.billing.calculate import Draft
from tallystick.billing.diff import Existing
from tallystick.billing.due import is_consolidated
from tallystick.billing.errors import BilledAlready
from tallystick.billing.lines import line_id
from tallystick.billing.store import key_of

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
    own = (line for line in draft.lines if line.terms is not None)  # draw-downs may well be on several bills
    return any(line_id(other.bill.id, line.key) in other.lines for line in own)


def _is_left_alone(draft: Draft, other: Bill) -> bool:
    return _is_switched(draft, other) and not other.locked and other.status is BillStatus.PENDING


def _is_switched(draft: Draft, other: Bill) -> bool:
    return is_consolidated(other.grouping) != is_consolidated(draft.inputs.head.grouping)
