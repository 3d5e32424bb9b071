"""Reading rows from CSV, JSON lines and Parquet, in order and without holding the file in memory."""

import csv
import gzip
import hashlib
import io
import sys
import zlib
from collections.abc import Iterator
from dataclasses import dataclass
from decimal import Decimal
from pathlib import Path
from typing import Any, BinaryIO

import msgspec

from tallystick.cli.errors import CommandError

STDIN = Path("/dev/stdin")
"What `-` on the command line becomes."
FORMATS = {
    ".csv": "CSV",
    ".jsonl": "JSON lines",
    ".ndjson": "JSON lines",
    ".parquet": "Parquet",
    ".pq": "Parquet",
}
PACKED = ".gz"
"Behind the ending of CSV or JSON lines: gzip."
BLOCK_BYTES = 2**20
PARQUET_ROWS = 8192
Row = dict[str, Any]


@dataclass(frozen=True)
class Source:
    """A file to send.

    fingerprint: of its content, unpacked, "" for standard input. rows: about how many, 0 unknown.
    """

    file: Path
    format: str
    fingerprint: str
    rows: int

    @property
    def name(self) -> str:
        """What to call it."""
        return "standard input" if self.file == STDIN else str(self.file)


def look_at(file: Path) -> Source:
    """Tell a file's format by its name, its rows and its fingerprint. Raises CommandError."""
    if file == STDIN:
        return Source(file, "JSON lines", "", 0)
    is_packed = file.suffix.lower() == PACKED
    kind = FORMATS.get((file.with_suffix("") if is_packed else file).suffix.lower())
    if kind is None or (is_packed and kind == "Parquet"):
        raise CommandError(
            f"{file.name}: the format is told by the name, which has to end in {', '.join(FORMATS)}; "
            f"CSV and JSON lines may be packed, as in .jsonl{PACKED}.",
            hint="Send JSON lines of any name on standard input: `tallystick ingest - < FILE`.",
        )
    try:
        fingerprint, lines = _digest(file)
    except OSError as error:
        raise CommandError(f"{file} cannot be read: {error.strerror or error}.") from error
    except (EOFError, zlib.error) as error:
        raise CommandError(f"{file} cannot be unpacked: {error}.") from error
    rows = _parquet(file).metadata.num_rows if kind == "Parquet" else lines - (kind == "CSV")
    return Source(file, kind, fingerprint, max(rows, 0))


def rows_of(source: Source) -> Iterator[Row]:
    """Give each row as a mapping from column to value: text from CSV, typed values otherwise.

    Raises CommandError at the row that cannot be read.
    """
    if source.format == "CSV":
        yield from _csv_rows(source.file)
    elif source.format == "Parquet":
        yield from _parquet_rows(source.file)
    elif source.file == STDIN:
        yield from _json_rows(sys.stdin.buffer, source.name)
    else:
        with _opened(source.file) as lines:
            yield from _json_rows(lines, source.name)


def _opened(file: Path) -> gzip.GzipFile | io.BufferedReader:
    """Open a file, unpacked."""
    return gzip.open(file, "rb") if file.suffix.lower() == PACKED else file.open("rb")


def _digest(file: Path) -> tuple[str, int]:
    """Hash the content and count its lines in one pass."""
    hashed, lines, last = hashlib.sha256(), 0, b"\n"
    with _opened(file) as reader:
        while block := reader.read(BLOCK_BYTES):
            hashed.update(block)
            lines += block.count(b"\n")
            last = block[-1:]
    return hashed.hexdigest(), lines + (last != b"\n")


def _csv_rows(file: Path) -> Iterator[Row]:
    with io.TextIOWrapper(_opened(file), encoding="utf-8-sig", newline="") as text:
        reader = csv.reader(text, strict=True)
        try:
            header = [name.strip() for name in next(reader, [])]
            if len(set(header)) < len(header) or not all(header):
                raise CommandError(f"{file.name}: every column of the first line needs a name of its own.")
            for row in reader:
                if not row:
                    continue
                if len(row) != len(header):
                    message = f"{len(row)} values under {len(header)} columns"
                    raise CommandError(f"{file.name}, line {reader.line_num}: {message}.")
                yield dict(zip(header, row, strict=True))
        except (csv.Error, UnicodeDecodeError) as error:
            raise CommandError(f"{file.name}, line {reader.line_num + 1}: {error}.") from error


def _json_rows(lines: BinaryIO | Any, name: str) -> Iterator[Row]:
    decode = msgspec.json.Decoder(dict[str, Any], float_hook=Decimal).decode
    for number, line in enumerate(lines, 1):
        if not line.strip():
            continue
        try:
            yield decode(line)
        except (msgspec.DecodeError, UnicodeDecodeError) as error:
            raise CommandError(f"{name}, line {number}: not a JSON object: {error}.") from error


def _parquet(file: Path) -> Any:
    import pyarrow as pa  # noqa: PLC0415 - slow to import, and only Parquet needs it
    import pyarrow.parquet as pq  # noqa: PLC0415 - the same

    try:
        return pq.ParquetFile(file)
    except (pa.ArrowInvalid, OSError) as error:
        raise CommandError(f"{file.name} is no Parquet file: {error}.") from error


def _parquet_rows(file: Path) -> Iterator[Row]:
    import pyarrow as pa  # noqa: PLC0415 - as above

    reader = _parquet(file)
    for batch in reader.iter_batches(batch_size=PARQUET_ROWS):
        columns = [
            column.cast(pa.timestamp("us", column.type.tz), safe=False)
            if pa.types.is_timestamp(column.type)
            else column
            for column in batch.columns
        ]
        yield from pa.RecordBatch.from_arrays(columns, names=batch.schema.names).to_pylist()
