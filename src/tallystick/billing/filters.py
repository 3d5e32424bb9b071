"""A contract's usage filters, in the terms of the usage store. Pure."""

from collections.abc import Iterable

from tallystick.accounts.contract import Contract, UsageFilter, UsageFilterMode
from tallystick.catalogue.meter import Meter
from tallystick.usage.meters import slot_of
from tallystick.usage.store.model import Filter


def filters_of(contract: Contract | None) -> tuple[UsageFilter, ...]:
    """Give a contract's filters in one order, so that equal ones are asked together."""
    if contract is None:
        return ()
    return tuple(sorted(contract.usage_filters, key=lambda f: (f.dimension_code, f.mode.value, f.value)))


def slot_filters(meter: Meter, filters: Iterable[UsageFilter]) -> tuple[Filter, ...]:
    """Give filters by the places of a meter's fields, all of which it has; all of them have to hold.

    Rule: semantics §21 — one of the included values of each dimension that has any, and none that is
    excluded.
    """
    values: dict[tuple[str, UsageFilterMode], list[str]] = {}
    for each in filters:
        values.setdefault((each.dimension_code, each.mode), []).append(each.value)
    return tuple(
        Filter(slot_of(meter, code), tuple(among), include=mode is UsageFilterMode.INCLUDE)
        for (code, mode), among in values.items()
    )
