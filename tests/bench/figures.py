"""What a benchmark gives: figures with their spread, a table to read and JSON to keep."""

import statistics
from collections.abc import Sequence
from datetime import timedelta

import msgspec
from rich.console import JustifyMethod
from rich.table import Table

MS = 1000
_COLUMNS: dict[str, JustifyMethod] = {
    "measured": "left",
    "value": "right",
    "unit": "left",
    "median ms": "right",
    "p99 ms": "right",
    "worst ms": "right",
    "target": "left",
    "note": "left",
}


class Waits(msgspec.Struct, frozen=True, kw_only=True, rename="camel"):
    """How long single operations took, in ms; half of them took longer than the median."""

    median_ms: float
    p99_ms: float
    worst_ms: float
    operations: int


class Figure(msgspec.Struct, frozen=True, kw_only=True, rename="camel", omit_defaults=True):
    """One measured number, and the waits of the operations behind it.

    at_least, at_most: what it should be on two cores. client_cores: how many cores the client itself kept
    busy, which were missing to the server. note: what a reader has to know beside it.
    """

    name: str
    value: float
    unit: str
    waits: Waits | None = None
    at_least: float | None = None
    at_most: float | None = None
    client_cores: float | None = None
    note: str = ""

    @property
    def is_met(self) -> bool | None:
        """Whether the target is met; None without one."""
        if self.at_least is not None:
            return self.value >= self.at_least
        return None if self.at_most is None else self.value <= self.at_most


class Wrong(Exception):
    """What was measured gave a wrong answer, so the measurement is worth nothing."""


def waits(seconds: Sequence[float]) -> Waits:
    """Sum up how long operations took."""
    return Waits(
        median_ms=round(statistics.median(seconds) * MS, 2),
        p99_ms=round(percentile(seconds, 99) * MS, 2),
        worst_ms=round(max(seconds) * MS, 2),
        operations=len(seconds),
    )


def percentile(values: Sequence[float], percent: int) -> float:
    """Give the smallest value that at least so many percent of all do not exceed."""
    ordered = sorted(values)
    return ordered[max(0, -(-len(ordered) * percent // 100) - 1)]


def check(is_right: bool, what: str) -> None:  # noqa: FBT001 - reads like an assertion
    """Stop the benchmark when its answer is not right. Raises Wrong."""
    if not is_right:
        raise Wrong(what)


def table(figures: Sequence[Figure]) -> Table:
    """Lay figures out for a person."""
    made = Table(box=None, header_style="bold", pad_edge=False)
    for name, justify in _COLUMNS.items():
        made.add_column(name, justify=justify, no_wrap=name != "note")
    for each in figures:
        spread = (each.waits.median_ms, each.waits.p99_ms, each.waits.worst_ms) if each.waits else ()
        numbers = [*map(_number, spread), "", "", ""][:3]
        made.add_row(each.name, _number(each.value), each.unit, *numbers, _target(each), each.note)
    return made


def _target(figure: Figure) -> str:
    if figure.is_met is None:
        return ""
    sign, bound = (">=", figure.at_least) if figure.at_least is not None else ("<=", figure.at_most)
    text = f"{sign} {_number(bound or 0)}"
    return f"[green]{text} met[/]" if figure.is_met else f"[red]{text} MISSED[/]"


def _number(value: float) -> str:
    return f"{value:,.0f}" if abs(value) >= 100 or value == int(value) else f"{value:,.2f}"


def spell(seconds: float) -> str:
    """Write a duration: 0:01:05."""
    return str(timedelta(seconds=round(seconds)))
