"""How far a file was sent: a small file beside the saved profile, so that a second run continues."""

import hashlib
import os
from contextlib import suppress
from pathlib import Path

import msgspec

from tallystick.cli.profile import Connection, profile_file


class Progress(msgspec.Struct, kw_only=True):
    """What is known to have arrived. rows: all up to this number. left_out: bad rows among them."""

    file: str = ""
    rows: int = 0
    accepted: int = 0
    left_out: int = 0
    finished: bool = False


class ProgressFile:
    """Where the progress of one file under one mapping to one organization is kept."""

    def __init__(self, fingerprint: str, connection: Connection) -> None:
        key = hashlib.sha256(f"{fingerprint}|{connection.url}|{connection.org}".encode()).hexdigest()[:24]
        self.path: Path = profile_file().parent / "ingest" / f"{key}.json"

    def load(self) -> Progress:
        """Read the progress; none where there is no file, or an unreadable one: sending again is harmless."""
        try:
            return msgspec.json.decode(self.path.read_bytes(), type=Progress)
        except (OSError, msgspec.DecodeError):
            return Progress()

    def save(self, progress: Progress) -> None:
        """Write the progress, whole or not at all. That it cannot be written stops nothing."""
        with suppress(OSError):
            self.path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
            draft = self.path.with_suffix(f".{os.getpid()}")
            draft.write_bytes(msgspec.json.encode(progress))
            draft.replace(self.path)
