"""Files in a store of objects, S3 or Google Cloud Storage, with copies here of what was read lately."""

import hashlib
import threading
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any, Final
from urllib.parse import parse_qsl, urlsplit

import obstore
from obstore.exceptions import BaseError
from obstore.store import GCSStore, S3Store

from tallystick.kernel.clock import Clock
from tallystick.kernel.errors import Unavailable
from tallystick.platform.files import UNFINISHED, FileNotKept, LocalDraft
from tallystick.platform.ids import new_id

COPIES_BYTES: Final = 10 * 2**30
RECENT_S: Final = 3600
"A copy that was asked for so lately may still be being sent: it stays."
PIECE_BYTES: Final = 4 * 2**20
_LOST: Final = (BaseError, OSError)
"What obstore raises; FileNotFoundError is one of them."


class FilesUnavailable(Unavailable):
    """The store of files cannot be reached, or does not let us in."""

    code = "files_unavailable"


def open_store(url: str) -> Any:
    """Open `s3://bucket/prefix?region=…&endpoint=…` or `gs://bucket/prefix`.

    Keys come from where the vendor's own tools look: `AWS_ACCESS_KEY_ID` and its like, a machine's role,
    `GOOGLE_APPLICATION_CREDENTIALS`. endpoint: of a service that speaks S3 and is not Amazon's.
    """
    parts = urlsplit(url)
    options = dict(parse_qsl(parts.query))
    prefix = parts.path.strip("/") or None
    if parts.scheme == "gs":
        return GCSStore(parts.netloc, prefix=prefix)
    endpoint = options.get("endpoint")
    more: dict[str, Any] = {}
    if endpoint:
        more = {"endpoint": endpoint, "client_options": {"allow_http": endpoint.startswith("http://")}}
    if region := options.get("region"):
        more["region"] = region
    return S3Store(parts.netloc, prefix=prefix, **more)


class ObjectFiles:
    """Files by key in a store of objects; several servers may have one. Thread-safe.

    copies: a folder of this process alone. A copy belongs to one state of its object, so that it is never
    taken for a later one. limit_bytes: of all copies; those unused for longest go first.
    """

    def __init__(self, store: Any, copies: Path, clock: Clock, *, limit_bytes: int = COPIES_BYTES) -> None:
        self._store = store
        self._copies = copies
        self._clock = clock
        self._limit_bytes = limit_bytes
        self._lock = threading.Lock()
        copies.mkdir(mode=0o700, parents=True, exist_ok=True)
        for left in copies.rglob(f"*{UNFINISHED}"):  # by a process that was killed
            left.unlink(missing_ok=True)

    def draft(self, key: str) -> "ObjectDraft":
        """Begin to write a file."""
        return ObjectDraft(self._store, key, self._copies / f"{new_id()}{UNFINISHED}")

    def path(self, key: str) -> Path:
        """Give where the file can be read on this machine. Raises FileNotKept, FilesUnavailable."""
        with _reached(key):
            found = obstore.head(self._store, key)
        state = f"{found['e_tag']} {found['last_modified']} {found['size']}"
        place = self._copies / key / hashlib.sha256(state.encode()).hexdigest()[:16] / Path(key).name
        if not place.is_file():
            self._fetch(key, place)
        with suppress(FileNotFoundError):
            place.touch()
        return place

    def delete(self, key: str) -> None:
        """Remove a file, if it is there. Raises FilesUnavailable."""
        with suppress(FileNotKept), _reached(key):
            obstore.delete(self._store, key)

    def _fetch(self, key: str, place: Path) -> None:
        self._make_room()
        place.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
        part = place.with_name(f"{new_id()}{UNFINISHED}")
        try:
            with _reached(key), part.open("xb") as file:
                for piece in obstore.get(self._store, key).stream(min_chunk_size=PIECE_BYTES):
                    file.write(memoryview(piece))
            part.replace(place)
        finally:
            part.unlink(missing_ok=True)

    def _make_room(self) -> None:
        """Drop the copies unused for longest until there is room for more."""
        with self._lock:
            copies = [(p.stat(), p) for p in self._copies.rglob("*") if p.is_file()]
            held = sum(stat.st_size for stat, _ in copies)
            recent = self._clock.now().timestamp() - RECENT_S
            for stat, path in sorted(copies, key=lambda each: each[0].st_mtime):
                if held <= self._limit_bytes or stat.st_mtime > recent:
                    return
                path.unlink(missing_ok=True)
                held -= stat.st_size


class ObjectDraft(LocalDraft):
    """A file on this machine until it is kept, and then in the store."""

    def __init__(self, store: Any, key: str, part: Path) -> None:
        super().__init__(part)
        self._store, self._key = store, key

    def keep(self) -> None:
        """Send the file to the store, in place of one that was there. Raises FilesUnavailable."""
        with self._lock:
            self._file.close()
            with _reached(self._key), self._part.open("rb") as file:
                obstore.put(self._store, self._key, file)
            self._part.unlink(missing_ok=True)


@contextmanager
def _reached(key: str) -> Iterator[None]:
    try:
        yield
    except FileNotFoundError as error:
        raise FileNotKept("This file is not kept any more.", key=key) from error
    except _LOST as error:
        raise FilesUnavailable(
            "The store of files cannot be reached now. Send the same request again in a moment.",
            key=key,
            reason=str(error)[:500],
        ) from error
