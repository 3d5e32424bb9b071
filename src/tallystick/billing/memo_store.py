"""Load the memos of bills, with what their lines name. Decides nothing."""

from collections import defaultdict
from collections.abc import Sequence

from tallystick.billing.calculate.inputs import BillMemo
from tallystick.billing.memo import CreditLineItem, DebitLineItem, Memo
from tallystick.billing.reason import CreditReason, DebitReason
from tallystick.catalogue.product import Product
from tallystick.platform.resources import Transaction


def memos_on(tx: Transaction, bill_ids: Sequence[str]) -> dict[str, tuple[BillMemo, ...]]:
    """Give the memos of bills, by bill, oldest first; a bill without any has none."""
    on_bills: dict[str, tuple[BillMemo, ...]] = defaultdict(tuple)
    ids = sorted(bill_ids)
    found: list[Memo] = [*tx.find(CreditLineItem, bill_id=ids), *tx.find(DebitLineItem, bill_id=ids)]
    if not found:
        return on_bills
    reason_ids = sorted({memo.reason_id or "" for memo in found})
    reasons = {
        reason.id: f"{reason.name} ({reason.code})"
        for reason in (*tx.find(CreditReason, id=reason_ids), *tx.find(DebitReason, id=reason_ids))
    }
    named = (p for memo in found for p in (memo.product_id, memo.accounting_product_id))
    products = tx.by_id(Product, named)
    for memo in sorted(found, key=lambda each: each.id):
        own = (products[memo.product_id], products[memo.accounting_product_id])
        on_bills[memo.bill_id] += (BillMemo(memo, reasons[memo.reason_id or ""], own),)
    return on_bills
