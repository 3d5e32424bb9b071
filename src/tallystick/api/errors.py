"""Errors as answers: one table from kind to status, one shape for all of them."""

from http import HTTPStatus

import msgspec
import structlog

from tallystick.kernel.errors import (
    Conflict,
    Forbidden,
    Invalid,
    NotFound,
    TallystickError,
    TooLarge,
    TooMany,
    Unavailable,
)
from tallystick.kernel.problems import Problem
from tallystick.platform.resources.wire import encode

STATUSES: dict[type[TallystickError], HTTPStatus] = {
    Invalid: HTTPStatus.BAD_REQUEST,
    Forbidden: HTTPStatus.FORBIDDEN,
    TooLarge: HTTPStatus.FORBIDDEN,
    NotFound: HTTPStatus.NOT_FOUND,
    Conflict: HTTPStatus.CONFLICT,
    TooMany: HTTPStatus.TOO_MANY_REQUESTS,
    Unavailable: HTTPStatus.SERVICE_UNAVAILABLE,
}
"The statuses that the original API documents, and 409 for a stale version (decision 0004)."

_log = structlog.get_logger(__name__)


class BodyTooLarge(TooLarge):
    """The body is over the limit of its operation."""

    code = "body_too_large"


class NoSuchRoute(NotFound):
    """No operation has this path."""

    code = "no_such_route"


class MethodNotAllowed(Invalid):
    """The path exists, but not with this method."""

    code = "method_not_allowed"


class EncodingNotSupported(Invalid):
    """The body is packed in a way that is not undone here."""

    code = "encoding_not_supported"


class BodyCutOff(Invalid):
    """The connection ended before the body did; nobody is left to read this."""

    code = "body_cut_off"


class WrongOrganization(Forbidden):
    """The path names an organization that is not the caller's."""

    code = "wrong_organization"


class ErrorAnswer(msgspec.Struct, rename="camel"):
    """The one shape of every error."""

    code: str
    message: str
    request_id: str
    errors: list[Problem] = []


def status_of(error: BaseException) -> int:
    """Give the status of an error: by its kind, 500 for a bug."""
    if isinstance(error, MethodNotAllowed):
        return HTTPStatus.METHOD_NOT_ALLOWED
    if isinstance(error, EncodingNotSupported):
        return HTTPStatus.UNSUPPORTED_MEDIA_TYPE
    return next((status for kind, status in STATUSES.items() if isinstance(error, kind)), HTTPStatus(500))


def error_answer(error: BaseException, request_id: str) -> tuple[int, bytes, dict[str, str]]:
    """Turn an error into status, body and headers. A bug is logged whole and told in one sentence."""
    status = status_of(error)
    if not isinstance(error, TallystickError):
        _log.error("request failed", request_id=request_id, exc_info=error)
        message = "Something went wrong on our side. Quote the requestId to whoever runs this server."
        return status, encode(ErrorAnswer("internal_error", message, request_id)), {}
    if status >= HTTPStatus.INTERNAL_SERVER_ERROR:
        _log.warning("request not served", request_id=request_id, code=error.code, exc_info=error)
    answer = ErrorAnswer(error.code, error.message, request_id, list(error.problems))
    retry_after_s = error.facts.get("retry_after_s")
    headers = {"retry-after": str(retry_after_s)} if retry_after_s is not None else {}
    return status, encode(answer), headers
