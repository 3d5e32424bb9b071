"""TALLYSTICK_HOME: the one folder of a server, held by one server at a time."""

import fcntl
import os
import secrets
import shutil
from contextlib import suppress
from pathlib import Path
from types import TracebackType
from typing import Self

from tallystick.kernel.errors import Unavailable

FOLDERS = ("postgres", "usage", "files", "mail", "run")
MIN_FREE_BYTES = 512 * 1024 * 1024
"Below this the server does not start: both engines stop in the middle of things on a full disk."
_MIN_SECRET_LENGTH = 32  # a shorter one was cut off while it was written: no signature of it can be trusted


class HomeLocked(Unavailable):
    """Another server holds this home."""

    code = "home_locked"

    def __init__(self, path: Path, pid: str) -> None:
        super().__init__(
            f"The home {path} is in use by another server (process {pid or 'unknown'}). "
            "Stop that one first, or set TALLYSTICK_HOME to another folder.",
            home=str(path),
            pid=pid,
        )


class HomeUnusable(Unavailable):
    """The home cannot be created, read or written."""

    code = "home_unusable"

    def __init__(self, path: Path, reason: str) -> None:
        super().__init__(
            f"The home {path} cannot be used: {reason}. Make it a folder that this user may read and write, "
            "or set TALLYSTICK_HOME to another one.",
            home=str(path),
        )


class DiskNearlyFull(Unavailable):
    """The disk under the home has too little room to start safely."""

    code = "disk_nearly_full"

    def __init__(self, path: Path, free_bytes: int, needed_bytes: int) -> None:
        super().__init__(
            f"The disk under {path} has {free_bytes // 2**20} MiB left; {needed_bytes // 2**20} MiB are "
            "needed to start. Free some room, or set TALLYSTICK_HOME to a folder on another disk.",
            home=str(path),
            free_bytes=free_bytes,
        )


class Home:
    """The folder TALLYSTICK_HOME, locked from `__enter__` to `__exit__` or the end of the process.

    Use as `with Home(path) as home:`. Raises HomeLocked, HomeUnusable, DiskNearlyFull.
    """

    def __init__(self, path: Path, *, min_free_bytes: int = MIN_FREE_BYTES) -> None:
        self.path = path.expanduser().absolute()
        self._min_free_bytes = min_free_bytes
        self._lock = -1

    @property
    def postgres(self) -> Path:
        """The folder of the embedded PostgreSQL."""
        return self.path / "postgres"

    @property
    def usage(self) -> Path:
        """The folder of the embedded usage store."""
        return self.path / "usage"

    @property
    def files(self) -> Path:
        """The folder of uploads, exports and statements."""
        return self.path / "files"

    @property
    def mail(self) -> Path:
        """The folder of mails that no mail server took."""
        return self.path / "mail"

    @property
    def run(self) -> Path:
        """The folder of logs and of what only matters while a server runs."""
        return self.path / "run"

    def __enter__(self) -> Self:
        try:
            self._make()
            self._hold()
        except OSError as error:
            self._release()
            raise HomeUnusable(self.path, f"{error.strerror or error} ({error.filename})") from error
        except BaseException:
            self._release()
            raise
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._release()

    def _make(self) -> None:
        """Create what is missing, private to this user, and check that it can be used."""
        self.path.mkdir(mode=0o700, parents=True, exist_ok=True)
        self.path = self.path.resolve()
        if not os.access(self.path, os.R_OK | os.W_OK | os.X_OK):
            raise HomeUnusable(self.path, "this user may not read and write it")
        free_bytes = shutil.disk_usage(self.path).free
        if free_bytes < self._min_free_bytes:
            raise DiskNearlyFull(self.path, free_bytes, self._min_free_bytes)
        for name in FOLDERS:
            (self.path / name).mkdir(mode=0o700, exist_ok=True)

    def _hold(self) -> None:
        """Take the lock, and write into its file who has it. The system drops it when the process ends."""
        self._lock = os.open(self.path / "lock", os.O_RDWR | os.O_CREAT, 0o600)
        try:
            fcntl.flock(self._lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError as error:
            pid = os.pread(self._lock, 32, 0).decode(errors="replace").strip()
            raise HomeLocked(self.path, pid) from error
        os.ftruncate(self._lock, 0)
        os.pwrite(self._lock, f"{os.getpid()}\n".encode(), 0)

    def _release(self) -> None:
        if self._lock >= 0:
            os.close(self._lock)
            self._lock = -1

    def secret(self) -> str:
        """Give the server's signing secret, made at the first call: 64 hex digits, in a file only we read."""
        file = self.path / "secret"
        with suppress(FileNotFoundError):
            file.chmod(0o600)
            text = file.read_text().strip()
            if len(text) >= _MIN_SECRET_LENGTH:
                return text
        draft = file.with_suffix(".new")
        draft.unlink(missing_ok=True)
        descriptor = os.open(draft, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
        with os.fdopen(descriptor, "w") as writer:
            writer.write(secrets.token_hex(32) + "\n")
            writer.flush()
            os.fsync(descriptor)
        draft.replace(file)
        return file.read_text().strip()
