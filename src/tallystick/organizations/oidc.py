"""OpenID Connect: send a browser to an issuer, and check what it comes back with.

Authorization code with PKCE. Nothing is stored while somebody is away: what the way back is checked against
travels in a sealed cookie of the same browser.
"""

import base64
import hashlib
import hmac
import secrets
import threading
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any, Final
from urllib.parse import quote, urlencode

import msgspec
from joserfc import jwt
from joserfc.errors import JoseError
from joserfc.jwk import KeySet

from tallystick.kernel.clock import Clock
from tallystick.organizations.errors import SignOnRefused
from tallystick.platform.fetch import Fetch, FetchFailed
from tallystick.platform.sealed import SealBroken, Sealer

ALGORITHMS: Final = ["RS256", "RS384", "RS512", "PS256", "PS384", "PS512", "ES256", "ES384", "ES512", "EdDSA"]
"Public-key signatures only: a client's secret never vouches for anybody, and neither does `none`."
AWAY_FOR: Final = timedelta(minutes=10)
KEPT_FOR: Final = timedelta(hours=1)
ASK_AGAIN_AFTER: Final = timedelta(minutes=1)
"A token of an unknown key asks for the issuer's keys anew, this often at most."
SKEW: Final = timedelta(minutes=1)
"How far the issuer's clock may be off."
_FORM: Final = "application/x-www-form-urlencoded"


@dataclass(frozen=True)
class Provider:
    """An issuer, and what we are to it. fetch: how it is asked."""

    issuer: str
    client_id: str
    client_secret: str | None
    fetch: Fetch


class Away(msgspec.Struct, frozen=True, kw_only=True):
    """What is remembered in the browser while it is away. org_id: None is whichever the person belongs to."""

    issuer: str
    org_id: str | None
    state: str
    nonce: str
    verifier: str
    return_to: str
    redirect_uri: str
    until: datetime


class Identity(msgspec.Struct, frozen=True):
    """Who the issuer says somebody is. subject: the issuer's own name for them, which never changes."""

    issuer: str
    subject: str
    email: str
    given_name: str
    family_name: str

    @property
    def key(self) -> str:
        """Give issuer and subject as one text."""
        return f"{self.issuer}|{self.subject}"


class _Discovered(msgspec.Struct, frozen=True):
    issuer: str
    authorization_endpoint: str
    token_endpoint: str
    jwks_uri: str
    token_endpoint_auth_methods_supported: tuple[str, ...] = ("client_secret_basic",)


class _TokenAnswer(msgspec.Struct, frozen=True):
    id_token: str


class _Known(msgspec.Struct):
    """What is known of an issuer, and since when."""

    at: datetime
    facts: _Discovered
    keys_at: datetime
    keys: Any


