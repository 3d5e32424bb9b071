"""Usage questions as ClickHouse SQL. Pure: text in, text out."""
# ruff: noqa: S608 - SQL is what this file writes; every value passes platform.clickhouse.sql

from collections.abc import Mapping, Sequence
from datetime import datetime
from itertools import pairwise
from typing import Final

from tallystick.kernel.errors import invariant
from tallystick.kernel.periods import Period
from tallystick.platform.clickhouse import sql
from tallystick.rating.method import Method
from tallystick.usage.store.model import ANY, DECIMAL_PLACES, Away, Filter, Slot, SlotKind, UsageQuery
from tallystick.usage.store.schema import DATABASE, LOCAL, TABLE, slot_sql

# One number: a pair of instants is compared three to five times slower. A receipt has 17 digits at most.
ORDER: Final = (
    "toDecimal128(toUnixTimestamp64Milli(ts), 0) * 100000000000000000 + toUnixTimestamp64Micro(received_at)"
)
_NUMBERS: Final = {
    # 256 bits: a sum of Decimal(38, 12) overflows silently in its own type.
    Method.SUM: f"sum(toDecimal256({{field}}, {DECIMAL_PLACES}))",
    Method.MEAN: f"sum(toDecimal256({{field}}, {DECIMAL_PLACES}))",
    Method.MIN: "min({field})",
    Method.MAX: "max({field})",
    Method.LATEST: f"argMax({{field}}, {ORDER})",
}
_NEEDS_NUMBER: Final = {*_NUMBERS, Method.TIME_WEIGHTED}

Place = tuple[str, datetime, datetime]
"A row's place in a listing: account, ts, receipt."


def aggregate(org_id: str, query: UsageQuery) -> str:
    """Write the one SELECT that answers a query.

    Columns: account_id unless pooled, window (from 0), segment (from 0) if the query has segments, g0, g1 …
    for `group_by`, value, n (how many values).
    """
    invariant(query.method is not Method.TIME_WEIGHTED, "time weights are asked by weighted.py")
    check(query)
    keys: dict[str, str] = {}
    if query.per_account:
        keys["account_id"] = "account_id"
    windows_join = ""
    if len(query.windows) == 1:
        window = "toUInt32(0)"
    elif _are_apart(query.windows):
        window = window_of_apart(query.windows)
    else:
        window, windows_join = "window_of", f" ARRAY JOIN {_windows_of_any(query.windows)} AS window_of"
    keys["window"] = window
    if query.segments:
        keys["segment"] = segment_sql(query.segments)
    keys |= {f"g{position}": slot_sql(slot) for position, slot in enumerate(query.group_by)}
    value, count = value_sql(query.method, slot_sql(query.field) if query.field else None)
    selected = ", ".join(f"{expression} AS {name}" for name, expression in keys.items())
    having = ["n > 0", *(["window >= 0"] if window.startswith("multiIf") else [])]
    if query.segments:
        having.append("segment >= 0")
    return (
        f"SELECT {selected}, {value} AS value, {count} AS n FROM {TABLE}{windows_join} "
        f"WHERE {chosen(org_id, query.meter_id, query.account_ids, query.filters)} "
        f"AND {inside(whole(query.windows))} GROUP BY {', '.join(keys)} HAVING {' AND '.join(having)}"
    )


def measurements(
    org_id: str,
    meter_id: str,
    window: Period,
    account_ids: Sequence[str] | None,
    page: tuple[Place | None, int],
) -> str:
    """Write the listing of a meter's measurements in order. page: behind which row, how many."""
    where = f"{chosen(org_id, meter_id, account_ids, ())} AND {inside(window)}"
    after, limit = page
    if after is not None:
        account, ts, received_at = sql.uuid(after[0]), sql.instant_ms(after[1]), sql.instant_us(after[2])
        # The first term is implied by the second, and is the one the index understands.
        where += f" AND account_id >= {account}"
        where += f" AND (account_id, ts, received_at) > ({account}, {ts}, {received_at})"
    return (
        f"SELECT * EXCEPT (uid_hash) FROM {TABLE} WHERE {where} "
        f"ORDER BY account_id, ts, received_at LIMIT {int(limit)}"
    )


