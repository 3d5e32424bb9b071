"""What a route is. The server, the OpenAPI document and the permission tests all read this one table."""

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from contextlib import AbstractContextManager, contextmanager
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any, Literal

from sqlalchemy import ColumnElement, Table

from tallystick.api.rate_limits import Kind as RateKind
from tallystick.api.services import Services
from tallystick.kernel.problems import Problem
from tallystick.organizations.narrowing import narrowed
from tallystick.organizations.principal import Principal, require
from tallystick.platform.resources import Filter, PageRequest, Transaction
from tallystick.platform.resources.pages import page_request
from tallystick.platform.resources.wire import InvalidBody

Method = Literal["GET", "POST", "PUT", "DELETE"]
Handler = Callable[["Call"], Any]
BODY_LIMIT_BYTES = 4_000_000


@dataclass(frozen=True)
class Permission:
    """What the caller has to be allowed: an action on a type of thing, `config:create` on `config:meter`."""

    action: str
    on: str
    item: str = "id"
    "The path parameter that holds the id of the thing."
    whole: bool = False
    "Many things are changed or answered at once: who may not do it to a single one may not do this."
    instead: tuple["Permission", ...] = ()
    "Who may do all of these may do this as well, where it is not denied."

    def resource(self, item_id: str | None) -> str:
        """Name the thing itself, or all of its type, as permission statements do (semantics §2)."""
        return f"{self.on}/item/{item_id or '*'}"


KNOWN = Permission("known", "caller")
"Whoever has a valid token may: it is about the caller alone."


@dataclass(frozen=True)
class QueryParameter:
    """A query parameter, for OpenAPI; the handler reads it from the call."""

    name: str
    kind: Any = str
    limits: Mapping[str, Any] = field(default_factory=dict)


def filter_parameters(filters: Iterable[Filter]) -> tuple[QueryParameter, ...]:
    """Describe the filters of a list."""
    return tuple(QueryParameter(each.name, each.kind) for each in filters)


def paging(largest: int) -> tuple[QueryParameter, ...]:
    """Describe the parameters that every list takes."""
    size = QueryParameter("pageSize", int, {"minimum": 1, "maximum": largest})
    return size, QueryParameter("nextToken", str)


def require_item(
    services: Services, principal: Principal, permission: Permission, item_id: str | None
) -> None:
    """Let somebody pass who may do it to a thing; None is all of its type. Raises PermissionDenied."""
    type_name = permission.on.partition(":")[2]
    require(
        principal,
        permission.action,
        permission.resource(item_id),
        lambda: services.tokens.groups_around(principal.org_id, type_name, item_id or ""),
    )


SIGNED = (QueryParameter("expires"), QueryParameter("signature"))
"What a signed link carries."


@dataclass(frozen=True)
class Call:
    """One authenticated request, ready for its handler."""

    services: Services
    principal: Principal
    path: Mapping[str, str]
    query: Mapping[str, list[str]]
    body: Any
    raw: bytes
    address: str
    headers: Mapping[str, str]

    @property
    def org_id(self) -> str:
        """The organization of the path, which is the caller's own."""
        return self.principal.org_id

    def one(self, name: str) -> str | None:
        """Give a query parameter's value, or None."""
        values = self.query.get(name)
        return values[0] if values and values[0] else None

    def page(self, largest: int) -> PageRequest:
        """Give the page of a list that is asked for. largest: its most entries. Raises InvalidBody."""
        return page_request(self.one("pageSize"), self.one("nextToken"), largest)

    def clauses(self, filters: Iterable[Filter], table: Table) -> list[ColumnElement[bool]]:
        """Give the conditions on rows that the query parameters of a list make. Raises InvalidBody."""
        now = self.now()
        return [clause for each in filters for clause in each.clauses(table, self.query, now)]

    @contextmanager
    def reading(self) -> Iterator[Transaction]:
        """Open a transaction that only reads, in the caller's organization; lists have what they may see."""
        with self.services.database.reading(self.org_id) as tx:
            yield narrowed(tx, self.principal)

    def require(self, permission: Permission, item_id: str) -> None:
        """Ask for another permission than the route's, on a thing. Raises PermissionDenied."""
        require_item(self.services, self.principal, permission, item_id)

    def now(self) -> datetime:
        """Give the organization's present instant: by its test clock if it has one."""
        return self.services.database.now(self.org_id)

    def writing(self) -> AbstractContextManager[Transaction]:
        """Open a transaction in the caller's organization and name."""
        return self.services.database.transaction(self.org_id, self.principal.id)

    @property
    def is_secure(self) -> bool:
        """Tell whether the caller came over TLS, as a proxy in front or the operator says."""
        return self.services.always_secure or self.headers.get("x-forwarded-proto", "") == "https"

    def link(self, path: str, lifetime: timedelta) -> str:
        """Give the whole address of a path on this server, as the caller reached it, signed for a time."""
        scheme, host = self.headers.get("x-forwarded-proto", "http"), self.headers.get("host", "localhost")
        return f"{scheme}://{host}{self.services.signed_urls.sign(path, lifetime)}"

    def check_link(self, path: str) -> None:
        """Let a signed link pass. path: the route's. Raises BadSignature, LinkExpired."""
        signed = path.format(**self.path)
        self.services.signed_urls.check(signed, self.one("expires"), self.one("signature"))

    def flag(self, name: str) -> bool:
        """Give a true/false query parameter; absent is false. Raises InvalidBody."""
        given = (self.one(name) or "false").lower()
        if given not in {"true", "false"}:
            raise InvalidBody([Problem(name, "wrong_type", "must be true or false")])
        return given == "true"


