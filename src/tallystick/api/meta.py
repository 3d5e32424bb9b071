"""What the server says of itself: its health and its own description."""

from collections.abc import Iterator

import msgspec
from sqlalchemy import text

from tallystick import __version__
from tallystick.api.routes import Call, Route
from tallystick.platform.database import NOBODY


class Health(msgspec.Struct):
    """A server that can serve."""

    status: str
    version: str


def meta_routes() -> Iterator[Route]:
    """Make the routes that anyone may take."""
    able = "Tell whether it can serve"
    yield Route("GET", "/health", None, health, "getHealth", "Server", able, answer=Health, limit=None)
    yield Route("GET", "/openapi.json", None, openapi, "getOpenApi", "Server", "Describe this API")


def health(call: Call) -> Health:
    """Tell whether the server can serve: whether its database answers."""
    with call.services.database.reading(NOBODY) as tx:
        tx.execute(text("SELECT 1"))
    return Health("ok", __version__)


def openapi(_call: Call) -> bytes:
    """Answer the OpenAPI document."""
    from tallystick.api.openapi import document  # noqa: PLC0415 - it is made from the table that names this

    return msgspec.json.encode(document())