def count(org_id: str, meter_id: str | None, window: Period | None) -> str:
    """Write the count of an organization's measurements, of one meter and window if given."""
    where = [f"org_id = {sql.uuid(org_id)}"]
    if meter_id is not None:
        where.append(f"meter_id = {sql.uuid(meter_id)}")
    if window is not None:
        where.append(inside(window))
    return f"SELECT count() AS n FROM {TABLE} WHERE {' AND '.join(where)}"


def received(org_id: str, window: Period, since: datetime) -> str:
    """Write the search for accounts whose usage of a window came in at or after an instant."""
    came = f"received_at >= {sql.instant_us(since)}"
    return (
        f"SELECT account_id, min(ts) AS first, max(ts) AS last FROM {TABLE} "
        f"WHERE org_id = {sql.uuid(org_id)} AND {inside(window)} AND {came} GROUP BY account_id"
    )


def known_uids(hashes: Sequence[int], since: datetime) -> str:
    """Write the search for the uids behind hashes, received at or after `since`."""
    listed = ", ".join(map(str, hashes))
    return (
        f"SELECT org_id, uid FROM {TABLE} "
        f"WHERE uid_hash IN ({listed}) AND received_at >= {sql.instant_us(since)}"
    )


def recent_hashes(partition: int, since: datetime, week_s: int) -> str:
    """Write the reading of one month's uid hashes, with the week they were received in."""
    return (
        f"SELECT uid_hash, toUInt32(intDiv(toUnixTimestamp(received_at), {week_s})) AS week, received_at "
        f"FROM {TABLE} WHERE toYYYYMM(ts) = {partition} AND received_at >= {sql.instant_us(since)}"
    )


def parts(selected: str, cluster: str | None = None) -> str:
    """Write a question about the table's live parts; on a cluster of one replica of each shard."""
    source = "system.parts" if cluster is None else f"cluster({sql.text(cluster)}, system.parts)"
    table = TABLE.partition(".")[2] if cluster is None else LOCAL
    return f"SELECT {selected} FROM {source} WHERE active AND database = '{DATABASE}' AND table = '{table}'"


def inserts(cluster: str | None = None) -> str:
    """Write the count of the inserts into the table that run now, on a cluster on all of its servers."""
    source = "system.processes"
    if cluster is not None:
        source = f"clusterAllReplicas({sql.text(cluster)}, system.processes)"
    return (
        f"SELECT count() AS n FROM {source} WHERE startsWith(query, {sql.text(f'INSERT INTO {DATABASE}.')})"
    )


def check(query: UsageQuery) -> None:
    """Crash on a question that makes no sense; a caller has to refuse it before."""
    invariant(query.method is not Method.CUSTOM_SQL, "custom SQL is asked by custom.py")
    invariant(bool(query.windows), "a usage query needs a window")
    invariant(query.field is not None or query.method is Method.COUNT, f"{query.method} needs a field")
    number = query.field is not None and query.field.kind is SlotKind.NUMBER
    invariant(number or query.method not in _NEEDS_NUMBER, f"{query.method} needs a number field")


def value_sql(method: Method, field: str | None) -> tuple[str, str]:
    """Give the expressions of a field's value, for MEAN of its sum, and of how many values went into it.

    field: an expression; its NULLs do not take part. None: the measurements themselves are counted.
    """
    if field is None:
        return "count()", "count()"
    counted = f"count({field})"
    if method is Method.COUNT:
        return counted, counted
    if method is Method.UNIQUE:
        return f"uniqExact({field})", counted
    return _NUMBERS[method].format(field=field), counted


def chosen(
    org_id: str, meter_id: str, account_ids: Sequence[str] | None, filters: Sequence[Filter | Away]
) -> str:
    """Write the condition of one meter's measurements, of these accounts, that pass the filters."""
    terms = [f"org_id = {sql.uuid(org_id)}", f"meter_id = {sql.uuid(meter_id)}"]
    if account_ids is not None:
        terms.append(f"account_id IN ({sql.uuids(account_ids)})" if account_ids else "0")
    terms += map(filter_sql, filters)
    return " AND ".join(terms)


