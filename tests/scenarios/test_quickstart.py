"""The quick start is run as it stands."""

import os
import re
import subprocess
import sys
from pathlib import Path

from pypdf import PdfReader

from tests.support.world import World

PAGE = (Path(__file__).parents[2] / "docs" / "quickstart.md").read_text("utf-8")


def test_the_quick_start_does_what_it_says(world: World, tmp_path: Path) -> None:
    world.at("2026-02-02")
    program = re.search(r"as it stands\. -->\n```python\n(.*?)```", PAGE, re.DOTALL)
    explained = re.search(r"usage line reads:\n\n```\n(.*?)```", PAGE, re.DOTALL)
    assert program is not None
    assert explained is not None
    given = {
        "TALLYSTICK_URL": world.url,
        "TALLYSTICK_ORG": world.org_id,
        "TALLYSTICK_ACCESS_KEY": world.key,
        "TALLYSTICK_API_SECRET": world.secret,
    }
    ended = subprocess.run(
        [sys.executable, "-c", program[1]],
        env={**os.environ, **given},
        cwd=tmp_path,
        capture_output=True,
        text=True,
        check=False,
    )
    assert ended.returncode == 0, ended.stderr
    for line in explained[1].splitlines():
        assert line in ended.stdout
    rows = [line for line in ended.stdout.splitlines() if ",USAGE," in line]
    assert [row.split(",")[-2] for row in rows] == ["52.49", "72.56"]  # 125.05 by 420 : 580.5 GB
    pdf = PdfReader(tmp_path / "globex-2026-01.pdf").pages[0].extract_text()
    assert "$175.05" in pdf
