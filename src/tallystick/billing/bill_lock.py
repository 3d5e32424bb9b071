"""Close the books up to a date, and open them again (semantics §22)."""

from collections.abc import Sequence
from datetime import date
from typing import NoReturn

import msgspec

from tallystick.billing.bill import Bill, BillStatus
from tallystick.billing.bill_config import BillConfig, get_bill_config
from tallystick.billing.diff import BillChange, Outcome
from tallystick.billing.errors import BillsPending
from tallystick.billing.save import write_changes
from tallystick.billing.store import lock_bills
from tallystick.kernel.problems import Problem
from tallystick.platform.resources import Transaction, resource_of
from tallystick.platform.resources.declaration import VersionedRequest
from tallystick.platform.resources.transaction import replace_versioned

AT_ONCE = 1000
MOST_NAMED = 100


def update_bill_config(tx: Transaction, request: VersionedRequest) -> BillConfig:
    """Close the books up to another date, or open them again.

    Bills that the date reaches are locked; those that only the old date held are unlocked. Raises
    InvalidBody, StaleVersion, BillsPending: nothing changes while a bill that it reaches is pending.
    """
    lock_bills(tx)  # a run that is saving bills knows either the old date or the new one
    get_bill_config(tx)
    old = tx.find(BillConfig, lock=True)[0]
    new = replace_versioned(tx, old, request)
    _follow(tx, new.bill_lock_date)
    return new


def _follow(tx: Transaction, until: date | None) -> None:
    """Lock and unlock what a lock date says. Raises BillsPending."""
    table = resource_of(Bill).table
    unlocked = table.c.locked.is_(False)
    reached = () if until is None else (table.c.end_date <= until,)
    if until is not None:
        pending = tx.select(Bill, unlocked, *reached, table.c.status == BillStatus.PENDING.value)
        bills = tx.load(Bill, pending.with_for_update())
        if bills:
            _refuse(bills, until)
        _change(tx, tx.load(Bill, tx.select(Bill, unlocked, *reached).with_for_update()), locks=True)
    held = tx.select(Bill, table.c.locked_by_date, *(~clause for clause in reached))
    _change(tx, tx.load(Bill, held.with_for_update()), locks=False)


def _change(tx: Transaction, bills: Sequence[Bill], *, locks: bool) -> None:
    now = tx.clock.now()
    audit = {"dt_last_modified": now, "last_modified_by": tx.actor}
    changes = []
    for old in bills:
        new = old.lock_by_date(now, tx.actor) if locks else old.unlock_by_date()
        new = msgspec.structs.replace(new, version=old.version + 1, **audit)
        changes.append(BillChange(outcome=Outcome.UPDATED, old=old, new=new))
    for first in range(0, len(changes), AT_ONCE):
        write_changes(tx, changes[first : first + AT_ONCE])


def _refuse(bills: Sequence[Bill], until: date) -> NoReturn:
    problems = [
        Problem(
            "billLockDate", "bill_pending", f"{b.account_code}, {b.start_date} up to {b.end_date}: {b.id}"
        )
        for b in bills[:MOST_NAMED]
    ]
    raise BillsPending(len(bills), until, problems)
