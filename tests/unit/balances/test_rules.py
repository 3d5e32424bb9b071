"""What a balance's entries come to (semantics §19)."""

from datetime import UTC, datetime
from decimal import Decimal
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tallystick.balances.balance import Balance
from tallystick.balances.balance_transaction import BalanceTransaction, EntityType
from tallystick.balances.rules import balance_of, expired, in_force, may_overdraw, summarize
from tallystick.kernel.decimals import ZERO

D = Decimal


def on(month: int, day: int, year: int = 2024) -> datetime:
    return datetime(year, month, day, tzinfo=UTC)


def balance(**values: Any) -> Balance:
    declared: dict[str, Any] = {
        "id": "b",
        "name": "Credits",
        "code": "credits",
        "account_id": "a",
        "currency": "USD",
        "start_date": on(1, 1),
        "end_date": on(1, 1, 2025),
    }
    return Balance(**declared | values)


NEW_YEAR = on(1, 1)


def entry(name: str, amount: str, at: datetime = NEW_YEAR, **values: Any) -> BalanceTransaction:
    declared: dict[str, Any] = {
        "id": name,
        "amount": D(amount),
        "applied_date": at,
        "entity_type": EntityType.USER,
    }
    return BalanceTransaction(**declared | values)


def drawn(name: str, amount: str, **values: Any) -> BalanceTransaction:
    return entry(name, amount, entity_type=EntityType.BILL, entity_id="bill", **values)


def test_a_summary_counts_what_was_taken_back_as_never_made() -> None:
    entries = [
        entry("2", "50", on(2, 1)),
        entry("1", "1000", on(1, 5)),
        entry("3", "-20", on(2, 2)),
        drawn("4", "-300"),
        drawn("5", "300", reverses_id="4"),
        drawn("6", "-280"),
        drawn("7", "-30", is_rollover=True),
    ]
    found = summarize(balance(), entries, on(6, 1))
    assert (found.total_credit_amount, found.initial_credit_amount) == (D(1050), D(1000))
    assert found.total_debit_amount == D(330)  # 20 + 280 + 30
    assert (found.balance_consumed, found.rollover_consumed) == (D(280), D(30))
    assert found.expired_balance_amount == ZERO
    nothing = summarize(balance(), [], on(6, 1))
    assert (nothing.initial_credit_amount, nothing.total_credit_amount) == (ZERO, ZERO)


@pytest.mark.parametrize(
    ("values", "left", "rolled", "now", "gone"),
    [
        pytest.param({}, "1000", "0", on(12, 31), "0", id="before the end"),
        pytest.param({}, "1000", "0", on(1, 1, 2025), "1000", id="at the end, all of it"),
        pytest.param({}, "-5", "0", on(1, 1, 2025), "0", id="nothing is left"),
        pytest.param({"rollover_amount": D(800)}, "1000", "0", on(1, 2, 2025), "200", id="1000 - 800"),
        pytest.param({"rollover_amount": D(800)}, "700", "300", on(1, 2, 2025), "200", id="700 - 500"),
        pytest.param({"rollover_amount": D(800)}, "600", "0", on(1, 2, 2025), "0", id="less than may"),
        pytest.param({"rollover_amount": None}, "1000", "0", on(1, 2, 2025), "0", id="all rolls over"),
        pytest.param({"rollover_amount": D(800)}, "1000", "0", on(2, 1, 2025), "1000", id="roll-over ended"),
    ],
)
def test_what_expires(values: dict[str, Any], left: str, rolled: str, now: datetime, gone: str) -> None:
    rolls = {"rollover_end_date": on(2, 1, 2025)} if values else {}
    assert expired(balance(**values, **rolls), D(left), D(rolled), now) == D(gone)


def test_an_overdraft_is_the_balances_or_the_organizations() -> None:
    assert may_overdraw(balance(allow_overdraft=True), allow_negative_balances=False)
    assert may_overdraw(balance(), allow_negative_balances=True)
    assert not may_overdraw(balance(), allow_negative_balances=False)


@given(st.lists(st.tuples(st.integers(-1000, 1000), st.booleans()), max_size=20))
def test_entries_in_force_come_to_all_entries(made: list[tuple[int, bool]]) -> None:
    entries = [entry(str(i), str(amount)) for i, (amount, _) in enumerate(made)]
    back = [
        entry(f"{i}-", str(-amount), reverses_id=str(i))
        for i, (amount, is_back) in enumerate(made)
        if is_back
    ]
    assert balance_of(in_force([*entries, *back])) == balance_of([*entries, *back])
    found = summarize(balance(), [*entries, *back], on(6, 1))
    assert found.total_credit_amount - found.total_debit_amount == balance_of([*entries, *back])
