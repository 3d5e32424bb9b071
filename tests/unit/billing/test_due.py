"""Which periods close when (semantics §4), and which of them share a bill (semantics §22)."""

from collections.abc import Iterable
from datetime import UTC, date, datetime
from decimal import Decimal

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from tallystick.accounts.account import Account
from tallystick.accounts.account_plan import AccountPlan
from tallystick.accounts.contract import Contract
from tallystick.billing.bill_job import BillJob
from tallystick.billing.due import (
    Attached,
    DueBill,
    DuePlan,
    Frame,
    Selection,
    due_bills,
    due_date_of,
    due_plan,
    external_invoice_date_of,
)
from tallystick.billing.selection import selection_of
from tallystick.kernel.periods import BillingFrequency, DateSpan
from tallystick.organizations.bill_grouping_key import BillGroupingKey
from tallystick.organizations.organization_config import InvoiceDate, default_config
from tallystick.pricing.plan_template import PlanTemplate

DAILY, WEEKLY, MONTHLY, ANNUALLY = list(BillingFrequency)[:4]
ACME = Account(id="acme", name="Acme", code="acme", email_address="acme@example.com")
EPOCHS = {
    DAILY: date(2022, 1, 1),
    WEEKLY: date(2022, 1, 6),  # Thursdays: February 1, 2024 is one
    MONTHLY: date(2022, 1, 1),
    ANNUALLY: date(2022, 2, 1),
}
Rhythm = tuple[BillingFrequency, int]


def selection(
    today: date, *, consolidates: bool = False, frequency: BillingFrequency | None = None
) -> Selection:
    return Selection(
        zone=UTC,
        timezone="UTC",
        epochs=EPOCHS,
        bill_date=today,
        frequency=frequency,
        consolidates=consolidates,
    )


def attached(
    name: str, rhythm: Rhythm, frame: Frame | None = None, start: date = date(2022, 6, 1)
) -> Attached:
    frequency, interval = rhythm
    template = PlanTemplate(
        product_id="",
        name=name,
        currency="USD",
        bill_frequency=frequency,
        bill_frequency_interval=interval,
        standing_charge=Decimal(0),
    )
    begin = datetime(start.year, start.month, start.day, tzinfo=UTC)
    return Attached(AccountPlan(id=name, account_id="acme", plan_id=name, start_date=begin), template, frame)


def bills(wanted: Selection, plans: Iterable[Attached]) -> list[DueBill]:
    listed = list(plans)

    def due_of(asked: Selection) -> list[DuePlan]:
        return [due for each in listed if (due := due_plan(asked, ACME, each)) is not None]

    return due_bills(wanted, ACME, due_of)


def told(found: Iterable[DueBill]) -> list[tuple[str, str, int, list[str]]]:
    """Give each bill's span, its frequency, and the plans on it."""
    return [
        (
            f"{bill.dates.start}/{bill.dates.end}",
            bill.frequency.value,
            bill.interval,
            [plan.account_plan.id for plan in bill.plans],
        )
        for bill in found
    ]


@pytest.mark.parametrize(
    ("of_plan", "of_account", "of_job", "closed"),
    [
        pytest.param(None, None, None, "2024-02-01/2024-03-01", id="the organization's: the 1st"),
        pytest.param(None, None, 15, "2024-02-15/2024-03-15", id="the job's in its place: the 15th"),
        pytest.param(None, 10, 15, "2024-02-10/2024-03-10", id="the account's before it: the 10th"),
        pytest.param(5, 10, 15, "2024-02-05/2024-03-05", id="the account plan's before all: the 5th"),
    ],
)
def test_whose_epoch_it_is(
    of_plan: int | None, of_account: int | None, of_job: int | None, closed: str
) -> None:
    """The account plan's, else the account's, else the organization's of that frequency (semantics §4)."""

    def epoch(day: int | None) -> date | None:
        return date(2022, 1, day) if day else None

    wanted = selection_of(BillJob(month_epoch=epoch(of_job)), default_config(), date(2024, 3, 20))
    plan = attached("monthly", (MONTHLY, 1))
    plan = Attached(msgspec.structs.replace(plan.account_plan, bill_epoch=epoch(of_plan)), plan.template)
    found = due_plan(wanted, msgspec.structs.replace(ACME, bill_epoch=epoch(of_account)), plan)
    assert found is not None
    assert f"{found.period.dates.start}/{found.period.dates.end}" == closed


@pytest.mark.parametrize(
    ("configured", "of_job", "expected"),
    [
        pytest.param(InvoiceDate.FIRST_DAY_OF_NEXT_PERIOD, None, date(2023, 10, 1), id="the day after"),
        pytest.param(InvoiceDate.LAST_DAY_OF_ARREARS, None, date(2023, 9, 30), id="the last day"),
        pytest.param(InvoiceDate.LAST_DAY_OF_ARREARS, date(2023, 9, 15), date(2023, 9, 15), id="the job's"),
    ],
)
def test_the_external_invoice_date_of_september(
    configured: InvoiceDate, of_job: date | None, expected: date
) -> None:
    """Semantics §3 and §4."""
    config = msgspec.structs.replace(default_config(), external_invoice_date=configured)
    asked = selection_of(BillJob(external_invoice_date=of_job), config, date(2023, 10, 1))
    september = DateSpan(date(2023, 9, 1), date(2023, 10, 1))
    assert external_invoice_date_of(asked, config, september) == expected


