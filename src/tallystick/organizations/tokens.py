"""Bearer tokens: signed, stateless, and void within seconds once their key is revoked."""

import hmac
import re
import threading
from collections.abc import Callable, Hashable
from typing import Any, Generic, TypeVar

import msgspec
from joserfc import jwt
from joserfc.errors import JoseError
from joserfc.jwk import OctKey

from tallystick.kernel.clock import Clock
from tallystick.kernel.errors import invariant
from tallystick.organizations import store
from tallystick.organizations.access_cache import AccessCache, AccessChanges
from tallystick.organizations.access_key import is_secret
from tallystick.organizations.errors import Unauthenticated, WrongCredentials
from tallystick.organizations.principal import Principal, PrincipalKind
from tallystick.organizations.store import GroupsAround, SupportAccess
from tallystick.organizations.throttle import Throttle
from tallystick.platform.database import EVERY_ORGANIZATION, Database
from tallystick.platform.resources import Transaction
from tallystick.platform.resources.fields import UUID_PATTERN

LIFETIME_S = 18_000
"Rule: semantics §2."
SHORTEST_SECRET_BYTES = 32
LONGEST_TOKEN = 4096
_ALGORITHM = "HS256"
_UUID = re.compile(UUID_PATTERN)
_MOST_TOKENS = 4096
_GET_ONE = (
    "Get one from POST /oauth/token with your access key, and send it as Authorization: Bearer <token>."
)
_LOADERS = {PrincipalKind.SERVICE_USER: store.key_holder, PrincipalKind.USER: store.user_holder}

K = TypeVar("K")
V = TypeVar("V")


class AccessToken(msgspec.Struct, frozen=True):
    """The answer to a token exchange. expires_in: seconds."""

    access_token: str
    token_type: str = "Bearer"  # noqa: S105 - the name of the scheme
    expires_in: int = LIFETIME_S
    scope: str | None = None
    "Left out: what a token may do is what its holder's permissions say."


class _Claims(msgspec.Struct, frozen=True):
    """What a token says. key: the access key it was issued for; None: a user's own log-in.

    ver: the version of the user's credentials that it was issued for.
    """

    org: str
    sub: str
    iat: int
    exp: int
    key: str | None = None
    ver: int = 0


class _Bounded(Generic[K, V]):
    """A dict that drops its oldest entries. Thread-safe."""

    def __init__(self, most: int) -> None:
        self._most = most
        self._entries: dict[K, V] = {}
        self._lock = threading.Lock()

    def get(self, key: K) -> V | None:
        return self._entries.get(key)

    def put(self, key: K, value: V) -> None:
        with self._lock:
            self._entries.pop(key, None)
            if len(self._entries) >= self._most:
                del self._entries[next(iter(self._entries))]
            self._entries[key] = value


