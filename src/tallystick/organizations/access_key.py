"""Access keys: what a service user proves itself with."""

import hashlib
import hmac
import secrets
from datetime import datetime
from typing import Annotated

from sqlalchemy import Index

from tallystick.organizations.service_user import ServiceUser
from tallystick.platform.resources import Computed, Entity, Hidden, Id, Ref, resource, resource_of

SECRET_BYTES = 32


@resource("accesskeys", event="configuration.accesskey", verbs=())
class AccessKey(Entity, kw_only=True):
    """A key of a service user. Its id is the OAuth client id; of its secret only a hash is kept."""

    service_user_id: Annotated[Id, Ref(ServiceUser)]
    revoked_at: Annotated[datetime | None, Computed()] = None
    secret_hash: Annotated[str, Hidden()] = ""


Index("ix_accesskeys_id", resource_of(AccessKey).table.c.id)  # a log-in names a key before its organization


def new_secret() -> str:
    """Make an API secret: 32 random bytes as text that fits a URL, a header and a form unescaped.

    None begins with a hyphen: on a command line it would be taken for an option.
    """
    secret = secrets.token_urlsafe(SECRET_BYTES)
    return new_secret() if secret.startswith("-") else secret


def hash_secret(secret: str) -> str:
    """Hash an API secret. A random one cannot be guessed, so the hash may be fast."""
    return hashlib.sha256(secret.encode(errors="surrogatepass")).hexdigest()


def is_secret(secret: str, secret_hash: str) -> bool:
    """Compare in a time that does not depend on where the two differ."""
    return hmac.compare_digest(hash_secret(secret), secret_hash)
