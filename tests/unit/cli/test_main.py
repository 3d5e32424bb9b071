import json
import subprocess
import sys
from pathlib import Path

import pytest

from tallystick import __version__
from tallystick.cli.main import main

Output = pytest.CaptureFixture[str]


@pytest.fixture(autouse=True)
def own_home(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("TALLYSTICK_HOME", str(tmp_path / "home"))
    monkeypatch.setenv("TALLYSTICK_PROFILE", str(tmp_path / "profile.json"))
    monkeypatch.setenv("NO_COLOR", "1")


def run(*arguments: str) -> int:
    with pytest.raises(SystemExit) as ended:
        main(arguments)
    return int(ended.value.code or 0)


def test_version(capsys: Output) -> None:
    assert run("--version") == 0
    assert capsys.readouterr().out.strip() == __version__


def test_help_lists_every_command_with_a_sentence(capsys: Output) -> None:
    assert run("--help") == 0
    out = capsys.readouterr().out
    for sentence in (
        "Start the server",
        "Bill a month",
        "Send a file of usage",
        "Run, show and explain",
        "Examples",
    ):
        assert sentence in out
    assert run("bill", "--help") == 0
    assert "Run bills and list them" in capsys.readouterr().out


@pytest.mark.parametrize(
    "command",
    [
        "serve",
        "worker",
        "config",
        "openapi",
        "ingest",
        "verify",
        "demo",
        "bill run",
        "bill show",
        "bill explain",
        "bill pdf",
        "admin bootstrap",
        "admin migrate",
    ],
)
def test_every_command_explains_itself(command: str, capsys: Output) -> None:
    assert run(*command.split(), "--help") == 0
    out = capsys.readouterr().out
    assert f"Usage: tallystick {command}" in out
    assert "--debug" in out


def test_help_does_not_wait_for_the_engines() -> None:
    script = """
import sys
from tallystick.cli.main import main
try:
    main(["serve", "--help"])
except SystemExit:
    print(sorted({"chdb", "sqlalchemy", "pyarrow"} & set(sys.modules)), file=sys.stderr)
"""
    ended = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, check=True)
    assert ended.stderr == "[]\n"


@pytest.mark.parametrize(
    "arguments", [["nonsense"], ["ingest"], ["serve", "--port", "many"], ["config", "--nope"]]
)
def test_wrong_use_exits_with_two(arguments: list[str], capsys: Output) -> None:
    assert run(*arguments) == 2
    printed = capsys.readouterr()
    assert printed.out == ""
    assert "Error" in printed.err


def test_an_error_is_one_line_and_what_to_do(capsys: Output) -> None:
    assert run("verify", "ORD", "--json") == 1
    printed = capsys.readouterr()
    assert printed.out == ""
    first, second = printed.err.splitlines()
    assert first.startswith("error: Who are you? Give --key or TALLYSTICK_ACCESS_KEY")
    assert "tallystick admin bootstrap" in second


def test_a_server_that_is_not_there_is_one_line(capsys: Output) -> None:
    where = ["--url", "http://127.0.0.1:1", "--key", "k", "--secret", "s", "--org", "o"]
    assert run("bill", "show", "ORD", *where) == 1
    assert capsys.readouterr().err.startswith(
        "error: No server answers at http://127.0.0.1:1.\nStart one with"
    )


def test_debug_shows_the_traceback() -> None:
    with pytest.raises(Exception, match="Who are you"):
        main(["verify", "ORD", "--debug"])


def test_config_masks_secrets(capsys: Output, monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setenv("TALLYSTICK_SECRET", "s" * 40)
    monkeypatch.setenv("TALLYSTICK_DATABASE_URL", "postgresql://u:pass@h/d")
    assert run("config", "--json") == 0
    out = capsys.readouterr().out
    rows = {row["name"]: row for row in json.loads(out)}
    assert rows["TALLYSTICK_HOME"]["value"] == str(tmp_path / "home")
    assert rows["TALLYSTICK_SECRET"]["source"] == "environment"
    assert "ssss" not in out
    assert "pass@" not in out
    assert run("config") == 0
    assert "postgresql://u:********@h/d" in capsys.readouterr().out


def test_openapi_is_written_or_printed(capsys: Output, tmp_path: Path) -> None:
    assert run("openapi") == 0
    printed = json.loads(capsys.readouterr().out)
    assert printed["openapi"].startswith("3.1")
    assert run("openapi", str(tmp_path / "api.json")) == 0
    assert json.loads((tmp_path / "api.json").read_text()) == printed
    assert run("openapi", str(tmp_path / "no" / "api.json")) == 1
    assert "cannot be written" in capsys.readouterr().err


def test_a_worker_needs_engines_outside(capsys: Output) -> None:
    assert run("worker") == 1
    said = capsys.readouterr().err
    assert "TALLYSTICK_DATABASE_URL and TALLYSTICK_CLICKHOUSE_URL are not set" in said
    assert "tallystick serve" in said


def test_an_interruption_is_told_and_is_130(capsys: Output, monkeypatch: pytest.MonkeyPatch) -> None:
    def interrupted() -> None:
        raise KeyboardInterrupt

    monkeypatch.setattr("tallystick.cli.config.settings_with", interrupted)
    assert run("config") == 130
    assert capsys.readouterr().err == "interrupted\n"


def test_a_bug_is_one_line_too(capsys: Output, monkeypatch: pytest.MonkeyPatch) -> None:
    def broken() -> None:
        raise ZeroDivisionError("by zero")

    monkeypatch.setattr("tallystick.cli.config.settings_with", broken)
    assert run("config") == 1
    assert capsys.readouterr().err.startswith(
        "error: Something went wrong inside: ZeroDivisionError: by zero\n"
    )
    with pytest.raises(ZeroDivisionError):
        main(["config", "--debug"])
