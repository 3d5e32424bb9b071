"""The demo, as `make demo` runs it."""

import json
import subprocess
import tempfile
from pathlib import Path

from tests.support.process import COMMAND, environment


def test_the_demo_bills_the_flights_to_the_cent(tmp_path: Path) -> None:
    with tempfile.TemporaryDirectory(prefix="tallystick-test-") as folder:
        ended = subprocess.run(
            [*COMMAND, "demo", "--json"],
            env=environment(tmp_path)
            | {"TMPDIR": folder, "TALLYSTICK_DATABASE_URL": "postgresql://never/used"},
            capture_output=True,
            text=True,
            check=False,
            timeout=300,
        )
        assert ended.returncode == 0, ended.stderr
        assert list(Path(folder).iterdir()) == []  # nothing stays behind
    told = json.loads(ended.stdout)
    (january,) = told["months"]
    assert january["billed"] == january["expected"]
    assert (january["billed"]["flights"], january["billed"]["miles"]) == (20_000, 14_570_172)
    assert "band from 500: 599 x 9.25 = 5540.75 USD" in told["explanation"]["text"]
    assert not list(tmp_path.iterdir())  # the operator's home was left alone
