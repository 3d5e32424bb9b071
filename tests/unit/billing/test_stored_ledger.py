"""What stored bills draw, one after the other: the ledger's rules through runs (semantics §17, §18, §19)."""

from datetime import UTC, date, datetime, timedelta
from decimal import Decimal
from typing import Any

import pytest

from tallystick.accounts import account as accounts
from tallystick.accounts.account import Account
from tallystick.balances.balance import Balance
from tallystick.balances.balance_transaction import BalanceTransaction
from tallystick.balances.commitment import Commitment
from tallystick.balances.ledger import post_transaction, summary_of
from tallystick.billing import service
from tallystick.billing.jobs import recalculate_job
from tallystick.organizations.organization_config import CreditType
from tallystick.platform.resources.wire import InvalidBody
from tests.unit.billing.conftest import FEB, JAN, MAR, Books, lines

D = Decimal
APR, MAY = (datetime(2024, month, 1, tzinfo=UTC) for month in (4, 5))


def balance_of(books: Books, account: Account, amount: str, **values: Any) -> Balance:
    """Give an account a balance for 2024, unless told, with so much in it."""
    year = {"start_date": JAN, "end_date": datetime(2025, 1, 1, tzinfo=UTC)}
    declared = {"name": "Credits", "code": "credits", "currency": "USD", **year}
    made: Balance = books.create(Balance(account_id=account.id, **declared | values))
    with books.database.transaction(books.org_id) as tx:
        post_transaction(tx, made.id, BalanceTransaction(amount=D(amount)))
    return made


def consumed(books: Books, account: Account) -> list[list[tuple[str, str]]]:
    kinds = {"COMMITMENT_CONSUMED", "BALANCE_CONSUMED"}
    return [[x for x in lines(bill) if x[0] in kinds] for bill in books.bills(account)]


def test_what_rolls_over_is_capped_over_all_bills(books: Books) -> None:
    """Semantics §19: 1000 until February, 800 of it until May. 300 of January leave 700 to roll over.

    With 1300 there would be 1000 left and 800 usable: 500 of February, 300 of March, 200 have expired.
    """
    plan = books.plan()
    books.price(plan, ("0", "0", "1"))
    acme = books.account("acme", plan)
    rolls = {"end_date": FEB, "rollover_amount": D(800), "rollover_end_date": MAY}
    credit = balance_of(books, acme, "1300", **rolls)
    for month, used in ((1, "300"), (2, "500"), (3, "500"), (4, "500")):
        books.usage.add(acme.id, datetime(2024, month, 10, tzinfo=UTC), used)
    for at in (FEB, MAR, APR, MAY):
        books.run(at=at)
    taken = ["-300.00", "-500.00", "-300.00"]
    assert consumed(books, acme) == [*([("BALANCE_CONSUMED", amount)] for amount in taken), []]
    with books.database.reading(books.org_id) as tx:
        summary = summary_of(tx, credit.id)
    assert (summary.balance_consumed, summary.rollover_consumed) == (300, 800)
    assert summary.expired_balance_amount == 200


@pytest.mark.parametrize("is_parent", [True, False])
def test_a_family_draws_prepayments_first_whatever_its_account_says(books: Books, is_parent: bool) -> None:  # noqa: FBT001 - a table
    """Semantics §17: 60 of 100 are prepaid, 40 come from the balance that the account would draw alone."""
    plan = books.plan(standing="100")
    alone = {"credit_application_order": [CreditType.BALANCE]}
    parent = books.account("parent", plan if is_parent else None, **(alone if is_parent else {}))
    own = {} if is_parent else {"plan": plan, **alone}
    child = books.account("child", parent_account_id=parent.id, **own)
    acme = parent if is_parent else child
    balance_of(books, acme, "500")
    year = {"start_date": date(2024, 1, 1), "end_date": date(2025, 1, 1)}
    books.create(Commitment(account_id=acme.id, currency="USD", amount=D(60), **year))
    books.run()
    assert consumed(books, acme) == [[("COMMITMENT_CONSUMED", "-60.00"), ("BALANCE_CONSUMED", "-40.00")]]


def test_a_parent_has_so_many_children_at_most(books: Books, monkeypatch: pytest.MonkeyPatch) -> None:
    """Semantics §17: 999, here 2."""
    monkeypatch.setattr(accounts, "MAX_CHILDREN", 2)
    parent = books.account("parent")
    first, _ = (books.account(code, parent_account_id=parent.id) for code in ("a", "b"))
    with pytest.raises(InvalidBody) as refused:
        books.account("c", parent_account_id=parent.id)
    assert [p.code for p in refused.value.problems] == ["too_many_children"]
    books.change(Account, first.id, name="Of the two that there are")


def test_what_comes_into_the_ledger_later_is_no_difference(books: Books) -> None:
    """A bill is verified against what it drew when it was made (semantics §19): 20 of 36, 10 of 40.

    It has 20, then 10 more are put in, of which February's bill draws all, and then 100 more.
    """
    plan = books.plan()
    books.price(plan, ("0", "0", "1"))
    acme = books.account("acme", plan)
    credit = balance_of(books, acme, "20")
    for at, used in ((JAN, "36"), (FEB, "40")):
        books.usage.add(acme.id, at, used)
    books.run()
    for at, amount in ((MAR, "10"), (APR, "100")):
        books.clock.instant = at - timedelta(days=5)
        with books.database.transaction(books.org_id) as tx:
            post_transaction(tx, credit.id, BalanceTransaction(amount=D(amount)))
        assert all(verified(books, bill.id) for bill in books.bills())
        if at == MAR:
            books.run(at=at)
    assert consumed(books, acme) == [[("BALANCE_CONSUMED", "-20.00")], [("BALANCE_CONSUMED", "-10.00")]]
    books.usage.add(acme.id, JAN, "1")
    assert sorted(verified(books, bill.id) for bill in books.bills()) == [False, True]


def test_bills_of_one_run_are_verified_with_what_they_left_each_other(books: Books) -> None:
    """Semantics §18: 100 promised; January's bill draws 80, February's the 20 that are left of its 70."""
    plan = books.plan()
    books.price(plan, ("0", "0", "1"))
    acme = books.account("acme", plan)
    for at, used in ((JAN, "80"), (FEB, "70")):
        books.usage.add(acme.id, at, used)
    for at in (FEB, MAR):
        books.run(at=at)
    year = {"start_date": date(2024, 1, 1), "end_date": date(2025, 1, 1)}
    books.create(Commitment(account_id=acme.id, currency="USD", amount=D(100), **year))
    with books.database.transaction(books.org_id) as tx:
        job = recalculate_job(tx, [bill.id for bill in books.bills()])
    books.runner().run(books.org_id, job.id)
    assert consumed(books, acme) == [[("COMMITMENT_CONSUMED", "-80.00")], [("COMMITMENT_CONSUMED", "-20.00")]]
    assert all(verified(books, bill.id) for bill in books.bills())


def verified(books: Books, bill_id: str) -> bool:
    with books.database.snapshot(books.org_id) as tx:
        return service.verify_bill(tx, books.usage, bill_id).matches
