"""Verbs of bills: one public function each. Jobs are in `jobs`."""

from collections.abc import Iterable, Sequence
from datetime import date

import msgspec
from sqlalchemy import ColumnElement

from tallystick.balances.draws import draws_of
from tallystick.billing.bill import Bill, BillAnswer, BillStatus
from tallystick.billing.bill_job import BillJob
from tallystick.billing.calculate import BillInputs, Draft, calculate_bill
from tallystick.billing.calculate.inputs import BillMemo
from tallystick.billing.calculate.memos import with_memos
from tallystick.billing.diff import BillChange, Outcome, Stamp, create_bill
from tallystick.billing.elsewhere import check_not_doubled
from tallystick.billing.errors import BillNotFound, LineItemNotFound, NothingToBill
from tallystick.billing.explain import LineExplanation, explanation
from tallystick.billing.ledger import as_drawn
from tallystick.billing.ledger_save import release
from tallystick.billing.line_item import LineItem, embedded
from tallystick.billing.load import load_anew, load_bills
from tallystick.billing.memo_store import memos_on
from tallystick.billing.memos import delete_memos_of
from tallystick.billing.save import write_changes
from tallystick.billing.selection import selection_of, zone_of
from tallystick.billing.store import delete_lines_of, existing_bills, key_of, lines_by_bill, lock_bills
from tallystick.billing.usage import UsageQueries
from tallystick.billing.verify import Verification, compare
from tallystick.kernel.periods import BillingFrequency, local_date
from tallystick.kernel.problems import Problem
from tallystick.organizations.organization_config import config_of
from tallystick.platform.ids import new_id
from tallystick.platform.resources import Page, PageRequest, Transaction, resource_of
from tallystick.platform.resources.pages import to_token
from tallystick.platform.resources.wire import InvalidBody

Clauses = Iterable[ColumnElement[bool]]
APPROVED_AT_ONCE = 1000


# --- read ---------------------------------------------------------------------------------------


def get_bill(tx: Transaction, bill_id: str) -> BillAnswer:
    """Give a bill with its lines. Raises ResourceNotFound."""
    return with_lines(tx, [tx.get(Bill, bill_id)])[0]


def latest_bill(tx: Transaction, account_id: str) -> BillAnswer:
    """Give the bill of an account whose period ended last. Raises BillNotFound."""
    table = resource_of(Bill).table
    statement = tx.select(Bill, table.c.account_id == account_id, *tx.visible(Bill))
    ordered = statement.order_by(None).order_by(table.c.end_date.desc(), table.c.id.desc())
    found = tx.load(Bill, ordered.limit(1))
    if not found:
        raise BillNotFound("This account has no bill yet.")
    return with_lines(tx, found)[0]


def page_of_bills(
    tx: Transaction, page: PageRequest, clauses: Clauses, *, lines: bool = True
) -> Page[BillAnswer]:
    """List bills, newest first, with their lines if asked."""
    found = tx.page(Bill, page, clauses)
    answers = with_lines(tx, found.data) if lines else [answer_of(bill) for bill in found.data]
    return Page(answers, found.next_token)


def with_lines(tx: Transaction, bills: Sequence[Bill]) -> list[BillAnswer]:
    """Give bills with their lines."""
    lines = lines_by_bill(tx, [bill.id for bill in bills])
    return [answer_of(bill, lines[bill.id]) for bill in bills]


def answer_of(bill: Bill, lines: Iterable[LineItem] | None = None) -> BillAnswer:
    """Give a bill as it is answered; None leaves the lines out."""
    items = None if lines is None else [embedded(line) for line in lines]
    return BillAnswer(**msgspec.structs.asdict(bill), line_items=items)


def lines_of_bill(tx: Transaction, bill_id: str) -> list[LineItem]:
    """Give a bill's lines, in their order on it."""
    return lines_by_bill(tx, [bill_id])[bill_id]


