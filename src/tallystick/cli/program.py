"""How this program is called here, for the commands that we suggest."""

import os
import shutil
import sys
from pathlib import Path


def program() -> str:
    """Give `tallystick`, or the path to it where the shell would not find it: .venv/bin/tallystick."""
    here = Path(sys.argv[0])
    found = shutil.which("tallystick")
    if here.name != "tallystick" or (found and Path(found).resolve() == here.resolve()):
        return "tallystick"
    beside = os.path.relpath(here)
    return str(here) if beside.startswith("..") else beside
