"""Values as ClickHouse SQL text. Every value that enters a statement passes here."""

from collections.abc import Iterable, Mapping
from datetime import UTC, datetime, timedelta
from uuid import UUID

import pyarrow as pa

_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
_FIRST_MS = -2208988800000  # 1900-01-01, the first instant of a DateTime64
_LAST_MS = 10413791999999  # 2299-12-31T23:59:59.999, its last


def text(value: str) -> str:
    """Quote a string: backslash and quote are escaped, everything else stands as it is."""
    escaped = value.replace("\\", "\\\\").replace("'", "\\'")
    return f"'{escaped}'"


def texts(values: Iterable[str]) -> str:
    """Quote strings, separated by commas."""
    return ", ".join(text(value) for value in values)


def uuid(value: str) -> str:
    """Write a UUID, checked. Raises ValueError when it is none."""
    return f"toUUID('{UUID(value)}')"


def uuids(values: Iterable[str]) -> str:
    """Write UUIDs, separated by commas. Plain strings: an IN list casts them, and stays on the index."""
    return ", ".join(f"'{UUID(value)}'" for value in values)


def milliseconds(instant: datetime) -> int:
    """Count milliseconds since 1970, up to the next whole one, kept inside what a DateTime64 can hold.

    A column of whole milliseconds is at or after `instant` exactly when it is at or after this.
    """
    exact = -((_EPOCH - instant) // timedelta(milliseconds=1))
    return min(max(exact, _FIRST_MS), _LAST_MS)


def instant_ms(instant: datetime) -> str:
    """Write an instant as DateTime64(3)."""
    return f"fromUnixTimestamp64Milli({milliseconds(instant)}, 'UTC')"


def microseconds(instant: datetime) -> int:
    """Count microseconds since 1970."""
    return (instant - _EPOCH) // timedelta(microseconds=1)


def instant_us(instant: datetime) -> str:
    """Write an instant as DateTime64(6)."""
    return f"fromUnixTimestamp64Micro({microseconds(instant)}, 'UTC')"


def insert_statement(
    table: str, block: pa.Table, token: str, source: str = "", extra: Mapping[str, str] | None = None
) -> str:
    """Write the INSERT of a block as ArrowStream; its token makes sending it again harmless.

    source: `FROM INFILE '…'` when the rows do not follow the statement. extra: more settings, as SQL.
    """
    columns = ", ".join(block.column_names)
    settings = (
        f"insert_deduplicate = 1, insert_deduplication_token = '{token}', "
        "max_partitions_per_insert_block = 0, async_insert = 0"
    )
    settings += "".join(f", {name} = {value}" for name, value in (extra or {}).items())
    return f"INSERT INTO {table} ({columns}) {source} SETTINGS {settings} FORMAT ArrowStream"
