"""Draw on the ledger as bills are saved: on what there is at that moment, and together with the bills."""

from collections.abc import Callable, Collection, Mapping, Sequence

import msgspec

from tallystick.balances.balance import Balance
from tallystick.balances.charge import Charge
from tallystick.balances.commitment import Commitment
from tallystick.balances.draws import Draw, draws_of, draws_on, lock_reserves, redraw
from tallystick.balances.ledger import amend_and_tell
from tallystick.billing.bill import Bill
from tallystick.billing.calculate import BillInputs, Draft, calculate_bill
from tallystick.billing.ledger import Drawn, reserves_of
from tallystick.kernel.errors import Invalid
from tallystick.platform.resources import Transaction, resource_of
from tallystick.platform.resources.rows import among


class CurrentFunds:
    """What there is to draw on while bills are saved, one after the other. It is locked by making this.

    drafts: what is to be saved. releasing: ids of the stored bills that they replace: what those have drawn
    is there for them again.
    """

    def __init__(self, tx: Transaction, drafts: Sequence[Draft], releasing: Collection[str]) -> None:
        wanted = [reserve for draft in drafts for reserve in draft.inputs.ledger.reserves]
        old = draws_of(tx, sorted(releasing)) if releasing else []
        commitments, balances = lock_reserves(
            tx,
            {r.of.id for r in wanted if r.commitment} | {d.of_id for d in old if not d.is_balance},
            {r.of.id for r in wanted if not r.commitment} | {d.of_id for d in old if d.is_balance},
        )
        self._of: dict[str, Commitment | Balance] = {c.id: c for c in commitments}
        self._of |= {b.id: b for b in balances}
        charges = sorted({c.id for draft in drafts for c in draft.inputs.ledger.charges})
        found = tx.find(Charge, lock=True, id=charges)
        self._bill_of = {charge.id: charge.bill_id for charge in found}
        draws = draws_on(tx, sorted(self._of))
        self._drawn = Drawn(draws, releasing)

    def settle(self, draft: Draft, bill_id: str | None) -> Draft:
        """Give a draft that draws on what there is now, with the charges that no other bill has.

        The same, or calculated again. Raises Invalid.
        """
        ledger = draft.inputs.ledger
        there = [self._of[r.of.id] for r in ledger.reserves if r.of.id in self._of]
        charges = tuple(c for c in ledger.charges if self._is_free(c, bill_id))
        reserves = reserves_of(there, self._drawn)
        if (reserves, charges) == (ledger.reserves, ledger.charges):
            return draft
        now = msgspec.structs.replace(ledger, reserves=reserves, charges=charges)
        return calculate_bill(msgspec.structs.replace(draft.inputs, ledger=now))

    def _is_free(self, charge: Charge, bill_id: str | None) -> bool:
        return charge.id in self._bill_of and self._bill_of[charge.id] in {None, bill_id}

    def take(self, draft: Draft) -> None:
        """Leave so much less, as a draft draws, for the ones after it."""
        self._drawn.add(draws_in(draft, ""))


def settle_draws(
    tx: Transaction,
    drafts: Sequence[tuple[Draft, str | None]],
    finish: Callable[[Draft, str | None], Draft],
) -> tuple[list[Draft], list[tuple[Draft, Invalid]]]:
    """Let bills draw one after the other, in the order of their periods, on what there is now; all is locked.

    drafts: with the id of the stored bill that each replaces; what that draws is there for them all again.
    finish: what else is brought up to date; may refuse, which keeps the stored bill and what it draws.
    Gives the drafts that are to be saved, in their order, and those that are refused.
    """
    refused: dict[int, Invalid] = {}
    while True:
        rest = [i for i in range(len(drafts)) if i not in refused]
        releasing = {bill_id for bill_id in (drafts[i][1] for i in rest) if bill_id}
        funds = CurrentFunds(tx, [drafts[i][0] for i in rest], releasing)
        settled: dict[int, Draft] = {}
        for i in sorted(rest, key=lambda i: place_of(drafts[i][0].inputs)):
            draft, bill_id = drafts[i]
            try:
                settled[i] = finish(funds.settle(draft, bill_id), bill_id)
            except Invalid as error:
                refused[i] = error
                break
            funds.take(settled[i])
        else:
            return [settled[i] for i in rest], [(drafts[i][0], error) for i, error in refused.items()]


def place_of(inputs: BillInputs) -> tuple[object, ...]:
    """Give a bill's place among those that draw one after the other."""
    head = inputs.head
    return head.dates.end, head.dates.start, head.grouping


def draws_in(draft: Draft, bill_id: str) -> list[Draw]:
    """Add up what a draft's lines draw, by what they draw on."""
    found: dict[tuple[str, bool], Draw] = {}
    for line in draft.lines:
        if line.drawn is not None:
            place = line.drawn.of_id, line.drawn.is_rollover
            before = found[place].amount if place in found else 0
            found[place] = Draw(
                of_id=line.drawn.of_id,
                is_balance=line.balance_id is not None,
                is_rollover=line.drawn.is_rollover,
                amount=line.drawn.amount + before,
                bill_id=bill_id,
            )
    return list(found.values())


def save_draws(tx: Transaction, bills: Sequence[Bill], drafts: Mapping[str, Draft]) -> None:
    """Write what bills draw, in the transaction that writes them. drafts: by the bill's id."""
    wanted = {bill.id: draws_in(drafts[bill.id], bill.id) for bill in bills}
    redraw(tx, wanted, {bill.id: _told(bill) for bill in bills})


def _told(bill: Bill) -> str:
    return f"Bill of {bill.start_date} up to {bill.end_date}"


def save_charges(tx: Transaction, drafts: Mapping[str, Draft]) -> None:
    """Note on charges which bill they are on, and on those that fell off that it is none. drafts: by bill."""
    if not drafts:
        return
    on_bill = {
        line.charge_id: bill_id
        for bill_id, draft in drafts.items()
        for line in draft.lines
        if line.charge_id is not None
    }
    table = resource_of(Charge).table
    held = tx.select(Charge, among(table.c.bill_id, list(drafts)))
    found = {charge.id: charge for charge in tx.load(Charge, held.with_for_update())}
    fresh = sorted(on_bill.keys() - found.keys())
    if fresh:
        statement = tx.select(Charge, among(table.c.id, fresh)).with_for_update()
        found |= {charge.id: charge for charge in tx.load(Charge, statement)}
    for charge in found.values():
        bill_id = on_bill.get(charge.id)
        if bill_id != charge.bill_id:
            amend_and_tell(tx, charge, bill_id=bill_id)


def release(tx: Transaction, bill: Bill) -> None:
    """Take back all that a bill draws, and free its charges, before it is deleted."""
    old = draws_of(tx, [bill.id])
    lock_reserves(tx, [d.of_id for d in old if not d.is_balance], [d.of_id for d in old if d.is_balance])
    redraw(tx, {bill.id: ()}, {bill.id: _told(bill)})
    for charge in tx.find(Charge, lock=True, bill_id=bill.id):
        amend_and_tell(tx, charge, bill_id=None)
