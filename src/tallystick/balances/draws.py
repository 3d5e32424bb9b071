"""What bills draw: the entries in force, and replacing a bill's by others, by naming those taken back."""

from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence
from decimal import Decimal

import msgspec
from sqlalchemy import ARRAY, ColumnElement, Text, any_, func, insert, literal, select

from tallystick.balances.balance import Balance
from tallystick.balances.balance_transaction import BalanceTransaction, EntityType
from tallystick.balances.commitment import Commitment
from tallystick.balances.commitment_entry import commitment_entries
from tallystick.balances.ledger import amend_and_tell, keep_amount
from tallystick.kernel.decimals import ZERO
from tallystick.kernel.errors import invariant
from tallystick.platform.ids import new_id
from tallystick.platform.resources import Transaction, resource_of
from tallystick.platform.resources.rows import among


class Draw(msgspec.Struct, frozen=True, kw_only=True):
    """What a bill draws on a commitment or balance, in its currency, above zero.

    is_rollover: after a balance's end. entry_id: of the entry that says so; "" before there is one.
    """

    of_id: str
    is_balance: bool
    is_rollover: bool = False
    amount: Decimal
    bill_id: str
    entry_id: str = ""

    @property
    def place(self) -> tuple[str, bool]:
        """Name what is drawn on: a bill has one entry in force for each."""
        return self.of_id, self.is_rollover


def draws_on(tx: Transaction, of_ids: Sequence[str]) -> list[Draw]:
    """Give what bills draw on these commitments and balances: the entries that nothing took back."""
    if not of_ids:
        return []
    entries = resource_of(BalanceTransaction).table
    return [
        *_of_commitments(tx, among(commitment_entries.c.commitment_id, of_ids)),
        *_of_balances(tx, among(entries.c.balance_id, of_ids)),
    ]


def draws_of(tx: Transaction, bill_ids: Sequence[str]) -> list[Draw]:
    """Give what these bills draw."""
    if not bill_ids:
        return []
    entries = resource_of(BalanceTransaction).table
    return [
        *_of_commitments(tx, among(commitment_entries.c.bill_id, bill_ids)),
        *_of_balances(tx, entries.c.entity_id == any_(literal(list(bill_ids), ARRAY(Text)))),
    ]


def _of_commitments(tx: Transaction, clause: ColumnElement[bool]) -> list[Draw]:
    table = commitment_entries
    later = table.alias("later")
    taken_back = select(later.c.id).where(later.c.org_id == table.c.org_id, later.c.reverses_id == table.c.id)
    rows = tx.execute(
        select(table.c.id, table.c.commitment_id, table.c.amount, table.c.bill_id).where(
            table.c.org_id == tx.org_id, clause, table.c.reverses_id.is_(None), ~taken_back.exists()
        )
    )
    return [
        Draw(
            of_id=row.commitment_id,
            is_balance=False,
            amount=row.amount,
            bill_id=row.bill_id,
            entry_id=row.id,
        )
        for row in rows
    ]


def _of_balances(tx: Transaction, clause: ColumnElement[bool]) -> list[Draw]:
    table = resource_of(BalanceTransaction).table
    later = table.alias("later")
    taken_back = select(later.c.id).where(later.c.org_id == table.c.org_id, later.c.reverses_id == table.c.id)
    columns = (table.c.id, table.c.balance_id, table.c.amount, table.c.entity_id, table.c.is_rollover)
    rows = tx.execute(
        select(*columns).where(
            table.c.org_id == tx.org_id,
            clause,
            table.c.entity_type == EntityType.BILL.value,
            table.c.reverses_id.is_(None),
            ~taken_back.exists(),
        )
    )
    return [
        Draw(
            of_id=row.balance_id,
            is_balance=True,
            is_rollover=row.is_rollover,
            amount=-row.amount,
            bill_id=row.entity_id,
            entry_id=row.id,
        )
        for row in rows
    ]


