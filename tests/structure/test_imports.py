"""The import contract of pyproject.toml finds what points up or sideways, and folders without a layer."""

import os
import subprocess
import sys
from pathlib import Path

import pytest

from tests.structure.source import TOP


def lint(folder: Path, modules: dict[str, str]) -> subprocess.CompletedProcess[str]:
    """Run the project's own import contract over a made-up package of the same name."""
    package = folder / "tallystick"
    for name in {"", *(name.partition("/")[0] for name in modules)}:
        (package / name).mkdir(parents=True, exist_ok=True)
        (package / name / "__init__.py").touch()
    for name, text in modules.items():
        (package / f"{name}.py").write_text(text)
    (folder / "pyproject.toml").write_bytes((TOP / "pyproject.toml").read_bytes())
    command = [
        sys.executable,
        "-c",
        "from importlinter.cli import lint_imports_command as run; run(['--no-cache'])",
    ]
    environment = {**os.environ, "PYTHONPATH": str(folder)}
    return subprocess.run(
        command, cwd=folder, env=environment, check=False, capture_output=True, text=True, timeout=60
    )


def test_imports_that_point_down_pass(tmp_path: Path) -> None:
    modules = {
        "kernel/a": "",
        "rating/a": "import tallystick.kernel.a",
        "billing/a": "import tallystick.rating.a",
    }
    result = lint(tmp_path, modules)
    assert result.returncode == 0, result.stdout + result.stderr


@pytest.mark.parametrize(
    ("module", "imports"),
    [
        pytest.param("kernel/a", "tallystick.billing.b", id="upwards"),
        pytest.param("rating/a", "tallystick.calc.b", id="sideways"),
        pytest.param("billing/a", "tallystick.statements.b", id="to the layer above"),
        pytest.param("gadgets/a", "tallystick.kernel.b", id="a folder that has no layer"),
    ],
)
def test_others_do_not(tmp_path: Path, module: str, imports: str) -> None:
    target = "/".join(imports.split(".")[1:])
    result = lint(tmp_path, {module: f"import {imports}", target: ""})
    assert result.returncode == 1, result.stdout + result.stderr
    assert module.partition("/")[0] in result.stdout + result.stderr
