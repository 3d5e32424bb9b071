"""The HTTP application: takes a request along its route, and answers it or its error."""

import asyncio
import re
from collections.abc import AsyncIterator, Mapping
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from functools import partial
from http import HTTPStatus
from typing import Any
from urllib.parse import parse_qs, quote, unquote

from litestar import Litestar, Request, Response
from litestar.exceptions import HTTPException, InternalServerException
from litestar.handlers import HTTPRouteHandler
from litestar.response import File, Stream

from tallystick.api.access.cookies import SESSION, cookie_of, set_cookie
from tallystick.api.errors import (
    BodyCutOff,
    BodyTooLarge,
    EncodingNotSupported,
    MethodNotAllowed,
    NoSuchRoute,
    WrongOrganization,
    error_answer,
)
from tallystick.api.idempotency import HEADER, REPLAYED, Replayed, answer_once
from tallystick.api.routes import (
    KNOWN,
    Answered,
    Call,
    FileAnswer,
    PageAnswer,
    Permission,
    Route,
    StreamAnswer,
    all_routes,
    require_item,
)
from tallystick.api.services import Services
from tallystick.kernel.problems import Problem
from tallystick.organizations.errors import Unauthenticated
from tallystick.organizations.permissions import allows, said_of
from tallystick.organizations.principal import Principal, PrincipalKind, require_all
from tallystick.organizations.sessions import IDLE
from tallystick.platform.addresses import client_address
from tallystick.platform.database import NOBODY
from tallystick.platform.ids import new_id
from tallystick.platform.incoming import IncomingFile
from tallystick.platform.resources.wire import InvalidBody, encode, parse, read

WORKER_THREADS = 40
JSON = "application/json"
PRIVATE = {"cache-control": "no-store", "x-content-type-options": "nosniff"}
"An answer is for its caller alone, and a token must be kept by no cache (RFC 6749, 5.1)."
HANGS_UP = {"connection": "close"}
"No other request comes on this connection (RFC 9112, 9.6)."
RENEWED = "renewed_session"
"Where a request keeps the cookie that its answer is to set."
STREAM_CHUNK_BYTES = 1024 * 1024
"So much of a streamed body is collected before a thread writes it."

SLASH = "\ue02f"
"Stands for a slash inside of a path parameter until the route is found."
_ENCODED_SLASH = re.compile(rb"%2f", re.IGNORECASE)

ANYONE = Principal(id=NOBODY, org_id=NOBODY, kind=PrincipalKind.USER, name="anyone", statements=())
AnyRequest = Request[Any, Any, Any]


def make_app(services: Services) -> Litestar:
    """Make the ASGI application of these services."""
    threads = ThreadPoolExecutor(WORKER_THREADS, thread_name_prefix="api")
    return _App(
        route_handlers=[_route_handler(route, services, threads) for route in all_routes()],
        exception_handlers={Exception: _unrouted},
        openapi_config=None,
        logging_config=None,
        request_max_body_size=None,
        on_shutdown=[lambda: threads.shutdown(wait=True)],
    )


class _App(Litestar):
    """Finds routes by the path as it was sent: `%2F` is part of a value, such as an external id."""

    async def __call__(self, scope: Any, receive: Any, send: Any) -> None:
        raw = scope.get("raw_path") or b""
        if _ENCODED_SLASH.search(raw):
            scope["path"] = unquote(_ENCODED_SLASH.sub(quote(SLASH).encode(), raw).decode("latin-1"))
        await super().__call__(scope, receive, send)


def _route_handler(route: Route, services: Services, threads: ThreadPoolExecutor) -> HTTPRouteHandler:
    """Make the handler of a route: the body is read here, everything else happens in a thread."""

    async def handle(request: AnyRequest) -> Response[Any]:
        request_id = new_id()
        is_read = route.request is None
        try:
            if services.rate_limits is not None and route.limit is not None:
                services.rate_limits.of_address(route.limit, _address(request, services))
            takes_body = route.request is not None and not route.streams
            raw = await _body(request, route.body_limit) if takes_body else b""
            is_read = is_read or takes_body
            loop = asyncio.get_running_loop()
            content = await loop.run_in_executor(threads, _answer, route, services, request, raw)
            if route.streams:
                content = await _stream(request, route.body_limit, content, threads)
        except Exception as error:  # noqa: BLE001 - the one place where any error becomes an answer
            status, told, headers = error_answer(error, request_id)
            # The server hangs up on a body that was not read to its end: say so, or the next request is lost.
            return _response(status, told, headers if is_read else {**headers, **HANGS_UP}, request_id)
        return _sent(content, request, services, request_id)

    path = route.path.replace("}", ":str}")
    make = HTTPRouteHandler(
        path, http_method=[route.method], status_code=HTTPStatus.OK, name=route.operation_id
    )
    return make(handle)


