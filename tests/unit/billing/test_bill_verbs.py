"""Looking at bills, approving, locking, deleting, previewing, explaining, verifying (semantics §22)."""

from datetime import UTC, date, datetime
from decimal import Decimal
from typing import Any
from uuid import uuid4

import pytest
from sqlalchemy import text

from tallystick.billing import service
from tallystick.billing.bill import BillStatus
from tallystick.billing.bill_job import BillJob, BillJobBillingFrequency
from tallystick.billing.errors import (
    BillJobEnded,
    BillLocked,
    BillNotApproved,
    BillNotFound,
    LineItemNotFound,
    NothingToBill,
)
from tallystick.billing.jobs import cancel_job
from tallystick.kernel.periods import BillingFrequency
from tallystick.platform.resources import PageRequest
from tallystick.platform.resources.transaction import ResourceNotFound
from tallystick.platform.resources.wire import InvalidBody
from tests.unit.billing.conftest import MAR, Books, lines

D = Decimal
JAN_5 = datetime(2024, 1, 5, tzinfo=UTC)


@pytest.fixture
def billed(books: Books) -> Books:
    """Give an organization with one account, billed for January: 75 + 50 + 10."""
    plan = books.plan(standing="10")
    books.price(plan, ("0", "0", "0.15"), ("500", "0", "0.10"))
    acme = books.account("acme", plan)
    books.usage.add(acme.id, JAN_5, "1000")
    books.run()
    return books


def only(books: Books) -> Any:
    (bill,) = books.bills()
    return bill


def test_approve_then_lock_then_nothing_more(billed: Books) -> None:
    bill = only(billed)
    with billed.database.transaction(billed.org_id, str(uuid4())) as tx:
        with pytest.raises(BillNotApproved):
            service.lock_bill(tx, bill.id)
        approved = service.set_status(tx, bill.id, BillStatus.APPROVED)
        locked = service.lock_bill(tx, bill.id)
    assert (approved.status, approved.locked, approved.version) == (BillStatus.APPROVED, False, 2)
    assert (locked.locked, locked.locked_by, locked.version) == (True, approved.approved_by, 3)
    with billed.database.transaction(billed.org_id) as tx:
        assert service.lock_bill(tx, bill.id).version == 3  # again: nothing happens
        for refused in (service.delete_bill, lambda t, i: service.set_status(t, i, BillStatus.PENDING)):
            with pytest.raises(BillLocked):
                refused(tx, bill.id)


def test_approve_by_ids_is_all_or_nothing(billed: Books) -> None:
    bill = only(billed)
    unknown = str(uuid4())
    with billed.database.transaction(billed.org_id) as tx, pytest.raises(InvalidBody) as refused:
        service.approve_bills(tx, [bill.id, unknown])
    assert unknown in refused.value.problems[0].message
    with billed.database.transaction(billed.org_id) as tx:
        assert service.approve_bills(tx, [bill.id]) == 1
        assert service.approve_bills(tx, [bill.id]) == 0
    assert only(billed).status is BillStatus.APPROVED


def test_approve_by_period(billed: Books) -> None:
    with billed.database.transaction(billed.org_id) as tx:
        assert service.approve_period(tx, date(2024, 1, 30), BillingFrequency.MONTHLY) == 0
        assert service.approve_period(tx, date(2024, 1, 31), BillingFrequency.WEEKLY) == 0
        assert service.approve_period(tx, date(2024, 1, 31), BillingFrequency.MONTHLY) == 1


def test_delete_takes_the_lines_along_and_the_next_run_makes_it_anew(billed: Books) -> None:
    bill = only(billed)
    with billed.database.transaction(billed.org_id) as tx:
        assert lines(service.delete_bill(tx, bill.id)) == lines(bill)
        left = tx.execute(
            text("SELECT count(*) FROM bill_line_items WHERE org_id = :o"), {"o": billed.org_id}
        )
        assert left.scalar_one() == 0
    billed.run()
    assert lines(only(billed)) == lines(bill)
    assert only(billed).id != bill.id


def test_another_organizations_bill_is_not_found(billed: Books) -> None:
    bill = only(billed)
    other = str(uuid4())
    with billed.database.transaction(other) as tx:
        for verb in (service.get_bill, service.lock_bill, service.delete_bill):
            with pytest.raises(ResourceNotFound):
                verb(tx, bill.id)


