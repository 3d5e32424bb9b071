"""The words that declarations are written in: field types with their limits, and markers."""

from dataclasses import dataclass
from decimal import Decimal
from typing import Annotated, Any

from msgspec import Meta

_GAP = r"\s\x00-\x1f\x7f-\x9f"
UUID_PATTERN = r"^[0-9a-fA-F]{8}-[0-9a-fA-F]{4}-[0-9a-fA-F]{4}-[0-9a-fA-F]{4}-[0-9a-fA-F]{12}$(?!\n)"
CODE_PATTERN = rf"^[^{_GAP}](?:[^{_GAP}]| )*(?<! )$(?!\n)"
IDENTIFIER_PATTERN = r"^(?:[^\W\d]|\$)(?:[^\W\d]|[$0-9])*$(?!\n)"

PHRASES = {
    UUID_PATTERN: "must be an id: a UUID of 36 characters",
    CODE_PATTERN: "must have no control characters and no white space but single spaces inside",
    IDENTIFIER_PATTERN: "must start with a letter, _ or $, and go on with letters, digits, _ and $ only",
}
"What a pattern asks for, in words."


@dataclass(frozen=True)
class Ref:
    """The field holds the id of another entity of the same organization.

    target: the referred class, or the name of its table when it stands further up or is itself.
    An id that refers to nothing is refused by path; a referred entity cannot be deleted.
    """

    target: type | str


@dataclass(frozen=True)
class Computed:
    """The server sets this field: it is answered, never read from a request."""


@dataclass(frozen=True)
class Hidden:
    """The field is stored, but is neither read from requests nor answered."""


@dataclass(frozen=True)
class DescribedAsText:
    """Requests describe the enum as any text, as the original API does; values are checked all the same."""


@dataclass(frozen=True)
class AnyJson:
    """The value is any JSON, not only a string or a number."""


@dataclass(frozen=True)
class AtLeast:
    """A decimal has to be this or more."""

    limit: Decimal


@dataclass(frozen=True)
class MoreThan:
    """A decimal has to be more than this."""

    limit: Decimal


Id = Annotated[str, Meta(min_length=36, max_length=36, pattern=UUID_PATTERN)]
Name = Annotated[str, Meta(min_length=1, max_length=200)]
Code = Annotated[str, Meta(min_length=1, max_length=80, pattern=CODE_PATTERN)]
"A code as people write them: no control characters, no white space but inner spaces (semantics §1)."
Identifier = Annotated[str, Meta(min_length=1, max_length=80, pattern=IDENTIFIER_PATTERN)]
"A code that calculations can name: letters, digits, `_` and `$`, no digit first (semantics §1)."
Description = Annotated[str, Meta(max_length=200)]

AMOUNT = Meta(extra_json_schema={"type": "number"})
NonNegative = Annotated[Decimal, Meta(extra_json_schema={"minimum": 0}), AtLeast(Decimal(0))]
Positive = Annotated[Decimal, Meta(extra_json_schema={"exclusiveMinimum": 0}), MoreThan(Decimal(0))]

CustomFields = Annotated[
    dict[str, Any],
    Meta(
        max_length=100,
        extra_json_schema={
            "additionalProperties": {"anyOf": [{"type": "string"}, {"type": "integer"}, {"type": "number"}]}
        },
    ),
]
"Values are strings or numbers (semantics §27); `wire` checks that."
