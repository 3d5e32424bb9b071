"""What people ask of measurements, and its SQL: grouped, ordered and cut in the engine. Pure."""
# ruff: noqa: S608 - SQL is what this file writes; every value passes platform.clickhouse.sql

from collections.abc import Iterator, Sequence
from datetime import datetime
from decimal import Decimal
from enum import StrEnum
from typing import Final

import msgspec

from tallystick.kernel.errors import invariant
from tallystick.kernel.periods import Period
from tallystick.platform.clickhouse import sql
from tallystick.rating.method import Method
from tallystick.usage.store.model import Filter, Slot, SlotKind
from tallystick.usage.store.queries import filter_sql, inside, value_sql
from tallystick.usage.store.schema import TABLE, slot_sql

LONGEST_S: Final = 30
"A question that takes longer is given up: a person waits for it."
FIXED: Final = ("meter_id", "account_id", "ts", "ets", "received_at", "uid")

_LONGEST: Final = "max_execution_time"
_SETTINGS: Final = {
    # Without it the starts of months before 1970 or after 2149 are other days.
    "enable_extended_results_for_datetime_functions": 1,
    _LONGEST: LONGEST_S,
    "max_bytes_before_external_group_by": 512 * 2**20,
    # The newest are found by two columns, and only theirs are read of the others.
    "query_plan_max_limit_for_lazy_materialization": 100_000,
}


class Bucket(StrEnum):
    """The spans that time is grouped by, in UTC; weeks start on Monday."""

    HOUR = "HOUR"
    DAY = "DAY"
    WEEK = "WEEK"
    MONTH = "MONTH"
    QUARTER = "QUARTER"


_HOUR_MS: Final = 3_600_000
_DAY_MS: Final = 24 * _HOUR_MS


def _start_of_each(length_ms: int, first_ms: int = 0) -> str:
    """Write the start of the span of this length, one of which starts `first_ms` after 1970, that holds `ts`.

    Not by toStartOfHour and its like: they round fractions of a second before 1970 up into the next span.
    """
    at = "toUnixTimestamp64Milli(ts)"
    return f"fromUnixTimestamp64Milli({at} - positiveModulo({at} - {first_ms}, {length_ms}), 'UTC')"


_STARTS: Final = {
    Bucket.HOUR: _start_of_each(_HOUR_MS),
    Bucket.DAY: _start_of_each(_DAY_MS),
    Bucket.WEEK: _start_of_each(7 * _DAY_MS, first_ms=4 * _DAY_MS),  # 1970-01-05 was a Monday
    Bucket.MONTH: f"toDateTime64(toStartOfMonth({_start_of_each(_DAY_MS)}), 3, 'UTC')",
    Bucket.QUARTER: f"toDateTime64(toStartOfQuarter({_start_of_each(_DAY_MS)}), 3, 'UTC')",
}


class MeterPart(msgspec.Struct, frozen=True):
    """One meter's measurements, those that pass all the filters."""

    meter_id: str
    filters: tuple[Filter, ...] = ()


class Selection(msgspec.Struct, frozen=True, kw_only=True):
    """The measurements that are asked about. window: by `ts`. account_ids: None is every account."""

    meters: tuple[MeterPart, ...]
    window: Period
    account_ids: tuple[str, ...] | None = None


class MeterField(msgspec.Struct, frozen=True):
    """A field of one of the selection's meters."""

    meter_id: str
    slot: Slot


class Figure(msgspec.Struct, frozen=True):
    """One aggregated field; measurements of other meters, and those without a value, take no part."""

    method: Method
    field: MeterField


class Summary(msgspec.Struct, frozen=True, kw_only=True):
    """What to make of a selection: figures for each combination of account, bucket and texts asked for.

    texts: a measurement of another meter has none, as one whose own field is missing.
    """

    figures: tuple[Figure, ...]
    per_account: bool = False
    bucket: Bucket | None = None
    texts: tuple[MeterField, ...] = ()


class SummaryRow(msgspec.Struct, frozen=True):
    """One group. start: of its bucket, UTC. values: one for each figure, exact; None where no value went in.

    COUNT and UNIQUE of no value are 0.
    """

    account_id: str | None
    start: datetime | None
    texts: tuple[str | None, ...]
    values: tuple[Decimal | None, ...]


