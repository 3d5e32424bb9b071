"""Step: cap credits that are priced against one product."""

from collections.abc import Callable, Iterable, Iterator
from decimal import Decimal

import msgspec

from tallystick.billing.calculate.draft import Draft, DraftLine
from tallystick.billing.derivation import CreditFrom
from tallystick.billing.line_item import LineItemType
from tallystick.kernel.decimals import ZERO, divide
from tallystick.rating.credits import cap_credits

COUNTERS = frozenset(
    {
        LineItemType.COUNTER_RUNNING_TOTAL_CHARGE,
        LineItemType.COUNTER_ADJUSTMENT_DEBIT,
        LineItemType.COUNTER_ADJUSTMENT_CREDIT,
    }
)


def grant_product_credits(draft: Draft) -> Draft:
    """Grant each PRODUCT_CREDIT at most what the product's usage costs: so much counts toward minimums.

    What is left goes to the product's other lines once they are there (`extend_to_products`). Compared in the
    billing currency, for a product's plans may be priced in several. Rule: semantics §14.
    """
    granted = {line.key: line for product in _products(draft) for line in _granted(draft, product)}
    return draft.with_lines(granted.get(line.key, line) for line in draft.lines) if granted else draft


def _products(draft: Draft) -> list[str | None]:
    return list(dict.fromkeys(line.product_id for line in draft.lines if is_product_credit(line)))


def _granted(draft: Draft, product_id: str | None) -> Iterator[DraftLine]:
    rate = draft.inputs.rate_from
    lines = [line for line in draft.lines if line.product_id == product_id]
    limit = usage_limit(lines, lambda line: line.subtotal * rate(line.currency))
    credits_ = [line for line in lines if is_product_credit(line)]
    priced = [-line.subtotal * rate(line.currency) for line in credits_]
    for line, asked, given in zip(credits_, priced, cap_credits(priced, limit), strict=True):
        why = msgspec.structs.replace(line.derivation, credit=CreditFrom(priced=asked, limit=limit))
        subtotal = line.subtotal if given == -asked else divide(given, rate(line.currency))
        yield msgspec.structs.replace(line, subtotal=subtotal, derivation=why)


def usage_limit(lines: Iterable[DraftLine], amount: Callable[[DraftLine], Decimal]) -> Decimal:
    """Give what a product's usage leaves for its credits: less what its counters give back, if they do."""
    lines = list(lines)
    usage = sum((amount(line) for line in lines if line.line_item_type is LineItemType.USAGE), ZERO)
    counters = sum((amount(line) for line in lines if line.line_item_type in COUNTERS), ZERO)
    return usage + min(counters, ZERO)


def is_product_credit(line: DraftLine) -> bool:
    """Tell whether a line is a credit against one product."""
    return line.line_item_type is LineItemType.USAGE_CREDIT and not line.is_global_credit
