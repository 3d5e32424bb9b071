"""Which events there are, and what rules can say about each: from the declarations, nothing written twice."""

import typing
from collections.abc import Iterator, Mapping
from datetime import date, datetime
from decimal import Decimal
from functools import cache
from typing import Any, Final

import msgspec

from tallystick.kernel.errors import invariant
from tallystick.platform.resources import Resource, resources
from tallystick.platform.resources.declaration import bare_type

STATES: Final[Mapping[str, tuple[str, ...]]] = {
    "created": ("new",),
    "updated": ("new", "old"),
    "deleted": ("old",),
}
"What an event of each kind of change carries (semantics §28)."
_WORDS: Final[Mapping[Any, str]] = {
    bool: "boolean",
    int: "integer",
    Decimal: "number",
    datetime: "date-time",
    date: "date",
    list: "array",
    dict: "object",
}
Told = tuple[type[msgspec.Struct], tuple[str, ...]]
_domain_events: dict[str, Told] = {}


def domain_event(name: str, facts: type[msgspec.Struct], states: tuple[str, ...] = ("new",)) -> str:
    """Declare an event that is no change of a resource, with the type of its facts. Gives its name.

    states: ("new", "old") tells the facts as they were, too.
    """
    told = (facts, states)
    invariant(_domain_events.setdefault(name, told) == told, f"the event {name} is declared twice")
    return name


def event_names() -> list[str]:
    """Give the names of all events that can happen, in alphabetical order."""
    return sorted(name for name, _ in _declared())


def event_fields(name: str | None = None) -> dict[str, dict[str, str]]:
    """Give the fields of every event, or of the one named, each with its type.

    A field of the state after the change is `new.<field>`, of the one before it `old.<field>`; the facts
    of an event that is no change are `new.<field>`. A name that is no event's gives nothing.
    """
    wanted = sorted((each, fields) for each, fields in _declared() if name in {None, each})
    return dict(wanted)


def _declared() -> Iterator[tuple[str, dict[str, str]]]:
    for declared in resources():
        words = resource_words(declared)
        for kind, states in STATES.items():
            fields = {f"{state}.{field}": word for state in states for field, word in words.items()}
            yield f"{declared.event}.{kind}", fields
    for name, (facts, states) in _domain_events.items():
        hints = typing.get_type_hints(facts, include_extras=True)
        words = {f.encode_name: _word(bare_type(hints[f.name])) for f in msgspec.structs.fields(facts)}
        yield name, {f"{state}.{field}": word for state in states for field, word in words.items()}


def resource_words(declared: Resource) -> dict[str, str]:
    """Give the type of each field of a resource, as events tell it."""
    return {field.wire_name: _word(field.bare) for field in declared.fields if not field.hidden}


@cache
def _word(bare: Any) -> str:
    """Name a type as JSON does; what is none of the simple ones is text."""
    if isinstance(bare, type) and issubclass(bare, msgspec.Struct):
        return "object"
    return _WORDS.get(typing.get_origin(bare) or bare, "string")