def summarize(
    org_id: str, selection: Selection, summary: Summary, limit: int, *, patient: bool = False
) -> str:
    """Write the SELECT of the first `limit` groups, newest bucket first, then by account and texts.

    patient: nobody waits for it, so it may take as long as its lane lets it.

    Columns: account_id and start if asked for, g0, g1 …, and for each figure v0, v1 … and c0, c1 …: how many.
    """
    alone = len(selection.meters) == 1
    keys: dict[str, str] = {}
    if summary.bucket is not None:
        keys["start"] = _STARTS[summary.bucket]
    if summary.per_account:
        keys["account_id"] = "account_id"
    keys |= {f"g{at}": _field(field, alone=alone) for at, field in enumerate(summary.texts)}
    columns = [f"{expression} AS {name}" for name, expression in keys.items()]
    for at, figure in enumerate(summary.figures):
        value, count = value_sql(figure.method, _field(figure.field, alone=alone))
        columns += [f"{value} AS v{at}", f"{count} AS c{at}"]
    # The engine compares ids by their halves swapped; people compare what they read.
    readable = {"start": "start DESC", "account_id": "toString(account_id) ASC NULLS LAST"}
    order = [readable.get(key, f"{key} ASC NULLS LAST") for key in keys]
    grouped = f" GROUP BY {', '.join(keys)}" if keys else ""
    ordered = f" ORDER BY {', '.join(order)}" if keys else ""
    return (
        f"SELECT {', '.join(columns)} FROM {TABLE} WHERE {_where(org_id, selection)}"
        f"{grouped} HAVING count() > 0{ordered} LIMIT {int(limit)} {_settings(patient=patient)}"
    )


def newest(org_id: str, selection: Selection, slots: Sequence[Slot], limit: int) -> str:
    """Write the SELECT of the `limit` newest measurements, by `ts`, then receipt: `FIXED` and the slots."""
    read = [f"{slot_sql(slot)} AS {slot.name}" for slot in slots]
    return (
        f"SELECT {', '.join([*FIXED, *read])} FROM {TABLE} WHERE {_where(org_id, selection)} "
        f"ORDER BY ts DESC, received_at DESC LIMIT {int(limit)} {_settings()}"
    )


def _where(org_id: str, selection: Selection) -> str:
    meters, accounts = selection.meters, selection.account_ids
    terms = [f"org_id = {sql.uuid(org_id)}"]
    if len(meters) == 1:
        terms.append(f"meter_id = {sql.uuid(meters[0].meter_id)}")
    else:
        terms.append(f"meter_id IN ({sql.uuids(m.meter_id for m in meters)})" if meters else "0")
    if accounts is not None:
        terms.append(f"account_id IN ({sql.uuids(accounts)})" if accounts else "0")
    terms.append(inside(selection.window))
    terms += _filters(meters)
    return " AND ".join(terms)


def _filters(meters: Sequence[MeterPart]) -> Iterator[str]:
    """Hold each meter's measurements to its own filters only."""
    for meter in meters:
        for each in meter.filters:
            other = "" if len(meters) == 1 else f"meter_id != {sql.uuid(meter.meter_id)} OR "
            yield f"({other}{filter_sql(each)})"


def _field(field: MeterField, *, alone: bool) -> str:
    """Write the expression of a field: NULL on measurements of other meters, unless it is alone."""
    name = slot_sql(field.slot)
    return name if alone else f"if(meter_id = {sql.uuid(field.meter_id)}, {name}, NULL)"


def _settings(*, patient: bool = False) -> str:
    settings = {name: value for name, value in _SETTINGS.items() if not (patient and name == _LONGEST)}
    return "SETTINGS " + ", ".join(f"{name} = {value}" for name, value in settings.items())


def check(selection: Selection, summary: Summary) -> None:
    """Crash on a question that makes no sense; a caller has to refuse it before."""
    asked = {meter.meter_id for meter in selection.meters}
    fields = [*(figure.field for figure in summary.figures), *summary.texts]
    invariant(bool(summary.figures), "a summary needs a figure")
    invariant(all(field.meter_id in asked for field in fields), "a field of a meter that is not selected")
    invariant(all(f.slot.kind is SlotKind.TEXT for f in summary.texts), "groups are texts")
    weighted = any(f.method is Method.TIME_WEIGHTED for f in summary.figures)
    invariant(not weighted, "time weights are no figure of a summary: they look before the window")
    counting = {Method.COUNT, Method.UNIQUE}
    sound = all(f.method in counting or f.field.slot.kind is SlotKind.NUMBER for f in summary.figures)
    invariant(sound, "only numbers can be calculated with")
