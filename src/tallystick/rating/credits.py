"""Usage priced as a credit: it lowers a bill, never below zero (semantics §14)."""

from collections.abc import Sequence
from decimal import Decimal

from tallystick.kernel.decimals import ZERO
from tallystick.kernel.errors import Invalid


class NegativeCredit(Invalid):
    """A credit was priced below zero, and so would charge."""

    code = "negative_credit"


def cap_credits(credits_: Sequence[Decimal], total: Decimal) -> list[Decimal]:
    """Give the USAGE_CREDIT lines, each <= 0, for rated credits, each >= 0, in their order.

    total: of the lines they may use up — for PRODUCT_CREDIT the product's other lines, for
    GLOBAL_CREDIT the whole bill's, with the lines that were already granted. Together they never
    take more than it; nothing is granted against a total of zero or less. All in one currency.
    Raises NegativeCredit. Rule: semantics §14, order of §33.
    """
    left = max(total, ZERO)
    granted: list[Decimal] = []
    for credit in credits_:
        if credit < 0:
            raise NegativeCredit(f"a credit must be zero or more, got {credit}")
        grant = min(credit, left)
        left -= grant
        granted.append(-grant)
    return granted
