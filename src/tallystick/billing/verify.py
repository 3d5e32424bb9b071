"""Recompute a bill from stored usage and compare it line by line. Pure; `service` loads."""

from typing import Any

import msgspec

from tallystick.billing.bill import Bill
from tallystick.billing.calculate import Draft
from tallystick.billing.line_item import LineItem
from tallystick.billing.lines import lines_of

COMPARED = (
    "line_item_type",
    "quantity",
    "units",
    "subtotal",
    "currency",
    "conversion_rate",
    "converted_subtotal",
)


class Difference(msgspec.Struct, frozen=True, kw_only=True, rename="camel"):
    """Something that the bill says otherwise than its recomputation. field: in the line's own names.

    stored, recomputed: None where the line, or the bill, is missing on that side.
    """

    line_item_id: str | None = None
    description: str
    field: str
    stored: str | None
    recomputed: str | None


class Verification(msgspec.Struct, frozen=True, kw_only=True, rename="camel"):
    """What a verification found: the bill matches, or these differences."""

    bill_id: str
    matches: bool
    lines_checked: int
    differences: list[Difference]


def compare(bill: Bill, stored: list[LineItem], draft: Draft) -> Verification:
    """Compare a stored bill with its recomputation."""
    recomputed = {line.id: line for line in lines_of(draft, bill.id)}
    before = {line.id: line for line in stored}
    found: list[Difference] = []
    for line_id in sorted(before.keys() | recomputed.keys()):
        found.extend(_differences(before.get(line_id), recomputed.get(line_id)))
    if bill.bill_total != draft.total:
        total = Difference(
            description="total",
            field="billTotal",
            stored=_text(bill.bill_total),
            recomputed=_text(draft.total),
        )
        found.append(total)
    return Verification(bill_id=bill.id, matches=not found, lines_checked=len(stored), differences=found)


def _differences(stored: LineItem | None, recomputed: LineItem | None) -> list[Difference]:
    line = stored or recomputed
    if line is None:
        return []
    if stored is None or recomputed is None:
        sides = [None if side is None else _text(side.converted_subtotal) for side in (stored, recomputed)]
        return [_difference(line, "convertedSubtotal", *sides)]
    names = {f.name: f.encode_name for f in msgspec.structs.fields(LineItem)}
    return [
        _difference(line, names[name], _text(getattr(stored, name)), _text(getattr(recomputed, name)))
        for name in COMPARED
        if getattr(stored, name) != getattr(recomputed, name)
    ]


def _difference(line: LineItem, field: str, stored: str | None, recomputed: str | None) -> Difference:
    return Difference(
        line_item_id=line.id,
        description=line.description,
        field=field,
        stored=stored,
        recomputed=recomputed,
    )


def _text(value: Any) -> str:
    return str(value)
