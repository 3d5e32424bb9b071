"""How CloudEvents become measurements of a meter: which events, and where in them the fields stand."""

import re
from collections.abc import Container, Iterator
from typing import Annotated, Any, Final

import msgspec
from msgspec import Meta

from tallystick.kernel.errors import Invalid
from tallystick.kernel.problems import Problem

LONGEST_PATH: Final = 200
_STEP: Final = re.compile(
    r"\.(?P<name>[^\W\d][\w-]*|\$[\w-]*)|\[(?P<index>\d{1,6})\]|\['(?P<quoted>(?:[^'\\]|\\.)+)'\]"
)

Path = tuple[str | int, ...]


class BadDataPath(Invalid):
    """Text that names no place in an event's data."""

    code = "bad_data_path"


class CloudEventMapping(msgspec.Struct, kw_only=True, rename="camel"):
    """The CloudEvents that a meter counts: all of a type. The subject is the account's code.

    fields: the place of a data field in the event's data, by field code, as a JSON path such as
    `$.tokens.total` or `$.items[0]['unit price']`; a field that is not named stands at `$.<its code>`.
    """

    event_type: Annotated[str, Meta(min_length=1, max_length=200)]
    fields: dict[str, Annotated[str, Meta(min_length=1, max_length=LONGEST_PATH)]] = {}

    def check(self, codes: Container[str]) -> Iterator[Problem]:
        """Every path is one, and belongs to a data field. codes: of the meter's data fields."""
        for code, path in self.fields.items():
            where = f"cloudEvents.fields.{code}"
            if code not in codes:
                yield Problem(where, "unknown_field", f"{code} is not a data field of this meter")
            try:
                read_path(path)
            except BadDataPath as error:
                yield Problem(where, "wrong_format", error.message)

    def path(self, code: str) -> Path:
        """Give the place of a field in an event's data."""
        given = self.fields.get(code)
        return (code,) if given is None else read_path(given)


def read_path(text: str) -> Path:
    """Read a JSON path that names one place: `$`, then `.name`, `['name']` or `[0]`. Raises BadDataPath."""
    steps: list[str | int] = []
    position = 1
    while text.startswith("$") and position < len(text) and (step := _STEP.match(text, position)):
        name, index, quoted = step["name"], step["index"], step["quoted"]
        steps.append(int(index) if index else name or re.sub(r"\\(.)", r"\1", quoted))
        position = step.end()
    if not text.startswith("$") or position < len(text) or not steps:
        raise BadDataPath("must be a path into the event's data, such as $.tokens.total or $.items[0]")
    return tuple(steps)


def value_at(path: Path, value: Any) -> Any:
    """Give what stands at a place of decoded JSON; None where nothing does."""
    for step in path:
        if isinstance(step, int):
            value = value[step] if isinstance(value, list) and step < len(value) else None
        else:
            value = value.get(step) if isinstance(value, dict) else None
    return value