def whole(windows: Sequence[Period]) -> Period:
    """Give the least span that holds all windows."""
    return Period(min(w.start for w in windows), max(w.end for w in windows))


def filter_sql(each: Filter | Away) -> str:
    """Write a filter's condition, never NULL."""
    if isinstance(each, Away):
        return f"NOT (account_id = {sql.uuid(each.account_id)} AND {inside(each.window)})"
    invariant(each.slot.kind is SlotKind.TEXT, "filters look at texts")
    found = f"ifNull({slot_sql(each.slot)} IN ({sql.texts(each.values)}), 0)" if each.values else "0"
    return found if each.include else f"NOT {found}"


def inside(window: Period) -> str:
    """Write the condition that a measurement's `ts` is inside."""
    return f"ts >= {sql.instant_ms(window.start)} AND ts < {sql.instant_ms(window.end)}"


def _are_apart(windows: Sequence[Period]) -> bool:
    ordered = sorted(windows, key=lambda window: (window.start, window.end))
    return all(before.end <= after.start for before, after in pairwise(ordered))


def window_of_apart(windows: Sequence[Period]) -> str:
    """Number the one window a row falls into, -1 between them: no row is read twice."""
    ordered = sorted(enumerate(windows), key=lambda each: each[1].start)
    steps = [
        step
        for position, window in ordered
        if not window.is_empty
        for step in (
            f"ts < {sql.instant_ms(window.start)}, -1",
            f"ts < {sql.instant_ms(window.end)}, {position}",
        )
    ]
    return f"multiIf({', '.join([*steps, '-1'])})" if steps else "multiIf(1, -1, -1)"


def _windows_of_any(windows: Sequence[Period]) -> str:
    """List the windows a row falls into, when they may overlap."""
    found = ", ".join(f"if({inside(window)}, {at}, -1)" for at, window in enumerate(windows))
    return f"arrayFilter(at -> at >= 0, [{found}])"


def segment_sql(segments: Sequence[Mapping[Slot, str]]) -> str:
    """Number the most specific segment a row matches, -1 for none.

    Rule: semantics §10 — fewest wildcards first, then the leftmost fixed value. Segments that fix the same
    fields are looked up together by one key, so a thousand of them cost no more than one.
    """
    slots = tuple(segments[0])
    alike = all(tuple(each) == slots for each in segments)
    invariant(alike, "segments name the same fields in the same order")
    patterns: dict[tuple[bool, ...], dict[str, int]] = {}
    for position, segment in enumerate(segments):
        pattern = tuple(segment[slot] == ANY for slot in slots)
        fixed = [segment[slot] for slot in slots if segment[slot] != ANY]
        patterns.setdefault(pattern, {}).setdefault(_key(fixed), position)
    choices = ["-1"]
    for pattern in sorted(patterns, key=lambda p: (sum(p), p), reverse=True):
        fixed_slots = [slot for slot, is_any in zip(slots, pattern, strict=True) if not is_any]
        choices.append(_lookup(fixed_slots, patterns[pattern], choices[-1]))
    return choices[-1]


def _lookup(slots: Sequence[Slot], positions: Mapping[str, int], otherwise: str) -> str:
    if not slots:
        return f"toInt32({next(iter(positions.values()))})"
    parts = [f"toString(length({name})), ':', {name}" for name in map(slot_sql, slots)]
    key = f"ifNull(concat({', '.join(parts)}), '')"
    found = f"transform({key}, [{sql.texts(positions)}], [{', '.join(map(str, positions.values()))}], -1)"
    return f"toInt32(if({found} >= 0, {found}, {otherwise}))"


def _key(values: Sequence[str]) -> str:
    """Join texts so that no two lists give the same key: each with its length in bytes before it."""
    return "".join(f"{len(value.encode())}:{value}" for value in values)
