"""Parts that other packages bring: Python entry points."""

from collections.abc import Iterator
from importlib.metadata import entry_points
from typing import Any

import structlog

_log = structlog.get_logger(__name__)


def load_plugins(group: str) -> Iterator[Any]:
    """Make what the installed packages offer in a group: each entry point is called without arguments.

    One that cannot be made is logged and left out: it is other people's code, and the server starts anyway.
    """
    for point in entry_points(group=group):
        try:
            made = point.load()()
        except Exception:  # noqa: BLE001 - whatever other people's code does, the server starts
            _log.exception("plugin_not_loaded", group=group, entry_point=point.name, value=point.value)
            continue
        _log.info("plugin_loaded", group=group, entry_point=point.name, value=point.value)
        yield made
