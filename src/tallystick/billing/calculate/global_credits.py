"""Step: cap credits, so that no credit drives a bill below zero."""

from collections.abc import Callable
from decimal import Decimal

import msgspec

from tallystick.billing.calculate.draft import Draft, DraftLine
from tallystick.billing.calculate.product_credits import is_product_credit
from tallystick.billing.derivation import CreditFrom
from tallystick.billing.line_item import LineItemType
from tallystick.kernel.decimals import ZERO, divide
from tallystick.rating.credits import cap_credits

Chooser = Callable[[DraftLine], bool]


def cap_to_products(draft: Draft) -> Draft:
    """Grant a product's credits at most what its usage is billed as: rounded, in billing currency.

    They were capped exactly before; rounding may have left the product's lines a cent below them.
    Rule: semantics §14.
    """
    lines = list(draft.lines)
    for product_id in dict.fromkeys(line.product_id for line in lines if is_product_credit(line)):
        _cap(lines, _credits_of(product_id), _usage_of(product_id))
    return draft.with_lines(lines)


def cap_to_total(draft: Draft) -> Draft:
    """Grant a GLOBAL_CREDIT at most what the whole bill comes to: rounded, in billing currency (§14)."""
    if not any(line.is_global_credit for line in draft.lines):
        return draft
    lines = list(draft.lines)
    _cap(lines, lambda line: line.is_global_credit, lambda line: not line.is_global_credit)
    return draft.with_lines(lines)


def _credits_of(product_id: str | None) -> Chooser:
    return lambda line: line.product_id == product_id and is_product_credit(line)


def _usage_of(product_id: str | None) -> Chooser:
    return lambda line: line.product_id == product_id and line.line_item_type is LineItemType.USAGE


def _cap(lines: list[DraftLine], is_credit: Chooser, limits: Chooser) -> None:
    limit = sum((line.converted for line in lines if limits(line)), ZERO)
    at = [i for i, line in enumerate(lines) if is_credit(line)]
    asked = [-lines[i].converted for i in at]
    for i, wanted, given in zip(at, asked, cap_credits(asked, limit), strict=True):
        if -given != wanted or lines[i].is_global_credit:
            lines[i] = _capped(lines[i], wanted, limit, given)


def _capped(line: DraftLine, priced: Decimal, limit: Decimal, given: Decimal) -> DraftLine:
    """Give a credit line at its capped amount; its subtotal follows, so that both stay of one worth."""
    why = msgspec.structs.replace(line.derivation, credit=CreditFrom(priced=priced, limit=limit))
    subtotal = line.subtotal if given == line.converted else divide(given, line.conversion_rate)
    conversion = why.conversion and msgspec.structs.replace(why.conversion, exact=subtotal, converted=given)
    why = msgspec.structs.replace(why, conversion=conversion)
    return msgspec.structs.replace(line, subtotal=subtotal, converted=given, derivation=why)
