"""Passwords of people: slow hashes, so that a stolen table is not a list of passwords."""

import secrets
import threading
import unicodedata
from collections.abc import Iterator

from argon2 import PasswordHasher
from argon2.exceptions import InvalidHashError, VerificationError

from tallystick.kernel.problems import Problem

SHORTEST, LONGEST = 12, 200
GENERATED_BYTES = 15

_HASHER = PasswordHasher(
    time_cost=2, memory_cost=19 * 1024, parallelism=1
)  # OWASP's argon2id minimum: 19 MiB
_AT_ONCE = threading.BoundedSemaphore(2)
"Hashing is the one thing here that a stranger can make us spend memory and processor on."


def new_password() -> str:
    """Make a password that nobody guesses: 20 characters."""
    return secrets.token_urlsafe(GENERATED_BYTES)


def password_problems(field: str, password: str) -> Iterator[Problem]:
    """A password is long enough not to be guessed. Which characters it has does not matter."""
    if not SHORTEST <= len(_plain(password)) <= LONGEST:
        yield Problem(field, "wrong_length", f"must have {SHORTEST} to {LONGEST} characters")


def hash_password(password: str) -> str:
    """Hash a password with argon2id and a fresh salt; the hash names its own parameters."""
    with _AT_ONCE:
        return _HASHER.hash(_encoded(password))


def is_password(password: str, password_hash: str | None) -> bool:
    """Tell whether the password is the hashed one. Without a hash it is not, and that takes as long."""
    known = password_hash or _NOBODYS
    with _AT_ONCE:
        try:
            _HASHER.verify(known, _encoded(password))
        except (VerificationError, InvalidHashError):
            return False
    return password_hash is not None


def is_outdated(password_hash: str) -> bool:
    """Tell whether a hash was made with weaker parameters than today's."""
    return _HASHER.check_needs_rehash(password_hash)


def _plain(password: str) -> str:
    """Give the one form of texts that look the same on different keyboards."""
    return unicodedata.normalize("NFKC", password)


def _encoded(password: str) -> bytes:
    return _plain(password[: LONGEST + 1]).encode(errors="surrogatepass")


_NOBODYS = hash_password(new_password())
