"""Step: put the bill's memos on it again, as they were given by hand."""

from collections.abc import Sequence

import msgspec

from tallystick.billing.calculate.convert import converted
from tallystick.billing.calculate.draft import Draft, DraftLine
from tallystick.billing.calculate.inputs import BillInputs, BillMemo
from tallystick.billing.derivation import Derivation, MemoFrom
from tallystick.billing.line_item import LineItemType
from tallystick.kernel.periods import Period

MEMOS = frozenset({LineItemType.CREDIT_MEMO, LineItemType.DEBIT_MEMO})


def apply_memos(draft: Draft) -> Draft:
    """Add a line for each memo: a credit's negative, converted and rounded for itself (semantics §24).

    Raises NoConversionRate, UnknownCurrency, RoundingNecessary.
    """
    return draft.add(_line(draft.inputs, each) for each in draft.inputs.memos)


def with_memos(draft: Draft, memos: Sequence[BillMemo]) -> Draft:
    """Give a calculated bill with these memos in place of those that it was calculated with.

    They may have come while it was calculated. Raises what apply_memos raises.
    """
    if tuple(memos) == draft.inputs.memos:
        return draft
    products = {p.id: p for each in memos for p in each.products}
    inputs = msgspec.structs.replace(
        draft.inputs, memos=tuple(memos), products={**draft.inputs.products, **products}
    )
    return apply_memos(Draft(inputs, tuple(x for x in draft.lines if x.line_item_type not in MEMOS)))


def _line(inputs: BillInputs, each: BillMemo) -> DraftLine:
    memo = each.memo
    kind = memo.own_type
    line = DraftLine(
        key=f"{kind.value}:{memo.id}",
        own_id=memo.id,
        line_item_type=kind,
        currency=memo.currency or inputs.currency,
        product_id=memo.product_id,
        accounting_product_id=memo.accounting_product_id,
        description=memo.description,
        service=Period(memo.service_period_start_date, memo.service_period_end_date),
        subtotal=-memo.applied if kind is LineItemType.CREDIT_MEMO else memo.applied,
        reason_id=memo.reason_id,
        referenced_bill_id=memo.referenced_bill_id,
        referenced_line_item_id=memo.referenced_line_item_id,
        derivation=Derivation(memo=MemoFrom(amount=memo.amount, applied=memo.applied, reason=each.reason)),
    )
    return converted(inputs, line)
