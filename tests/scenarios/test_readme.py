"""The README's first bill by hand is run as it stands."""

import json
import re
import subprocess
from decimal import Decimal
from pathlib import Path
from typing import Any

from tests.support.world import World

README = Path(__file__).parents[2] / "README.md"


def test_the_first_bill_by_hand_comes_out_as_the_readme_says(world: World) -> None:
    world.at("2026-02-02")
    block = re.search(
        r"<!-- A test runs this block as it stands\. -->\n```sh\n(.*?)```", README.read_text(), re.DOTALL
    )
    assert block is not None
    given = {"URL": world.url, "ORG": world.org_id, "KEY": world.key, "SECRET": world.secret}
    settings = "\n".join(f"{name}={value}" for name, value in given.items())
    ended = subprocess.run(
        ["/bin/sh", "-e"], input=f"{settings}\n{block[1]}", capture_output=True, text=True, check=True
    )
    bill = documents(ended.stdout)[-1]
    assert sum(line["convertedSubtotal"] for line in bill["lineItems"]) == Decimal("175.05")


def documents(text: str) -> list[Any]:
    """Read JSON documents that stand one after the other."""
    decoder = json.JSONDecoder(parse_float=Decimal)
    found = []
    while text:
        document, end = decoder.raw_decode(text)
        found.append(document)
        text = text[end:].lstrip()
    return found
