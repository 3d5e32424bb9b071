import gzip
from decimal import Decimal
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from tallystick.cli.errors import CommandError
from tallystick.cli.sending.files import look_at, rows_of


def write(folder: Path, name: str, text: str) -> Path:
    file = folder / name
    file.write_bytes(text.encode())
    return file


def test_csv_gives_text_as_it_stands(tmp_path: Path) -> None:
    source = look_at(write(tmp_path, "u.csv", '\ufeffaccount,measure.n\nacme,1.50\n"a, b",2\n\n'))
    assert list(rows_of(source)) == [
        {"account": "acme", "measure.n": "1.50"},
        {"account": "a, b", "measure.n": "2"},
    ]


def test_json_lines_keep_decimals(tmp_path: Path) -> None:
    source = look_at(write(tmp_path, "u.jsonl", '{"n":0.10}\n\n{"n":{"m":2}}'))
    assert list(rows_of(source)) == [{"n": Decimal("0.10")}, {"n": {"m": 2}}]
    assert source.rows == 3


@pytest.mark.parametrize("name", ["u.jsonl", "u.NDJSON", "u.csv"])
def test_what_is_packed_is_the_same_as_what_is_not(tmp_path: Path, name: str) -> None:
    plain = write(tmp_path, name, "\ufeffn\n1\n2\n" if name == "u.csv" else '{"n":0.10}\n{"n":2}')
    packed = tmp_path / f"{name}.gz"
    packed.write_bytes(gzip.compress(plain.read_bytes()))
    one, other = look_at(packed), look_at(plain)
    assert (one.fingerprint, one.rows, one.format) == (other.fingerprint, other.rows, other.format)
    assert list(rows_of(one)) == list(rows_of(other)) != []


@pytest.mark.parametrize(
    ("name", "content", "says"),
    [
        ("u.jsonl.gz", b"{}", "cannot be read: Not a gzipped file"),
        ("u.jsonl.gz", gzip.compress(b'{"n":1}' * 99, mtime=0)[:-9], "cannot be unpacked"),
        ("u.parquet.gz", b"", "the format is told by the name"),
        ("u.gz", b"", "the format is told by the name"),
    ],
)
def test_what_cannot_be_unpacked_is_told(tmp_path: Path, name: str, content: bytes, says: str) -> None:
    file = tmp_path / name
    file.write_bytes(content)
    with pytest.raises(CommandError, match=says):
        look_at(file)


def test_parquet_gives_typed_values(tmp_path: Path) -> None:
    file = tmp_path / "u.parquet"
    pq.write_table(pa.table({"n": [1, 2], "t": pa.array([0, 1], pa.timestamp("ns"))}), file)
    source = look_at(file)
    assert [(row["n"], row["t"].isoformat()) for row in rows_of(source)] == [
        (1, "1970-01-01T00:00:00"),
        (2, "1970-01-01T00:00:00"),
    ]
    assert source.rows == 2


def test_the_fingerprint_is_of_the_content(tmp_path: Path) -> None:
    one, same = write(tmp_path, "a.csv", "x\n1\n"), write(tmp_path, "b.csv", "x\n1\n")
    other = write(tmp_path, "c.csv", "x\n2\n")
    assert look_at(one).fingerprint == look_at(same).fingerprint != look_at(other).fingerprint


@pytest.mark.parametrize(
    ("name", "text", "says"),
    [
        ("u.txt", "", "u.txt: the format is told by the name"),
        ("u.csv", "a,b\n1,2\n3\n", "line 3: 1 values under 2 columns"),
        ("u.csv", "a,a\n1,2\n", "every column of the first line needs a name of its own"),
        ("u.csv", 'a\n"b\x00', "line"),
        ("u.jsonl", '{"a":1}\n[1]\n', "line 2: not a JSON object"),
        ("u.parquet", "no", "is no Parquet file"),
    ],
)
def test_what_cannot_be_read_is_told_with_its_place(tmp_path: Path, name: str, text: str, says: str) -> None:
    with pytest.raises(CommandError, match=says):
        list(rows_of(look_at(write(tmp_path, name, text))))


def test_a_file_that_is_not_there(tmp_path: Path) -> None:
    with pytest.raises(CommandError, match=r"nothing\.csv cannot be read: No such file"):
        look_at(tmp_path / "nothing.csv")
