"""Compare what is stored with what was calculated. Pure: recalculating is a diff, re-running is harmless."""

from collections.abc import Sequence
from datetime import datetime
from enum import StrEnum

import msgspec

from tallystick.billing.bill import Bill, BillStatus
from tallystick.billing.calculate import Draft
from tallystick.billing.calculate.memos import MEMOS
from tallystick.billing.line_item import LineItem
from tallystick.billing.lines import bill_of, conversions_of, lines_of
from tallystick.kernel.decimals import ZERO

_AUDIT = {"version", "dt_created", "dt_last_modified", "created_by", "last_modified_by"}
_LINE_FIELDS = tuple(f for f in LineItem.__struct_fields__ if f not in _AUDIT)
_CALCULATED = (
    *("account_code", "start_date", "end_date", "start_date_time_utc", "end_date_time_utc"),
    *("billing_frequency", "bill_frequency_interval"),
    *("bill_date", "due_date", "timezone", "currency", "currency_conversions"),
    *("purchase_order_number", "external_invoice_date", "bill_total"),
)
"The fields of a bill that come out of its calculation."
_DATES = ("bill_date", "due_date", "external_invoice_date")


class Existing(msgspec.Struct, frozen=True):
    """A stored bill with its lines by id."""

    bill: Bill
    lines: dict[str, LineItem]


class Outcome(StrEnum):
    """What a calculation does to what is stored."""

    CREATED = "created"
    UPDATED = "updated"
    UNCHANGED = "unchanged"


class Stamp(msgspec.Struct, frozen=True, kw_only=True):
    """Who saves bills, when, in which job.

    makes_anew: the job makes given bills anew; each keeps the job that made it, by whose currency, rates and
    epochs it goes on being made. reopens: an approved bill goes back to PENDING even where nothing changed,
    as recalculating one does (semantics §22); else only where it changed. sets_dates: the job names dates of
    its bills, so existing ones take them, else they keep theirs. keeps_approved: leaves approved bills alone.
    """

    at: datetime
    by: str
    job_id: str | None = None
    makes_anew: bool = False
    reopens: bool = False
    sets_dates: bool = False
    keeps_approved: bool = False


class BillChange(msgspec.Struct, frozen=True, kw_only=True):
    """What has to be written: nothing when unchanged."""

    outcome: Outcome
    old: Bill | None
    new: Bill
    inserted: list[LineItem] = []
    updated: list[LineItem] = []
    deleted: list[str] = []


def create_bill(draft: Draft, bill_id: str, stamp: Stamp) -> BillChange:
    """Give the change that stores a new bill."""
    audit = _audit(stamp, 1, stamp.at, stamp.by)
    bill = msgspec.structs.replace(
        bill_of(draft, bill_id),
        bill_job_id=stamp.job_id,
        created_date=stamp.at,
        last_calculated_date=stamp.at,
        **audit,
    )
    lines = [msgspec.structs.replace(line, **audit) for line in lines_of(draft, bill_id)]
    return BillChange(outcome=Outcome.CREATED, old=None, new=bill, inserted=lines)


def diff_bill(existing: Existing, draft: Draft, stamp: Stamp) -> BillChange:
    """Give what of a stored bill has to change. Raises BillLocked.

    A changed bill that was approved is pending again. Unchanged lines keep their version.
    """
    old = existing.bill
    old.check_open()
    inserted, updated, deleted = _line_changes(existing, lines_of(draft, old.id), stamp)
    calculated = bill_of(draft, old.id)
    kept = () if stamp.sets_dates else _DATES
    fields = {name: getattr(calculated, name) for name in _CALCULATED if name not in kept}
    differs = any(getattr(old, name) != value for name, value in fields.items())
    reopens = stamp.reopens and old.status is BillStatus.APPROVED
    if not (inserted or updated or deleted or differs or reopens):
        return BillChange(outcome=Outcome.UNCHANGED, old=old, new=old)
    audit = _audit(stamp, old.version + 1, old.dt_created, old.created_by)
    job_id = old.bill_job_id if stamp.makes_anew else stamp.job_id
    changed = {**fields, **audit, "bill_job_id": job_id, "last_calculated_date": stamp.at}
    new = msgspec.structs.replace(old.reopen(), **changed)
    return BillChange(
        outcome=Outcome.UPDATED, old=old, new=new, inserted=inserted, updated=updated, deleted=deleted
    )


def change_memos(existing: Existing, memo_lines: Sequence[LineItem], stamp: Stamp) -> BillChange:
    """Give what of a stored bill has to change for its memos' lines to be these, and no other line.

    Its status stays as it is. Raises BillLocked. Rule: semantics §24.
    """
    old = existing.bill
    old.check_open()
    others = [line for line in existing.lines.values() if line.line_item_type not in MEMOS]
    numbered = [
        msgspec.structs.replace(line, sequence_number=number)
        for number, line in enumerate(memo_lines, start=len(others) + 1)
    ]
    before = Existing(old, {i: line for i, line in existing.lines.items() if line.line_item_type in MEMOS})
    inserted, updated, deleted = _line_changes(before, numbered, stamp)
    lines = [*others, *numbered]
    new = msgspec.structs.replace(
        old,
        bill_total=sum((line.converted_subtotal for line in lines), ZERO),
        currency_conversions=conversions_of(lines, old.currency),
        **_audit(stamp, old.version + 1, old.dt_created, old.created_by),
    )
    return BillChange(
        outcome=Outcome.UPDATED, old=old, new=new, inserted=inserted, updated=updated, deleted=deleted
    )


def _line_changes(
    existing: Existing, lines: Sequence[LineItem], stamp: Stamp
) -> tuple[list[LineItem], list[LineItem], list[str]]:
    """Tell which lines are new, which changed, and which are gone; unchanged ones keep their version."""
    inserted, updated = [], []
    for line in lines:
        before = existing.lines.get(line.id)
        if before is None:
            inserted.append(msgspec.structs.replace(line, **_audit(stamp, 1, stamp.at, stamp.by)))
        elif not same_line(before, line):
            audit = _audit(stamp, before.version + 1, before.dt_created, before.created_by)
            updated.append(msgspec.structs.replace(line, **audit))
    return inserted, updated, sorted(existing.lines.keys() - {line.id for line in lines})


def same_line(one: LineItem, other: LineItem) -> bool:
    """Tell whether two lines say the same; when and by whom they were written does not matter."""
    return all(getattr(one, name) == getattr(other, name) for name in _LINE_FIELDS)


def _audit(stamp: Stamp, version: int, created: datetime | None, by: str | None) -> dict[str, object]:
    return {
        "version": version,
        "dt_created": created,
        "created_by": by,
        "dt_last_modified": stamp.at,
        "last_modified_by": stamp.by,
    }
