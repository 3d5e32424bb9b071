"""The API's reference for people, at /docs: the OpenAPI document, shown by Scalar, all from this server."""

import gzip
from collections.abc import Iterator
from functools import cache
from importlib.resources import files
from typing import Final

from tallystick.api.routes import Call, PageAnswer, Route

SCALAR: Final = "scalar-1.72.1.js.gz"
HTML, SCRIPT = "text/html", "text/javascript"
ONLY_HERE: Final = {
    "content-security-policy": (
        "default-src 'self'; style-src 'self' 'unsafe-inline'; img-src 'self' data: blob:;"
        " font-src 'self' data:; object-src 'none'; base-uri 'none'; frame-ancestors 'none'"
    ),
    "x-content-type-options": "nosniff",
}
"The browser loads nothing from anywhere else, whatever the vendored script would like."


def docs_routes() -> Iterator[Route]:
    """Make the routes: anyone may read what the API is like."""
    for path, handler, name, what in (
        ("/docs", page, "getDocs", "Show this API to people"),
        ("/docs/docs.js", start, "getDocsScript", "Give the script that starts the page"),
        ("/docs/scalar.js", scalar, "getScalar", "Give the script that shows the document"),
    ):
        yield Route("GET", path, None, handler, name, "Server", what, limit=None)


def page(_call: Call) -> PageAnswer:
    """Answer the page."""
    return PageAnswer(_file("docs.html"), HTML, ONLY_HERE)


def start(_call: Call) -> PageAnswer:
    """Answer the script that starts it."""
    return PageAnswer(_file("docs.js"), SCRIPT, ONLY_HERE)


def scalar(call: Call) -> PageAnswer:
    """Answer Scalar, compressed unless the browser cannot take that."""
    kept = {"cache-control": "public, max-age=86400", "vary": "accept-encoding", **ONLY_HERE}
    if "gzip" in call.headers.get("accept-encoding", ""):
        return PageAnswer(_file(SCALAR), SCRIPT, {"content-encoding": "gzip", **kept})
    return PageAnswer(gzip.decompress(_file(SCALAR)), SCRIPT, kept)


@cache
def _file(name: str) -> bytes:
    return (files("tallystick.api") / "static" / name).read_bytes()
