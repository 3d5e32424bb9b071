"""However contracts and their keys change between runs, nothing is charged twice or lost (semantics §22)."""

from collections import Counter
from collections.abc import Callable
from random import Random

import pytest

from tallystick.accounts.account import Account
from tallystick.accounts.account_plan import AccountPlan
from tallystick.accounts.contract import Contract
from tallystick.billing import service
from tallystick.billing.bill import Bill
from tallystick.billing.jobs import recalculate_job
from tallystick.billing.store import lines_by_bill
from tallystick.organizations.bill_grouping_key import BillGroupingKey
from tests.unit.billing.conftest import FEB, JAN, Books

PLANS = 4


class Muddle:
    """An account with plans under contracts, and somebody who cannot decide how to group them."""

    def __init__(self, books: Books, seed: int) -> None:
        self.books, self.random = books, Random(seed)  # noqa: S311 - reproducible, not secret
        books.configure(allow_overlapping_plans=True)
        self.acme: Account = books.account("acme")
        keys = [books.create(BillGroupingKey(name=f"k{i}", exclusive=i == 0)) for i in range(2)]
        self.keys: list[BillGroupingKey] = keys
        days = {"start_date": JAN.date(), "end_date": FEB.date()}
        self.contracts: list[Contract] = [
            books.create(Contract(account_id=self.acme.id, name=f"c{i}", **days)) for i in range(3)
        ]
        self.attached = [
            books.create(AccountPlan(account_id=self.acme.id, plan_id=books.plan("10").id, start_date=JAN))
            for _ in range(PLANS)
        ]

    def step(self) -> None:
        actions: list[Callable[[], object]] = [
            self.run,
            self.run,
            self.move,
            self.move,
            self.regroup,
            self.turn,
            self.settle,
            self.anew,
        ]
        self.random.choice(actions)()

    def run(self) -> None:
        self.books.run()

    def move(self) -> None:
        chosen = self.random.choice([None, *(c.id for c in self.contracts)])
        self.books.change(AccountPlan, self.random.choice(self.attached).id, contract_id=chosen)

    def regroup(self) -> None:
        chosen = self.random.choice([None, *(k.id for k in self.keys)])
        self.books.change(Contract, self.random.choice(self.contracts).id, bill_grouping_key_id=chosen)

    def turn(self) -> None:
        exclusive = self.random.random() < 0.5
        self.books.change(BillGroupingKey, self.random.choice(self.keys).id, exclusive=exclusive)

    def settle(self) -> None:
        bill = self._any_bill()
        if bill is not None:
            with self.books.database.transaction(self.books.org_id) as tx:
                service.approve_bills(tx, [bill.id])
                if self.random.random() < 0.3:
                    service.lock_bill(tx, bill.id)

    def anew(self) -> None:
        bill = self._any_bill()
        if bill is not None:
            self.make_anew(bill)

    def make_anew(self, *bills: Bill) -> None:
        with self.books.database.transaction(self.books.org_id) as tx:
            job = recalculate_job(tx, [bill.id for bill in bills])
        self.books.runner().run(self.books.org_id, job.id)

    def bills(self) -> list[Bill]:
        with self.books.database.reading(self.books.org_id) as tx:
            return tx.find(Bill)

    def _any_bill(self) -> Bill | None:
        unlocked = [bill for bill in self.bills() if not bill.locked]
        return self.random.choice(unlocked) if unlocked else None

    def charged(self) -> Counter[str | None]:
        """Count the lines of each account plan, over all bills."""
        with self.books.database.reading(self.books.org_id) as tx:
            found = lines_by_bill(tx, [bill.id for bill in tx.find(Bill)])
        return Counter(line.account_plan_id for lines in found.values() for line in lines)


@pytest.mark.parametrize("seed", range(2))
def test_no_plan_is_charged_twice(books: Books, seed: int) -> None:
    muddle = Muddle(books, seed)
    for _ in range(20):
        muddle.step()
        assert max(muddle.charged().values(), default=0) <= 1
    unlocked = [bill for bill in muddle.bills() if not bill.locked]
    if unlocked:
        muddle.make_anew(*unlocked)
    muddle.run()
    charged = muddle.charged()
    assert max(charged.values(), default=0) <= 1
    if not any(bill.locked for bill in muddle.bills()):
        assert charged == {plan.id: 1 for plan in muddle.attached}  # nothing is lost
