"""The system user that PostgreSQL runs as when Tallystick itself is root, which PostgreSQL refuses."""

import os
import pwd
import stat
import subprocess
import time
from pathlib import Path

import msgspec
import structlog

from tallystick.kernel.errors import Unavailable

USER_NAME = "tallystick"
_log = structlog.get_logger(__name__)


class NoPostgresUser(Unavailable):
    """Tallystick runs as root and has no other user to run PostgreSQL as."""

    code = "no_postgres_user"


class PostgresUser(msgspec.Struct, frozen=True):
    """Who runs PostgreSQL. Both None: the user we are."""

    uid: int | None = None
    gid: int | None = None

    def owns(self, path: Path) -> None:
        """Give a folder and all in it to this user, where it is another's."""
        if self.uid is None or path.lstat().st_uid == self.uid:
            return
        os.lchown(path, self.uid, self.gid or 0)
        for folder, folders, files in os.walk(path):
            for name in (*folders, *files):
                os.lchown(Path(folder, name), self.uid, self.gid or 0)

    def may_reach(self, path: Path) -> None:
        """Let this user walk through the folders above `path`: execute permission only, never read."""
        if self.uid is None:
            return
        for folder in path.resolve().parents:
            _permit(folder, stat.S_IXOTH, self.uid)

    def may_run(self, programs: Path) -> None:
        """Let this user reach and run the PostgreSQL in the folder `programs`, however it was installed."""
        if self.uid is None:
            return
        self.may_reach(programs)
        libraries = programs.parent.with_name(f"{programs.parent.name}.libs")
        if not (programs / "bin" / "postgres").stat().st_mode & stat.S_IXOTH:
            for root in (programs, libraries):
                for path in (root, *root.rglob("*")):
                    everyone = stat.S_IROTH | (stat.S_IXOTH if path.stat().st_mode & stat.S_IXUSR else 0)
                    _permit(path, everyone, self.uid)


def _permit(path: Path, bits: int, uid: int) -> None:
    """Add permission bits to what is not this user's own and lacks them."""
    status = path.stat()
    if status.st_uid == uid or status.st_mode & bits == bits:
        return
    try:
        path.chmod(stat.S_IMODE(status.st_mode) | bits)
    except OSError as error:
        raise NoPostgresUser(
            f"PostgreSQL must run as the user {USER_NAME!r}, who may not pass {path}: {error.strerror}. "
            "Run Tallystick as an ordinary user instead of root.",
            path=str(path),
        ) from error
    _log.info("permission_added", path=str(path), mode=oct(stat.S_IMODE(path.stat().st_mode)))


def postgres_user() -> PostgresUser:
    """Say who runs PostgreSQL: we, or as root the system user `tallystick`, made if missing.

    Raises NoPostgresUser.
    """
    if os.geteuid() != 0:
        return PostgresUser()
    reason = ""
    for _ in range(20):  # useradd refuses while another one runs
        try:
            entry = pwd.getpwnam(USER_NAME)
        except KeyError:
            reason = _add_user()
        else:
            return PostgresUser(entry.pw_uid, entry.pw_gid)
        if reason:
            time.sleep(0.1)
    raise NoPostgresUser(
        f"PostgreSQL refuses to run as root, and the system user {USER_NAME!r} could not be made: {reason}. "
        "Run Tallystick as an ordinary user, or set TALLYSTICK_DATABASE_URL."
    )


def _add_user() -> str:
    """Make the system user; gives the reason why not, or ""."""
    command = [
        "useradd",
        "--system",
        "--user-group",
        "--no-create-home",
        "--shell",
        "/usr/sbin/nologin",
        USER_NAME,
    ]
    try:
        done = subprocess.run(command, check=False, capture_output=True, text=True)
    except OSError as error:
        return str(error)
    return done.stderr.strip() if done.returncode else ""