class OpenIdConnect:
    """Begins and ends sign-ons. Thread-safe. sealer: for the cookie that travels with the browser."""

    def __init__(self, clock: Clock, sealer: Sealer) -> None:
        self._clock = clock
        self._sealer = sealer
        self._known: dict[str, _Known] = {}
        self._lock = threading.Lock()

    def begin(
        self, provider: Provider, org_id: str | None, redirect_uri: str, return_to: str
    ) -> tuple[str, str]:
        """Give the address to send the browser to, and the cookie it takes along. Raises FetchFailed."""
        away = Away(
            issuer=provider.issuer,
            org_id=org_id,
            state=secrets.token_urlsafe(24),
            nonce=secrets.token_urlsafe(24),
            verifier=secrets.token_urlsafe(48),
            return_to=return_to,
            redirect_uri=redirect_uri,
            until=self._clock.now() + AWAY_FOR,
        )
        asked = {
            "response_type": "code",
            "client_id": provider.client_id,
            "redirect_uri": redirect_uri,
            "scope": "openid email profile",
            "state": away.state,
            "nonce": away.nonce,
            "code_challenge": _unpadded(hashlib.sha256(away.verifier.encode()).digest()),
            "code_challenge_method": "S256",
        }
        endpoint = self._of(provider).facts.authorization_endpoint
        separator = "&" if "?" in endpoint else "?"
        return f"{endpoint}{separator}{urlencode(asked)}", self._sealer.seal(
            msgspec.json.encode(away).decode()
        )

    def away(self, cookie: str | None, state: str | None) -> Away:
        """Read the cookie that a browser comes back with. Raises SignOnRefused."""
        try:
            away = msgspec.json.decode(self._sealer.open(cookie or ""), type=Away)
        except (SealBroken, msgspec.DecodeError) as error:
            raise SignOnRefused("This sign-on was not begun in this browser. Begin again.") from error
        if not hmac.compare_digest(away.state.encode(), (state or "").encode()):
            raise SignOnRefused("This sign-on does not belong to this browser. Begin again.")
        if self._clock.now() >= away.until:
            raise SignOnRefused("This sign-on took too long. Begin again.")
        return away

    def end(self, provider: Provider, away: Away, code: str) -> Identity:
        """Exchange the code, and check who the issuer vouches for. Raises SignOnRefused, FetchFailed."""
        known = self._of(provider)
        form = {
            "grant_type": "authorization_code",
            "code": code,
            "redirect_uri": away.redirect_uri,
            "code_verifier": away.verifier,
            "client_id": provider.client_id,
        }
        headers = {"Content-Type": _FORM, "Accept": "application/json"}
        if provider.client_secret is not None:
            if "client_secret_basic" in known.facts.token_endpoint_auth_methods_supported:
                pair = f"{quote(provider.client_id, safe='')}:{quote(provider.client_secret, safe='')}"
                headers["Authorization"] = f"Basic {base64.b64encode(pair.encode()).decode()}"
            else:
                form["client_secret"] = provider.client_secret
        answer = provider.fetch.post(known.facts.token_endpoint, headers, urlencode(form).encode())
        if answer.status != 200:  # noqa: PLR2004 - HTTP
            raise SignOnRefused(f"The issuer did not take the code: it answered {answer.status}.")
        try:
            token = msgspec.json.decode(answer.body, type=_TokenAnswer).id_token
        except msgspec.DecodeError as error:
            raise FetchFailed("The issuer's token answer is not one.") from error
        return self._identity(provider, away, self._claims(provider, token))

    def _claims(self, provider: Provider, token: str) -> dict[str, Any]:
        """Check the signature; a key that is not known yet is asked for, once. Raises SignOnRefused."""
        known = self._of(provider)
        try:
            return jwt.decode(token, known.keys, algorithms=ALGORITHMS).claims
        except (JoseError, ValueError) as error:
            if self._clock.now() < known.keys_at + ASK_AGAIN_AFTER:
                raise SignOnRefused("The issuer's token is not signed by a key of its own.") from error
        known = self._refresh(provider)
        try:
            return jwt.decode(token, known.keys, algorithms=ALGORITHMS).claims
        except (JoseError, ValueError) as error:
            raise SignOnRefused("The issuer's token is not signed by a key of its own.") from error

    def _identity(self, provider: Provider, away: Away, claims: dict[str, Any]) -> Identity:
        """Check what a token says, by OpenID Connect Core 3.1.3.7. Raises SignOnRefused."""
        now, skew = self._clock.now().timestamp(), SKEW.total_seconds()
        audiences = claims.get("aud")
        audiences = audiences if isinstance(audiences, list) else [audiences]
        expires, issued = claims.get("exp"), claims.get("iat")
        checks = {
            "issuer": claims.get("iss") == provider.issuer,
            "audience": provider.client_id in audiences,
            "authorized party": claims.get("azp", provider.client_id) == provider.client_id
            and (len(audiences) == 1 or "azp" in claims),
            "nonce": hmac.compare_digest(str(claims.get("nonce")).encode(), away.nonce.encode()),
            "expiry": isinstance(expires, int) and now < expires + skew,
            "time of issue": isinstance(issued, int) and issued <= now + skew,
            "subject": isinstance(claims.get("sub"), str) and claims.get("sub") != "",
            "verified e-mail address": claims.get("email_verified") is True
            and isinstance(claims.get("email"), str),
        }
        wrong = [name for name, holds in checks.items() if not holds]
        if wrong:
            raise SignOnRefused(f"The issuer's token does not hold: {', '.join(wrong)}.")
        names = [str(claims.get(name) or "")[:100] for name in ("given_name", "family_name")]
        return Identity(provider.issuer, claims["sub"], claims["email"], *names)

    def _of(self, provider: Provider) -> _Known:
        known = self._known.get(provider.issuer)
        if known is None or self._clock.now() >= known.at + KEPT_FOR:
            return self._refresh(provider)
        return known

    def _refresh(self, provider: Provider) -> _Known:
        """Ask an issuer for its endpoints and keys. Raises FetchFailed."""
        now = self._clock.now()
        where = f"{provider.issuer.rstrip('/')}/.well-known/openid-configuration"
        facts = _read(provider.fetch, where, _Discovered)
        if facts.issuer != provider.issuer:
            raise FetchFailed(f"{where} is of another issuer: {facts.issuer[:200]}.")
        raw = _read(provider.fetch, facts.jwks_uri, dict[str, Any])
        try:
            keys = KeySet.import_key_set({"keys": [k for k in raw["keys"] if k.get("use", "sig") == "sig"]})
        except (JoseError, ValueError, KeyError, AttributeError, TypeError) as error:
            raise FetchFailed(f"{facts.jwks_uri} holds no keys that can be read.") from error
        known = _Known(now, facts, now, keys)
        with self._lock:
            self._known[provider.issuer] = known
        return known


def _read(fetch: Fetch, url: str, kind: Any) -> Any:
    answer = fetch.get(url)
    if answer.status != 200:  # noqa: PLR2004 - HTTP
        raise FetchFailed(f"{url} answered {answer.status}.")
    try:
        return msgspec.json.decode(answer.body, type=kind)
    except msgspec.DecodeError as error:
        raise FetchFailed(f"{url} does not answer what OpenID Connect asks for: {error}") from error


def _unpadded(digest: bytes) -> str:
    return base64.urlsafe_b64encode(digest).rstrip(b"=").decode()
