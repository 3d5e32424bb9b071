"""Schedules of balances when the organization changes under them (semantics §19)."""

from datetime import UTC, datetime

from tallystick.balances.balance import Balance
from tallystick.balances.charge import Charge
from tallystick.balances.charge_schedule import BalanceChargeSchedule
from tallystick.balances.runs import ScheduleFrequency
from tallystick.balances.schedules import BalanceSchedules
from tallystick.balances.transaction_schedule import BalanceTransactionSchedule
from tallystick.balances.transaction_type import TransactionType
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


def test_an_amount_is_put_in_once_a_month_in_whatever_zone(books: Books) -> None:
    """$10 from January 1 in New York on. In summer a run is an hour earlier than the same one in UTC."""
    acme = books.account("acme")
    start, end = datetime(2024, 1, 1, 5, tzinfo=UTC), datetime(2024, 12, 31, tzinfo=UTC)
    whole = {"start_date": start, "end_date": end}
    credit = books.create(Balance(account_id=acme.id, name="Credit", code="credit", currency="USD", **whole))
    kind = books.create(TransactionType(name="Monthly", code="monthly"))
    books.configure(timezone="America/New_York")
    made = books.create(
        BalanceTransactionSchedule(
            balance_id=credit.id,
            name="Monthly",
            code="monthly",
            amount=D(10),
            transaction_description="Monthly",
            transaction_type_id=kind.id,
            frequency=ScheduleFrequency.MONTHLY,
            frequency_interval=1,
            **whole,
        )
    )
    schedules = BalanceSchedules(books.database)
    for month, zone in ((6, "UTC"), (7, "America/New_York"), (8, "UTC"), (9, "Europe/Berlin")):
        schedules.run_due(books.org_id, datetime(2024, month, 2, tzinfo=UTC))
        books.configure(timezone=zone)
        books.change(BalanceTransactionSchedule, made.id, name=f"Monthly, {month}")  # not its times
    schedules.run_due(books.org_id, end)
    with books.database.reading(books.org_id) as tx:
        assert tx.get(Balance, credit.id).amount == 120
