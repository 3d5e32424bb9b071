"""Step: cap credits, so that no credit drives a bill below zero."""

from collections.abc import Callable, Sequence
from decimal import Decimal

import msgspec

from tallystick.accounts.account_plan import ChildBillingMode
from tallystick.billing.calculate.draft import Draft, DraftLine
from tallystick.billing.calculate.product_credits import COUNTERS, is_product_credit, usage_limit
from tallystick.billing.derivation import CreditFrom
from tallystick.billing.line_item import LineItemType
from tallystick.kernel.decimals import ZERO, divide, round_to
from tallystick.rating.credits import cap_credits

Chooser = Callable[[DraftLine], bool]
Amount = Callable[[DraftLine], Decimal]


OTHERS = COUNTERS | {LineItemType.USAGE, LineItemType.STANDING_CHARGE}
"What a product's credits may be for: all that it charges but minimums, which are paid whatever was used."


def cap_to_products(draft: Draft) -> Draft:
    """Grant a product's credits at most what its usage is billed as: rounded, in billing currency.

    They were capped exactly before; rounding may have left the product's lines a cent below them.
    Rule: semantics §14.
    """
    lines = list(draft.lines)
    for product_id in _credited(lines):
        limit = usage_limit((x for x in lines if x.product_id == product_id), lambda line: line.converted)
        _cap(lines, _credits_of(product_id), limit, lambda line: -line.converted)
    return draft.with_lines(lines)


def extend_to_products(draft: Draft) -> Draft:
    """Grant what is left of a product's credits against its counters and standing charges (semantics §14).

    They do not count toward minimums. A pooled credit whose children are billed by themselves is for usage
    only: their bills do not know the parent's other lines.
    """
    lines = list(draft.lines)
    for product_id in _credited(lines):
        own = [line for line in lines if line.product_id == product_id]
        limit = sum((line.converted for line in own if line.line_item_type in OTHERS), ZERO)
        limit += sum((line.converted for line in own if is_product_credit(line) and _is_apart(line)), ZERO)
        _cap(lines, _credits_of(product_id, apart=False), limit, _priced(draft))
    return draft.with_lines(lines)


def cap_to_total(draft: Draft) -> Draft:
    """Grant a GLOBAL_CREDIT at most what the whole bill comes to: rounded, in billing currency (§14)."""
    if not any(line.is_global_credit for line in draft.lines):
        return draft
    lines = list(draft.lines)
    limit = sum((line.converted for line in lines if not line.is_global_credit), ZERO)
    _cap(lines, lambda line: line.is_global_credit, limit, lambda line: -line.converted)
    return draft.with_lines(lines)


def _credited(lines: Sequence[DraftLine]) -> list[str | None]:
    """Give the products that have credits."""
    return list(dict.fromkeys(line.product_id for line in lines if is_product_credit(line)))


def _credits_of(product_id: str | None, *, apart: bool = True) -> Chooser:
    """Choose a product's credits; apart: also those that are told apart on children's own bills."""
    return lambda line: (
        line.product_id == product_id and is_product_credit(line) and (apart or not _is_apart(line))
    )


def _priced(draft: Draft) -> Amount:
    """Give what a credit was priced at before it was capped, rounded as it would be billed."""
    rule = draft.inputs.rounding

    def priced(line: DraftLine) -> Decimal:
        why = line.derivation.credit
        return -line.converted if why is None else -round_to(-why.priced, rule.places, rule.mode)

    return priced


def _is_apart(line: DraftLine) -> bool:
    mode = line.terms.account_plan.child_billing_mode if line.terms else None
    return bool(line.shares) and mode is ChildBillingMode.CHILD


def _cap(lines: list[DraftLine], is_credit: Chooser, limit: Decimal, asked_of: Amount) -> None:
    at = [i for i, line in enumerate(lines) if is_credit(line)]
    asked = [asked_of(lines[i]) for i in at]
    for i, wanted, given in zip(at, asked, cap_credits(asked, limit), strict=True):
        if given != lines[i].converted or lines[i].is_global_credit:
            lines[i] = _capped(lines[i], wanted, limit, given)


def _capped(line: DraftLine, priced: Decimal, limit: Decimal, given: Decimal) -> DraftLine:
    """Give a credit line at its capped amount; its subtotal follows, so that both stay of one worth."""
    before = line.derivation.credit  # the price to the last digit, where it was capped before it was rounded
    credit = CreditFrom(priced=before.priced if before else priced, limit=limit)
    why = msgspec.structs.replace(line.derivation, credit=credit)
    subtotal = line.subtotal if given == line.converted else divide(given, line.conversion_rate)
    conversion = why.conversion and msgspec.structs.replace(why.conversion, exact=subtotal, converted=given)
    why = msgspec.structs.replace(why, conversion=conversion)
    return msgspec.structs.replace(line, subtotal=subtotal, converted=given, derivation=why)
