"""Files on their way in: written as they come, and there under their name only when they are whole."""

import os
from collections.abc import Callable
from pathlib import Path
from typing import Any

from tallystick.kernel.errors import Invalid
from tallystick.platform.ids import new_id


class UploadIncomplete(Invalid):
    """A file has not as many bytes as were announced."""

    code = "upload_incomplete"


class IncomingFile:
    """Takes a file of a known size. kept: called when it is there for good; gives the sender's answer."""

    def __init__(self, path: Path, size_bytes: int, kept: Callable[[], Any]) -> None:
        path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
        self._path = path
        self._partial = path.with_name(f"{path.name}.{new_id()}.part")
        self._size_bytes = size_bytes
        self._kept = kept
        self._came = 0
        self._file = self._partial.open("xb")

    def write(self, chunk: bytes) -> None:
        """Take the next part. Raises UploadIncomplete when more comes than was announced."""
        self._came += len(chunk)
        if self._came > self._size_bytes:
            raise UploadIncomplete(
                f"The file is larger than the {self._size_bytes:,} bytes that were announced."
            )
        self._file.write(chunk)

    def finish(self) -> Any:
        """Put the file in its place. Raises UploadIncomplete."""
        if self._came != self._size_bytes:
            message = f"{self._came:,} bytes came, and {self._size_bytes:,} were announced."
            raise UploadIncomplete(message)
        self._file.flush()
        os.fsync(self._file.fileno())
        self._file.close()
        self._partial.replace(self._path)
        return self._kept()

    def abandon(self) -> None:
        """Forget what came."""
        self._file.close()
        self._partial.unlink(missing_ok=True)
