"""Set-up says what to do when it cannot go on, and does nothing when there is nothing to do."""

import os
import shutil
import subprocess
from pathlib import Path

from tests.structure.source import TOP


def set_up(folder: Path, **variables: str) -> subprocess.CompletedProcess[str]:
    environment = {**os.environ, **variables}
    command = ["/bin/sh", ".ci/setup"]
    return subprocess.run(
        command, cwd=folder, env=environment, check=False, capture_output=True, text=True, timeout=60
    )


def checkout(folder: Path) -> Path:
    (folder / ".ci").mkdir(parents=True)
    shutil.copy(TOP / ".ci" / "setup", folder / ".ci" / "setup")
    (folder / "requirements.lock").write_text("# nothing\n")
    return folder


def test_no_suitable_python(tmp_path: Path) -> None:
    result = set_up(checkout(tmp_path / "a folder"), PYTHON="/bin/false")
    assert result.returncode == 1
    assert "no Python 3.11 or newer" in result.stderr
    assert "python3-venv" in result.stderr


def test_nothing_to_do(tmp_path: Path) -> None:
    folder = checkout(tmp_path)
    python = folder / ".venv" / "bin" / "python"
    python.parent.mkdir(parents=True)
    python.write_text("#!/bin/sh\nexit 1\n")
    python.chmod(0o755)
    stamp = folder / ".venv" / "installed.lock"
    stamp.write_text(f"{folder.resolve()}\n# nothing\n")
    assert set_up(folder, PYTHON="/bin/false").returncode == 0, "the stamp fits, so nothing may run"
    (folder / "requirements.lock").write_text("# something else\n")
    assert set_up(folder, PYTHON="/bin/false").returncode == 1, "another lock asks for an installation"