@pytest.mark.parametrize(
    ("of_account", "of_job", "expected"),
    [
        pytest.param(None, None, date(2024, 3, 2), id="30 days after February 1, by default"),
        pytest.param(14, None, date(2024, 2, 15), id="the account's 14 days"),
        pytest.param(14, date(2024, 2, 3), date(2024, 2, 3), id="the job's date"),
    ],
)
def test_the_due_date(of_account: int | None, of_job: date | None, expected: date) -> None:
    """Bill date and so many days: the account's, else the organization's (semantics §3, §22)."""
    asked = selection_of(BillJob(due_date=of_job), default_config(), date(2024, 2, 1))
    account = msgspec.structs.replace(ACME, days_before_bill_due=of_account)
    assert due_date_of(asked, account, default_config(), date(2024, 2, 1)) == expected


RHYTHMS: dict[str, Rhythm] = {
    "day": (DAILY, 1),
    "5 days": (DAILY, 5),
    "week": (WEEKLY, 1),
    "2 weeks": (WEEKLY, 2),
    "month": (MONTHLY, 1),
    "quarter": (MONTHLY, 3),
    "year": (ANNUALLY, 1),
}
ALL_OF_THEM = [attached(name, rhythm) for name, rhythm in RHYTHMS.items()]


def test_what_closes_on_a_day_shares_a_consolidated_bill() -> None:
    """On February 1 the latest closed period of each rhythm ended on one of three days.

    From 2022-01-01, 730 days to January 1 and 760 to January 31 are fives; from 2022-01-06, 756 days to
    February 1 are 54 times two weeks.
    """
    assert told(bills(selection(date(2024, 2, 1), consolidates=True), ALL_OF_THEM)) == [
        ("2023-10-01/2024-01-01", "MIXED", 1, ["5 days", "day", "month", "quarter"]),
        ("2024-01-26/2024-01-31", "MIXED", 1, ["5 days", "day"]),
        ("2023-02-01/2024-02-01", "MIXED", 1, ["2 weeks", "day", "month", "week", "year"]),
    ]


def test_without_consolidation_each_rhythm_has_its_bill() -> None:
    found = told(bills(selection(date(2024, 2, 1)), ALL_OF_THEM))
    assert sorted(name for _, _, _, (name,) in found) == sorted(RHYTHMS)


def test_a_frequency_asked_for_brings_what_closes_with_it() -> None:
    (found,) = told(bills(selection(date(2024, 2, 20), consolidates=True, frequency=ANNUALLY), ALL_OF_THEM))
    assert found == ("2023-02-01/2024-02-01", "MIXED", 1, ["2 weeks", "day", "month", "week", "year"])


def test_a_consolidated_bill_of_one_rhythm_keeps_it() -> None:
    plans = [attached("a", (MONTHLY, 3)), attached("b", (MONTHLY, 3))]
    assert told(bills(selection(date(2024, 1, 1), consolidates=True), plans)) == [
        ("2023-10-01/2024-01-01", "MONTHLY", 3, ["a", "b"])
    ]


def frame(number: int) -> Frame | None:
    """Give none, a contract without a key, and ones of two keys, the second of them exclusive."""
    if number == 0:
        return None
    days = {"start_date": date(2024, 1, 1), "end_date": date(2025, 1, 1)}
    contract = Contract(id=f"contract {number}", account_id="acme", name="", **days)
    if number == 1:
        return Frame(contract)
    exclusive = number % 2 == 1
    return Frame(contract, BillGroupingKey(id=f"key {exclusive}", name="k", exclusive=exclusive))


plans_of_an_account = st.lists(
    st.tuples(
        st.sampled_from(list(RHYTHMS.values())),
        st.integers(0, 5),
        st.dates(date(2023, 6, 1), date(2024, 3, 1)),
    ),
    max_size=8,
)


@given(plans=plans_of_an_account, today=st.dates(date(2024, 1, 1), date(2024, 6, 1)))
def test_grouping_neither_loses_nor_doubles_a_period(
    plans: list[tuple[Rhythm, int, date]], today: date
) -> None:
    def periods(found: Iterable[DueBill]) -> list[tuple[str, date]]:
        return [(p.account_plan.id, p.period.dates.end) for bill in found for p in bill.plans]

    grouped = [attached(f"{i}", r, frame(n), start) for i, (r, n, start) in enumerate(plans)]
    plain = [Attached(each.account_plan, each.template) for each in grouped]
    wanted = set(periods(bills(selection(today), plain)))
    for consolidates in (False, True):
        found = bills(selection(today, consolidates=consolidates), grouped)
        listed = periods(found)
        names = [(bill.grouping, bill.dates.end) for bill in found]
        assert len(listed) == len(set(listed))
        assert len(names) == len(set(names))
        assert wanted <= set(listed)
        assert consolidates or wanted == set(listed)
        for bill in found:
            assert len({p.frame.group if p.frame else None for p in bill.plans}) == 1
