"""Verbs of memos: what someone puts on a bill by hand, changes, and takes off again (semantics §24).

A memo is its own stored thing; its line is made from it whenever the bill is. It changes the bill's
total at once, and neither its status nor any other line.
"""

from typing import TypeVar

import msgspec

from tallystick.billing.bill import Bill
from tallystick.billing.bill_job import BillJob
from tallystick.billing.calculate import Draft
from tallystick.billing.calculate.memos import with_memos
from tallystick.billing.diff import Existing, Stamp, change_memos
from tallystick.billing.lines import lines_of
from tallystick.billing.load import inputs_without_plans
from tallystick.billing.memo import CreditLineItem, DebitLineItem, Memo
from tallystick.billing.memo_store import memos_on
from tallystick.billing.save import write_changes
from tallystick.billing.selection import selection_of_bill
from tallystick.billing.store import lines_by_bill
from tallystick.organizations.organization_config import config_of
from tallystick.platform.resources import Page, PageRequest, Transaction, resource_of
from tallystick.platform.resources.declaration import VersionedRequest
from tallystick.platform.resources.transaction import ResourceNotFound, from_request, replace_versioned

M = TypeVar("M", bound=Memo)


def get_memo(tx: Transaction, cls: type[M], bill_id: str, memo_id: str, *, lock: bool = False) -> M:
    """Give one memo of a bill. Raises ResourceNotFound."""
    bill = tx.get(Bill, bill_id)
    memo = tx.get(cls, memo_id, lock=lock)
    if memo.bill_id != bill.id:
        raise ResourceNotFound(f"This bill has no {resource_of(cls).noun} with id {memo_id!r}.")
    return memo


def page_of_memos(tx: Transaction, cls: type[M], bill_id: str, page: PageRequest) -> Page[M]:
    """List a bill's memos of one kind, newest first. Raises ResourceNotFound."""
    bill = tx.get(Bill, bill_id)
    return tx.page(cls, page, [resource_of(cls).table.c.bill_id == bill.id])


def create_memo(tx: Transaction, cls: type[M], bill_id: str, request: VersionedRequest) -> M:
    """Put a memo on a bill. Raises ResourceNotFound, BillLocked, InvalidBody, NoConversionRate."""
    bill = _open_bill(tx, bill_id)
    memo = tx.create(msgspec.structs.replace(from_request(cls, request), bill_id=bill.id))
    _rebill(tx, bill)
    return memo


def update_memo(tx: Transaction, cls: type[M], bill_id: str, memo_id: str, request: VersionedRequest) -> M:
    """Change a memo, and the bill with it. Raises what create_memo raises, and StaleVersion."""
    bill = _open_bill(tx, bill_id)
    memo = replace_versioned(tx, get_memo(tx, cls, bill_id, memo_id, lock=True), request)
    _rebill(tx, bill)
    return memo


def delete_memo(tx: Transaction, cls: type[M], bill_id: str, memo_id: str) -> M:
    """Take a memo off a bill. Raises ResourceNotFound, BillLocked."""
    bill = _open_bill(tx, bill_id)
    memo = tx.delete(cls, get_memo(tx, cls, bill_id, memo_id).id)
    _rebill(tx, bill)
    return memo


def delete_memos_of(tx: Transaction, bill_id: str) -> None:
    """Delete all memos of a bill that goes itself."""
    kinds: tuple[type[Memo], ...] = (CreditLineItem, DebitLineItem)
    for cls in kinds:
        for memo in tx.find(cls, bill_id=bill_id):
            tx.delete(cls, memo.id)


def _open_bill(tx: Transaction, bill_id: str) -> Bill:
    """Load a bill that may change, locked: a run that saves it waits, and then sees the memo."""
    bill = tx.get(Bill, bill_id, lock=True)
    bill.check_open()
    return bill


def _rebill(tx: Transaction, bill: Bill) -> None:
    """Bring the lines of memos, and what follows from them, up to the memos that are stored."""
    lines = lines_by_bill(tx, [bill.id])[bill.id]
    existing = Existing(bill, {line.id: line for line in lines})
    config = config_of(tx)
    job = tx.find_one(BillJob, id=bill.bill_job_id) if bill.bill_job_id else None
    inputs = inputs_without_plans(tx, bill, selection_of_bill(bill, config, job), config)
    draft = Draft(msgspec.structs.replace(inputs, currency=bill.currency))
    draft = with_memos(draft, memos_on(tx, [bill.id])[bill.id])
    stamp = Stamp(at=tx.clock.now(), by=tx.actor)
    write_changes(tx, [change_memos(existing, lines_of(draft, bill.id), stamp)])