class Tokens:
    """Issues tokens for credentials and tells whose a token is. Stores nothing per token. Thread-safe.

    secret: at least 32 random bytes that all processes of one installation share. Keys, users and their
    permissions are read from the database at most every FRESH_FOR: that long a revoked key,
    and every token issued for it, may still be taken.
    """

    def __init__(
        self,
        database: Database,
        clock: Clock,
        secret: bytes,
        *,
        throttle: Throttle | None = None,
        changes: AccessChanges | None = None,
    ) -> None:
        invariant(len(secret) >= SHORTEST_SECRET_BYTES, "a signing secret has 32 bytes or more")
        self._database = database
        self._clock = clock
        self._throttle = throttle or Throttle(clock)
        self._key = signing_key(secret)
        self._header = {"alg": _ALGORITHM, "kid": self._key.thumbprint()[:16]}
        self._start = jwt.encode(self._header, {}, self._key).partition(".")[0] + "."
        changes = changes or AccessChanges()
        self._holders: AccessCache[store.Holder] = AccessCache(changes, clock)
        self._support: AccessCache[SupportAccess] = AccessCache(changes, clock)
        self._groups: AccessCache[GroupsAround] = AccessCache(changes, clock)
        self._verified: _Bounded[str, _Claims] = _Bounded(_MOST_TOKENS)

    def exchange(self, key_id: str, secret: str, address: str = "") -> AccessToken:
        """Give a token for an access key and its secret.

        The right secret is never throttled: being random it cannot be guessed, and a stranger who knows a
        key id must not be able to lock its owner out. Raises WrongCredentials, TooManyAttempts.
        """
        holder = self._key_holder(key_id)
        proof = holder.proof_hash if holder and holder.proof_hash else "0" * 64
        if is_secret(secret, proof) and holder is not None and holder.may_come_in(self._clock.now()):
            return self._issue(holder.principal, key_id.lower())
        self._throttle.attempt(key_id, address)
        raise WrongCredentials("This access key id and API secret are not valid together, or are revoked.")

    def issue_to(self, user_id: str) -> AccessToken:
        """Give a token for a user who has just proven who they are. Raises Unauthenticated."""
        holder = self.user(user_id)
        if holder is None:
            raise Unauthenticated("The access of this user has ended.", principal_id=user_id)
        return self.issue(holder.principal)

    def issue(self, user: Principal) -> AccessToken:
        """Give a token for a user who has just logged in."""
        invariant(user.kind is PrincipalKind.USER, "service users exchange a key for their tokens")
        holder = self._user_holder(user.id)
        return self._issue(user, None, holder.credentials_version if holder else 0)

    def authenticate(self, bearer: str) -> Principal:
        """Tell who a token was issued to, if it is still good.

        bearer: the token, or the whole value of the Authorization header. Raises Unauthenticated.
        """
        token = _token_of(bearer)
        claims = self._verified.get(token) or self._verify(token)
        now = self._clock.now()
        if claims.exp <= now.timestamp():
            raise Unauthenticated(f"This token has expired. {_GET_ONE}")
        holder = self._key_holder(claims.key) if claims.key else self._user_holder(claims.sub)
        outdated = holder is not None and not claims.key and claims.ver != holder.credentials_version
        if holder is None or outdated or not holder.may_come_in(now):
            message = "The access this token was issued for has ended or was revoked."
            raise Unauthenticated(message, principal_id=claims.sub)
        invariant(holder.principal.id == claims.sub, "a credential changed its owner")
        return holder.principal

    def user(self, user_id: str) -> store.Holder | None:
        """Find a user who may come in now. user_id: a UUID."""
        holder = self._user_holder(user_id)
        return holder if holder is not None and holder.may_come_in(self._clock.now()) else None

    def as_support(self, principal: Principal, org_id: str) -> Principal | None:
        """Give what a support user of the operator is in another organization; None is nobody there.

        Rule: semantics §2 — only while the organization grants it, and only what it grants.
        """
        is_id = _UUID.fullmatch(org_id) is not None and org_id == org_id.lower()  # as the database writes it
        if principal.kind is not PrincipalKind.USER or not is_id:
            return None
        holder = self._user_holder(principal.id)
        if holder is None or not holder.is_support:
            return None
        access = self._support.get(org_id) or self._load(
            self._support, org_id, lambda _: org_id, lambda tx: store.support_access(tx, org_id)
        )
        if access is None or self._clock.now() >= access.ends_at:
            return None
        return Principal(principal.id, org_id, PrincipalKind.SUPPORT_USER, principal.name, access.statements)

    def groups_around(self, org_id: str, type_name: str, item_id: str) -> frozenset[str]:
        """Give the ids of the resource groups that a thing is in, directly and through others."""
        key = (org_id, type_name, item_id)
        around = self._groups.get(key) or self._load(
            self._groups, key, lambda _: org_id, lambda tx: store.groups_of_item(tx, *key)
        )
        return around.ids if around is not None else frozenset()

    def _issue(self, principal: Principal, key_id: str | None, holder_version: int = 0) -> AccessToken:
        issued_at = int(self._clock.now().timestamp())
        claims: dict[str, Any] = {
            "org": principal.org_id,
            "sub": principal.id,
            "iat": issued_at,
            "exp": issued_at + LIFETIME_S,
        }
        if key_id is not None:
            claims["key"] = key_id
        elif holder_version:
            claims["ver"] = holder_version
        return AccessToken(jwt.encode(self._header, claims, self._key))

    def _verify(self, token: str) -> _Claims:
        """Check key, algorithm, form and signature of a token, and remember that it passed.

        Every token of this server starts alike, so no stranger's header is ever read: some crash the library.
        """
        if not token.startswith(self._start):
            raise Unauthenticated(f"This is not a token of this server's present key. {_GET_ONE}")
        try:
            read = jwt.decode(token, self._key, algorithms=[_ALGORITHM])
            claims = msgspec.convert(read.claims, _Claims)
        except (JoseError, ValueError) as error:
            raise Unauthenticated(f"This is not a token of this server. {_GET_ONE}") from error
        self._verified.put(token, claims)
        return claims

    def _key_holder(self, key_id: str) -> store.Holder | None:
        return self._holder(PrincipalKind.SERVICE_USER, key_id.lower())

    def _user_holder(self, user_id: str) -> store.Holder | None:
        return self._holder(PrincipalKind.USER, user_id)

    def _holder(self, kind: PrincipalKind, credential_id: str) -> store.Holder | None:
        """Give whom a credential belongs to, as the database had it a few seconds ago at most."""
        key = (kind, credential_id)
        cached = self._holders.get(key)
        if cached is not None or not _UUID.fullmatch(credential_id):
            return cached
        return self._load(
            self._holders, key, lambda h: h.principal.org_id, lambda tx: _LOADERS[kind](tx, credential_id)
        )

    def _load(
        self,
        cache: AccessCache[V],
        key: Hashable,
        org_of: Callable[[V], str],
        find: Callable[[Transaction], V | None],
    ) -> V | None:
        def read() -> V | None:
            with self._database.reading(EVERY_ORGANIZATION) as tx:
                return find(tx)

        return cache.load(key, org_of, read)


def signing_key(secret: bytes) -> OctKey:
    """Derive the key that signs tokens, so that whatever else the secret signs is never a token."""
    return OctKey.import_key(hmac.digest(secret, b"tallystick access tokens", "sha256"))


def _token_of(bearer: str) -> str:
    scheme, _, token = bearer.strip().partition(" ")
    if not token:
        token = scheme
    elif scheme.casefold() != "bearer":
        raise Unauthenticated(f"Only bearer tokens are taken here. {_GET_ONE}")
    if not token or len(token) > LONGEST_TOKEN:
        raise Unauthenticated(f"This request carries no token. {_GET_ONE}")
    return token
