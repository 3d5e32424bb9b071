"""Rows as files: CSV and JSON lines, packed with gzip, and Parquet. Never held whole."""

import csv
import gzip
import io
from collections.abc import Callable, Iterable, Mapping, Sequence
from datetime import date, datetime
from decimal import Decimal
from enum import StrEnum
from typing import Any, Final, Protocol

import msgspec
import pyarrow as pa
import pyarrow.parquet as pq

from tallystick.exports.layout import FileFormat
from tallystick.kernel.decimals import plain
from tallystick.platform.resources.wire import encode, encode_whole

GZIP_LEVEL: Final = 6
USAGE_NUMBER: Final = pa.decimal128(38, 12)


class Kind(StrEnum):
    """What a column holds. QUANTITY: a number of the usage store, 26 digits before the point and 12 after."""

    TEXT = "TEXT"
    QUANTITY = "QUANTITY"
    NUMBER = "NUMBER"
    WHOLE = "WHOLE"
    FLAG = "FLAG"
    INSTANT = "INSTANT"
    DATE = "DATE"
    NESTED = "NESTED"


class Column(msgspec.Struct, frozen=True):
    """One column. path: its place in a JSON object; joined by `.` it is the heading of a table."""

    path: tuple[str, ...]
    kind: Kind

    @property
    def name(self) -> str:
        """The heading."""
        return ".".join(self.path)


Rows = Sequence[Sequence[Any]]
"Values in the order of the columns; None is no value. Numbers are Decimals, nested ones as JSON has them."


class Sink(Protocol):
    """Takes the bytes of a file, such as a draft."""

    def write(self, piece: bytes) -> Any:
        """Add a piece."""
        ...


class Writer(Protocol):
    """Writes rows to a sink."""

    def write(self, rows: Rows) -> None:
        """Add rows."""
        ...

    def close(self) -> None:
        """Write what a file ends with."""
        ...


def open_writer(file_format: FileFormat, sink: Sink, columns: Sequence[Column]) -> Writer:
    """Begin a file."""
    return _WRITERS[file_format](sink, columns)


class _Packed:
    """A gzip stream that has no time in it, so that the same rows are the same bytes."""

    def __init__(self, sink: Sink) -> None:
        self._file = gzip.GzipFile(fileobj=Unseekable(sink), mode="wb", compresslevel=GZIP_LEVEL, mtime=0)

    def write(self, piece: bytes) -> None:
        self._file.write(piece)

    def close(self) -> None:
        self._file.close()


class Unseekable(io.RawIOBase):
    """A sink as the file that libraries want to write to, forward only."""

    def __init__(self, sink: Sink) -> None:
        self._sink = sink
        self._written = 0

    def writable(self) -> bool:
        """Say that it can be written to."""
        return True

    def write(self, piece: Any) -> int:
        """Hand a piece on."""
        taken = bytes(piece)
        self._sink.write(taken)
        self._written += len(taken)
        return len(taken)

    def tell(self) -> int:
        """Give how many bytes were written."""
        return self._written


class CsvWriter:
    """RFC 4180 with a heading; what is null is empty."""

    def __init__(self, sink: Sink, columns: Sequence[Column]) -> None:
        self._packed = _Packed(sink)
        self._texts = [_TEXTS[column.kind] for column in columns]
        self._write([[column.name for column in columns]])

    def write(self, rows: Rows) -> None:
        """Add rows."""
        texts = self._texts
        self._write(
            [None if value is None else text(value) for value, text in zip(row, texts, strict=True)]
            for row in rows
        )

    def close(self) -> None:
        """End the file."""
        self._packed.close()

    def _write(self, rows: Iterable[Sequence[str | None]]) -> None:
        lines = io.StringIO(newline="")
        csv.writer(lines, lineterminator="\r\n").writerows(rows)
        self._packed.write(lines.getvalue().encode())


class JsonlWriter:
    """One JSON object a line; what is null is left out."""

    def __init__(self, sink: Sink, columns: Sequence[Column]) -> None:
        self._packed = _Packed(sink)
        self._columns = columns

    def write(self, rows: Rows) -> None:
        """Add rows."""
        self._packed.write(b"".join(encode(self._object(row)) + b"\n" for row in rows))

    def close(self) -> None:
        """End the file."""
        self._packed.close()

    def _object(self, row: Sequence[Any]) -> dict[str, Any]:
        whole: dict[str, Any] = {}
        for column, value in zip(self._columns, row, strict=True):
            if value is not None:
                inside = whole
                for step in column.path[:-1]:
                    inside = inside.setdefault(step, {})
                inside[column.path[-1]] = plain(value) if isinstance(value, Decimal) else value
        return whole


class ParquetWriter:
    """Typed columns. Quantities are decimals; other numbers are texts, for they may have more digits."""

    def __init__(self, sink: Sink, columns: Sequence[Column]) -> None:
        self._columns = columns
        self._schema = pa.schema([(column.name, _PARQUET[column.kind][0]) for column in columns])
        self._file = pq.ParquetWriter(
            pa.PythonFile(Unseekable(sink), mode="w"), self._schema, compression="zstd"
        )

    def write(self, rows: Rows) -> None:
        """Add rows."""
        if not rows:
            return
        arrays = []
        for column, values in zip(self._columns, zip(*rows, strict=True), strict=True):
            kind, convert = _PARQUET[column.kind]
            arrays.append(pa.array([None if v is None else convert(v) for v in values], kind))
        self._file.write_table(pa.table(arrays, schema=self._schema))

    def close(self) -> None:
        """End the file."""
        self._file.close()


def _number(value: Decimal) -> str:
    return f"{plain(value):f}"


def _moment(value: datetime | date) -> str:
    return str(msgspec.to_builtins(value))


def _same(value: Any) -> Any:
    return value


_TEXTS: Final[Mapping[Kind, Callable[[Any], str]]] = {
    Kind.TEXT: str,
    Kind.QUANTITY: _number,
    Kind.NUMBER: _number,
    Kind.WHOLE: str,
    Kind.FLAG: lambda value: "true" if value else "false",
    Kind.INSTANT: _moment,
    Kind.DATE: _moment,
    Kind.NESTED: encode_whole,
}
_PARQUET: Final[Mapping[Kind, tuple[Any, Callable[[Any], Any]]]] = {
    Kind.TEXT: (pa.string(), str),
    Kind.QUANTITY: (USAGE_NUMBER, _same),
    Kind.NUMBER: (pa.string(), _number),
    Kind.WHOLE: (pa.int64(), _same),
    Kind.FLAG: (pa.bool_(), _same),
    Kind.INSTANT: (pa.timestamp("us", "UTC"), _same),
    Kind.DATE: (pa.date32(), _same),
    Kind.NESTED: (pa.string(), encode_whole),
}
_WRITERS: Final[Mapping[FileFormat, Callable[[Sink, Sequence[Column]], Writer]]] = {
    FileFormat.CSV: CsvWriter,
    FileFormat.JSONL: JsonlWriter,
    FileFormat.PARQUET: ParquetWriter,
}
