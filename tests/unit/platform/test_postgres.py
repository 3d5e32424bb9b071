import os
import signal
import stat
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from pathlib import Path

import psycopg
import pytest
from psycopg.sql import SQL
from sqlalchemy import create_engine
from sqlalchemy.engine import make_url

from tallystick.platform import postgres as module
from tallystick.platform.home import Home
from tallystick.platform.postgres import (
    DatabaseTooOld,
    DatabaseUnreachable,
    DatabaseUrlInvalid,
    EmbeddedPostgres,
    PostgresDataVersion,
    PostgresFailed,
    external_postgres,
    open_postgres,
)
from tallystick.platform.postgres_user import PostgresUser
from tests.unit.platform.ordinary_user import as_ordinary_user, give_to_ordinary_user

SERVE = """
import sys, time
from pathlib import Path
import psycopg
from tallystick.platform.home import Home
from tallystick.platform.postgres import EmbeddedPostgres
with Home(Path(sys.argv[1])) as home, EmbeddedPostgres(home) as postgres:
    with psycopg.connect(postgres.conninfo) as connection:
        connection.execute("CREATE TABLE IF NOT EXISTS kept (n int)")
        connection.execute("INSERT INTO kept VALUES (1)")
    print("stored", flush=True)
    time.sleep(60)
"""


@pytest.fixture(scope="module")
def home_path() -> Iterator[Path]:
    """One home for the tests that leave it whole: making a database takes most of their time."""
    with tempfile.TemporaryDirectory(prefix="tallystick-test-") as folder:
        yield Path(folder)


def ask(conninfo: str, query: str) -> str:
    with psycopg.connect(conninfo) as connection:
        row = connection.execute(SQL(query)).fetchone()  # type: ignore[arg-type]
        assert row is not None
        return str(row[0])


def postmaster(home: Path) -> int:
    return int((home / "postgres" / "data" / "postmaster.pid").read_text().split()[0])


def is_running(pid: int) -> bool:
    try:
        os.kill(pid, 0)
    except ProcessLookupError:
        return False
    stat_line = Path(f"/proc/{pid}/stat")
    return not (stat_line.exists() and stat_line.read_text().split()[2] == "Z")


def kill_server(home: Path, *, postgres_too: bool) -> int:
    """Start a server on a home, kill it once a row is stored; gives the pid of its PostgreSQL."""
    with subprocess.Popen([sys.executable, "-c", SERVE, str(home)], stdout=subprocess.PIPE) as owner:
        assert owner.stdout is not None
        assert b"stored\n" in iter(owner.stdout.readline, b"")  # words of the log come before it
        pid = postmaster(home)
        owner.kill()
    if postgres_too:
        os.kill(pid, signal.SIGKILL)
    return pid


def test_data_outlives_a_restart_and_both_urls_work(home_path: Path) -> None:
    with Home(home_path) as home, open_postgres(home) as postgres:
        assert (postgres.version, postgres.embedded) == (18, True)
        with create_engine(postgres.url).begin() as connection:
            connection.exec_driver_sql("CREATE TABLE restarts AS SELECT 7 AS n")
        pid = postmaster(home_path)
    assert not is_running(pid)
    with Home(home_path) as home, open_postgres(home) as postgres:
        assert ask(postgres.conninfo, "SELECT n FROM restarts") == "7"


def test_what_the_promises_stand_on_is_set(home_path: Path) -> None:
    expected = {
        "fsync": "on",
        "full_page_writes": "on",
        "synchronous_commit": "on",
        "data_checksums": "on",
        "listen_addresses": "",
        "unix_socket_permissions": "0700",
        "server_encoding": "UTF8",
        "TimeZone": "UTC",
        "max_connections": "100",
    }
    with Home(home_path) as home, EmbeddedPostgres(home) as postgres:
        found = {name: ask(postgres.conninfo, f"SHOW {name}") for name in expected}
    assert found == expected
    assert stat.S_IMODE((home_path / "postgres" / "data").stat().st_mode) == 0o700


