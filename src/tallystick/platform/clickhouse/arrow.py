"""Arrow tables as the bytes ClickHouse speaks (its format ArrowStream)."""

import pyarrow as pa


def to_stream(block: pa.Table) -> bytes:
    """Write `block` as one Arrow IPC stream with one record batch, so that it stays one insert block."""
    sink = pa.BufferOutputStream()
    with pa.ipc.new_stream(sink, block.schema) as writer:
        writer.write_table(block.combine_chunks())
    return bytes(sink.getvalue().to_pybytes())


def from_stream(stream: bytes | memoryview) -> pa.Table:
    """Read every record batch of one Arrow IPC stream."""
    with pa.ipc.open_stream(pa.py_buffer(stream)) as reader:
        return reader.read_all()
