"""What the usage store is asked and what it answers. Values only."""

from collections.abc import Mapping
from decimal import Decimal
from enum import StrEnum
from typing import Self

import msgspec

from tallystick.kernel.errors import invariant
from tallystick.kernel.periods import Period
from tallystick.rating.method import Method

SLOTS = 30
"Places for numbers, and as many for texts, on one measurement: 15 data and 15 derived fields."
DECIMAL_PLACES = 12
DECIMAL_DIGITS = 38
_LARGEST = Decimal(10) ** (DECIMAL_DIGITS - DECIMAL_PLACES)


class SlotKind(StrEnum):
    """What a slot holds: a Decimal(38, 12), or a text."""

    NUMBER = "n"
    TEXT = "s"


class Slot(msgspec.Struct, frozen=True, order=True):
    """The place of one field of a meter; the meter owns which code has which slot.

    A slot is never given to another field of the same meter: what is stored keeps its meaning.
    """

    kind: SlotKind
    index: int

    def __post_init__(self) -> None:
        invariant(0 <= self.index < SLOTS, f"there is no slot {self.kind}{self.index}")

    @classmethod
    def number(cls, index: int) -> Self:
        """Give the index-th number slot, from 0."""
        return cls(SlotKind.NUMBER, index)

    @classmethod
    def text(cls, index: int) -> Self:
        """Give the index-th text slot, from 0."""
        return cls(SlotKind.TEXT, index)

    @property
    def name(self) -> str:
        """The slot's column in a block, such as `n0` or `s12`."""
        return f"{self.kind.value}{self.index}"


def fits(value: Decimal) -> bool:
    """Tell whether the store keeps every digit of `value`: 26 before the point and 12 after it."""
    _, digits, exponent = value.as_tuple()
    if not isinstance(exponent, int) or abs(value) >= _LARGEST:
        return False
    return exponent >= -DECIMAL_PLACES or not any(digits[exponent + DECIMAL_PLACES :])


ANY = "*"
"As a segment's value: whatever the field holds (semantics §10)."


class Filter(msgspec.Struct, frozen=True):
    """Keep only (`include`), or drop, the measurements whose text is one of `values`."""

    slot: Slot
    values: tuple[str, ...]
    include: bool = True


class Away(msgspec.Struct, frozen=True):
    """Leave out one account's measurements in a window; time-weighted, its levels count for nothing then."""

    account_id: str
    window: Period


class UsageQuery(msgspec.Struct, frozen=True, kw_only=True):
    """One aggregation over one meter's measurements, for every account and window at once.

    method: any but CUSTOM_SQL, which is asked by a CustomQuery.
    field: the slot to aggregate; None only with COUNT, which then counts measurements.
    windows: half-open, by `ts`; they may overlap, and each answers for itself.
    account_ids: None is every account of the organization.
    filters: all must hold. A missing text is never one of a filter's values.
    segments: each names the same text slots; a measurement counts in the most specific one that
    matches (fewest `*`, then the leftmost fixed value), in none when none does (semantics §10).
    group_by: answer per distinct combination of these texts, in each segment if there are any.
    """

    meter_id: str
    method: Method
    windows: tuple[Period, ...]
    field: Slot | None = None
    account_ids: tuple[str, ...] | None = None
    filters: tuple[Filter | Away, ...] = ()
    segments: tuple[Mapping[Slot, str], ...] = ()
    group_by: tuple[Slot, ...] = ()
    per_account: bool = True
    "False pools the accounts: one answer, with account_id None."


class Usage(msgspec.Struct, frozen=True):
    """One answer. Nothing is answered for an account, window or segment without any value.

    window, segment: positions in the query's own tuples. group: the texts of `group_by`.
    value: exact; SUM keeps 12 places, MEAN and TIME_WEIGHTED are divided to 50 digits. count: how many
    values went in; with TIME_WEIGHTED how many levels held for some time, one of before the window included.
    """

    account_id: str | None
    window: int
    segment: int | None
    group: tuple[str | None, ...]
    value: Decimal
    count: int


class StoreStats(msgspec.Struct, frozen=True):
    """How much is stored. bytes_on_disk: compressed, with indexes."""

    rows: int
    bytes_on_disk: int
    parts: int