def _sent(content: Any, request: AnyRequest, services: Services, request_id: str) -> Response[Any]:
    """Send what a verb answered, in the way of its kind."""
    if isinstance(content, FileAnswer):
        return File(content.path, media_type=content.media_type, filename=content.name)
    if isinstance(content, StreamAnswer):
        named = {"content-disposition": f'attachment; filename="{content.name}"'}
        return Stream(content.pieces, media_type=content.media_type, headers=named)
    if isinstance(content, PageAnswer):
        return Response(content.content, media_type=content.media_type, headers=dict(content.headers))
    if isinstance(content, Answered):
        headers = {**_cookies(request, services), **content.headers}
        return _response(content.status, content.content, headers, request_id)
    replayed = REPLAYED if type(content) is Replayed else {}
    return _response(HTTPStatus.OK, content, {**_cookies(request, services), **replayed}, request_id)


def _response(status: int, content: bytes, headers: dict[str, str], request_id: str) -> Response[bytes]:
    sent = {**PRIVATE, **headers, "x-request-id": request_id}
    return Response(content, status_code=status, media_type=JSON, headers=sent)


def _answer(route: Route, services: Services, request: AnyRequest, raw: bytes) -> Any:
    """Authenticate, check the permission, decode, run the verb, encode if it is not sent as it is."""
    path = {name: value.replace(SLASH, "/") for name, value in request.path_params.items()}
    principal = ANYONE
    if route.permission is not None:
        principal = _principal(request, services, path)
        if services.rate_limits is not None and route.limit is not None:
            services.rate_limits.of_organization(route.limit, principal.org_id)
        if route.permission is not KNOWN:
            _require(services, principal, route.permission, path)
    decodes = route.request is not None and not route.reads_raw and not route.streams
    body = read(parse(raw), route.request) if decodes else None
    query = request.scope["query_string"]
    _refuse_nul(path, query)
    call = Call(
        services=services,
        principal=principal,
        path=path,
        query=parse_qs(query.decode("latin-1"), keep_blank_values=True) if query else {},
        body=body,
        raw=raw,
        address=_address(request, services),
        headers=request.headers,
    )
    if route.takes_keys and HEADER in request.headers:
        where = (request.scope["path"].encode(), query, raw)
        return answer_once(route, call, *where, carry_out=partial(_carry_out, route))
    return _carry_out(route, call)


def _refuse_nul(path: Mapping[str, str], query: bytes) -> None:
    """Refuse what no text of the database can be, before it is compared with one. Raises InvalidBody."""
    faults = [name for name, value in path.items() if "\x00" in value]
    faults += ["query"] if b"%00" in query else []
    if faults:
        message = "must not contain the NUL character"
        raise InvalidBody([Problem(name, "wrong_format", message) for name in faults])


def _require(
    services: Services, principal: Principal, permission: Permission, path: Mapping[str, str]
) -> None:
    """Let the caller pass if they may. Raises PermissionDenied."""
    if permission.whole:
        require_all(principal, permission.action, f"{permission.on}/*")
        return
    if permission.instead and _may_instead(principal, permission):
        return
    require_item(services, principal, permission, path.get(permission.item))


def _may_instead(principal: Principal, permission: Permission) -> bool:
    """Tell whether nothing is said of a permission, and all that stands for it is allowed."""
    said = said_of(principal.statements, permission.action, permission.resource(None))
    others = ((each.action, each.resource(None)) for each in permission.instead)
    return said is None and all(allows(principal.statements, *each) for each in others)


def _carry_out(route: Route, call: Call) -> Any:
    """Run the verb, and encode its answer if it is not sent as it is."""
    result = route.handler(call)
    if isinstance(result, Answered):
        return replace(result, content=encode(result.content))
    return (
        result
        if route.streams or isinstance(result, bytes | FileAnswer | PageAnswer | StreamAnswer)
        else encode(result)
    )


def _address(request: AnyRequest, services: Services) -> str:
    """Give where the request comes from, as the connection or a proxy of ours has it."""
    peer = request.client.host if request.client else ""
    if not services.proxies:
        return peer
    return client_address(peer, ",".join(request.headers.getall("x-forwarded-for", [])), services.proxies)


