"""From a job to bills: what is written, once, and again."""

from datetime import UTC, date, datetime
from decimal import Decimal

from tests.unit.billing.conftest import JAN, Books, lines

D = Decimal


def test_a_job_makes_a_tiered_bill_with_its_standing_charge(books: Books) -> None:
    plan = books.plan(standing="100")
    books.price(plan, ("0", "0", "0.15"), ("500", "0", "0.10"))
    acme = books.account("acme", plan)
    books.usage.add(acme.id, datetime(2024, 1, 5, tzinfo=UTC), "400")
    books.usage.add(acme.id, datetime(2024, 1, 31, 23, 59, tzinfo=UTC), "600")
    books.usage.add(acme.id, datetime(2024, 2, 1, tzinfo=UTC), "999")  # belongs to February

    job = books.run()

    bill = books.bill(acme)
    # 500 x 0.15 + 500 x 0.10 = 125; a whole month's standing charge
    assert lines(bill) == [("USAGE", "125.00"), ("STANDING_CHARGE", "100.00")]
    assert bill.bill_total == D("225.00")
    assert (bill.start_date, bill.end_date, bill.bill_date) == (
        date(2024, 1, 1),
        date(2024, 2, 1),
        date(2024, 2, 1),
    )
    assert bill.due_date == date(2024, 3, 2)  # 30 days
    assert (job.status, job.total, job.pending) == ("COMPLETE", 1, 0)
    assert [e["newDto"]["billTotal"] for e in books.told("billing.bill.created")] == [D("225.00")]
    usage = (bill.line_items or [])[0]
    assert [(b.band_units, b.band_subtotal) for b in usage.usage_per_pricing_band] == [
        (500, D(75)),
        (500, D(50)),
    ]
    assert usage.average_unit_price == D("0.125")


def test_running_again_changes_nothing(books: Books) -> None:
    plan = books.plan(standing="10")
    acme = books.account("acme", plan, start=JAN)
    books.run()
    before = books.bill(acme)
    books.run()
    assert books.bill(acme) == before
    assert len(books.told("billing.bill.created")) == 1
    assert not books.told("billing.bill.updated")
