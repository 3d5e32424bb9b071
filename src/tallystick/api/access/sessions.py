"""Sessions for the console: log in, who am I, log out. The cookie opens the API too, with a CSRF token."""

from collections.abc import Iterator
from datetime import datetime
from typing import Any

import msgspec

from tallystick.api.access.cookies import SESSION, cookie_of, drop_cookie, set_cookie
from tallystick.api.oauth import LogInRequest, person_of
from tallystick.api.routes import Answered, Call, Permission, Route, organization_path
from tallystick.organizations.errors import CrossSite, Unauthenticated
from tallystick.organizations.sessions import IDLE, Opened, Session, end_all
from tallystick.organizations.user import User
from tallystick.platform.resources import resource_of

OWN_SITES = {"", "same-origin", "none"}
SMALL_BODY_BYTES = 10_000


class SessionAnswer(msgspec.Struct, kw_only=True, rename="camel"):
    """Who is logged in, until when, and what changes have to carry as X-CSRF-Token."""

    user_id: str
    org_id: str
    email: str
    csrf_token: str
    expires_at: datetime


def session_routes() -> Iterator[Route]:
    """Make the routes."""
    more: dict[str, Any] = {"permission": None, "path": "/session", "tag": "Auth"}
    yield Route(
        method="POST",
        handler=open_session,
        operation_id="openSession",
        summary="Log in with a cookie",
        request=LogInRequest,
        answer=SessionAnswer,
        body_limit=SMALL_BODY_BYTES,
        **more,
    )
    yield Route(
        method="GET",
        handler=get_session,
        operation_id="getSession",
        summary="Tell who is logged in",
        answer=SessionAnswer,
        **more,
    )
    yield Route(method="DELETE", handler=end_session, operation_id="endSession", summary="Log out", **more)
    yield Route(
        "DELETE",
        organization_path("users/{id}/sessions"),
        Permission("config:update", resource_of(User).permission_object),
        end_sessions,
        "endUserSessions",
        "User",
        "Log a user out everywhere",
        answer=User,
    )


def open_session(call: Call) -> Answered:
    """Check a person's password and set the session's cookie. Raises WrongCredentials, TooManyAttempts."""
    if call.headers.get("sec-fetch-site", "") not in OWN_SITES:
        raise CrossSite("Log in from this server's own pages.")  # or it could be as somebody else
    person = person_of(call)
    agent = call.headers.get("user-agent", "")
    return opened(call, call.services.sessions.open(person.id, call.address, agent, how="password"))


def opened(call: Call, session: Opened) -> Answered:
    """Answer a session that was just opened, with its cookie."""
    return _answered(call, session, session.token)


def get_session(call: Call) -> Answered:
    """Answer whose session the cookie is. Raises Unauthenticated."""
    session = _session(call)
    return _answered(call, session, session.renewed)


def _answered(call: Call, session: Opened | Session, cookie: str | None) -> Answered:
    """Tell whose session it is. cookie: what the browser is to keep from now on; None leaves it."""
    who = session.principal
    answer = SessionAnswer(
        user_id=who.id,
        org_id=who.org_id,
        email=who.name,
        csrf_token=session.csrf_token,
        expires_at=session.expires_at,
    )
    kept = {"set-cookie": set_cookie(SESSION, cookie, IDLE, secure=call.is_secure)} if cookie else {}
    return Answered(answer, kept)


def end_session(call: Call) -> Answered:
    """End the session of the cookie. Raises Unauthenticated, CsrfTokenWrong."""
    session = _session(call)
    call.services.sessions.check_csrf(session, call.headers.get("x-csrf-token", ""))
    call.services.sessions.end(session.renewed or cookie_of(call.headers, SESSION) or "")
    return Answered({}, {"set-cookie": drop_cookie(SESSION, secure=call.is_secure)})


def end_sessions(call: Call) -> User:
    """Log a user out everywhere."""
    with call.writing() as tx:
        return end_all(tx, call.path["id"], call.services.clock.now())


def _session(call: Call) -> Session:
    token = cookie_of(call.headers, SESSION)
    if token is None:
        raise Unauthenticated("Nobody is logged in. Log in with POST /session.")
    return call.services.sessions.find(token)
