"""From a raw quantity of usage to the units a price counts (semantics §9)."""

from decimal import Decimal
from enum import StrEnum

from tallystick.kernel.decimals import RoundingMode, divide, round_to
from tallystick.kernel.errors import Invalid


class UsageRounding(StrEnum):
    """How units become whole: UP to the next, DOWN to the last, NEAREST, or NONE: not at all."""

    UP = "UP"
    DOWN = "DOWN"
    NEAREST = "NEAREST"
    NONE = "NONE"


MODES = {
    UsageRounding.UP: RoundingMode.CEILING,
    UsageRounding.DOWN: RoundingMode.FLOOR,
    UsageRounding.NEAREST: RoundingMode.HALF_UP,  # 3.5 is 4 and -3.5 is -4
}


class QuantityPerUnitNotPositive(Invalid):
    """A unit was defined as nothing, or less."""

    code = "quantity_per_unit_not_positive"


def quantity_or_default(quantity: Decimal | None, default: Decimal | None) -> Decimal | None:
    """Give the aggregated quantity, or the default where there was no data; None means no line (§9)."""
    return default if quantity is None else quantity


def to_units(quantity: Decimal, quantity_per_unit: Decimal, rounding: UsageRounding) -> Decimal:
    """Convert a raw quantity to units: divide by `quantity_per_unit`, then round to whole ones.

    Raises QuantityPerUnitNotPositive. Rule: semantics §9.
    """
    if quantity_per_unit <= 0:
        raise QuantityPerUnitNotPositive(f"quantityPerUnit must be above zero, got {quantity_per_unit}")
    units = divide(quantity, quantity_per_unit)
    return units if rounding is UsageRounding.NONE else round_to(units, 0, MODES[rounding])
