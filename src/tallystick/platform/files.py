"""Files that are kept: uploads and what is made for download, in a folder under the home.

The interface is small so that a store of objects elsewhere takes the folder's place (`object_files`).
"""

import os
import threading
from contextlib import suppress
from pathlib import Path
from typing import Protocol

from tallystick.kernel.errors import Unavailable
from tallystick.platform.ids import new_id

UNFINISHED = ".part"


class FileNotKept(Unavailable):
    """The file is not here: another machine has it, or someone took it away."""

    code = "file_not_kept"


class Draft(Protocol):
    """A file that is being written. Nobody sees it until it is kept; dropped, it never was."""

    def write(self, piece: bytes) -> None:
        """Add a piece."""
        ...

    def keep(self) -> None:
        """Make the file durable under its key, in place of one that was there."""
        ...

    def drop(self) -> None:
        """Forget it, unless it is kept already."""
        ...


class Files(Protocol):
    """Files by key. key: segments of letters, digits, `-`, `_` and `.`, joined by `/`."""

    def draft(self, key: str) -> Draft:
        """Begin to write a file."""
        ...

    def path(self, key: str) -> Path:
        """Give where the file can be read on this machine. Raises FileNotKept."""
        ...

    def delete(self, key: str) -> None:
        """Remove a file, if it is there."""
        ...


class Folder:
    """Files in a folder of this machine. One process at a time may have it open."""

    def __init__(self, path: Path) -> None:
        self._path = path
        path.mkdir(mode=0o700, parents=True, exist_ok=True)
        for left in path.rglob(f"*{UNFINISHED}"):  # by a process that was killed
            left.unlink(missing_ok=True)

    def draft(self, key: str) -> "FolderDraft":
        """Begin to write a file."""
        return FolderDraft(self._path / key)

    def path(self, key: str) -> Path:
        """Give where the file is. Raises FileNotKept."""
        path = self._path / key
        if not path.is_file():
            raise FileNotKept("This file is not on the server that was asked for it.", key=key)
        return path

    def delete(self, key: str) -> None:
        """Remove a file, if it is there."""
        (self._path / key).unlink(missing_ok=True)


class LocalDraft:
    """A file on this machine until it is kept; nobody sees it before.

    Thread-safe: a late piece of a dropped draft is ignored.
    """

    def __init__(self, part: Path) -> None:
        self._part = part
        self._file = part.open("xb")
        self._lock = threading.Lock()

    def write(self, piece: bytes) -> None:
        """Add a piece."""
        with self._lock:
            if not self._file.closed:
                self._file.write(piece)

    def drop(self) -> None:
        """Forget it, unless it is kept already."""
        with self._lock:
            with suppress(OSError):  # a full disk: what was still to be written goes anyway
                self._file.close()
            self._part.unlink(missing_ok=True)


class FolderDraft(LocalDraft):
    """A file beside its place until it is kept."""

    def __init__(self, place: Path) -> None:
        self._place = place
        place.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
        super().__init__(place.with_name(f"{place.name}.{new_id()}{UNFINISHED}"))

    def keep(self) -> None:
        """Make the file durable under its key, in place of one that was there."""
        with self._lock:
            self._file.flush()
            os.fsync(self._file.fileno())
            self._file.close()
            self._part.replace(self._place)
            folder = os.open(self._place.parent, os.O_RDONLY)
            try:
                os.fsync(folder)
            finally:
                os.close(folder)
