"""Exact decimals: the one place where numbers are divided and rounded.

The default context of 28 digits silently drops cents of large sums, so importing this module sets
a process-wide context of 50 digits that refuses to mix floats in (decision 0003). Contexts are per
thread, and new threads start from `DefaultContext`, so that one is set too.
"""

import decimal
from collections.abc import Sequence
from decimal import Decimal
from enum import StrEnum
from functools import lru_cache

from tallystick.kernel.errors import Invalid, invariant

PRECISION = 50
ZERO = Decimal(0)
ONE = Decimal(1)


class RoundingMode(StrEnum):
    """How a currency rounds (semantics §25)."""

    UP = "UP"
    DOWN = "DOWN"
    CEILING = "CEILING"
    FLOOR = "FLOOR"
    HALF_UP = "HALF_UP"
    HALF_DOWN = "HALF_DOWN"
    HALF_EVEN = "HALF_EVEN"
    UNNECESSARY = "UNNECESSARY"


class RoundingNecessary(Invalid):
    """A currency that must never be rounded met an amount with more decimal places."""

    code = "rounding_necessary"


def set_context() -> None:
    """Make 50 digits and trapped floats the rule for this thread and all later ones."""
    for context in (decimal.DefaultContext, decimal.getcontext()):
        context.prec = PRECISION
        context.traps[decimal.FloatOperation] = True
        context.traps[decimal.InvalidOperation] = True
        context.traps[decimal.DivisionByZero] = True


set_context()


_ROUNDINGS = {mode: f"ROUND_{mode.value}" for mode in RoundingMode if mode is not RoundingMode.UNNECESSARY}


@lru_cache(maxsize=1000)
def _step(places: int) -> Decimal:
    return Decimal(1).scaleb(-places)


def round_to(value: Decimal, places: int, mode: RoundingMode) -> Decimal:
    """Round `value` to `places` decimals (negative: tens, hundreds …).

    Never gives a negative zero. Raises RoundingNecessary in mode UNNECESSARY when a digit would be lost.
    """
    step = _step(places)
    if mode is RoundingMode.UNNECESSARY:
        rounded = value.quantize(step, rounding=decimal.ROUND_DOWN)
        if rounded != value:
            message = f"{value} has more than {places} decimal places, and its currency forbids rounding"
            raise RoundingNecessary(message)
    else:
        rounded = value.quantize(step, rounding=_ROUNDINGS[mode])
    return rounded + ZERO  # adding zero turns -0.00 into 0.00 and 1E+2 into 100, and changes nothing else


def divide(numerator: Decimal, denominator: Decimal) -> Decimal:
    """Divide to 50 digits. The result is for further calculation; a bill rounds it once at its end."""
    invariant(denominator != 0, "a division by zero has to be refused before it gets here")
    return numerator / denominator


def remainder(dividend: Decimal, divisor: Decimal) -> Decimal:
    """Give what is left after dividing a whole number of times; it has the sign of the dividend.

    Raises decimal.InvalidOperation when the whole number has more than 50 digits.
    """
    invariant(divisor != 0, "a division by zero has to be refused before it gets here")
    return dividend % divisor


def power(base: Decimal, exponent: Decimal) -> Decimal:
    """Raise `base` to `exponent`: exact up to 50 digits for whole exponents, else rounded to 50 digits.

    Zero to the power of zero is one. Raises decimal.Overflow for results past 10^999999, and
    decimal.InvalidOperation for a negative base with a fractional exponent.
    """
    if exponent == 0:
        return ONE
    invariant(base != 0 or exponent > 0, "a division by zero has to be refused before it gets here")
    return base**exponent


def plain(value: Decimal) -> Decimal:
    """Drop trailing zeros, and give no negative zero: 75.00 becomes 75, 1E+2 becomes 100.

    Print with `f"{value:f}"`: `str` writes what is below 0.000001 with an exponent.
    """
    return value.normalize() + ZERO


def allocate(total: Decimal, weights: Sequence[Decimal], places: int) -> list[Decimal]:
    """Split `total` by `weights` into shares of `places` decimals that sum to it (largest remainder).

    total: already at `places` decimals. weights: each >= 0, not all zero.
    Ties go to the earlier share, so the same input always splits the same way.
    """
    weight = sum(weights, ZERO)
    invariant(weight > 0 and min(weights) >= 0, "weights must be zero or more and not all zero")
    step = Decimal(1).scaleb(-places)
    exact = [divide(total * w, weight) for w in weights]
    shares = [e.quantize(step, rounding=decimal.ROUND_FLOOR) for e in exact]
    missing = int((total - sum(shares, ZERO)).scaleb(places))
    by_remainder = sorted(range(len(exact)), key=lambda i: (shares[i] - exact[i], i))
    for i in by_remainder[:missing]:
        shares[i] += step
    invariant(sum(shares, ZERO) == total, "a split lost or made money")
    return shares