def page_of_lines(tx: Transaction, bill_id: str, page: PageRequest) -> Page[LineItem]:
    """List the lines of a bill, in their order on it. Raises ResourceNotFound."""
    tx.get(Bill, bill_id)
    lines = lines_by_bill(tx, [bill_id])[bill_id]
    ids = [line.id for line in lines]
    if page.after is not None and page.after not in ids:
        raise InvalidBody([Problem("nextToken", "wrong_format", "is not a token of this list")])
    first = ids.index(page.after) + 1 if page.after is not None else 0
    shown = lines[first : first + page.size]
    more = first + page.size < len(lines)
    return Page(shown, to_token(shown[-1].id) if more else None)


def get_line(tx: Transaction, bill_id: str, line_id: str) -> LineItem:
    """Give one line of a bill. Raises ResourceNotFound, LineItemNotFound."""
    tx.get(Bill, bill_id)
    found = next((line for line in lines_by_bill(tx, [bill_id])[bill_id] if line.id == line_id), None)
    if found is None:
        raise LineItemNotFound(f"This bill has no line {line_id[:60]!r}.")
    return found


def explain_line(tx: Transaction, bill_id: str, line_id: str) -> LineExplanation:
    """Explain one line of a bill. Raises ResourceNotFound, LineItemNotFound."""
    return explanation(get_line(tx, bill_id, line_id))


# --- change -------------------------------------------------------------------------------------


def set_status(tx: Transaction, bill_id: str, status: BillStatus) -> BillAnswer:
    """Approve a bill, or take the approval back. Raises ResourceNotFound, BillLocked, BilledTwice."""
    lock_bills(tx)
    old = tx.get(Bill, bill_id, lock=True)
    new = old.approve(tx.clock.now(), tx.actor) if status is BillStatus.APPROVED else old.reopen()
    if new.status is BillStatus.APPROVED and new is not old:
        check_not_doubled(tx, [old])
    return with_lines(tx, [tx.update(old, new) if new != old else old])[0]


def lock_bill(tx: Transaction, bill_id: str) -> BillAnswer:
    """Lock a bill for good; harmless to repeat. Raises ResourceNotFound, BillNotApproved."""
    old = tx.get(Bill, bill_id, lock=True)
    new = old.lock(tx.clock.now(), tx.actor)
    return with_lines(tx, [tx.update(old, new) if new is not old else old])[0]


def delete_bill(tx: Transaction, bill_id: str) -> BillAnswer:
    """Delete a bill with its lines; what it drew is given back. Raises ResourceNotFound, BillLocked."""
    bill = tx.get(Bill, bill_id, lock=True)
    bill.check_open()
    answer = with_lines(tx, [bill])[0]
    release(tx, bill)
    delete_memos_of(tx, bill_id)
    delete_lines_of(tx, bill_id)
    tx.delete(Bill, bill_id)
    return answer


def approve_bills(tx: Transaction, bill_ids: Sequence[str]) -> int:
    """Approve these bills, all or none; gives how many were pending.

    Raises InvalidBody, BillLocked, BilledTwice.
    """
    lock_bills(tx)
    wanted = sorted({bill_id.lower() for bill_id in bill_ids})
    bills = tx.find(Bill, lock=True, id=wanted)
    unknown = sorted(set(wanted) - {bill.id for bill in bills})
    if unknown:
        problems = [
            Problem("billIds", "unknown_reference", f"{u} is not the id of any bill") for u in unknown
        ]
        raise InvalidBody(problems)
    return approve(tx, bills)


def approve_period(tx: Transaction, last_date: date, frequency: BillingFrequency) -> int:
    """Approve all bills of a period that are pending, or none; gives how many. Raises BilledTwice."""
    lock_bills(tx)
    clauses = period_clauses(last_date, frequency)
    bills = tx.load(Bill, tx.select(Bill, *clauses).with_for_update())
    return approve(tx, [bill for bill in bills if not bill.locked])


