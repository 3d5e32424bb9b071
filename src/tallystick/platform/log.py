"""Logging: structlog for us and for the libraries, as lines for a person or as JSON, without secrets."""

import logging
import re
import sys
from typing import Any, Literal, TextIO

import structlog
from structlog.typing import EventDict, Processor

from tallystick.platform.settings import MASK, mask_urls

_SECRET_NAMES = re.compile(
    r"passw|secret|authorization|cookie|credential|(^|_)tokens?$|api_?key$|access_?key$", re.IGNORECASE
)
_BEARER = re.compile(r"\b(?P<before>Bearer|Basic)\s+[A-Za-z0-9._~+/=-]{8,}", re.IGNORECASE)
_QUIET = ("sqlalchemy", "alembic", "procrastinate", "httpx", "httpcore", "asyncio")
"Libraries whose everyday words would drown ours: they are heard from WARNING on."


def configure_logging(
    level: Literal["debug", "info", "warning", "error"] = "info",
    style: Literal["console", "json"] = "console",
    stream: TextIO | None = None,
) -> None:
    """Send all logs, ours and the libraries', to `stream` (standard error), in one form."""
    out = stream or sys.stderr
    first: list[Processor] = [
        structlog.stdlib.add_log_level,
        structlog.stdlib.add_logger_name,
        structlog.stdlib.PositionalArgumentsFormatter(),
        structlog.processors.TimeStamper(fmt="iso", utc=True),
        structlog.processors.StackInfoRenderer(),
    ]
    last: list[Processor] = [
        structlog.stdlib.ProcessorFormatter.remove_processors_meta,
        structlog.processors.format_exc_info,  # plain: a traceback with local variables would show secrets
        hide_secrets,
        structlog.processors.JSONRenderer() if style == "json" else _console(out),
    ]
    formatter = structlog.stdlib.ProcessorFormatter(foreign_pre_chain=first, processors=last)
    handler = logging.StreamHandler(out)
    handler.setFormatter(formatter)
    root = logging.getLogger()
    root.handlers = [handler]
    root.setLevel(level.upper())
    for name in _QUIET:
        logging.getLogger(name).setLevel(max(logging.WARNING, root.level))
    structlog.configure(
        processors=[
            structlog.stdlib.filter_by_level,
            *first,
            structlog.stdlib.ProcessorFormatter.wrap_for_formatter,
        ],
        logger_factory=structlog.stdlib.LoggerFactory(),
        wrapper_class=structlog.stdlib.BoundLogger,
        cache_logger_on_first_use=False,
    )


def _console(out: TextIO) -> Processor:
    return structlog.dev.ConsoleRenderer(
        colors=out.isatty(), exception_formatter=structlog.dev.plain_traceback
    )


def hide_secrets(_logger: object, _method: str, event: EventDict) -> EventDict:
    """Mask values named like a secret, passwords inside URLs, and bearer tokens. A structlog processor."""
    for name, value in event.items():
        event[name] = MASK if _SECRET_NAMES.search(name) and value else _clean(value)
    return event


def _clean(value: Any) -> Any:
    if isinstance(value, str):
        return _BEARER.sub(rf"\g<before> {MASK}", mask_urls(value))
    if isinstance(value, dict):
        return {k: MASK if _SECRET_NAMES.search(str(k)) and v else _clean(v) for k, v in value.items()}
    if isinstance(value, list | tuple):
        return [_clean(item) for item in value]
    return value
