"""The measurements table, rendered by code, and the block that fills it."""

from typing import Final

import pyarrow as pa

from tallystick.platform.clickhouse import sql
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
_DURABLE: Final = "fsync_after_insert = 1, fsync_part_directory = 1"
_ORDERED: Final = "PARTITION BY toYYYYMM(ts) ORDER BY (org_id, meter_id, account_id, ts)"
LOCAL: Final = "measurements_local"
"On a cluster each shard's own part; TABLE then spreads over them."
# The same replicas of a shard share a path in the keeper; the server fills in both names.
_REPLICATED: Final = f"ReplicatedMergeTree('/clickhouse/tables/{{shard}}/{DATABASE}/{LOCAL}', '{{replica}}')"
_SHARD: Final = "cityHash64(org_id, account_id)"
CLUSTER_INSERT: Final = {
    # Acknowledged is on most replicas of each shard; without the timeout a dead replica holds it for 600 s.
    "distributed_foreground_insert": "1",
    "insert_quorum": "'auto'",
    "insert_quorum_timeout": "20000",
    # One after the other, as our turns are anyway: only then can a read ask for all of them.
    "insert_quorum_parallel": "0",
}
"What an insert into a cluster asks for. After an error, of unknown end, the same block goes out again."
CLUSTER_READ: Final = {"select_sequential_consistency": "1"}
"What a read of a cluster asks for: a replica that lacks an acknowledged insert gives an error instead."


def statements(cluster: str | None = None) -> tuple[str, ...]:
    """Give the statements that make the schema, each harmless to run again.

    cluster: its name; accounts are spread over its shards, and a shard's replicas keep the same.
    """
    if cluster is not None:
        return _on_cluster(sql.text(cluster))
    return (
        f"CREATE DATABASE IF NOT EXISTS {DATABASE}",
        (
            f"CREATE TABLE IF NOT EXISTS {TABLE} ({', '.join(_COLUMNS)}) ENGINE = MergeTree "
            f"{_ORDERED} SETTINGS {_DURABLE}, non_replicated_deduplication_window = 1000"
        ),
    )


def _on_cluster(cluster: str) -> tuple[str, ...]:
    plain = [column.partition(" CODEC")[0] for column in _COLUMNS if not column.startswith("PROJECTION")]
    return (
        f"CREATE DATABASE IF NOT EXISTS {DATABASE} ON CLUSTER {cluster}",
        (
            f"CREATE TABLE IF NOT EXISTS {DATABASE}.{LOCAL} ON CLUSTER {cluster} ({', '.join(_COLUMNS)}) "
            f"ENGINE = {_REPLICATED} {_ORDERED} "
            f"SETTINGS {_DURABLE}, replicated_deduplication_window = 1000"
        ),
        (
            f"CREATE TABLE IF NOT EXISTS {TABLE} ON CLUSTER {cluster} ({', '.join(plain)}) "
            f"ENGINE = Distributed({cluster}, '{DATABASE}', '{LOCAL}', {_SHARD})"
        ),
    )


def drop_month(month: int, cluster: str | None = None) -> str:
    """Write the dropping of a month of `ts`, such as 202501."""
    if cluster is None:
        return f"ALTER TABLE {TABLE} DROP PARTITION {month}"
    return f"ALTER TABLE {DATABASE}.{LOCAL} ON CLUSTER {sql.text(cluster)} DROP PARTITION {month}"


def slot_sql(slot: Slot) -> str:
    """Write the expression that reads a slot; NULL where the measurement has no value."""
    if slot.index < TYPED_SLOTS:
        return slot.name
    more = f"more_{slot.kind.value}"
    return f"if(mapContains({more}, {slot.index}), {more}[{slot.index}], NULL)"
