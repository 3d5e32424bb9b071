"""Blocks of measurements: Arrow tables of the columns in `schema.COLUMN_TYPES`."""

from collections.abc import Mapping, Sequence
from datetime import datetime
from decimal import Decimal
from typing import Any
from uuid import UUID

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from tallystick.kernel.errors import Invalid
from tallystick.usage.store.model import SLOTS, Slot
from tallystick.usage.store.schema import (
    COLUMN_TYPES,
    ID,
    NUMBER,
    REQUIRED,
    TYPED_SLOTS,
)

_FIRST_MS = -2208988800000  # 1900-01-01
_LAST_MS = 10413791999999  # the end of 2299
_MORE_TYPES = {"n": pa.map_(pa.uint8(), NUMBER), "s": pa.map_(pa.uint8(), pa.string())}

FieldValues = Sequence[Decimal | None] | Sequence[str | None]


class BlockRefused(Invalid):
    """Columns that the usage store cannot keep as they are."""

    code = "usage_block_refused"


def make_block(  # noqa: PLR0913 - one argument a column
    *,
    org_id: str,
    meter_ids: Sequence[str],
    account_ids: Sequence[str],
    ts: Sequence[datetime],
    uids: Sequence[str],
    ets: Sequence[datetime | None] | None = None,
    fields: Mapping[Slot, FieldValues] | None = None,
) -> pa.Table:
    """Build a block of one organization from columns of equal length, one row a measurement.

    Instants are kept to the millisecond. Raises BlockRefused when a number needs more than 26 digits before
    or 12 after the point (`model.fits` tells beforehand), or an instant lies outside 1900 to 2299.
    """
    rows = len(uids)
    columns: dict[str, Any] = {
        "org_id": pa.repeat(pa.scalar(UUID(org_id).bytes, ID), rows),
        "meter_id": _ids(meter_ids),
        "account_id": _ids(account_ids),
        "ts": ts,
        "uid": uids,
    }
    if ets is not None:
        columns["ets"] = ets
    columns |= {slot.name: values for slot, values in (fields or {}).items()}
    try:
        block = pa.table({name: _column(values, COLUMN_TYPES[name]) for name, values in columns.items()})
    except pa.ArrowInvalid as error:
        raise BlockRefused(f"The measurements cannot be stored: {error}") from error
    check_block(block)
    return block


def check_block(block: pa.Table) -> None:
    """Refuse a block that would make ClickHouse refuse a whole group. Raises BlockRefused."""
    for field in block.schema:
        if COLUMN_TYPES.get(field.name) != field.type:
            raise BlockRefused(f"A block has no column {field.name} of type {field.type}.")
    for name in REQUIRED:
        if name not in block.column_names:
            raise BlockRefused(f"A block needs the column {name}.")
        if block[name].null_count:
            raise BlockRefused(f"The column {name} of a block has no nulls.")
    for name in ("ts", "ets"):
        if name in block.column_names and block.num_rows:
            span = pc.min_max(block[name].cast(pa.int64())).as_py()
            if span["min"] is not None and (span["min"] < _FIRST_MS or span["max"] > _LAST_MS):
                raise BlockRefused(f"The column {name} of a block holds an instant outside 1900 to 2299.")


def join_blocks(blocks: Sequence[pa.Table]) -> pa.Table:
    """Put blocks under each other; what a meter does not have is null. Columns in the table's order."""
    present = {name for block in blocks for name in block.column_names}
    schema = pa.schema([(name, kind) for name, kind in COLUMN_TYPES.items() if name in present])
    return pa.concat_tables([_widened(block, schema) for block in blocks]).combine_chunks()


def fold_slots(block: pa.Table) -> pa.Table:
    """Move the slots without a column of their own into the maps `more_n` and `more_s`."""
    for kind, map_type in _MORE_TYPES.items():
        beyond = [f"{kind}{index}" for index in range(TYPED_SLOTS, SLOTS)]
        names = [name for name in beyond if name in block.column_names]
        if not names:
            continue
        rows = zip(*(block[name].to_pylist() for name in names), strict=True)
        keys = [int(name[1:]) for name in names]
        maps = [[(k, v) for k, v in zip(keys, row, strict=True) if v is not None] for row in rows]
        block = block.drop_columns(names).append_column(f"more_{kind}", pa.array(maps, map_type))
    return block


def id_words(column: pa.ChunkedArray | pa.Array) -> np.ndarray[Any, np.dtype[np.uint64]]:
    """View a column of ids as an (n, 2) array of 64-bit words."""
    array = column.combine_chunks() if isinstance(column, pa.ChunkedArray) else column
    words = np.frombuffer(array.buffers()[1], np.uint64)
    return words[2 * array.offset : 2 * (array.offset + len(array))].reshape(len(array), 2)


def _widened(block: pa.Table, schema: pa.Schema) -> pa.Table:
    columns = [
        block[field.name] if field.name in block.column_names else pa.nulls(block.num_rows, field.type)
        for field in schema
    ]
    return pa.table(columns, schema=schema)


def _ids(ids: Sequence[str]) -> pa.Array:
    known = {text: UUID(text).bytes for text in set(ids)}
    return pa.array([known[text] for text in ids], ID)


def _column(values: Any, kind: pa.DataType) -> pa.Array:
    if isinstance(values, pa.Array | pa.ChunkedArray):
        return values
    if pa.types.is_timestamp(kind):  # a cast cuts microseconds off, which pa.array refuses to
        return pa.array(values, pa.timestamp("us", "UTC")).cast(kind, safe=False)
    return pa.array(values, kind)
