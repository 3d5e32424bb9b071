"""What docs/webhooks.md shows to receivers is true."""

import re
from collections.abc import Callable
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest

from tallystick.notifications.delivery import WAITS_S
from tallystick.notifications.signing import signed_headers

PAGE = (Path(__file__).parents[3] / "docs" / "webhooks.md").read_text("utf-8")
UNITS = {"s": 1, "min": 60, "h": 3600}


@pytest.fixture(scope="module")
def verify() -> Callable[..., None]:
    code = re.search(r"```python\n(.*?)```", PAGE, re.DOTALL)
    assert code is not None
    names: dict[str, Any] = {}
    exec(code[1], names)  # noqa: S102 - the page's own example
    found: Callable[..., None] = names["verify"]
    return found


@pytest.mark.parametrize("secret", ["whsec_MDEyMzQ1Njc4OWFiY2RlZg==", "any text", "päßword"])
def test_the_example_verifies_what_we_sign(verify: Callable[..., None], secret: str) -> None:
    body = '{"type":"test","data":{"name":"Zoë"}}'.encode()
    headers = signed_headers(secret, "key", "id-1", datetime.now(UTC), body)
    verify(secret, headers, body)
    with pytest.raises(ValueError, match="signature"):
        verify(secret, headers, body + b" ")
    with pytest.raises(ValueError, match="signature"):
        verify("another", headers, body)
    old = signed_headers(secret, "key", "id-1", datetime(2025, 1, 1, tzinfo=UTC), body)
    with pytest.raises(ValueError, match="too old"):
        verify(secret, old, body)


def test_the_page_names_every_header_and_every_wait() -> None:
    headers = signed_headers("secret", "key", "id-1", datetime(2025, 1, 1, tzinfo=UTC), b"{}")
    told = set(headers) - {"Content-Type", "User-Agent"}
    assert {name for name in told if f"| `{name}` |" in PAGE} == told
    row = next(line for line in PAGE.splitlines() if line.startswith("| it is tried again in"))
    waits = re.findall(r"(\d+) (s|min|h)\b", row)
    assert tuple(int(number) * UNITS[unit] for number, unit in waits) == WAITS_S
