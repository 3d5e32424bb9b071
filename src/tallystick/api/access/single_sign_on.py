"""Single sign-on over HTTP: a browser goes to the issuer, and comes back with a session."""

from collections.abc import Iterator

from tallystick.api.access.cookies import SESSION, SIGN_ON, cookie_of, set_cookie
from tallystick.api.routes import Answered, Call, Permission, QueryParameter, Route, organization_path
from tallystick.organizations.oidc import AWAY_FOR
from tallystick.organizations.sessions import IDLE
from tallystick.organizations.signing_on import set_single_sign_on
from tallystick.organizations.single_sign_on import SingleSignOn, SingleSignOnRequest
from tallystick.platform.resources import resource_of
from tallystick.platform.resources.transaction import ResourceNotFound

_SETTINGS = resource_of(SingleSignOn)
BACK = "/sso/callback"
FOUND = 302


def single_sign_on_routes() -> Iterator[Route]:
    """Make the routes."""
    yield Route(
        method="GET",
        path="/sso/start",
        permission=None,
        handler=start,
        operation_id="startSingleSignOn",
        tag="Auth",
        summary="Go to the issuer to sign on",
        query=(QueryParameter("orgId"), QueryParameter("returnTo")),
    )
    yield Route(
        method="GET",
        path=BACK,
        permission=None,
        handler=callback,
        operation_id="endSingleSignOn",
        tag="Auth",
        summary="Come back from the issuer",
        query=(QueryParameter("code"), QueryParameter("state")),
    )
    path, tag = organization_path(_SETTINGS.path), "SingleSignOn"
    yield Route(
        "PUT",
        path,
        Permission("config:update", _SETTINGS.permission_object),
        put_settings,
        "updateSingleSignOn",
        tag,
        "Name the issuer of an organization",
        request=SingleSignOnRequest,
        answer=SingleSignOn,
    )
    yield Route(
        "DELETE",
        path,
        Permission("config:delete", _SETTINGS.permission_object),
        delete_settings,
        "deleteSingleSignOn",
        tag,
        "Have no issuer any more",
        answer=SingleSignOn,
    )


def start(call: Call) -> Answered:
    """Send the browser to the issuer. Raises SignOnRefused, FetchFailed."""
    services = call.services
    url, cookie = services.sign_ons.begin(
        call.one("orgId"), f"{services.base_url}{BACK}", call.one("returnTo") or "/"
    )
    kept = set_cookie(SIGN_ON, cookie, AWAY_FOR, secure=call.is_secure, path="/sso")
    return Answered({}, {"location": url, "set-cookie": kept, "cache-control": "no-store"}, FOUND)


def callback(call: Call) -> Answered:
    """Open a session for whoever the issuer vouches for. Raises SignOnRefused, FetchFailed."""
    services = call.services
    user_id, return_to = services.sign_ons.end(
        cookie_of(call.headers, SIGN_ON), call.one("state"), call.one("code")
    )
    agent = call.headers.get("user-agent", "")
    session = services.sessions.open(user_id, call.address, agent, how="single sign-on")
    cookie = set_cookie(SESSION, session.token, IDLE, secure=call.is_secure)
    return Answered({}, {"location": return_to, "set-cookie": cookie, "cache-control": "no-store"}, FOUND)


def put_settings(call: Call) -> SingleSignOn:
    """Name the issuer; its client's secret is sealed and never answered."""
    with call.writing() as tx:
        return set_single_sign_on(tx, call.principal, call.services.sign_ons.sealer, call.body)


def delete_settings(call: Call) -> SingleSignOn:
    """Forget the issuer. Raises ResourceNotFound."""
    with call.writing() as tx:
        found = tx.find_one(SingleSignOn, lock=True)
        if found is None:
            raise ResourceNotFound("This organization has no single sign-on of its own.")
        return tx.delete(SingleSignOn, found.id)
