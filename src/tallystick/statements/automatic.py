"""Statements by themselves: when a bill is approved or locked, as its account or organization says."""

from collections.abc import Iterable, Sequence

from tallystick.accounts.account import Account
from tallystick.billing.bill import Bill, BillStatus
from tallystick.billing.save import bill_followers
from tallystick.organizations.organization_config import OrganizationConfig, StatementMode
from tallystick.platform.resources import Change, Transaction
from tallystick.statements.job import StatementJob
from tallystick.statements.service import create_jobs

BillStep = tuple[Bill | None, Bill]
"A bill before and after a change."


def order_statements(tx: Transaction, changed: Iterable[BillStep]) -> None:
    """Order the statements of bills that have just been approved or locked, never of pending ones.

    In the change's own transaction. A statement that the bill has already, and that still says what the
    bill does, is not made again. Rule: semantics §3, §26.
    """
    bills = [new for old, new in changed if _is_settled_by(old, new)]
    if not bills:
        return
    modes = _modes(tx, bills)
    jobs = [
        StatementJob(bill_id=bill.id, include_csv_format=mode is StatementMode.JSON_AND_CSV)
        for bill in bills
        if (mode := modes[bill.account_id]) is not StatementMode.NONE and not _has(bill, mode)
    ]
    create_jobs(tx, jobs)


def note_changes(tx: Transaction, /, *changes: Change) -> None:
    """Follow the bills among recorded changes."""
    order_statements(
        tx, [(c.old, c.new) for c in changes if isinstance(c.new, Bill) and isinstance(c.old, Bill)]
    )


def _is_settled_by(old: Bill | None, new: Bill) -> bool:
    approved = new.status is BillStatus.APPROVED and (old is None or old.status is not BillStatus.APPROVED)
    locked = new.locked and (old is None or not old.locked)
    return new.status is BillStatus.APPROVED and (approved or locked)


def _has(bill: Bill, mode: StatementMode) -> bool:
    csv = bill.csv_statement_generated or mode is not StatementMode.JSON_AND_CSV
    return bill.json_statement_generated and csv and not bill.statement_stale


def _modes(tx: Transaction, bills: Sequence[Bill]) -> dict[str, StatementMode]:
    """Give each bill's account's mode, the organization's where it has none of its own."""
    config = tx.find_one(OrganizationConfig)
    default = config.auto_generate_statement_mode if config else StatementMode.NONE
    accounts = tx.find(Account, id=sorted({bill.account_id for bill in bills}))
    return {account.id: account.auto_generate_statement_mode or default for account in accounts}


bill_followers.append(order_statements)
