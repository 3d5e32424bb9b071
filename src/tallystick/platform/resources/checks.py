"""Checks that several declarations share; each yields the problems it finds."""

from collections.abc import Hashable, Iterable, Iterator, Mapping
from datetime import date, datetime
from typing import Any, Protocol, TypeVar

import msgspec

from tallystick.kernel.problems import Problem

D = TypeVar("D", bound=date)


class Span(Protocol):
    """What holds from a start to an exclusive end; None is no end."""

    start_date: datetime
    end_date: datetime | None


def overlap(one: Span, other: Span) -> bool:
    """Tell whether two spans hold at the same moment."""
    starts_before_end = other.end_date is None or one.start_date < other.end_date
    return starts_before_end and (one.end_date is None or other.start_date < one.end_date)


def exactly_one(entity: msgspec.Struct, *names: str) -> Iterator[Problem]:
    """Exactly one of the fields is set."""
    wire = {f.name: f.encode_name for f in msgspec.structs.fields(entity)}
    given = [n for n in names if getattr(entity, n) is not None]
    if len(given) != 1:
        choices = " or ".join(wire[n] for n in names)
        yield Problem(wire[given[-1] if given else names[0]], "exactly_one", f"give exactly one of {choices}")


def in_order(start: D | None, end: D | None, field: str = "endDate") -> Iterator[Problem]:
    """A span's end, when there is one, comes after its start."""
    if start is not None and end is not None and end <= start:
        yield Problem(field, "ends_before_start", f"must be after {start.isoformat()}; the end is exclusive")


def no_repeats(field: str, values: Iterable[Hashable], message: str) -> Iterator[Problem]:
    """No value stands twice in a list; `message` may name it as {value}."""
    seen: set[Hashable] = set()
    for i, value in enumerate(values):
        if value in seen:
            yield Problem(field.format(i=i), "duplicate", message.format(value=value))
        seen.add(value)


def map_values(field: str, values: Mapping[str, Any], longest: int) -> Iterator[Problem]:
    """Strings of a map are not longer than `longest`."""
    for key, value in values.items():
        if isinstance(value, str) and len(value) > longest:
            yield Problem(f"{field}.{key}", "wrong_length", f"must be text of at most {longest} characters")
