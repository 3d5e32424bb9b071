"""Secrets of others that must be read again: encrypted with a key derived from the installation's secret.

Passwords and keys that only have to be recognized are hashed instead, and never come here.
"""

import hashlib
import hmac

from joserfc import jwe
from joserfc.errors import JoseError
from joserfc.jwk import OctKey

from tallystick.kernel.errors import Unavailable

_HEADER = {"alg": "dir", "enc": "A256GCM"}


class SealBroken(Unavailable):
    """A stored secret cannot be read: the installation's secret is another one now."""

    code = "seal_broken"


class Sealer:
    """Encrypts and decrypts small texts; AES-256-GCM. secret: the same on all servers of an installation.

    purpose: what is sealed; text sealed for one purpose does not open as another.
    """

    def __init__(self, secret: bytes, purpose: str) -> None:
        key = hmac.digest(secret, f"tallystick sealed {purpose}".encode(), hashlib.sha256)
        self._key = OctKey.import_key(key)

    def seal(self, text: str) -> str:
        """Encrypt a text."""
        return jwe.encrypt_compact(_HEADER, text.encode(), self._key)

    def open(self, sealed: str) -> str:
        """Decrypt what was sealed here. Raises SealBroken."""
        try:
            opened = jwe.decrypt_compact(sealed, self._key, algorithms=["dir", "A256GCM"])
        except (JoseError, ValueError) as error:
            message = "A stored secret cannot be read: was TALLYSTICK_SECRET changed? Enter the secret again."
            raise SealBroken(message) from error
        return (opened.plaintext or b"").decode()
