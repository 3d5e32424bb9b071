"""Files on their way in: written as they come, and kept only when they are as long as was announced."""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from tallystick.kernel.errors import Invalid, TallystickError
from tallystick.platform.files import Draft


class UploadIncomplete(Invalid):
    """A file has not as many bytes as were announced."""

    code = "upload_incomplete"


@dataclass(frozen=True)
class AnnouncedSize:
    """How long a file was said to be, in bytes, and what refuses one that is not."""

    size_bytes: int
    too_long: type[TallystickError] = UploadIncomplete
    too_short: type[TallystickError] = UploadIncomplete

    def check(self, came: int, *, is_whole: bool) -> None:
        """Compare what came with what was announced. Raises `too_long` or `too_short`."""
        if came > self.size_bytes:
            raise self.too_long(f"The file is larger than the {self.size_bytes:,} bytes that were announced.")
        if is_whole and came < self.size_bytes:
            raise self.too_short(f"{came:,} bytes came, and {self.size_bytes:,} were announced.")


class IncomingFile:
    """Takes the body of a file. keep: called when it is whole, to keep the draft; gives the sender's answer.

    Its methods run in threads, one after the other.
    """

    def __init__(self, announced: AnnouncedSize, draft: Draft, keep: Callable[[Draft], Any]) -> None:
        self._announced, self._draft, self._keep = announced, draft, keep
        self._came = 0

    def write(self, piece: bytes) -> None:
        """Take the next piece. Raises what `AnnouncedSize.check` does."""
        self._came += len(piece)
        self._announced.check(self._came, is_whole=False)
        self._draft.write(piece)

    def finish(self) -> Any:
        """Keep the file. Raises what `AnnouncedSize.check` and `keep` do."""
        self._announced.check(self._came, is_whole=True)
        return self._keep(self._draft)

    def abandon(self) -> None:
        """Forget what came: the body broke off, or `write` or `finish` failed."""
        self._draft.drop()
