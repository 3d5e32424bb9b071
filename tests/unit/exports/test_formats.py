"""Files hold what was written, to the last digit (semantics §30)."""

import csv
import gzip
import io
import json
from datetime import UTC, date, datetime
from decimal import Decimal
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from tallystick.exports.formats import Column, Kind, open_writer
from tallystick.exports.layout import FileFormat

D = Decimal
COLUMNS = [
    Column(("uid",), Kind.TEXT),
    Column(("measure", "distance"), Kind.QUANTITY),
    Column(("total",), Kind.NUMBER),
    Column(("count",), Kind.WHOLE),
    Column(("locked",), Kind.FLAG),
    Column(("ts",), Kind.INSTANT),
    Column(("day",), Kind.DATE),
    Column(("bands",), Kind.NESTED),
]
LONG = D("12345678901234567890123456.000000000001")
ROWS: list[list[Any]] = [
    [
        'say "no", ünd\nagain',
        LONG,
        D("0.10"),
        3,
        True,
        datetime(2024, 1, 1, 0, 0, 0, 123000, UTC),
        date(2024, 2, 29),
        [{"unitPrice": D("0.0000001")}],
    ],
    ["b", D("1E+3"), D("0E-12"), 0, False, datetime(2024, 1, 1, tzinfo=UTC), date(2024, 1, 1), []],
    [None] * 8,
]


def written(file_format: FileFormat, pieces: list[list[list[Any]]]) -> bytes:
    sink = io.BytesIO()
    writer = open_writer(file_format, sink, COLUMNS)
    for piece in pieces:
        writer.write(piece)
    writer.close()
    return sink.getvalue()


def test_csv() -> None:
    packed = written(FileFormat.CSV, [ROWS[:1], ROWS[1:], []])
    text = gzip.decompress(packed).decode()
    assert text.startswith("uid,measure.distance,total,count,locked,ts,day,bands\r\n")
    rows = list(csv.reader(io.StringIO(text, newline="")))[1:]
    assert rows == [
        [
            'say "no", ünd\nagain',
            "12345678901234567890123456.000000000001",
            "0.1",
            "3",
            "true",
            "2024-01-01T00:00:00.123000Z",
            "2024-02-29",
            '[{"unitPrice":1E-7}]',
        ],
        ["b", "1000", "0", "0", "false", "2024-01-01T00:00:00Z", "2024-01-01", "[]"],
        [""] * 8,
    ]
    assert packed == written(FileFormat.CSV, [ROWS]), "the same rows are the same bytes"


def test_jsonl() -> None:
    lines = gzip.decompress(written(FileFormat.JSONL, [ROWS])).decode().splitlines()
    first = json.loads(lines[0], parse_float=D)
    assert first["measure"] == {"distance": LONG}
    assert first["bands"] == [{"unitPrice": D("1E-7")}]
    assert first["ts"] == "2024-01-01T00:00:00.123000Z"
    assert json.loads(lines[2]) == {}


def test_parquet() -> None:
    table = pq.read_table(pa.BufferReader(written(FileFormat.PARQUET, [ROWS[:1], ROWS[1:], []])))
    assert table.schema.field("measure.distance").type == pa.decimal128(38, 12)
    assert table["measure.distance"].to_pylist() == [LONG, D(1000), None]
    assert table["total"].to_pylist() == ["0.1", "0", None]
    assert table["day"].to_pylist() == [date(2024, 2, 29), date(2024, 1, 1), None]
    assert table["ts"].to_pylist()[0] == ROWS[0][5]


@pytest.mark.parametrize("file_format", FileFormat)
def test_a_file_without_rows_still_has_its_columns(file_format: FileFormat) -> None:
    body = written(file_format, [])
    if file_format is FileFormat.PARQUET:
        assert pq.read_table(pa.BufferReader(body)).num_columns == 8
    else:
        assert gzip.decompress(body).decode().startswith("uid" if file_format is FileFormat.CSV else "")
