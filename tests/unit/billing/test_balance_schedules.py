"""Schedules of balances when the organization changes under them (semantics §19)."""

from datetime import UTC, datetime

from tallystick.balances.balance import Balance
from tallystick.balances.charge import Charge
from tallystick.balances.charge_schedule import BalanceChargeSchedule
from tallystick.balances.runs import ScheduleFrequency
from tallystick.balances.schedules import BalanceSchedules
from tests.unit.billing.conftest import JAN, Books, D


def test_a_schedule_goes_on_in_another_zone(books: Books) -> None:
    """$5 on the 1st of each month of a half year; the zone moves west in February and east in April."""
    acme = books.account("acme")
    year = {"start_date": JAN, "end_date": datetime(2025, 1, 1, tzinfo=UTC)}
    credit = books.create(Balance(account_id=acme.id, name="Credit", code="credit", currency="USD", **year))
    fees = BalanceChargeSchedule(
        balance_id=credit.id,
        name="Fee",
        code="fee",
        amount=D(5),
        currency="USD",
        service_period_start_date=JAN,
        service_period_end_date=datetime(2024, 7, 1, tzinfo=UTC),
        bill_frequency=ScheduleFrequency.MONTHLY,
        bill_frequency_interval=1,
        bill_in_advance=True,
        charge_description="Fee",
    )
    books.create(fees)
    schedules = BalanceSchedules(books.database)
    for month, zone in (
        (1, "UTC"),
        (2, "America/New_York"),
        (3, "UTC"),
        (4, "Asia/Tokyo"),
        (5, "UTC"),
        (6, "UTC"),
    ):
        books.configure(timezone=zone)
        schedules.run_due(books.org_id, datetime(2024, month, 2, tzinfo=UTC))
    schedules.run_due(books.org_id, datetime(2024, 8, 1, tzinfo=UTC))
    with books.database.reading(books.org_id) as tx:
        assert schedules.next_due(tx) is None
        assert len(tx.find(Charge, account_id=acme.id)) == 6