def redraw(tx: Transaction, wanted: Mapping[str, Iterable[Draw]], told: Mapping[str, str]) -> None:
    """Make the ledger say what these bills draw, and nothing else: an entry that is right already stays.

    An entry that is not is taken back by one that names it. told: what an entry says, by bill.
    What is drawn on has to be locked before (`lock_reserves`).
    """
    drawn = draws_of(tx, list(wanted))
    now = {(draw.bill_id, *draw.place): draw for draw in drawn}
    then = {(draw.bill_id, *draw.place): draw for draws in wanted.values() for draw in draws if draw.amount}
    back = [draw for key, draw in now.items() if key not in then or then[key].amount != draw.amount]
    new = [draw for key, draw in then.items() if key not in now or now[key].amount != draw.amount]
    if not back and not new:
        return
    taken_back = (_back(draw, told) for draw in back if draw.is_balance)
    tx.create_all([*taken_back, *(_entry(draw, told) for draw in new if draw.is_balance)])
    rows = [
        *(_row(tx, d, -d.amount, d.entry_id) for d in back if not d.is_balance),
        *(_row(tx, d, d.amount, None) for d in new if not d.is_balance),
    ]
    if rows:
        tx.execute(insert(commitment_entries), rows)
    touched: dict[bool, set[str]] = defaultdict(set)
    for draw in (*back, *new):
        touched[draw.is_balance].add(draw.of_id)
    _keep_sums(tx, sorted(touched[False]), sorted(touched[True]))


def lock_reserves(
    tx: Transaction, commitment_ids: Iterable[str], balance_ids: Iterable[str]
) -> tuple[list[Commitment], list[Balance]]:
    """Load commitments and balances, locked until the transaction ends, always in the same order."""
    commitments, balances = sorted(set(commitment_ids)), sorted(set(balance_ids))
    return (
        tx.find(Commitment, lock=True, id=commitments),
        tx.find(Balance, lock=True, id=balances),
    )


def _entry(draw: Draw, told: Mapping[str, str]) -> BalanceTransaction:
    return BalanceTransaction(
        balance_id=draw.of_id,
        description=told[draw.bill_id],
        amount=-draw.amount,
        entity_type=EntityType.BILL,
        entity_id=draw.bill_id,
        is_rollover=draw.is_rollover,
    )


def _back(draw: Draw, told: Mapping[str, str]) -> BalanceTransaction:
    return BalanceTransaction(
        balance_id=draw.of_id,
        description=f"Taken back: {told[draw.bill_id]}",
        amount=draw.amount,
        entity_type=EntityType.BILL,
        entity_id=draw.bill_id,
        reverses_id=draw.entry_id,
        is_rollover=draw.is_rollover,
    )


def _row(tx: Transaction, draw: Draw, amount: Decimal, reverses_id: str | None) -> dict[str, object]:
    return {
        "org_id": tx.org_id,
        "id": new_id(),
        "commitment_id": draw.of_id,
        "bill_id": draw.bill_id,
        "amount": amount,
        "reverses_id": reverses_id,
        "dt_created": tx.clock.now(),
    }


def _keep_sums(tx: Transaction, commitment_ids: Sequence[str], balance_ids: Sequence[str]) -> None:
    """Bring the stored sums to the entries, and check that nothing was drawn beyond what there is."""
    commitments, balances = lock_reserves(tx, commitment_ids, balance_ids)
    for commitment in commitments:
        spent = _spent(tx, commitment.id)
        invariant(ZERO <= spent <= commitment.amount, "a commitment gives no more than its amount")
        if spent != commitment.amount_spent:
            amend_and_tell(tx, commitment, amount_spent=spent)
    for balance in balances:
        keep_amount(tx, balance)


def _spent(tx: Transaction, commitment_id: str) -> Decimal:
    table = commitment_entries
    mine = (table.c.org_id == tx.org_id, table.c.commitment_id == commitment_id)
    total = tx.execute(select(func.coalesce(func.sum(table.c.amount), 0)).where(*mine)).scalar_one()
    return Decimal(total)
