"""Who may come in and what they may do: users, groups, policies, sessions, and the record of changes."""

from collections.abc import Iterator

from tallystick.api.access.audit import audit_routes
from tallystick.api.access.invitations import invitation_routes
from tallystick.api.access.organization import organization_routes
from tallystick.api.access.pages import page_routes
from tallystick.api.access.passwords import password_routes
from tallystick.api.access.policies import policy_routes
from tallystick.api.access.resource_groups import resource_group_routes
from tallystick.api.access.service_users import service_user_routes
from tallystick.api.access.sessions import session_routes
from tallystick.api.access.single_sign_on import single_sign_on_routes
from tallystick.api.access.support import support_routes
from tallystick.api.access.users import user_routes
from tallystick.api.routes import Route


def access_routes() -> Iterator[Route]:
    """Make all these routes."""
    yield from organization_routes()
    yield from user_routes()
    yield from invitation_routes()
    yield from password_routes()
    yield from page_routes()
    yield from audit_routes()
    yield from policy_routes()
    yield from resource_group_routes()
    yield from service_user_routes()
    yield from session_routes()
    yield from single_sign_on_routes()
    yield from support_routes()
