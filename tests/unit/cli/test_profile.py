from pathlib import Path

import pytest

from tallystick.cli.errors import CommandError
from tallystick.cli.profile import Connection, load_profile, profile_file, resolve, save_profile

SAVED = Connection(url="http://127.0.0.1:9000", key="k", secret="s", org="o")


@pytest.fixture(autouse=True)
def own_profile(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    file = tmp_path / "own" / "profile.json"
    monkeypatch.setenv("TALLYSTICK_PROFILE", str(file))
    return file


def test_only_its_owner_reads_it(own_profile: Path) -> None:
    assert save_profile(SAVED) == own_profile
    assert (own_profile.stat().st_mode & 0o777, own_profile.parent.stat().st_mode & 0o777) == (0o600, 0o700)
    assert load_profile() == SAVED


def test_what_is_given_wins_and_the_profile_completes() -> None:
    save_profile(SAVED)
    assert resolve(Connection()) == SAVED
    assert resolve(Connection(org="other")).org == "other"


def test_a_saved_secret_goes_to_no_other_server_and_with_no_other_key() -> None:
    save_profile(SAVED)
    with pytest.raises(CommandError, match="Who are you"):
        resolve(Connection(url="http://elsewhere:1"))
    with pytest.raises(CommandError, match="--secret or TALLYSTICK_API_SECRET"):
        resolve(Connection(key="another"))


def test_without_anything_it_says_what_is_missing() -> None:
    with pytest.raises(CommandError, match="Give --key or TALLYSTICK_ACCESS_KEY") as caught:
        resolve(Connection())
    assert "admin bootstrap" in caught.value.hint


def test_a_broken_profile_is_named(own_profile: Path) -> None:
    own_profile.parent.mkdir()
    own_profile.write_text("[]")
    with pytest.raises(CommandError, match="cannot be read"):
        load_profile()


def test_it_lies_in_the_user_s_configuration(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("TALLYSTICK_PROFILE")
    monkeypatch.setenv("XDG_CONFIG_HOME", "/x")
    assert profile_file() == Path("/x/tallystick/profile.json")
