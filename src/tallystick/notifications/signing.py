"""How messages are signed: by Standard Webhooks, and beside it with key, timestamp and signature. Pure.

docs/webhooks.md tells receivers how to verify.
"""

import base64
import binascii
import hashlib
import hmac
from datetime import datetime

from standardwebhooks import Webhook

_PREFIX = "whsec_"


def secret_problem(secret: str) -> str | None:
    """Say what is wrong with a secret."""
    if not secret.startswith(_PREFIX):
        return None
    try:
        key = base64.b64decode(secret.removeprefix(_PREFIX), validate=True)
    except (binascii.Error, ValueError):
        key = b""
    return None if key else "must be base64 after whsec_, or have another beginning"


def signing_key(secret: str) -> bytes:
    """Give the key of a secret: what `whsec_` stands before in base64, or the text itself in UTF-8."""
    if secret.startswith(_PREFIX):
        return base64.b64decode(secret.removeprefix(_PREFIX))
    return secret.encode()


def signed_headers(secret: str, api_key: str, message_id: str, at: datetime, body: bytes) -> dict[str, str]:
    """Give the headers of a request. at: when it is sent; receivers refuse old ones.

    Rule: semantics §29 — HMAC-SHA256 over `timestamp + "." + body`, in hexadecimal.
    """
    key, timestamp = signing_key(secret), str(int(at.timestamp()))
    plain = hmac.digest(key, timestamp.encode() + b"." + body, hashlib.sha256).hex()
    return {
        "Content-Type": "application/json",
        "User-Agent": "Tallystick-Webhooks",
        "webhook-id": message_id,
        "webhook-timestamp": timestamp,
        "webhook-signature": Webhook(key).sign(message_id, at, body.decode()),
        "X-Tallystick-Key": api_key,
        "X-Tallystick-Timestamp": timestamp,
        "X-Tallystick-Signature": plain,
    }
