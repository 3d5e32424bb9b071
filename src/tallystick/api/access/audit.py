"""The audit log over the API."""

from collections.abc import Iterator
from datetime import datetime
from typing import Final

from tallystick.api.routes import Call, Permission, QueryParameter, Route, organization_path, paging
from tallystick.kernel.problems import Problem
from tallystick.organizations.audit_read import AuditEntry, AuditQuery, read_audit
from tallystick.platform.resources import Id, Page
from tallystick.platform.resources.filters import instant
from tallystick.platform.resources.wire import InvalidBody, reader

LARGEST_PAGE: Final = 200
READ: Final = Permission("audit:retrieve", "config:audit")


def audit_routes() -> Iterator[Route]:
    """Make the route."""
    yield Route(
        method="GET",
        path=organization_path("audit"),
        permission=READ,
        handler=list_audit,
        operation_id="listAudit",
        tag="Audit",
        summary="List who changed what",
        answer=Page[AuditEntry],
        query=(
            *paging(LARGEST_PAGE),
            QueryParameter("actorId"),
            QueryParameter("entityType"),
            QueryParameter("entityId"),
            QueryParameter("operation"),
            QueryParameter("startTime"),
            QueryParameter("endTime"),
        ),
    )


def list_audit(call: Call) -> Page[AuditEntry]:
    """List entries, newest first, by who, what and when."""
    page = call.page(LARGEST_PAGE)
    wanted = AuditQuery(
        actor_id=_id(call, "actorId"),
        entity_type=call.one("entityType"),
        entity_id=_id(call, "entityId"),
        operation=call.one("operation"),
        starts_at=_instant(call, "startTime"),
        ends_at=_instant(call, "endTime"),
    )
    with call.reading() as tx:
        return read_audit(tx, wanted, page)


def _id(call: Call, name: str) -> str | None:
    given = call.one(name)
    if given is None:
        return None
    problems: list[Problem] = []
    value = reader(Id)(given, name, problems)
    if problems:
        raise InvalidBody(problems)
    return str(value)


def _instant(call: Call, name: str) -> datetime | None:
    given = call.one(name)
    return instant(name, given) if given is not None else None
