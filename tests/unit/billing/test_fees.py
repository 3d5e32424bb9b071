"""Fees that come with a plan: each once, and all of them, whatever happens to the plan (semantics §18)."""

from datetime import UTC, date, datetime
from decimal import Decimal
from itertools import product
from typing import NamedTuple

from tallystick.accounts.account import Account
from tallystick.accounts.account_plan import AccountPlan
from tallystick.accounts.contract import Contract
from tallystick.balances.commitment import Commitment
from tallystick.pricing.plan import Plan
from tests.unit.billing.conftest import JAN, Books

MONTHS = [datetime(2024, month, 1, tzinfo=UTC) for month in range(2, 10)]
STARTS = (date(2024, 1, 1), date(2024, 2, 1), date(2024, 2, 15))
BETWEEN_BILLS, IN_A_MONTH = datetime(2024, 4, 1, tzinfo=UTC), datetime(2024, 3, 15, tzinfo=UTC)


class Case(NamedTuple):
    """replaced: when the plan is, by itself. limited: by a contract that begins with the commitment."""

    starts: date
    replaced: datetime | None
    in_advance: bool
    limited: bool


def test_each_fee_is_on_one_bill(books: Books) -> None:
    plan = books.plan()
    cases = [
        Case(*each)
        for each in product(STARTS, (None, BETWEEN_BILLS, IN_A_MONTH), (False, True), (False, True))
    ]
    accounts = [promised(books, plan, case, f"a{number}") for number, case in enumerate(cases)]
    for month in MONTHS:
        books.run(at=month)
    bills = books.bills()
    for case, account in zip(cases, accounts, strict=True):
        mine = (bill for bill in bills if bill.account_id == account.id)
        fees = [line for bill in mine for line in bill.line_items or []]
        begins = [fee.service_period_start_date for fee in fees]
        assert sum(fee.converted_subtotal for fee in fees) == Decimal("1000.01"), case
        assert len(begins) == len(set(begins)) == 7 - case.starts.month, case
        assert begins[0].date() == case.starts, case


def promised(books: Books, plan: Plan, case: Case, code: str) -> Account:
    """Give an account on the plan from January on, with a commitment of $1,000.01 until July."""
    account = books.account(code)
    contract = Contract(
        account_id=account.id,
        name="c",
        start_date=case.starts if case.limited else JAN.date(),
        end_date=date(2025, 1, 1),
        apply_contract_period_limits=True,
    )
    attached = {"account_id": account.id, "plan_id": plan.id, "contract_id": books.create(contract).id}
    books.create(AccountPlan(start_date=JAN, end_date=case.replaced, **attached))
    if case.replaced is not None:
        books.create(AccountPlan(start_date=case.replaced, **attached))
    commitment = Commitment(
        account_id=account.id,
        amount=Decimal("1000.01"),
        currency="USD",
        billing_plan_id=plan.id,
        commitment_fee_bill_in_advance=case.in_advance,
        start_date=case.starts,
        end_date=date(2024, 7, 1),
    )
    books.create(commitment)
    return account
