"""Support access: what the operator's support users may do here, until it ends by itself."""

from collections.abc import Iterator

from tallystick.api.routes import Call, Permission, Route, organization_path
from tallystick.organizations.granting import set_support_access
from tallystick.organizations.support import Support, SupportRequest
from tallystick.platform.resources import resource_of

_SUPPORT = resource_of(Support)


def support_routes() -> Iterator[Route]:
    """Make the route that grants; reading is declared."""
    yield Route(
        method="PUT",
        path=organization_path(_SUPPORT.path),
        permission=Permission("config:update", _SUPPORT.permission_object),
        handler=put_support,
        operation_id="updateSupport",
        tag="Support",
        summary="Let support users in for a time",
        request=SupportRequest,
        answer=Support,
    )


def put_support(call: Call) -> Support:
    """Grant or change support access; an end that has passed ends it now."""
    with call.writing() as tx:
        return set_support_access(tx, call.principal, call.body)
