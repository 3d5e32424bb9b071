"""CUSTOM_SQL (semantics §9) in a bill run: one account's failure is that account's."""

from datetime import UTC, datetime
from decimal import Decimal

import pytest
from sqlalchemy import select

from tallystick.billing.failure import bill_failures
from tallystick.rating.method import Method
from tallystick.usage.store.custom import CustomQuery, CustomSqlFailed
from tests.unit.billing.conftest import Books, lines


def test_a_query_that_fails_fails_one_bill(books: Books, monkeypatch: pytest.MonkeyPatch) -> None:
    priced = books.aggregate(
        name="Peak", aggregation=Method.CUSTOM_SQL, custom_sql="SELECT max(gb) FROM measurements"
    )
    plan = books.plan()
    books.price(plan, ("0", "0", "2"), aggregation_id=priced.id)
    fine, broken, empty = (books.account(code, plan) for code in ("fine", "broken", "empty"))

    def answer(org_id: str, query: CustomQuery) -> Decimal | None:
        assert org_id == books.org_id
        assert query.around[0] == "SELECT max(`gb`) AS `the answer` FROM "
        if query.account_ids == (broken.id,):
            raise CustomSqlFailed("The SQL gave more than one row.")
        return None if query.account_ids == (empty.id,) else Decimal(21)

    monkeypatch.setattr(books.usage, "custom_number", answer)
    books.run()
    assert [line.quantity for line in books.bill(fine).line_items or []] == [21]
    assert books.bill(empty).line_items == []
    assert books.bills(broken) == []
    with books.database.reading(books.org_id) as tx:
        (failure,) = tx.execute(select(bill_failures).where(bill_failures.c.org_id == books.org_id)).all()
    assert (failure.account_id, failure.code) == (broken.id, "custom_sql_failed")


def test_a_query_is_asked_for_each_window_of_an_account(
    books: Books, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Semantics §14: a price that changes on the 16th is two windows: 21 x 2 and 21 x 3."""
    priced = books.aggregate(
        name="Peak", aggregation=Method.CUSTOM_SQL, custom_sql="SELECT max(gb) FROM measurements"
    )
    plan = books.plan()
    changed = datetime(2024, 1, 16, tzinfo=UTC)
    books.price(plan, ("0", "0", "2"), aggregation_id=priced.id, end_date=changed)
    books.price(plan, ("0", "0", "3"), aggregation_id=priced.id, start_date=changed)
    monkeypatch.setattr(books.usage, "custom_number", lambda *_: Decimal(21))
    acme = books.account("acme", plan)
    books.run()
    assert lines(books.bill(acme)) == [("USAGE", "42.00"), ("USAGE", "63.00")]
