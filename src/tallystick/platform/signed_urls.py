"""Links that carry their own permission: a path, until when it may be opened, and a proof of both."""

import hashlib
import hmac
from datetime import timedelta

from tallystick.kernel.clock import Clock
from tallystick.kernel.errors import Forbidden


class BadSignature(Forbidden):
    """A link was changed, or was never made here."""

    code = "bad_signature"


class LinkExpired(Forbidden):
    """A link is too old."""

    code = "link_expired"


class SignedUrls:
    """Signs paths and checks them; stores nothing. secret: the same on all servers of an installation."""

    def __init__(self, secret: bytes, clock: Clock) -> None:
        self._key = hmac.digest(secret, b"tallystick signed urls", hashlib.sha256)
        self._clock = clock

    def sign(self, path: str, lifetime: timedelta) -> str:
        """Give the path with a query that opens it for `lifetime`. path: without a query of its own."""
        expires = str(int((self._clock.now() + lifetime).timestamp()))
        return f"{path}?expires={expires}&signature={self._signature(path, expires)}"

    def check(self, path: str, expires: str | None, signature: str | None) -> None:
        """Let a signed path pass. Raises BadSignature, LinkExpired."""
        expected = self._signature(path, expires or "")
        if not hmac.compare_digest(expected.encode(), (signature or "").encode()):
            raise BadSignature(
                "This link is not one that was made here, or it was changed. Ask for a new one."
            )
        if int(expires or "0") <= self._clock.now().timestamp():
            raise LinkExpired("This link has expired. Ask for a new one.")

    def _signature(self, path: str, expires: str) -> str:
        return hmac.new(self._key, f"{path}\n{expires}".encode(), hashlib.sha256).hexdigest()
