"""The API's reference for people, served whole from this server."""

import gzip
import re

import httpx
import pytest

from tests.support.live import Live


@pytest.mark.parametrize(
    ("path", "kind"),
    [("/docs", "text/html"), ("/docs/docs.js", "text/javascript"), ("/docs/scalar.js", "text/javascript")],
)
def test_the_page_and_all_it_loads_are_here(live: Live, path: str, kind: str) -> None:
    answer = httpx.get(live.url + path)
    assert (answer.status_code, answer.headers["content-type"]) == (200, f"{kind}; charset=utf-8")
    assert "default-src 'self'" in answer.headers["content-security-policy"]


def test_the_page_names_nothing_that_is_elsewhere(live: Live) -> None:
    page = httpx.get(live.url + "/docs").text
    loaded = re.findall(r'(?:src|href)="([^"]+)"', page)
    assert loaded
    for each in loaded:
        assert httpx.get(live.url + each).status_code == 200


def test_a_browser_that_takes_no_gzip_gets_the_script_as_it_is(live: Live) -> None:
    with httpx.stream("GET", live.url + "/docs/scalar.js", headers={"accept-encoding": "gzip"}) as answer:
        packed = b"".join(answer.iter_raw())
    plain = httpx.get(live.url + "/docs/scalar.js", headers={"accept-encoding": "identity"})
    assert "content-encoding" not in plain.headers
    assert gzip.decompress(packed) == plain.content
