"""The measurements table, rendered by code, and the block that fills it."""

from typing import Final

import pyarrow as pa

from tallystick.usage.store.model import DECIMAL_DIGITS, DECIMAL_PLACES, SLOTS, Slot, SlotKind

DATABASE: Final = "tallystick"
TABLE: Final = f"{DATABASE}.measurements"
TYPED_SLOTS: Final = 8
"Slots with a column of their own, of each kind; those above share a map, slower but never lost."

NUMBER: Final = pa.decimal128(DECIMAL_DIGITS, DECIMAL_PLACES)
ID: Final = pa.binary(16)
FIXED_COLUMNS: Final = {
    "org_id": ID,
    "meter_id": ID,
    "account_id": ID,
    "ts": pa.timestamp("ms", "UTC"),
    "ets": pa.timestamp("ms", "UTC"),
    "uid": pa.string(),
}
SLOT_TYPES: Final = {
    slot.name: NUMBER if kind is SlotKind.NUMBER else pa.string()
    for kind in SlotKind
    for slot in (Slot(kind, index) for index in range(SLOTS))
}
COLUMN_TYPES: Final = FIXED_COLUMNS | SLOT_TYPES
"Every column a caller may put into a block. All but `ets` and the slots are required, without nulls."
REQUIRED: Final = ("org_id", "meter_id", "account_id", "ts", "uid")

_NUMBER_SQL: Final = f"Decimal({DECIMAL_DIGITS}, {DECIMAL_PLACES})"
_COLUMNS: Final = (
    "org_id UUID CODEC(ZSTD(1))",
    "meter_id UUID CODEC(ZSTD(1))",
    "account_id UUID CODEC(ZSTD(1))",
    "ts DateTime64(3, 'UTC') CODEC(DoubleDelta, ZSTD(1))",
    "ets Nullable(DateTime64(3, 'UTC')) CODEC(ZSTD(1))",
    # The receipt, unique and growing within a process: also the order of arrival that decides ties.
    "received_at DateTime64(6, 'UTC') CODEC(Delta, ZSTD(1))",
    "uid String CODEC(ZSTD(1))",
    "uid_hash UInt64 CODEC(NONE)",  # random bits: nothing to compress
    *(f"n{index} Nullable({_NUMBER_SQL}) CODEC(ZSTD(1))" for index in range(TYPED_SLOTS)),
    *(f"s{index} Nullable(String) CODEC(ZSTD(1))" for index in range(TYPED_SLOTS)),
    f"more_n Map(UInt8, {_NUMBER_SQL}) CODEC(ZSTD(1))",
    "more_s Map(UInt8, String) CODEC(ZSTD(1))",
    # Part of every insert, so it can never miss a uid that the table has.
    "PROJECTION by_uid INDEX uid_hash TYPE basic",
)
_SETTINGS: Final = (
    "fsync_after_insert = 1",
    "fsync_part_directory = 1",
    "non_replicated_deduplication_window = 1000",
)


def statements() -> tuple[str, ...]:
    """Give the statements that make the schema, each harmless to run again."""
    return (
        f"CREATE DATABASE IF NOT EXISTS {DATABASE}",
        (
            f"CREATE TABLE IF NOT EXISTS {TABLE} ({', '.join(_COLUMNS)}) ENGINE = MergeTree "
            "PARTITION BY toYYYYMM(ts) ORDER BY (org_id, meter_id, account_id, ts) "
            f"SETTINGS {', '.join(_SETTINGS)}"
        ),
    )


def slot_sql(slot: Slot) -> str:
    """Write the expression that reads a slot; NULL where the measurement has no value."""
    if slot.index < TYPED_SLOTS:
        return slot.name
    more = f"more_{slot.kind.value}"
    return f"if(mapContains({more}, {slot.index}), {more}[{slot.index}], NULL)"