def period_clauses(last_date: date, frequency: BillingFrequency) -> list[ColumnElement[bool]]:
    """Give the conditions of the bills whose period ends with this day (semantics §4)."""
    table = resource_of(Bill).table
    day_after = date.fromordinal(last_date.toordinal() + 1)
    return [table.c.end_date == day_after, table.c.billing_frequency == frequency.value]


def approve(tx: Transaction, bills: Sequence[Bill]) -> int:
    """Approve bills that are loaded and locked for it, all or none; gives how many were pending.

    `lock_bills` is held. Raises BillLocked, BilledTwice.
    """
    now = tx.clock.now()
    changes = []
    for old in bills:
        new = old.approve(now, tx.actor)
        if new is not old:
            audit = {"version": old.version + 1, "dt_last_modified": now, "last_modified_by": tx.actor}
            new = msgspec.structs.replace(new, **audit)
            changes.append(BillChange(outcome=Outcome.UPDATED, old=old, new=new))
    check_not_doubled(tx, [change.new for change in changes])
    for first in range(0, len(changes), APPROVED_AT_ONCE):
        write_changes(tx, changes[first : first + APPROVED_AT_ONCE])
    return len(changes)


# --- calculate without saving -------------------------------------------------------------------


def preview_bill(tx: Transaction, usage: UsageQueries, job: BillJob) -> BillAnswer:
    """Calculate one account's bill and store nothing. tx: a snapshot.

    Raises InvalidBody, NothingToBill, and what makes a bill fail: NoConversionRate and its like.
    """
    problems = [*_exactly_one_bill(job), *job.check(), *job.check_stored(tx, None)]
    if problems:
        raise InvalidBody(problems)
    config = config_of(tx)
    today = local_date(tx.clock.now(), zone_of(job, config))
    loaded = load_bills(tx, usage, selection_of(job, config, today), job.account_ids or [])
    stored = existing_bills(tx, loaded[:1], lock=False).get(key_of(loaded[0])) if loaded else None
    draft = _only_draft(loaded, memos_on(tx, [stored.bill.id])[stored.bill.id] if stored else ())
    change = create_bill(draft, new_id(), Stamp(at=tx.clock.now(), by=tx.actor))
    return answer_of(change.new, change.inserted)


def verify_bill(tx: Transaction, usage: UsageQueries, bill_id: str) -> Verification:
    """Recompute a bill from stored usage, as configured now, and compare. tx: a snapshot.

    With what there is to draw on now, or else with what the bill draws: a top-up since then is no difference.
    Raises ResourceNotFound, and what makes a bill fail.
    """
    bill = tx.get(Bill, bill_id)
    config = config_of(tx)
    loaded = load_anew(tx, usage, [bill], config)
    memos, lines = memos_on(tx, [bill_id])[bill_id], lines_by_bill(tx, [bill_id])[bill_id]
    now = compare(bill, lines, _only_draft(loaded, memos))
    if now.matches:
        return now
    draws = draws_of(tx, [bill_id])
    then = compare(bill, lines, _only_draft([as_drawn(each, draws) for each in loaded], memos))
    return then if then.matches else now


def _only_draft(loaded: Sequence[BillInputs], memos: Sequence[BillMemo]) -> Draft:
    if not loaded:
        raise NothingToBill("No plan of this account has a billing period that fits.")
    return with_memos(calculate_bill(loaded[0]), memos)


def _exactly_one_bill(job: BillJob) -> Iterable[Problem]:
    if len(job.account_ids or []) != 1:
        yield Problem("accountIds", "exactly_one", "name exactly one account to preview")
    if job.billing_frequency is None:
        yield Problem("billingFrequency", "required", "is required for a preview")
    if job.bill_frequency_interval is None:
        yield Problem("billFrequencyInterval", "required", "is required for a preview")
