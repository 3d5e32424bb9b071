"""Add entries to the ledger: the only place that changes what a balance or a commitment comes to.

Each function locks what it adds to, so that racing writers come one after the other, and keeps the stored
sum equal to the entries, which it checks.
"""

from decimal import Decimal
from typing import TypeVar

import msgspec
from sqlalchemy import func, select, update

from tallystick.balances.balance import Balance
from tallystick.balances.balance_transaction import BalanceTransaction
from tallystick.balances.rules import BalanceTransactionsSummary, may_overdraw, summarize
from tallystick.events.declared import STATES, domain_event
from tallystick.events.record import append_event
from tallystick.kernel.decimals import ZERO
from tallystick.kernel.errors import invariant
from tallystick.kernel.problems import Problem
from tallystick.organizations.organization_config import config_of
from tallystick.platform.resources import Change, Entity, Transaction, resource_of
from tallystick.platform.resources.wire import InvalidBody, answer

E = TypeVar("E", bound=Entity)

AMOUNT_CHANGED = domain_event("billing.balanceamount.updated", Balance, STATES["updated"])
"A balance is worth something else; new and old are the whole balance."


def post_transaction(tx: Transaction, balance_id: str, entry: BalanceTransaction) -> BalanceTransaction:
    """Add an entry that a user or a schedule makes. Raises ResourceNotFound, InvalidBody."""
    balance = tx.get(Balance, balance_id, lock=True)
    config = config_of(tx)
    left = balance.amount + entry.amount
    if (
        entry.amount < ZERO
        and left < ZERO
        and not may_overdraw(balance, allow_negative_balances=config.allow_negative_balances)
    ):
        message = (
            f"takes more than the {balance.amount:f} {balance.currency} there are, and allows no overdraft"
        )
        raise InvalidBody([Problem("amount", "overdrawn", message)])
    made = tx.create(msgspec.structs.replace(entry, balance_id=balance_id))
    keep_amount(tx, balance)
    return made


def keep_amount(tx: Transaction, balance: Balance) -> Balance:
    """Bring a locked balance's amount to the sum of its entries, and tell of it."""
    total = sum_of_entries(tx, balance.id)
    if total == balance.amount:
        return balance
    changed = amend(tx, balance, amount=total)
    append_event(tx, AMOUNT_CHANGED, {"newDto": answer(changed), "oldDto": answer(balance)}, balance.id)
    return changed


def sum_of_entries(tx: Transaction, balance_id: str) -> Decimal:
    """Add up a balance's entries in the database."""
    table = resource_of(BalanceTransaction).table
    mine = (table.c.org_id == tx.org_id, table.c.balance_id == balance_id)
    total = tx.execute(select(func.coalesce(func.sum(table.c.amount), 0)).where(*mine)).scalar_one()
    return Decimal(total)


def amend(tx: Transaction, entity: E, **computed: object) -> E:
    """Store what the server itself keeps of a thing. Its version stays: nobody has edited it."""
    table = resource_of(type(entity)).table
    own = (table.c.org_id == tx.org_id, table.c.id == entity.id)
    changed = tx.execute(update(table).where(*own).values(**computed)).rowcount
    invariant(changed == 1, "what was loaded and locked is there")
    return msgspec.structs.replace(entity, **computed)


def amend_and_tell(tx: Transaction, entity: E, **computed: object) -> E:
    """Store what the server itself keeps of a thing, and raise its updated event."""
    changed = amend(tx, entity, **computed)
    tx.record(tx, Change("updated", resource_of(type(entity)), entity, changed))
    return changed


def entries_of(tx: Transaction, balance_id: str) -> list[BalanceTransaction]:
    """Give all entries of a balance, newest first."""
    return tx.find(BalanceTransaction, balance_id=balance_id)


def summary_of(tx: Transaction, balance_id: str) -> BalanceTransactionsSummary:
    """Sum up a balance's transactions. Raises ResourceNotFound."""
    balance = tx.get(Balance, balance_id)
    entries = entries_of(tx, balance_id)
    invariant(sum((e.amount for e in entries), ZERO) == balance.amount, "a balance is not its entries' sum")
    return summarize(balance, entries, tx.clock.now())
