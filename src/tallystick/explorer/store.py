"""What the explorer reads from the database. Decides nothing."""

from collections.abc import Iterable
from typing import Any

from sqlalchemy import ColumnElement, Row, Select, Text, cast, select

from tallystick.accounts.account import Account
from tallystick.billing.bill import Bill
from tallystick.billing.line_item import LineItem
from tallystick.platform.resources import Transaction, resource_of

_account = resource_of(Account).table
_parent = _account.alias("parent")
_bill = resource_of(Bill).table
_line = resource_of(LineItem).table

DIMENSIONS: dict[str, ColumnElement[Any]] = {
    "account": _account.c.code,
    "accountName": _account.c.name,
    "accountId": _account.c.id,
    "parentAccountCode": _parent.c.code,
    "parentAccountName": _parent.c.name,
    "parentAccountId": _parent.c.id,
    "childAccountId": _line.c.child_account_id,
    "description": _line.c.description,
    "lineItemType": _line.c.line_item_type,
    "productName": _line.c.product_name,
    "quantityUnit": _line.c.unit,
    "subtotalUnit": _line.c.currency,
    "convertedSubtotalUnit": _bill.c.currency,
    "billId": _bill.c.id,
    "externalInvoiceReference": _bill.c.external_invoice_reference,
    "commitmentId": _line.c.commitment_id,
    "billLineItemId": _line.c.id,
}
"What a line can be filtered by."
_MEASURES = ("converted_subtotal", "subtotal", "version", "conversion_rate", "quantity", "units")
_SERVICE = ("service_period_start_date", "service_period_end_date")
_BILL = (
    "locked",
    "status",
    "due_date",
    "start_date",
    "end_date",
    "bill_date",
    "timezone",
    "billing_frequency",
)


def bill_lines(tx: Transaction, clauses: Iterable[ColumnElement[bool]], limit: int) -> list[Row[Any]]:
    """Load bill lines with their bill and account, those of the newest bills first, in the bill's order.

    Columns: `DIMENSIONS` by their names, the line's numbers and service period, the bill's own, updated_date.
    """
    return list(tx.execute(_lines(tx.org_id).where(*clauses).limit(limit)))


def bill_clauses(
    start: Any, end: Any, line_item_types: Iterable[str], filters: Iterable[tuple[str, list[str]]]
) -> list[ColumnElement[bool]]:
    """Give the conditions: a bill's period starts in [start, end), each dimension has one of its texts."""
    begins = _bill.c.start_date_time_utc
    clauses = [begins >= start, begins < end, _line.c.line_item_type.in_(list(line_item_types))]
    return [*clauses, *(cast(DIMENSIONS[name], Text).in_(values) for name, values in filters)]


def _lines(org_id: str) -> Select[Any]:
    same_bill = (_bill.c.org_id == _line.c.org_id) & (_bill.c.id == _line.c.bill_id)
    same_account = (_account.c.org_id == _bill.c.org_id) & (_account.c.id == _bill.c.account_id)
    above = (_parent.c.org_id == _account.c.org_id) & (_parent.c.id == _account.c.parent_account_id)
    return (
        select(
            *(column.label(name) for name, column in DIMENSIONS.items()),
            *(_line.c[name] for name in (*_MEASURES, *_SERVICE)),
            *(_bill.c[name] for name in _BILL),
            _line.c.dt_last_modified.label("updated_date"),
        )
        .join_from(_line, _bill, same_bill)
        .join(_account, same_account)
        .outerjoin(_parent, above)
        .where(_line.c.org_id == org_id)
        .order_by(_bill.c.start_date_time_utc.desc(), _bill.c.id.desc(), _line.c.sequence_number, _line.c.id)
    )