@dataclass(frozen=True)
class FileAnswer:
    """An answer that is a file; it is sent in parts. name: what a browser saves it as."""

    path: Path
    media_type: str
    name: str


@dataclass(frozen=True)
class StreamAnswer:
    """An answer that is sent while it is made. name: what a browser saves it as."""

    pieces: Iterator[bytes]
    media_type: str
    name: str


@dataclass(frozen=True)
class PageAnswer:
    """An answer that a browser shows, or loads for a page."""

    content: bytes
    media_type: str
    headers: Mapping[str, str] = field(default_factory=dict)


@dataclass(frozen=True)
class Answered:
    """An answer with headers of its own, such as a cookie; status: 302 sends a browser on."""

    content: Any
    headers: Mapping[str, str]
    status: int = 200


@dataclass(frozen=True)
class Route:
    """One operation. `permission` None means anyone may call it, and then it takes care of itself.

    path: as in OpenAPI, `{id}` is the entity that the permission is asked for.
    request: the body's type; None takes no body. answer: the type of the answer, for OpenAPI.
    body_limit: bytes; a larger body is refused before it is read.
    """

    method: Method
    path: str
    permission: Permission | None
    handler: Handler
    operation_id: str
    tag: str
    summary: str
    request: Any = None
    answer: Any = None
    query: Sequence[QueryParameter] = ()
    body_limit: int = BODY_LIMIT_BYTES
    reads_raw: bool = False
    "The handler reads `raw` itself; `request` then only describes the body."
    media_types: Sequence[str] = ("application/json",)
    repeatable: bool = False
    "Sending it again does no harm, or is known by other means: idempotency keys are not looked at."
    limit: RateKind | None = "config"
    "What its requests are counted as where rates are limited; None is not at all."
    streams: bool = False
    "The handler is called before the body is read, and gives the IncomingFile that takes it as it comes."

    @property
    def takes_keys(self) -> bool:
        """Tell whether an `Idempotency-Key` keeps it from being carried out twice."""
        return self.method == "POST" and self.permission is not None and not self.repeatable


def organization_path(path: str) -> str:
    """Give the full path of something that belongs to an organization."""
    return f"/organizations/{{orgId}}/{path}"


def verb_route(
    method: Method,
    path: str,
    permission: Permission,
    handler: Handler,
    operation_id: str,
    tag: str,
    **more: Any,
) -> Route:
    """Make the route of a verb of an organization; what it does is the first sentence of its handler."""
    summary = (handler.__doc__ or "").split("\n", 1)[0].split(". ")[0].rstrip(".")
    return Route(method, organization_path(path), permission, handler, operation_id, tag, summary, **more)


def all_routes() -> tuple[Route, ...]:
    """Give every route of the API."""
    from tallystick.api.table import ROUTES  # noqa: PLC0415 - the table imports what routes are made of

    return ROUTES
