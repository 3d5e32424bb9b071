"""Time-weighted usage as ClickHouse SQL: a level times how long it was held. Pure.

Each account has a level of its own, and each segment or group of it one of its own again: the measurements
in it. A measurement without a value changes nothing; of several at one instant the last received holds.
"""
# ruff: noqa: S608 - SQL is what this file writes; every value passes platform.clickhouse.sql

from collections.abc import Iterable
from decimal import Decimal
from typing import Final

from tallystick.kernel.periods import Period
from tallystick.platform.clickhouse import sql
from tallystick.usage.store.model import DECIMAL_PLACES, Away, UsageQuery
from tallystick.usage.store.queries import ORDER, check, chosen, inside, segment_sql, whole
from tallystick.usage.store.schema import TABLE, slot_sql

MS_AN_HOUR: Final = Decimal(3_600_000)
_SPILL_BYTES: Final = 512 * 2**20


def aggregate(org_id: str, query: UsageQuery) -> str:
    """Write the one SELECT that answers a query with TIME_WEIGHTED.

    Columns as of `queries.aggregate`: value is in units times milliseconds, exact; n counts the levels that
    held for some time. Nothing is answered where no level held. Pooled accounts add up.
    """
    check(query)
    series = {"account_id": "account_id"}
    if query.segments:
        series["segment"] = segment_sql(query.segments)
    series |= {f"g{position}": slot_sql(slot) for position, slot in enumerate(query.group_by)}
    keys = ["account_id"] if query.per_account else []
    keys += ["window", *(name for name in series if name != "account_id")]
    # 256 bits: 26 digits before the point times the milliseconds of four centuries.
    held = "least(until_ms, held_in.3) - greatest(from_ms, held_in.2)"
    return (
        f"SELECT {', '.join('held_in.1 AS window' if key == 'window' else key for key in keys)}, "
        f"sum(toDecimal256(level, {DECIMAL_PLACES}) * toInt64({held})) AS value, count() AS n "
        f"FROM ({_levels(org_id, query, series)}) ARRAY JOIN {_windows(query)} AS held_in "
        f"GROUP BY {', '.join(keys)} "
        f"SETTINGS max_bytes_before_external_sort = {_SPILL_BYTES}"
    )


def _levels(org_id: str, query: UsageQuery, series: dict[str, str]) -> str:
    """Write what held when: level, from_ms and until_ms, cut to the span of all windows."""
    span = whole(query.windows)
    names = ", ".join(series)
    following = f"leadInFrame(from_ms, 1, toInt64({sql.milliseconds(span.end)}))"
    return (
        f"SELECT {names}, level, from_ms, {following} OVER (PARTITION BY {names} "
        "ORDER BY arrival ROWS BETWEEN CURRENT ROW AND UNBOUNDED FOLLOWING) AS until_ms "
        f"FROM ({_changes(org_id, query, series, span)})"
    )


def _changes(org_id: str, query: UsageQuery, series: dict[str, str], span: Period) -> str:
    """Write the changes of level inside the span, and as one more at its start the level brought along."""
    level = slot_sql(query.field) if query.field else "NULL"
    selected = ", ".join(f"{expression} AS {name}" for name, expression in series.items())
    of_segment = " AND segment >= 0" if query.segments else ""
    filters = [each for each in query.filters if not isinstance(each, Away)]  # `_windows` leaves those out
    mine = chosen(org_id, query.meter_id, query.account_ids, filters)
    rows = f"{mine} AND isNotNull({level}){of_segment}"
    start = sql.instant_ms(span.start)
    return (
        f"SELECT {selected}, {level} AS level, toUnixTimestamp64Milli(ts) AS from_ms, {ORDER} AS arrival "
        f"FROM {TABLE} WHERE {rows} AND {inside(span)} "
        f"UNION ALL SELECT {', '.join(series)}, argMax(last_level, last_arrival) AS level, "
        f"toInt64({sql.milliseconds(span.start)}) AS from_ms, max(last_arrival) AS arrival "
        f"FROM (SELECT {selected}, {level} AS last_level, {ORDER} AS last_arrival FROM {TABLE} "
        f"WHERE {rows} AND ts < {start}) GROUP BY {', '.join(series)}"
    )


def _windows(query: UsageQuery) -> str:
    """List the windows that a level held in, each as (number, start, end) in milliseconds.

    What is left of them, for an account that is away for some time.
    """
    away: dict[str, list[Period]] = {}
    for each in query.filters:
        if isinstance(each, Away):
            away.setdefault(each.account_id, []).append(each.window)
    windows = _listed(enumerate(query.windows))
    if away:
        own = (
            f"account_id = {sql.uuid(account_id)}, "
            + _listed((at, left) for at, window in enumerate(query.windows) for left in window.outside(taken))
            for account_id, taken in away.items()
        )
        windows = f"multiIf({', '.join(own)}, {windows})"
    return f"arrayFilter(at -> least(until_ms, at.3) > greatest(from_ms, at.2), {windows})"


def _listed(windows: Iterable[tuple[int, Period]]) -> str:
    listed = ", ".join(
        f"({position}, {sql.milliseconds(window.start)}, {sql.milliseconds(window.end)})"
        for position, window in windows
    )
    return f"CAST([{listed}], 'Array(Tuple(UInt32, Int64, Int64))')"
