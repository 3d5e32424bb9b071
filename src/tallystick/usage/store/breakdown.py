"""Usage told apart by windows and texts, several figures in one scan, as ClickHouse SQL. Pure."""
# ruff: noqa: S608 - SQL is what this file writes; every value passes platform.clickhouse.sql

from collections.abc import Mapping
from decimal import Decimal
from typing import Final

import msgspec

from tallystick.kernel.errors import invariant
from tallystick.kernel.periods import Period
from tallystick.platform.clickhouse import sql
from tallystick.rating.method import Method
from tallystick.usage.store.model import ANY, Away, Filter, Slot, SlotKind
from tallystick.usage.store.queries import (
    chosen,
    filter_sql,
    inside,
    segment_sql,
    value_sql,
    whole,
    window_of_apart,
)
from tallystick.usage.store.schema import TABLE, slot_sql

_SETTINGS: Final = {
    "max_execution_time": 120,
    "max_bytes_before_external_group_by": 512 * 2**20,
}


class Asked(msgspec.Struct, frozen=True):
    """A figure: how the values of a field become one; without a field the measurements are counted."""

    method: Method
    field: Slot | None


class Told(msgspec.Struct, frozen=True):
    """A text that measurements are told apart by.

    values: those told on their own, the rest is `*`; None is all. of: the text that has those values, where
    it is another one.
    """

    slot: Slot
    values: tuple[str, ...] | None = None
    of: Slot | None = None

    def text(self, texts: Mapping[Slot, str | None]) -> str | None:
        """Give what a measurement with these texts is told as."""
        named = self.values is None or texts[self.of or self.slot] in self.values
        return texts[self.slot] if named else ANY


class Breakdown(msgspec.Struct, frozen=True, kw_only=True):
    """Some accounts' measurements of one meter, pooled, for each window and combination of texts.

    windows: apart, by `ts`. segments, segment: as of a UsageQuery, and the position of one. limit: groups.
    """

    meter_id: str
    account_ids: tuple[str, ...]
    windows: tuple[Period, ...]
    figures: tuple[Asked, ...]
    told: tuple[Told, ...] = ()
    filters: tuple[Filter | Away, ...] = ()
    segments: tuple[Mapping[Slot, str], ...] = ()
    segment: int | None = None
    limit: int


class Cell(msgspec.Struct, frozen=True):
    """One group. window: its position. values: one for each figure, exact; None where no value went in.

    counts: how many values went into each figure.
    """

    window: int
    texts: tuple[str | None, ...]
    values: tuple[Decimal | None, ...]
    counts: tuple[int, ...]


def select(org_id: str, asked: Breakdown) -> str:
    """Write the SELECT: window, g0, g1 …, and for each figure v0, v1 … and c0, c1 …; in order."""
    check(asked)
    window = "toInt32(0)" if len(asked.windows) == 1 else window_of_apart(asked.windows)
    keys = {"window": window}
    keys |= {f"g{at}": _text(each) for at, each in enumerate(asked.told)}
    columns = [f"{expression} AS {name}" for name, expression in keys.items()]
    for at, figure in enumerate(asked.figures):
        value, count = value_sql(figure.method, slot_sql(figure.field) if figure.field else None)
        columns += [f"{value} AS v{at}", f"{count} AS c{at}"]
    where = chosen(org_id, asked.meter_id, asked.account_ids, asked.filters)
    where += f" AND {inside(whole(asked.windows))}"
    if asked.segment is not None:
        where += f" AND {segment_sql(asked.segments)} = {int(asked.segment)}"
    order = ", ".join(f"{key} ASC NULLS LAST" for key in keys)
    settings = ", ".join(f"{name} = {value}" for name, value in _SETTINGS.items())
    return (
        f"SELECT {', '.join(columns)} FROM {TABLE} WHERE {where} GROUP BY {', '.join(keys)} "
        f"HAVING window >= 0 ORDER BY {order} LIMIT {int(asked.limit)} SETTINGS {settings}"
    )


def _text(told: Told) -> str:
    if told.values is None:
        return slot_sql(told.slot)
    named = filter_sql(Filter(told.of or told.slot, told.values))
    return f"if({named}, {slot_sql(told.slot)}, {sql.text(ANY)})"


def check(asked: Breakdown) -> None:
    """Crash on a question that makes no sense; a caller has to refuse it before."""
    invariant(bool(asked.windows) and bool(asked.figures), "a breakdown needs a window and a figure")
    invariant(all(t.slot.kind is SlotKind.TEXT for t in asked.told), "usage is told apart by texts")
    weighted = any(figure.method is Method.TIME_WEIGHTED for figure in asked.figures)
    invariant(not weighted, "time weights look before the window: ask `aggregate`")
    counting = {Method.COUNT, Method.UNIQUE}
    sound = all(
        figure.method in counting or (figure.field is not None and figure.field.kind is SlotKind.NUMBER)
        for figure in asked.figures
    )
    invariant(sound, "only numbers can be calculated with")
