"""Fees that come with a plan: each once, and all of them, whatever happens to the plan (semantics §18)."""

from datetime import UTC, date, datetime
from decimal import Decimal

import pytest

from tallystick.accounts.account_plan import AccountPlan
from tallystick.accounts.contract import Contract
from tallystick.balances.commitment import Commitment
from tests.unit.billing.conftest import JAN, Books

D = Decimal
MONTHS = [datetime(2024, month, 1, tzinfo=UTC) for month in range(2, 10)]


@pytest.mark.parametrize("limited", [False, True])
@pytest.mark.parametrize("in_advance", [False, True])
@pytest.mark.parametrize(
    "replaced",
    [
        pytest.param(None, id="one plan"),
        pytest.param(datetime(2024, 4, 1, tzinfo=UTC), id="replaced by itself between two bills"),
        pytest.param(datetime(2024, 3, 15, tzinfo=UTC), id="replaced by itself in the middle of March"),
    ],
)
@pytest.mark.parametrize("starts", [date(2024, 1, 1), date(2024, 2, 1), date(2024, 2, 15)])
def test_each_fee_is_on_one_bill(
    books: Books,
    starts: date,
    replaced: datetime | None,
    *,
    in_advance: bool,
    limited: bool,
) -> None:
    """limited: the plan is billed only as long as a contract that begins with the commitment."""
    plan = books.plan()
    acme = books.account("acme")
    limits = Contract(
        account_id=acme.id,
        name="c",
        start_date=starts if limited else date(2024, 1, 1),
        end_date=date(2025, 1, 1),
        apply_contract_period_limits=True,
    )
    under = books.create(limits).id
    attached = {"account_id": acme.id, "plan_id": plan.id, "contract_id": under}
    books.create(AccountPlan(start_date=JAN, end_date=replaced, **attached))
    if replaced is not None:
        books.create(AccountPlan(start_date=replaced, **attached))
    promised = Commitment(
        account_id=acme.id,
        amount=D("1000.01"),
        currency="USD",
        billing_plan_id=plan.id,
        commitment_fee_bill_in_advance=in_advance,
        start_date=starts,
        end_date=date(2024, 7, 1),
    )
    books.create(promised)
    for month in MONTHS:
        books.run(at=month)
    fees = [line for bill in books.bills(acme) for line in bill.line_items or []]
    assert sum(fee.converted_subtotal for fee in fees) == D("1000.01")
    begins = [fee.service_period_start_date for fee in fees]
    assert len(begins) == len(set(begins)) == 7 - starts.month
    assert begins[0] == max(JAN, datetime(starts.year, starts.month, starts.day, tzinfo=UTC))
