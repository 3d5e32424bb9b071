import os
import signal
import stat
import subprocess
import sys
from pathlib import Path

import pytest

from tallystick.platform.home import FOLDERS, DiskNearlyFull, Home, HomeLocked, HomeUnusable
from tests.unit.platform.ordinary_user import as_ordinary_user, give_to_ordinary_user

HOLD = """
import sys, time
from pathlib import Path
from tallystick.platform.home import Home
with Home(Path(sys.argv[1])):
    print("held", flush=True)
    time.sleep(60)
"""


def open_home(path: Path) -> str:
    with Home(path) as home:
        return home.secret()


def mode(path: Path) -> int:
    return stat.S_IMODE(path.stat().st_mode)


def test_a_new_home_is_made_for_its_owner_alone(tmp_path: Path) -> None:
    with Home(tmp_path / "deep" / "home") as home:
        folders = [home.path, home.postgres, home.usage, home.files, home.mail, home.run]
        assert [mode(folder) for folder in folders] == [0o700] * (1 + len(FOLDERS))


def test_one_server_at_a_time_and_the_message_names_the_other(tmp_path: Path) -> None:
    with Home(tmp_path), pytest.raises(HomeLocked, match=f"process {os.getpid()}"), Home(tmp_path):
        pass
    with Home(tmp_path):
        pass  # free again


def test_the_lock_of_a_killed_server_is_free(tmp_path: Path) -> None:
    with subprocess.Popen([sys.executable, "-c", HOLD, str(tmp_path)], stdout=subprocess.PIPE) as holder:
        assert holder.stdout is not None
        assert holder.stdout.readline() == b"held\n"
        with pytest.raises(HomeLocked, match=f"process {holder.pid}"), Home(tmp_path):
            pass
        holder.send_signal(signal.SIGKILL)
        holder.wait()
        with Home(tmp_path) as home:
            assert (home.path / "lock").read_text() == f"{os.getpid()}\n"


def test_a_file_is_no_home(tmp_path: Path) -> None:
    (tmp_path / "home").write_text("")
    with pytest.raises(HomeUnusable, match=r"File exists.*set TALLYSTICK_HOME"), Home(tmp_path / "home"):
        pass


@pytest.mark.parametrize("permissions", [0o000, 0o500, 0o300, 0o600])
def test_an_unreadable_or_unwritable_home_is_refused(temporary_folder: Path, permissions: int) -> None:
    temporary_folder.chmod(0o755)
    home = temporary_folder / "home"
    home.mkdir()
    give_to_ordinary_user(home)
    home.chmod(permissions)
    assert as_ordinary_user(lambda: open_home(home)).startswith("home_unusable: ")
    home.chmod(0o700)
    assert len(as_ordinary_user(lambda: open_home(home))) == 64


def test_a_home_that_may_not_be_made_is_refused(temporary_folder: Path) -> None:
    temporary_folder.chmod(0o555)
    said = as_ordinary_user(lambda: open_home(temporary_folder / "home"))
    assert said.startswith(
        f"home_unusable: The home {temporary_folder / 'home'} cannot be used: Permission denied"
    )


def test_a_nearly_full_disk_is_refused(tmp_path: Path) -> None:
    with pytest.raises(DiskNearlyFull, match=r"MiB left; \d+ MiB are needed"):
        Home(tmp_path, min_free_bytes=2**60).__enter__()
    with Home(tmp_path):
        pass  # and the lock was not kept


def test_the_secret_is_made_once_and_private(tmp_path: Path) -> None:
    with Home(tmp_path) as home:
        secret = home.secret()
        file = home.path / "secret"
        assert (len(secret), mode(file)) == (64, 0o600)
        file.chmod(0o644)
        assert home.secret() == secret
        assert mode(file) == 0o600
        file.write_text("cut o")
        assert home.secret() not in {secret, "cut o"}
