"""The cookies of sessions: read from requests, and set on answers."""

from collections.abc import Mapping
from datetime import timedelta
from http.cookies import CookieError, SimpleCookie
from typing import Final

SESSION: Final = "tallystick_session"
SIGN_ON: Final = "tallystick_sign_on"


def cookie_of(headers: Mapping[str, str], name: str) -> str | None:
    """Give the value of a cookie, or None."""
    try:
        cookies: SimpleCookie = SimpleCookie(headers.get("cookie", ""))
    except CookieError:
        return None
    found = cookies.get(name)
    return found.value if found is not None and found.value else None


def set_cookie(name: str, value: str, lifetime: timedelta, *, secure: bool, path: str = "/") -> str:
    """Write a cookie that no script reads and no other site's form sends. secure: only over TLS."""
    age = int(lifetime.total_seconds())
    tail = "; Secure" if secure else ""
    return f"{name}={value}; Path={path}; Max-Age={age}; HttpOnly; SameSite=Lax{tail}"


def drop_cookie(name: str, *, secure: bool, path: str = "/") -> str:
    """Write the cookie that takes one away."""
    return set_cookie(name, "", timedelta(0), secure=secure, path=path)
