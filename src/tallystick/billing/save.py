"""Save calculated bills: bills, lines, numbers and events in the caller's one transaction."""

from collections.abc import Callable, Iterable, Mapping, Sequence
from datetime import date
from itertools import compress
from typing import Any

import msgspec

from tallystick.accounts.account import Account
from tallystick.billing.bill import Bill, BillStatus
from tallystick.billing.bill_config import lock_date
from tallystick.billing.calculate import Draft, DraftLine
from tallystick.billing.calculate.memos import with_memos
from tallystick.billing.diff import BillChange, Existing, Outcome, Stamp, create_bill, diff_bill
from tallystick.billing.elsewhere import bills_beside, without_doubles, without_overlaps
from tallystick.billing.errors import LeftOver
from tallystick.billing.failure import bill_failures
from tallystick.billing.ledger_save import save_charges, save_draws, settle_draws
from tallystick.billing.line_item import LineItem, LineItemType
from tallystick.billing.memo_store import memos_on
from tallystick.billing.store import (
    delete_lines,
    existing_bills,
    forget_plans,
    insert_entities,
    insert_rows,
    key_of,
    lock_bills,
    take_numbers,
    update_entities,
)
from tallystick.events.declared import domain_event
from tallystick.events.record import events
from tallystick.kernel.errors import TallystickError
from tallystick.organizations.audit import append_many
from tallystick.organizations.organization_config import OrganizationConfig
from tallystick.platform.ids import new_id
from tallystick.platform.resources import Transaction
from tallystick.platform.resources.wire import answer


class BillFailed(msgspec.Struct, frozen=True, kw_only=True, rename="camel"):
    """A bill that could not be made. message: names what is missing, such as a rate from EUR to USD."""

    bill_job_id: str | None
    account_id: str
    account_code: str
    code: str
    message: str


FAILED_EVENT = domain_event("billing.bill.failed", BillFailed)
BillFollower = Callable[[Transaction, Sequence[tuple[Bill | None, Bill]]], None]
bill_followers: list[BillFollower] = []
"Told, in the transaction, of bills before and after a change that is not made through `Transaction.update`."


class Failure(msgspec.Struct, frozen=True):
    """An account whose bill could not be made, and why."""

    account: Account
    error: TallystickError


class Saved(msgspec.Struct, frozen=True, kw_only=True):
    """What saving did; locked: skipped, for they are or would be locked, or are kept approved (§22)."""

    created: int = 0
    updated: int = 0
    unchanged: int = 0
    locked: int = 0
    failed: int = 0


def save_bills(tx: Transaction, drafts: Sequence[Draft], failures: Sequence[Failure], stamp: Stamp) -> Saved:
    """Write what changed, and nothing else: bills, lines, numbers, what they draw, events, failures."""
    lock_bills(tx)
    forget_plans(tx)
    existing = existing_bills(tx, [draft.inputs for draft in drafts])
    closed_until = lock_date(tx)
    is_open = [_is_open(existing.get(key_of(draft.inputs)), draft, closed_until, stamp) for draft in drafts]
    closed = compress(drafts, (not each for each in is_open))
    left_over = (_left_over(draft, existing.get(key_of(draft.inputs))) for draft in closed)
    settled, refused = _settled(tx, [*compress(drafts, is_open)], existing, stamp)
    failures = [*failures, *refused, *(each for each in left_over if each is not None)]
    changes, made = _changes(settled, existing, stamp)
    changes = _numbered(tx, changes)
    write_changes(tx, changes)
    save_draws(tx, [change.new for change in changes], made)
    save_charges(tx, made)
    _record_failures(tx, failures, stamp)
    counts = {o: sum(c.outcome is o for c in changes) for o in Outcome}
    return Saved(
        created=counts[Outcome.CREATED],
        updated=counts[Outcome.UPDATED],
        unchanged=counts[Outcome.UNCHANGED],
        locked=len(drafts) - sum(is_open),
        failed=len(failures),
    )


def _changes(
    drafts: Iterable[Draft], existing: Mapping[tuple[Any, ...], Existing], stamp: Stamp
) -> tuple[list[BillChange], dict[str, Draft]]:
    """Give what has to be written, and the drafts by their bills; an empty bill may not be wanted."""
    changes: list[BillChange] = []
    made: dict[str, Draft] = {}
    for draft in drafts:
        stored = existing.get(key_of(draft.inputs))
        if stored is not None:
            change = diff_bill(stored, draft, stamp)
        elif draft.lines or not draft.inputs.suppress_empty:
            change = create_bill(draft, new_id(), stamp)
        else:
            continue
        changes.append(change)
        made[change.new.id] = draft
    return changes, made


def _is_open(stored: Existing | None, draft: Draft, closed_until: date, stamp: Stamp) -> bool:
    """Tell whether the bill may be written: none that is locked or kept, no new one in what is closed."""
    if stored is not None:
        is_kept = stamp.keeps_approved and stored.bill.status is BillStatus.APPROVED
        return not stored.bill.locked and not is_kept
    return draft.inputs.head.dates.end > closed_until


