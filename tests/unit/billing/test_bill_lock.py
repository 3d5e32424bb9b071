"""Closing the books up to a date (semantics §22): what it locks, what it refuses, and opening them."""

from datetime import UTC, date, datetime
from decimal import Decimal
from typing import Any

import pytest

from tallystick.billing import service
from tallystick.billing.bill import BillStatus
from tallystick.billing.bill_config import BillConfig, get_bill_config
from tallystick.billing.bill_lock import update_bill_config
from tallystick.billing.errors import BillLocked, BillsPending
from tallystick.platform.resources import resource_of
from tallystick.platform.resources.transaction import StaleVersion
from tests.unit.billing.conftest import FEB, MAR, Books, lines

JAN_5 = datetime(2024, 1, 5, tzinfo=UTC)
APR = datetime(2024, 4, 1, tzinfo=UTC)


@pytest.fixture
def billed(books: Books) -> Books:
    """Give an organization with one account, billed for January and February, both approved."""
    acme = books.account("acme", books.plan(standing="10"))
    for at in (FEB, MAR):
        books.run(at=at)
    for bill in books.bills(acme):
        approve(books, bill.id)
    return books


def approve(books: Books, bill_id: str) -> None:
    with books.database.transaction(books.org_id) as tx:
        service.set_status(tx, bill_id, BillStatus.APPROVED)


def close(books: Books, until: str | None, version: int | None = None) -> BillConfig:
    with books.database.transaction(books.org_id) as tx:
        request: Any = resource_of(BillConfig).request_type
        current = get_bill_config(tx).version if version is None else version
        day = date.fromisoformat(until) if until else None
        return update_bill_config(tx, request(version=current, bill_lock_date=day))


def locked(books: Books) -> list[bool]:
    return [bill.locked for bill in books.bills()]


@pytest.mark.parametrize(
    ("until", "expected"),
    [
        pytest.param("2024-01-31", [False, False], id="January ends with the start of February 1"),
        pytest.param("2024-02-01", [True, False], id="January is over by February 1"),
        pytest.param("2024-02-29", [True, False], id="the day before February ends"),
        pytest.param("2024-03-01", [True, True], id="both"),
    ],
)
def test_a_date_locks_the_periods_that_end_by_it(billed: Books, until: str, expected: list[bool]) -> None:
    assert close(billed, until).bill_lock_date == date.fromisoformat(until)
    assert locked(billed) == expected
    assert len(billed.told("billing.billconfig.updated")) == 1


def test_moving_it_back_unlocks_what_only_it_held(billed: Books) -> None:
    january, _ = billed.bills()
    with billed.database.transaction(billed.org_id) as tx:
        service.lock_bill(tx, january.id)
    close(billed, "2024-03-01")
    assert locked(billed) == [True, True]
    close(billed, None)
    assert locked(billed) == [True, False]
    february = billed.bills()[1]
    assert (february.status, february.dt_locked, february.locked_by) == (BillStatus.APPROVED, None, None)


def test_an_individual_lock_of_a_globally_locked_bill_stays(billed: Books) -> None:
    close(billed, "2024-03-01")
    with billed.database.transaction(billed.org_id) as tx:
        service.lock_bill(tx, billed.bills()[0].id)
    close(billed, "2024-01-01")
    assert locked(billed) == [True, False]


def test_pending_bills_are_named_and_nothing_changes(billed: Books) -> None:
    billed.run(at=APR)
    with pytest.raises(BillsPending) as refused:
        close(billed, "2024-04-01")
    (problem,) = refused.value.problems
    assert problem.message == f"acme, 2024-03-01 up to 2024-04-01: {billed.bills()[2].id}"
    assert locked(billed) == [False, False, False]
    with billed.database.transaction(billed.org_id) as tx:
        assert get_bill_config(tx).bill_lock_date is None


def test_a_locked_period_is_neither_changed_nor_billed_anew(billed: Books) -> None:
    close(billed, "2024-03-01")
    january = billed.bills()[0]
    with billed.database.transaction(billed.org_id) as tx, pytest.raises(BillLocked):
        service.set_status(tx, january.id, BillStatus.PENDING)
    late = billed.account("late", billed.plan(standing="5"))
    billed.run(at=FEB)
    assert billed.bills(late) == []  # January is closed
    assert lines(billed.bills()[0]) == lines(january)
    billed.run(at=APR)
    assert [b.end_date for b in billed.bills(late)] == [date(2024, 4, 1)]
    assert billed.bill(late).bill_total == Decimal("5.00")


def test_it_has_a_version_like_everything_else(billed: Books) -> None:
    assert close(billed, "2024-02-01").version == 2
    with pytest.raises(StaleVersion):
        close(billed, None, version=1)
