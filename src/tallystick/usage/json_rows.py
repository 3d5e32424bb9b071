"""The elements of a JSON array of any size, one by one, in little memory."""

import codecs
import re
from collections.abc import Iterator
from typing import Any, BinaryIO, Final

import msgspec
import numpy as np

from tallystick.kernel.errors import Invalid

LARGEST_ROW_BYTES: Final = 511_999
"As much as a whole request may have."
_PIECE_BYTES: Final = 256 * 1024
_SPACE: Final = b" \t\r\n"
_ESCAPE: Final = re.compile(rb"\\.", re.DOTALL)
_BYTE_ORDER_MARK: Final = codecs.BOM_UTF8
_JSON: Final = msgspec.json.Decoder(msgspec.Raw)

Places = np.ndarray[Any, np.dtype[np.int64]]


class NotAJsonArray(Invalid):
    """A file is no JSON array, or holds an element that nobody could mean."""

    code = "not_a_json_array"


def json_rows(file: BinaryIO, piece_bytes: int = _PIECE_BYTES) -> Iterator[bytes]:
    """Give the elements of a JSON array as they stand in the file, without the space around them.

    An element's own syntax is not looked at, and a number of bytes is held at a time that depends on the
    largest element only. Raises NotAJsonArray.
    """
    splitter = _Splitter()
    decoder = codecs.getincrementaldecoder("utf-8")()
    while piece := file.read(piece_bytes):
        _check_text(decoder, piece, final=False)
        yield from splitter.rows_of(piece)
    _check_text(decoder, b"", final=True)
    if not splitter.is_over:
        raise NotAJsonArray("The file is not a whole JSON array: it ends too early.")


def count_rows(file: BinaryIO) -> int:
    """Count the elements of a JSON array, each of them whole JSON. Raises NotAJsonArray."""
    count = 0
    for row in json_rows(file):
        count += 1
        try:
            _JSON.decode(row)
        except (msgspec.DecodeError, RecursionError) as error:
            raise NotAJsonArray(f"Row {count} of the file is not valid JSON: {error}") from error
    return count


def _check_text(decoder: codecs.IncrementalDecoder, piece: bytes, *, final: bool) -> None:
    try:
        decoder.decode(piece, final)
    except UnicodeDecodeError as error:
        raise NotAJsonArray("The file is not text in UTF-8.") from error


class _Splitter:
    """Finds where elements end: brackets and commas outside of strings, a whole piece at a time."""

    def __init__(self) -> None:
        self.is_over = False
        self._begun = False
        self._rows = 0
        self._kept = b""
        "What was read of the element that has not ended yet; before the array begins, what stands there."
        self._held_back = b""
        "A backslash at the end of a piece: what it escapes is in the next."
        self._depth = 0
        self._in_string = False

    def rows_of(self, piece: bytes) -> Iterator[bytes]:
        """Give the elements that end in the next piece of the file."""
        if not self._begun:
            piece = self._begin(piece)
        if not self._begun:
            return
        if self.is_over:
            self._check_nothing_follows(piece)
            return
        piece = self._held_back + piece
        commas, end = self._scan(piece)
        if self._held_back:
            piece = piece[:-1]
        start = 0
        for comma in commas.tolist():
            yield self._row(piece[start:comma])
            start = comma + 1
        if end is None:
            self._keep(piece[start:])
            return
        last = piece[start:end]
        if self._rows or (self._kept + last).strip(_SPACE):
            yield self._row(last)
        self.is_over = True
        self._check_nothing_follows(piece[end + 1 :])

    def _begin(self, piece: bytes) -> bytes:
        """Find the bracket that opens the array; give what follows it."""
        head = (self._kept + piece).removeprefix(_BYTE_ORDER_MARK).lstrip(_SPACE)
        if not head or (len(head) < len(_BYTE_ORDER_MARK) and _BYTE_ORDER_MARK.startswith(head)):
            self._kept = head
            return b""
        if head[:1] != b"[":
            raise NotAJsonArray("The file is not a JSON array: it has to start with [.")
        self._begun, self._depth, self._kept = True, 1, b""
        return head[1:]

    def _scan(self, piece: bytes) -> tuple[Places, int | None]:
        """Find the commas between elements, and where the array ends if it does."""
        plain = _ESCAPE.sub(b"__", piece) if b"\\" in piece else piece
        self._held_back = b"\\" if plain.endswith(b"\\") else b""
        letters = np.frombuffer(plain, np.uint8)[: len(plain) - len(self._held_back)]
        quotes = (letters == ord('"')).view(np.uint8)
        if len(quotes) and self._in_string:
            quotes = quotes.copy()
            quotes[0] ^= 1
        inside = np.bitwise_xor.accumulate(quotes).view(bool)
        lowered = letters | 0x20  # makes [ and { the same letter, and ] and } too
        opens = (lowered == ord("{")) & ~inside
        closes = (lowered == ord("}")) & ~inside
        depths = self._depth + np.cumsum(opens.view(np.int8) - closes.view(np.int8), dtype=np.int64)
        ends = np.flatnonzero(closes & (depths == 0))
        commas = np.flatnonzero((letters == ord(",")) & ~inside & (depths == 1))
        if len(letters):
            self._depth, self._in_string = int(depths[-1]), bool(inside[-1])
        if not len(ends):
            return commas, None
        return commas[commas < ends[0]], int(ends[0])

    def _row(self, rest: bytes) -> bytes:
        """End the element that was begun."""
        self._keep(rest)
        row, self._kept = self._kept.strip(_SPACE), b""
        self._rows += 1
        if not row:
            raise NotAJsonArray(f"The file is not a JSON array: nothing stands at row {self._rows}.")
        return row

    def _keep(self, part: bytes) -> None:
        self._kept += part
        if len(self._kept) > LARGEST_ROW_BYTES:
            raise NotAJsonArray(
                f"Row {self._rows + 1} of the file has more than {LARGEST_ROW_BYTES:,} bytes."
            )

    def _check_nothing_follows(self, rest: bytes) -> None:
        if rest.strip(_SPACE):
            raise NotAJsonArray("The file is not a JSON array: something stands behind its end.")