def _left_over(draft: Draft, stored: Existing | None) -> Failure | None:
    """Give what is due on a bill that is not written, and is not on it: else it would wait unseen."""
    there = {_billed_once(line) for line in stored.lines.values()} if stored else set()
    missing = [
        x.description for x in draft.lines if _billed_once(x) is not None and _billed_once(x) not in there
    ]
    if not missing:
        return None
    why = "the books are closed up to a later date"
    if stored is not None:
        why = f"the bill {stored.bill.id} is {'locked' if stored.bill.locked else 'approved'}"
    return Failure(draft.inputs.account, LeftOver(missing, draft.inputs.head.dates.end, why))


def _billed_once(line: DraftLine | LineItem) -> str | None:
    """Give the charge, or the commitment of a fee, that a line is of, if it is of one."""
    is_fee = line.line_item_type is LineItemType.COMMITMENT_FEE
    return line.commitment_id if is_fee else line.charge_id


def _settled(
    tx: Transaction, drafts: Sequence[Draft], existing: Mapping[tuple[Any, ...], Existing], stamp: Stamp
) -> tuple[list[Draft], list[Failure]]:
    """Refuse drafts that would bill something twice, and bring the others up to date.

    What they may draw on, and what is on them by hand, may be newer than they are.
    """
    beside = {**bills_beside(tx, drafts), **existing}
    drafts, doubled = without_doubles(drafts, beside, is_scheduled=stamp.keeps_approved)
    drafts, overlapping = without_overlaps(tx, drafts, existing)
    ids = {key: each.bill.id for key, each in existing.items()}
    memos = memos_on(tx, list(ids.values()))

    def current(draft: Draft, bill_id: str | None) -> Draft:
        return draft if bill_id is None else with_memos(draft, memos[bill_id])

    replaced = [(draft, ids.get(key_of(draft.inputs))) for draft in drafts]
    settled, refused = settle_draws(tx, replaced, current)
    failed = (*doubled, *overlapping, *refused)
    return settled, [Failure(draft.inputs.account, error) for draft, error in failed]


def write_changes(tx: Transaction, changes: Iterable[BillChange]) -> None:
    """Write bills and lines, many in one statement; an event for each, an audit entry for all."""
    changed = [_with_stale_statement(c) for c in changes if c.outcome is not Outcome.UNCHANGED]
    insert_entities(tx, Bill, [c.new for c in changed if c.outcome is Outcome.CREATED])
    update_entities(tx, Bill, [c.new for c in changed if c.outcome is Outcome.UPDATED])
    delete_lines(tx, [line_id for c in changed for line_id in c.deleted])
    insert_entities(tx, LineItem, [line for c in changed for line in c.inserted])
    update_entities(tx, LineItem, [line for c in changed for line in c.updated])
    insert_rows(tx, events, [_event(tx, change) for change in changed])
    for outcome in (Outcome.CREATED, Outcome.UPDATED):
        append_many(tx, outcome.value, "bill", [c.new.id for c in changed if c.outcome is outcome])
    for follow in bill_followers:
        follow(tx, [(change.old, change.new) for change in changed])


def _with_stale_statement(change: BillChange) -> BillChange:
    """Mark a statement that no longer says what the bill does (semantics §26)."""
    lines_changed = bool(change.inserted or change.updated or change.deleted)
    has_statement = change.new.json_statement_generated or change.new.csv_statement_generated
    if not (lines_changed and has_statement):
        return change
    return msgspec.structs.replace(change, new=msgspec.structs.replace(change.new, statement_stale=True))


def _numbered(tx: Transaction, changes: list[BillChange]) -> list[BillChange]:
    """Give new bills their invoice numbers, in their order, if the organization has a prefix (§3)."""
    config = tx.find_one(OrganizationConfig)
    prefix = config.bill_prefix if config else None
    fresh = [c for c in changes if c.outcome is Outcome.CREATED]
    if config is None or prefix is None or not fresh:
        return changes
    numbers = iter(take_numbers(tx, prefix, config.sequence_start_number or 0, len(fresh)))
    return [
        msgspec.structs.replace(
            c, new=msgspec.structs.replace(c.new, sequential_invoice_number=f"{prefix}{next(numbers)}")
        )
        if c.outcome is Outcome.CREATED
        else c
        for c in changes
    ]


def _event(tx: Transaction, change: BillChange) -> dict[str, Any]:
    states = {"newDto": change.new, "oldDto": change.old}
    data = {name: answer(state) for name, state in states.items() if state is not None}
    return _event_row(tx, f"billing.bill.{change.outcome.value}", change.new.id, data)


def _event_row(tx: Transaction, name: str, entity_id: str, data: dict[str, Any]) -> dict[str, Any]:
    return {
        "id": new_id(),
        "event_name": name,
        "event_time": tx.clock.now(),
        "entity_id": entity_id,
        "event_data": data,
    }


def _record_failures(tx: Transaction, failures: Sequence[Failure], stamp: Stamp) -> None:
    rows: list[dict[str, Any]] = [
        {
            "id": new_id(),
            "bill_job_id": stamp.job_id,
            "account_id": failure.account.id,
            "account_code": failure.account.code,
            "code": failure.error.code,
            "message": failure.error.message,
            "dt_created": stamp.at,
        }
        for failure in failures
    ]
    insert_rows(tx, bill_failures, rows)
    facts = [BillFailed(**{name: row[name] for name in BillFailed.__struct_fields__}) for row in rows]
    told = [_event_row(tx, FAILED_EVENT, each.account_id, {"newDto": answer(each)}) for each in facts]
    insert_rows(tx, events, told)