def _principal(request: AnyRequest, services: Services, path: Mapping[str, str]) -> Principal:
    """Give the caller that the token or the session names. Raises Unauthenticated, WrongOrganization."""
    authorization = request.headers.get("authorization", "")
    cookie = None if authorization else cookie_of(request.headers, SESSION)
    if cookie is not None:
        return _in(services, _of_session(request, services, cookie), path)
    scheme, _, token = authorization.partition(" ")
    if scheme.lower() != "bearer" or not token:
        raise Unauthenticated("Send `Authorization: Bearer …` with a token from POST /oauth/token.")
    return _in(services, services.tokens.authenticate(token.strip()), path)


def _of_session(request: AnyRequest, services: Services, cookie: str) -> Principal:
    """Give whose session a cookie is. Raises Unauthenticated, CsrfTokenWrong."""
    session = services.sessions.find(cookie)
    if request.method not in {"GET", "HEAD"}:
        services.sessions.check_csrf(session, request.headers.get("x-csrf-token", ""))
    if session.renewed is not None:
        request.state[RENEWED] = session.renewed
    return session.principal


def _cookies(request: AnyRequest, services: Services) -> dict[str, str]:
    """Give the header that turns the session's cookie over, when it is time."""
    renewed = request.state.get(RENEWED)
    if renewed is None:
        return {}
    secure = services.always_secure or request.headers.get("x-forwarded-proto", "") == "https"
    return {"set-cookie": set_cookie(SESSION, str(renewed), IDLE, secure=secure)}


def _in(services: Services, principal: Principal, path: Mapping[str, str]) -> Principal:
    """Give what a caller is in the organization of the path. Raises WrongOrganization."""
    org_id = path.get("orgId", "")
    if org_id != principal.org_id:
        supporting = services.tokens.as_support(principal, org_id)
        if supporting is not None:
            return supporting
        raise WrongOrganization("This token belongs to another organization than the one in the path.")
    return principal


async def _body(request: AnyRequest, limit: int) -> bytes:
    """Read the body, never more than the limit of its route. Raises what `_chunks` does."""
    return b"".join([chunk async for chunk in _chunks(request, limit)])


async def _stream(request: AnyRequest, limit: int, file: IncomingFile, threads: ThreadPoolExecutor) -> bytes:
    """Hand the body to a file as it comes, and encode its answer. Raises what `_chunks` does."""
    loop = asyncio.get_running_loop()
    waiting = bytearray()
    try:
        async for chunk in _chunks(request, limit):
            waiting += chunk
            if len(waiting) >= STREAM_CHUNK_BYTES:
                await loop.run_in_executor(threads, file.write, bytes(waiting))
                waiting.clear()
        await loop.run_in_executor(threads, file.write, bytes(waiting))
        return encode(await loop.run_in_executor(threads, file.finish))
    except BaseException:
        await loop.run_in_executor(threads, file.abandon)
        raise


async def _chunks(request: AnyRequest, limit: int) -> AsyncIterator[bytes]:
    """Give the body in the parts that come, never more than the limit.

    Raises EncodingNotSupported, BodyTooLarge, BodyCutOff.
    """
    encoding = request.headers.get("content-encoding", "").strip()
    if encoding.lower() not in {"", "identity"}:
        raise EncodingNotSupported(f"Send the body as it is: Content-Encoding {encoding[:60]} is not undone.")
    message = f"The body may have at most {limit:,} bytes."
    length = request.headers.get("content-length", "")
    if length.isdigit() and int(length) > limit:
        raise BodyTooLarge(message)
    size = 0
    try:
        async for chunk in request.stream():
            size += len(chunk)
            if size > limit:
                raise BodyTooLarge(message)
            yield chunk
    except InternalServerException as error:  # as the framework tells it
        raise BodyCutOff("The connection ended before the body did.") from error


def _unrouted(request: AnyRequest, error: Exception) -> Response[bytes]:
    """Answer what no route took: unknown paths and methods, in the one shape of errors."""
    refusal: Exception = error
    if isinstance(error, HTTPException):
        refusal = _refusal(request, error)
    request_id = new_id()
    return _response(*error_answer(refusal, request_id), request_id)


def _refusal(request: AnyRequest, error: HTTPException) -> Exception:
    where = f"{request.method} {request.url.path[:200]}"
    if error.status_code == HTTPStatus.NOT_FOUND:
        return NoSuchRoute(f"There is no {where}. /openapi.json lists what there is.")
    if error.status_code == HTTPStatus.METHOD_NOT_ALLOWED:
        return MethodNotAllowed(f"There is no {where}; this path takes other methods.")
    return error
