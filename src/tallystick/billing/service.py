"""Verbs of bills: one public function each."""

from collections.abc import Iterable, Sequence

import msgspec

from tallystick.billing.bill import Bill, BillAnswer
from tallystick.billing.line_item import LineItem, embedded
from tallystick.billing.store import lines_by_bill
from tallystick.platform.resources import Transaction


def with_lines(tx: Transaction, bills: Sequence[Bill]) -> list[BillAnswer]:
    """Give bills with their lines."""
    lines = lines_by_bill(tx, [bill.id for bill in bills])
    return [answer_of(bill, lines[bill.id]) for bill in bills]


def answer_of(bill: Bill, lines: Iterable[LineItem] | None = None) -> BillAnswer:
    """Give a bill as it is answered; None leaves the lines out."""
    items = None if lines is None else [embedded(line) for line in lines]
    return BillAnswer(**msgspec.structs.asdict(bill), line_items=items)
