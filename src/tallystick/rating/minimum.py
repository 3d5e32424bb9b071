"""Minimum spend: the customer pays max(usage, minimum) for each bill's period (semantics §15).

usage: what counts toward the minimum — usage charges less usage credits of the plan's product, not
standing charges or counters; for a plan group, of its plans with their own minimum's top-ups.
minimum: of the period, prorated by the caller if the organization prorates it. Amounts are signed
as their bill line is, exact, in pricing currency.
"""

from decimal import Decimal

from tallystick.kernel.decimals import ZERO
from tallystick.kernel.errors import Invalid


class NegativeMinimum(Invalid):
    """A minimum spend was below zero."""

    code = "negative_minimum"


def _checked(minimum: Decimal) -> Decimal:
    if minimum < 0:
        raise NegativeMinimum(f"a minimum spend must be zero or more, got {minimum}")
    return minimum


def minimum_top_up(usage: Decimal, minimum: Decimal) -> Decimal:
    """Give the MINIMUM_SPEND line in arrears: what is missing up to the minimum, >= 0.

    Raises NegativeMinimum.
    """
    return max(_checked(minimum) - usage, ZERO)


def minimum_in_advance(minimum: Decimal) -> Decimal:
    """Give the MINIMUM_SPEND line in advance, on the bill that opens the period: all of it.

    Raises NegativeMinimum.
    """
    return _checked(minimum)


def minimum_refund(usage: Decimal, minimum: Decimal) -> Decimal:
    """Give the MINIMUM_SPEND_REFUND line that closes a period paid in advance: -min(usage, minimum).

    With it minimum + usage + refund = max(usage, minimum). The reference platform's guide prints the
    unused part instead, which would charge usage of 800 under a minimum of 1000 as 1600.
    Raises NegativeMinimum.
    """
    return -min(usage, _checked(minimum))
