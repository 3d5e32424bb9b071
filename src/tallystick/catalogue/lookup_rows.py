"""Rows of lookup tables as values: what a row may be, and the one text that its key fields make. Pure."""

import re
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from decimal import Decimal
from typing import Any

from tallystick.catalogue.lookup_table import LookupFieldType, LookupTableRevision
from tallystick.kernel.decimals import plain
from tallystick.kernel.problems import Problem

Item = dict[str, Any]
LONGEST_KEY_BYTES = 2000
"What PostgreSQL can index, with room for the ids beside it."
LONGEST_TEXT = 5000
_KINDS = {LookupFieldType.STRING: str, LookupFieldType.NUMBER: Decimal}
_PARTS = re.compile(r"((?:[^:\\]|\\.)*)(?::|\Z)", re.DOTALL)
_NUMBER = re.compile(r"[+-]?(?:\d+\.?\d*|\.\d+)(?:[eE][+-]?\d{1,2})?\Z", re.ASCII)


@dataclass(frozen=True)
class RowSchema:
    """What the rows of a revision are made of; keys in order."""

    types: Mapping[str, LookupFieldType]
    keys: Sequence[str]

    def read_item(self, raw: Mapping[str, Any], path: str, problems: list[Problem]) -> tuple[str, Item]:
        """Give a row's key and the row, its fields in the schema's order; nulls count as not given."""
        given = {name: value for name, value in raw.items() if value is not None}
        unknown, missing = [n for n in given if n not in self.types], [k for k in self.keys if k not in given]
        problems.extend(Problem(f"{path}.{n}", "unknown_field", "is none of the fields") for n in unknown)
        problems.extend(Problem(f"{path}.{k}", "required", "is required, being a key") for k in missing)
        item = {name: given[name] for name in self.types if name in given}
        faults = len(problems)
        for name, value in item.items():
            problems.extend(_type_faults(f"{path}.{name}", self.types[name], value))
        if len(problems) > faults or missing:
            return "", item
        key = self.key_of([item[name] for name in self.keys])
        if len(key.encode()) > LONGEST_KEY_BYTES:
            message = f"its key has more than {LONGEST_KEY_BYTES} bytes in UTF-8"
            problems.append(Problem(path, "key_too_long", message))
        return key, item

    def in_order(self, item: Item) -> Item:
        """Give a row with its fields in the schema's order, which the database does not keep."""
        return {name: item[name] for name in self.types if name in item}

    def key_of(self, values: Sequence[Any]) -> str:
        """Write the key as one text: its values in order, joined by `:`; numbers without trailing zeros.

        In a key of several values, a colon or backslash inside a value stands after a backslash.
        """
        texts = [value if isinstance(value, str) else number_text(value) for value in values]
        return texts[0] if len(texts) == 1 else ":".join(re.sub(r"([:\\])", r"\\\1", t) for t in texts)

    def key_asked(self, values: Sequence[Any]) -> str | None:
        """Write the key that a calculation asks for; None where a value is of another kind than its field."""
        kinds = (_KINDS[self.types[name]] for name in self.keys)
        alike = all(type(value) is kind for value, kind in zip(values, kinds, strict=True))
        return self.key_of(values) if alike else None

    def key_values(self, key: str) -> list[Any] | None:
        """Read a key that was written as one text; None is no key of this schema."""
        texts = [key]
        if len(self.keys) > 1:
            texts = [re.sub(r"\\(.)", r"\1", part, flags=re.DOTALL) for part in _split(key)]
        if len(texts) != len(self.keys):
            return None
        values = [value_of(self.types[name], t) for name, t in zip(self.keys, texts, strict=True)]
        return None if None in values else values


def schema_of(revision: LookupTableRevision) -> RowSchema:
    """Give what the rows of a revision are made of."""
    fields, keys = revision.schema
    return RowSchema(dict(fields), keys)


def read_items(
    schema: RowSchema, items: Iterable[Mapping[str, Any]], problems: list[Problem]
) -> dict[str, Item]:
    """Read rows, by their keys. A key that stands twice is a problem."""
    rows: dict[str, Item] = {}
    for i, raw in enumerate(items):
        faults = len(problems)
        key, item = schema.read_item(raw, f"items[{i}]", problems)
        if key in rows and len(problems) == faults:
            problems.append(Problem(f"items[{i}]", "duplicate", f"the key {key} stands twice"))
        rows[key] = item
    return rows


def value_of(kind: LookupFieldType, given: str) -> Any:
    """Read a text as a field's value; None where a number is wanted and it is none."""
    if kind is LookupFieldType.STRING:
        return given
    return Decimal(given) if _NUMBER.match(given) else None


def number_text(value: int | Decimal) -> str:
    """Write a number in the one way that equal numbers share."""
    return f"{plain(Decimal(value)):f}"


def _split(key: str) -> Iterator[str]:
    end = -1
    while end < len(key):
        match = _PARTS.match(key, end + 1)
        if match is None:
            return
        yield match.group(1)
        end = match.end(1)


def _type_faults(path: str, kind: LookupFieldType, value: Any) -> Iterator[Problem]:
    is_number = isinstance(value, int | Decimal) and not isinstance(value, bool)
    if kind is LookupFieldType.NUMBER and not is_number:
        yield Problem(path, "wrong_type", "must be a number")
    if kind is LookupFieldType.STRING and not isinstance(value, str):
        yield Problem(path, "wrong_type", "must be a text")
    if isinstance(value, str) and len(value) > LONGEST_TEXT:
        yield Problem(path, "wrong_length", f"must be text of at most {LONGEST_TEXT} characters")
