"""A JSON array is split into its elements, whatever the pieces it is read in."""

import io
import json

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tallystick.usage.json_rows import LARGEST_ROW_BYTES, NotAJsonArray, count_rows, json_rows

VALUES = st.recursive(
    st.none() | st.booleans() | st.integers() | st.text() | st.text(alphabet='",[]{}\\ é'),
    lambda inner: (
        st.lists(inner, max_size=4) | st.dictionaries(st.text(alphabet='a",\\]}'), inner, max_size=4)
    ),
    max_leaves=12,
)


def rows(body: bytes, piece_bytes: int = 7) -> list[bytes]:
    return list(json_rows(io.BytesIO(body), piece_bytes))


@given(
    values=st.lists(VALUES, max_size=8),
    piece_bytes=st.integers(1, 40),
    indent=st.sampled_from([None, 0, 2]),
    ascii_only=st.booleans(),
)
def test_the_elements_are_those_that_json_has(
    values: list[object], piece_bytes: int, indent: int | None, *, ascii_only: bool
) -> None:
    body = json.dumps(values, indent=indent, ensure_ascii=ascii_only).encode("utf-8", "surrogatepass")
    try:
        body.decode()
    except UnicodeDecodeError:
        return
    assert [json.loads(row) for row in rows(body, piece_bytes)] == values


@pytest.mark.parametrize("body", [b"[]", b" \n[ ]\n", b"\xef\xbb\xbf[\t]"])
def test_an_empty_array_has_no_rows(body: bytes) -> None:
    assert rows(body, 1) == []
    assert count_rows(io.BytesIO(body)) == 0


@pytest.mark.parametrize(
    ("body", "message"),
    [
        pytest.param(b"", "ends too early", id="nothing"),
        pytest.param(b"  ", "ends too early", id="white space"),
        pytest.param(b"\xef\xbb", "not text in UTF-8", id="half a byte order mark"),
        pytest.param(b'{"measurements": []}', r"start with \[", id="an object"),
        pytest.param(b"x[]", r"start with \[", id="something before"),
        pytest.param(b"[] []", "behind its end", id="something behind"),
        pytest.param(b"[1] ,", "behind its end", id="a comma behind"),
        pytest.param(b"[1,2", "ends too early", id="no end"),
        pytest.param(b'["a', "ends too early", id="no end of a string"),
        pytest.param(b"[1,]", "nothing stands at row 2", id="a comma at the end"),
        pytest.param(b"[,1]", "nothing stands at row 1", id="a comma at the start"),
        pytest.param(b"[1,,2]", "nothing stands at row 2", id="two commas"),
        pytest.param(b'["\xff"]', "UTF-8", id="not text"),
    ],
)
@pytest.mark.parametrize("piece_bytes", [1, 100])
def test_what_is_no_array_is_refused(body: bytes, message: str, piece_bytes: int) -> None:
    with pytest.raises(NotAJsonArray, match=message):
        rows(body, piece_bytes)


@pytest.mark.parametrize("row", [b"{]", b"{a:1}", b"nul", b'{"a":1} {"b":2}', b'"a\nb"'])
def test_an_element_that_is_no_json_is_refused_with_its_row(row: bytes) -> None:
    with pytest.raises(NotAJsonArray, match="Row 2 "):
        count_rows(io.BytesIO(b"[1," + row + b"]"))


def test_an_element_without_end_fills_no_memory() -> None:
    body = b'[1, "' + b"x" * (LARGEST_ROW_BYTES + 1) + b'"]'
    with pytest.raises(NotAJsonArray, match="Row 2 of the file has more than 511,999 bytes"):
        list(json_rows(io.BytesIO(body)))