def test_the_latest_bill(billed: Books) -> None:
    january = only(billed)
    billed.run(at=MAR)
    with billed.database.reading(billed.org_id) as tx:
        assert service.latest_bill(tx, january.account_id).end_date == date(2024, 3, 1)
        with pytest.raises(BillNotFound):
            service.latest_bill(tx, str(uuid4()))


def test_lines_are_paged_in_their_order(billed: Books) -> None:
    bill = only(billed)
    with billed.database.reading(billed.org_id) as tx:
        first = service.page_of_lines(tx, bill.id, PageRequest(1))
        assert first.next_token is not None
        second = service.page_of_lines(tx, bill.id, PageRequest(1, first.data[0].id))
        assert second.next_token is None
        found = [line.line_item_type for line in (*first.data, *second.data)]
        assert found == ["USAGE", "STANDING_CHARGE"]
        with pytest.raises(LineItemNotFound):
            service.get_line(tx, bill.id, str(uuid4()))


def preview(books: Books, **values: Any) -> Any:
    declared: dict[str, Any] = {
        "billing_frequency": BillJobBillingFrequency.MONTHLY,
        "bill_frequency_interval": 1,
    }
    with books.database.snapshot(books.org_id) as tx:
        return service.preview_bill(tx, books.usage, BillJob(**declared | values))


def test_a_preview_is_the_bill_and_stores_nothing(billed: Books) -> None:
    stored = only(billed)
    shown = preview(billed, account_ids=[stored.account_id])
    assert (lines(shown), shown.bill_total) == (lines(stored), stored.bill_total)
    assert len(billed.bills()) == 1
    ahead = preview(billed, account_ids=[stored.account_id], last_date_in_billing_period=date(2024, 2, 29))
    assert lines(ahead) == [("STANDING_CHARGE", "10.00")]


def test_a_preview_names_one_account_frequency_and_interval(billed: Books) -> None:
    with pytest.raises(InvalidBody) as refused:
        preview(billed, billing_frequency=None, bill_frequency_interval=None)
    fields = [problem.field for problem in refused.value.problems]
    assert fields == ["accountIds", "billingFrequency", "billFrequencyInterval"]
    other = billed.account("nobody")
    with pytest.raises(NothingToBill):
        preview(billed, account_ids=[other.id])


def test_a_line_explains_itself(billed: Books) -> None:
    bill = only(billed)
    usage, standing = bill.line_items
    with billed.database.reading(billed.org_id) as tx:
        told = service.explain_line(tx, bill.id, usage.id)
        assert told.text == [
            "USAGE: Gigabytes stored, from 2024-01-01 00:00 UTC up to 2024-02-01 00:00 UTC (not included)",
            "usage: SUM of gb on meter use, 2024-01-01T00:00:00Z <= ts < 2024-02-01T00:00:00Z",
            "quantity: 1000",
            "band from 0: 500 x 0.15 = 75 USD",
            "band from 500: 500 x 0.1 = 50 USD",
            "bands together: 125 USD",
            "billed: 125.00 USD, rounded HALF_UP to 2 places",
        ]
        assert service.explain_line(tx, bill.id, standing.id).text[1] == "whole period: 10 USD"


def test_verifying_recomputes_the_bill(billed: Books) -> None:
    bill = only(billed)

    def verify() -> Any:
        with billed.database.snapshot(billed.org_id) as tx:
            return service.verify_bill(tx, billed.usage, bill.id)

    assert verify().matches
    assert verify().lines_checked == 2
    with billed.database.transaction(billed.org_id) as tx:  # someone edits the books by hand
        tampered = "UPDATE bill_line_items SET converted_subtotal = 1 WHERE line_item_type = 'USAGE'"
        tx.execute(text(f"{tampered} AND org_id = :o"), {"o": billed.org_id})
    (found,) = verify().differences
    assert (found.field, found.stored, found.recomputed) == ("convertedSubtotal", "1", "125.00")
    billed.usage.add(bill.account_id, JAN_5, "100")  # late usage
    fields = {d.field for d in verify().differences}
    assert fields == {"quantity", "units", "subtotal", "convertedSubtotal", "billTotal"}


def test_a_job_that_has_ended_cannot_be_cancelled(billed: Books) -> None:
    job = billed.run()
    with billed.database.transaction(billed.org_id) as tx, pytest.raises(BillJobEnded):
        cancel_job(tx, job.id)