def test_variables_meant_for_other_postgres_programs_are_not_heeded(
    home_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    for name, value in {
        "PGPORT": "1",
        "PGDATA": "/nowhere",
        "PGDATABASE": "other",
        "LC_ALL": "xx_XX",
    }.items():
        monkeypatch.setenv(name, value)
    with Home(home_path) as home, EmbeddedPostgres(home) as postgres:
        assert ask(postgres.conninfo, "SELECT current_database()") == "tallystick"


def test_a_terminals_ctrl_c_does_not_reach_it(home_path: Path) -> None:
    with Home(home_path) as home, EmbeddedPostgres(home):
        assert os.getpgid(postmaster(home_path)) != os.getpgid(0)
        assert os.getsid(postmaster(home_path)) != os.getsid(0)


def test_a_long_path_puts_the_socket_into_a_private_folder(temporary_folder: Path) -> None:
    with Home(temporary_folder / ("x" * 100)) as home, EmbeddedPostgres(home) as postgres:
        sockets = Path(str(make_url(postgres.url).query["host"]))
        assert sockets.parent == Path(tempfile.gettempdir())
        assert stat.S_IMODE(sockets.stat().st_mode) == 0o700
        assert ask(postgres.conninfo, "SELECT 1") == "1"
    assert not sockets.exists()


def test_the_postgres_of_a_killed_server_is_adopted(home_path: Path) -> None:
    orphan = kill_server(home_path, postgres_too=False)
    assert is_running(orphan)
    with Home(home_path) as home, EmbeddedPostgres(home) as postgres:
        assert postmaster(home_path) == orphan
        assert ask(postgres.conninfo, "SELECT count(*) > 0 FROM kept") == "True"
    assert not is_running(orphan)


def test_a_killed_postgres_recovers(home_path: Path) -> None:
    killed = kill_server(home_path, postgres_too=True)
    with Home(home_path) as home, EmbeddedPostgres(home) as postgres:
        assert postmaster(home_path) != killed
        assert ask(postgres.conninfo, "SELECT count(*) > 0 FROM kept") == "True"
    assert "automatic recovery" in (home_path / "postgres" / "postgres.log").read_text()


def test_an_orphan_that_is_shutting_down_is_awaited_and_started_again(home_path: Path) -> None:
    orphan = kill_server(home_path, postgres_too=False)
    os.kill(orphan, signal.SIGINT)
    with Home(home_path) as home, EmbeddedPostgres(home) as postgres:
        assert ask(postgres.conninfo, "SELECT 1") == "1"
        assert postmaster(home_path) != orphan


def test_a_pid_file_whose_number_is_another_programs_is_removed(home_path: Path) -> None:
    kill_server(home_path, postgres_too=True)
    file = home_path / "postgres" / "data" / "postmaster.pid"
    with subprocess.Popen(["/bin/sleep", "60"]) as stranger:
        file.write_text("\n".join([str(stranger.pid), *file.read_text().splitlines()[1:]]))
        with Home(home_path) as home, EmbeddedPostgres(home) as postgres:
            assert ask(postgres.conninfo, "SELECT 1") == "1"
        assert stranger.poll() is None
        stranger.kill()


def test_a_start_cut_off_in_the_middle_of_making_the_database_is_repeated(temporary_folder: Path) -> None:
    with Home(temporary_folder) as home:
        (home.postgres / "data.new" / "base").mkdir(parents=True)
        with EmbeddedPostgres(home) as postgres:
            assert ask(postgres.conninfo, "SELECT 1") == "1"
        assert not (home.postgres / "data.new").exists()


def test_data_of_another_version_is_left_alone(temporary_folder: Path) -> None:
    with Home(temporary_folder) as home:
        (home.postgres / "data").mkdir()
        (home.postgres / "data" / "PG_VERSION").write_text("17\n")
        with pytest.raises(PostgresDataVersion, match="written by PostgreSQL 17; this Tallystick brings 18"):
            EmbeddedPostgres(home).start()


def test_a_folder_that_is_no_database_is_not_overwritten(temporary_folder: Path) -> None:
    with Home(temporary_folder) as home:
        (home.postgres / "data").mkdir()
        (home.postgres / "data" / "thesis.txt").write_text("mine")
        with pytest.raises(PostgresFailed, match="not empty"):
            EmbeddedPostgres(home).start()
        assert (home.postgres / "data" / "thesis.txt").read_text() == "mine"


def test_a_failed_start_says_what_postgres_said_and_leaves_nothing_running(home_path: Path) -> None:
    with Home(home_path) as home:
        with pytest.raises(PostgresFailed, match='invalid value for parameter "shared_buffers"'):
            EmbeddedPostgres(home, options={"shared_buffers": "lots"}).start()
        assert not (home.postgres / "data" / "postmaster.pid").exists()


def test_stopping_rolls_back_what_is_open(home_path: Path) -> None:
    with Home(home_path) as home:
        embedded = EmbeddedPostgres(home)
        postgres = embedded.start()
        with psycopg.connect(postgres.conninfo) as connection:
            connection.execute("CREATE TABLE never (n int)")
            started = time.monotonic()
            embedded.stop()
            assert time.monotonic() - started < module.STOP_TIMEOUT_S
            embedded.stop()  # a second time is harmless
            connection.close()
        with EmbeddedPostgres(home) as postgres:
            assert ask(postgres.conninfo, "SELECT to_regclass('never')") == "None"


def test_an_ordinary_user_runs_it_as_himself(temporary_folder: Path) -> None:
    give_to_ordinary_user(temporary_folder)

    def start() -> str:
        with Home(temporary_folder) as home, EmbeddedPostgres(home) as postgres:
            owner = (home.postgres / "data" / "PG_VERSION").stat().st_uid
            return ask(postgres.conninfo, "SELECT 'ran'") + (" as itself" if owner == os.getuid() else "")

    assert as_ordinary_user(start) == "ran as itself"
    assert stat.S_IMODE(temporary_folder.stat().st_mode) == 0o700


def test_other_users_may_walk_through_but_never_look_around(tmp_path: Path) -> None:
    deep = tmp_path / "a" / "b"
    deep.mkdir(parents=True)
    (tmp_path / "a").chmod(0o700)
    PostgresUser(uid=54321, gid=54321).may_reach(deep)
    assert stat.S_IMODE((tmp_path / "a").stat().st_mode) == 0o701


def test_privately_installed_programs_are_opened_to_their_user(tmp_path: Path) -> None:
    programs, library = (
        tmp_path / "site" / "wheel" / "pginstall18",
        tmp_path / "site" / "wheel.libs" / "libpq.so",
    )
    for folder in (programs / "bin", programs / "share", library.parent):
        folder.mkdir(parents=True)
    for file in (programs / "bin" / "postgres", programs / "share" / "postgres.bki", library):
        file.touch()
        file.chmod(0o600)
    (programs / "bin" / "postgres").chmod(0o700)
    (programs / "share").chmod(0o700)
    (tmp_path / "site").chmod(0o700)
    PostgresUser(uid=54321, gid=54321).may_run(programs)
    places = [
        tmp_path / "site",
        programs / "share",
        programs / "bin" / "postgres",
        programs / "share" / "postgres.bki",
    ]
    assert [stat.S_IMODE(path.stat().st_mode) for path in (*places, library)] == [
        0o701,
        0o705,
        0o705,
        0o604,
        0o604,
    ]


def test_an_external_one_is_used_as_it_is(postgres_url: str, tmp_path: Path) -> None:
    with Home(tmp_path) as home:
        plain = postgres_url.replace("postgresql+psycopg://", "postgres://")
        with open_postgres(home, plain) as postgres:
            assert (postgres.url, postgres.embedded, postgres.version) == (postgres_url, False, 18)
            assert ask(postgres.conninfo, "SELECT current_database()") == make_url(postgres_url).database
        assert not list(home.postgres.iterdir())


def test_an_external_one_that_is_too_old_is_refused(
    postgres_url: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(module, "MIN_EXTERNAL_VERSION", 19)
    with pytest.raises(DatabaseTooOld, match="is PostgreSQL 18; 19 or newer is needed"):
        external_postgres(postgres_url)


@pytest.mark.parametrize("place", ["127.0.0.1:1/x", "/x?host=/nowhere"])
def test_an_external_one_that_does_not_answer_is_named_without_its_password(place: str) -> None:
    with pytest.raises(DatabaseUnreachable, match="cannot be reached: connection") as caught:
        external_postgres(f"postgresql://tally:hunter2@{place}")
    assert "hunter2" not in str(caught.value)


@pytest.mark.parametrize("text", ["mysql://u:hunter2@h/x", "hunter2", "postgresql://u:hunter2@h:port/x"])
def test_a_url_of_something_else_is_refused(text: str) -> None:
    with pytest.raises(DatabaseUrlInvalid) as caught:
        external_postgres(text)
    assert "hunter2" not in str(caught.value)
