"""What the ledger's entries come to. Pure."""

from collections.abc import Iterable, Sequence
from datetime import datetime
from decimal import Decimal
from typing import Annotated

import msgspec

from tallystick.balances.balance import Balance
from tallystick.balances.balance_transaction import BalanceTransaction, EntityType
from tallystick.kernel.decimals import ZERO
from tallystick.platform.resources import AMOUNT

Amount = Annotated[Decimal, AMOUNT]


class BalanceTransactionsSummary(msgspec.Struct, frozen=True, kw_only=True, rename="camel"):
    """A balance's transactions in six sums, in its currency; what was taken back counts as never made.

    initialCreditAmount: the first credit. balanceConsumed, rolloverConsumed: drawn by bills for time before
    the balance's end, and after it. expiredBalanceAmount: what was left and can no longer be used.
    """

    total_credit_amount: Amount
    total_debit_amount: Amount
    initial_credit_amount: Amount
    expired_balance_amount: Amount
    rollover_consumed: Amount
    balance_consumed: Amount


def in_force(entries: Sequence[BalanceTransaction]) -> list[BalanceTransaction]:
    """Leave out the entries that were taken back, and those that took them back."""
    reversed_ids = {entry.reverses_id for entry in entries}
    return [e for e in entries if e.reverses_id is None and e.id not in reversed_ids]


def balance_of(entries: Iterable[BalanceTransaction]) -> Decimal:
    """Add up entries."""
    return sum((entry.amount for entry in entries), ZERO)


def summarize(
    balance: Balance, entries: Sequence[BalanceTransaction], now: datetime
) -> BalanceTransactionsSummary:
    """Sum up a balance's entries (semantics §19)."""
    standing = sorted(in_force(entries), key=lambda e: (e.applied_date or e.dt_created, e.id))
    put_in = [e for e in standing if e.amount > ZERO]
    drawn = [e for e in standing if e.entity_type is EntityType.BILL]
    rolled = -balance_of(e for e in drawn if e.is_rollover)
    return BalanceTransactionsSummary(
        total_credit_amount=balance_of(put_in),
        total_debit_amount=-balance_of(e for e in standing if e.amount < ZERO),
        initial_credit_amount=put_in[0].amount if put_in else ZERO,
        expired_balance_amount=expired(balance, balance_of(standing), rolled, now),
        rollover_consumed=rolled,
        balance_consumed=-balance_of(e for e in drawn if not e.is_rollover),
    )


def expired(balance: Balance, left: Decimal, rolled: Decimal, now: datetime) -> Decimal:
    """Give what can no longer be used. left: the sum of all entries. rolled: drawn since the end.

    Rule: semantics §19 — $1000 left at the end, 800 roll over: 200 expired.
    """
    if now < balance.end_date or left <= ZERO:
        return ZERO
    if balance.rollover_end_date is None or now >= balance.rollover_end_date:
        return left
    if balance.rollover_amount is None:
        return ZERO
    return max(ZERO, left - max(ZERO, balance.rollover_amount - rolled))


def may_overdraw(balance: Balance, *, allow_negative_balances: bool) -> bool:
    """Tell whether a balance may go below zero: it, or its organization, allows it (semantics §19)."""
    return balance.allow_overdraft or allow_negative_balances
