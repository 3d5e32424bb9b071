"""CUSTOM_SQL as ClickHouse SQL: a checked query over no more than it may see, and its end. Pure.

The query comes written by `catalogue.custom_sql` from a syntax tree. This puts what it may see in the
place of `measurements`: one organization's, one meter's, these accounts', one window's, chosen beforehand.
"""
# ruff: noqa: S608 - SQL is what this file writes; every value passes platform.clickhouse.sql

from collections.abc import Mapping
from decimal import Decimal, InvalidOperation
from typing import Final

import msgspec

from tallystick.kernel.decimals import RoundingMode, round_to
from tallystick.kernel.errors import Invalid
from tallystick.kernel.periods import Period
from tallystick.platform.clickhouse.errors import ClickHouseRefused, ClickHouseUnavailable
from tallystick.usage.store.model import DECIMAL_PLACES, Away, Filter, Slot, SlotKind, fits
from tallystick.usage.store.queries import chosen, inside, segment_sql
from tallystick.usage.store.schema import TABLE, slot_sql

LONGEST_S: Final = 5
MEMORY_BYTES: Final = 256 * 2**20
_SETTINGS: Final = {
    "max_execution_time": LONGEST_S,
    "timeout_overflow_mode": "'throw'",
    "max_memory_usage": MEMORY_BYTES,
    "max_result_rows": 1,
    "result_overflow_mode": "'throw'",
    "distributed_product_mode": "'global'",
    "readonly": 1,  # the last: nothing can be set behind it
}
_FIXED: Final = ("ts", "ets", "uid", "received_at")
_TOO_LONG: Final = frozenset({159, 209})  # TIMEOUT_EXCEEDED, SOCKET_TIMEOUT
_TOO_MUCH: Final = frozenset({173, 241})  # CANNOT_ALLOCATE_MEMORY, MEMORY_LIMIT_EXCEEDED
_TOO_MANY: Final = frozenset({125, 396})  # INCORRECT_RESULT_OF_SCALAR_SUBQUERY, TOO_MANY_ROWS_OR_BYTES


class CustomSqlFailed(Invalid):
    """A CUSTOM_SQL query could not be answered for an account; its bill cannot be made."""

    code = "custom_sql_failed"


class CustomQuery(msgspec.Struct, frozen=True, kw_only=True):
    """A checked query over the measurements of some accounts in one window.

    around: its text around each place of `measurements`. answer: the name of its one column.
    columns: the fields it may see, by code. segments, segment: as of a UsageQuery, and the position of one.
    filters: as of a UsageQuery.
    """

    around: tuple[str, ...]
    answer: str
    meter_id: str
    account_ids: tuple[str, ...]
    window: Period
    columns: Mapping[str, Slot]
    segments: tuple[Mapping[Slot, str], ...] = ()
    segment: int | None = None
    filters: tuple[Filter | Away, ...] = ()


def number(org_id: str, query: CustomQuery) -> str:
    """Write the query with what it may see, and its limits. One column `value`, as text."""
    seen = f"({_measurements(org_id, query)})"
    return (
        f"SELECT toString(`{query.answer}`) AS `the number` FROM ({seen.join(query.around)}) "
        f"SETTINGS {', '.join(f'{name} = {value}' for name, value in _SETTINGS.items())}"
    )


def first_seen(org_id: str, query: CustomQuery) -> str:
    """Write the question for one measurement that a query sees: no row where there is none."""
    return f"SELECT 1 FROM ({_measurements(org_id, query)}) LIMIT 1"


def _measurements(org_id: str, query: CustomQuery) -> str:
    """Write what a query may see.

    Chosen in a SELECT of its own, under names with a space: a field may be called `org_id` or `n0`, and an
    alias wins over a column in every clause of its SELECT.
    """
    fields = {code: slot for code, slot in query.columns.items() if code not in _FIXED}
    stored = [f"{name} AS `fixed {name}`" for name in _FIXED]
    stored += [f"{slot_sql(slot)} AS `slot {slot.name}`" for slot in sorted(set(fields.values()))]
    shown = [f"`fixed {name}` AS `{name}`" for name in _FIXED]
    shown += [f"{_shown(slot)} AS `{code}`" for code, slot in fields.items()]
    where = f"{chosen(org_id, query.meter_id, query.account_ids, query.filters)} AND {inside(query.window)}"
    if query.segment is not None:
        where += f" AND {segment_sql(query.segments)} = {int(query.segment)}"
    return f"SELECT {', '.join(shown)} FROM (SELECT {', '.join(stored)} FROM {TABLE} WHERE {where})"


def _shown(slot: Slot) -> str:
    """Numbers in 256 bits: a sum of Decimal(38, 12) overflows silently in its own type."""
    name = f"`slot {slot.name}`"
    return f"toDecimal256({name}, {DECIMAL_PLACES})" if slot.kind is SlotKind.NUMBER else name


def answer(rows: list[str | None]) -> Decimal | None:
    """Read an answer: a number, to 12 places; no row and NULL are no data. Raises CustomSqlFailed."""
    if len(rows) > 1:
        raise CustomSqlFailed("The SQL gave more than one row.")
    if not rows or rows[0] is None:
        return None
    try:
        exact = Decimal(rows[0])
    except InvalidOperation:
        exact = Decimal("NaN")
    if not exact.is_finite():
        raise CustomSqlFailed(f"The SQL gave {rows[0][:40]}, which is not a number.")
    if not fits(exact.to_integral_value()):
        raise CustomSqlFailed("The SQL gave a number that is too large to be billed.")
    return round_to(exact, DECIMAL_PLACES, RoundingMode.HALF_EVEN)


def failure(error: ClickHouseRefused | ClickHouseUnavailable) -> CustomSqlFailed | None:
    """Tell a query's own fault; None is an outage of ours."""
    if isinstance(error, ClickHouseRefused):
        told = str(error).partition("DB::Exception: ")[2] or str(error)
        reason = "gave more than one row" if error.number in _TOO_MANY else f"cannot be run: {told[:300]}"
        return CustomSqlFailed(f"The SQL {reason}.")
    number = error.facts.get("number")
    if number in _TOO_LONG:
        return CustomSqlFailed(f"The SQL takes longer than {LONGEST_S} seconds.")
    if number in _TOO_MUCH:
        return CustomSqlFailed(f"The SQL needs more than {MEMORY_BYTES // 2**20} MiB of memory.")
    return None
