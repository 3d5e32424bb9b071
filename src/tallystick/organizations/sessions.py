"""Sessions of people's browsers: a random cookie, kept hashed, that turns over, expires and can be ended."""

import hashlib
import hmac
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any, Final

import msgspec
from sqlalchemy import Row, delete, insert, or_, select, update

from tallystick.kernel.clock import Clock
from tallystick.organizations.audit import append_audit
from tallystick.organizations.errors import CsrfTokenWrong, Unauthenticated
from tallystick.organizations.invitation import hash_token, new_token
from tallystick.organizations.principal import Principal
from tallystick.organizations.session_table import password_resets, sessions
from tallystick.organizations.tokens import Tokens
from tallystick.organizations.user import User
from tallystick.platform.database import EVERY_ORGANIZATION, Database
from tallystick.platform.ids import new_id
from tallystick.platform.resources import Transaction

IDLE: Final = timedelta(hours=12)
LONGEST: Final = timedelta(days=7)
"However busy: then its owner logs in again."
ROTATED_AFTER: Final = timedelta(hours=1)
FORMER_TAKEN_FOR: Final = timedelta(seconds=60)
"Requests that were under way while the cookie turned over still carry the one before."
NOTED_EVERY: Final = timedelta(minutes=1)
KEPT_FOR: Final = timedelta(days=30)
"Ended sessions and used links are forgotten then; the audit log remembers."
_ENDED = "This session has ended. Log in again."


class Opened(msgspec.Struct, frozen=True):
    """A session's cookie, and the token that changes have to carry beside it."""

    token: str
    csrf_token: str
    expires_at: datetime
    principal: Principal


@dataclass(frozen=True)
class Session:
    """A session that is good now. renewed: the cookie to set from now on; None keeps the one it came with."""

    id: str
    principal: Principal
    csrf_token: str
    expires_at: datetime
    renewed: str | None = None


class Sessions:
    """Opens, finds, turns over and ends sessions. Thread-safe; a session is ended at once, everywhere."""

    def __init__(self, database: Database, clock: Clock, tokens: Tokens, secret: bytes) -> None:
        self._database = database
        self._clock = clock
        self._tokens = tokens
        self._key = hmac.digest(secret, b"tallystick csrf tokens", hashlib.sha256)

    def open(self, user_id: str, address: str, user_agent: str, *, how: str) -> Opened:
        """Open a session for a user who has just proven who they are. Raises Unauthenticated.

        how: what they proved it with, for the audit log.
        """
        holder = self._tokens.user(user_id)
        if holder is None:
            raise Unauthenticated("The access of this user has ended.", principal_id=user_id)
        principal, now, token, session_id = holder.principal, self._clock.now(), new_token(), new_id()
        values = {
            "org_id": principal.org_id,
            "id": session_id,
            "user_id": user_id,
            "token_hash": hash_token(token),
            "credentials_version": holder.credentials_version,
            "began_at": now,
            "rotated_at": now,
            "seen_at": now,
            "address": address[:100],
            "user_agent": user_agent[:300],
        }
        with self._database.transaction(principal.org_id, user_id) as tx:
            tx.execute(insert(sessions), values)
            append_audit(tx, "logged_in", "user", user_id, {"by": how, "address": address})
        return Opened(token, self._csrf(session_id), now + IDLE, principal)

    def find(self, token: str) -> Session:
        """Give the session of a cookie, note its use, and turn it over in time. Raises Unauthenticated."""
        now = self._clock.now()
        row = self._row(token)
        if row is None or row.ended_at is not None or now >= _end(row):
            raise Unauthenticated(_ENDED)
        is_former = row.token_hash != hash_token(token)
        if is_former and now >= row.rotated_at + FORMER_TAKEN_FOR:
            raise Unauthenticated(_ENDED)
        holder = self._tokens.user(row.user_id)
        if holder is None or holder.credentials_version != row.credentials_version:
            raise Unauthenticated(_ENDED)
        renewed = None
        if not is_former and now >= row.rotated_at + ROTATED_AFTER:
            renewed = self._rotate(row, now)
        elif now >= row.seen_at + NOTED_EVERY:
            self._set(row, seen_at=now)
        end = min(now + IDLE, row.began_at + LONGEST)
        return Session(row.id, holder.principal, self._csrf(row.id), end, renewed)

    def check_csrf(self, session: Session, given: str) -> None:
        """Let a change pass that came from our own pages. Raises CsrfTokenWrong."""
        if not hmac.compare_digest(session.csrf_token.encode(), given.encode()):
            raise CsrfTokenWrong("Send the session's csrfToken as X-CSRF-Token with every change.")

    def end(self, token: str) -> None:
        """End the session of a cookie; one that has ended stays so."""
        row = self._row(token)
        if row is None or row.ended_at is not None:
            return
        with self._database.transaction(row.org_id, row.user_id) as tx:
            mine = (sessions.c.org_id == row.org_id, sessions.c.id == row.id)
            tx.execute(update(sessions).where(*mine).values(ended_at=self._clock.now()))
            append_audit(tx, "logged_out", "user", row.user_id, {})

    def _row(self, token: str) -> Row[Any] | None:
        hashed, c = hash_token(token), sessions.c
        known = select(sessions).where(or_(c.token_hash == hashed, c.former_token_hash == hashed))
        with self._database.reading(EVERY_ORGANIZATION) as tx:
            return tx.execute(known).one_or_none()

    def _rotate(self, row: Row[Any], now: datetime) -> str | None:
        """Turn the cookie over; None when another request has just done it."""
        token = new_token()
        changed = self._set(
            row,
            token_hash=hash_token(token),
            former_token_hash=row.token_hash,
            rotated_at=now,
            seen_at=now,
        )
        return token if changed else None

    def _set(self, row: Row[Any], **values: Any) -> bool:
        mine = (sessions.c.org_id == row.org_id, sessions.c.id == row.id)
        with self._database.transaction(row.org_id, row.user_id) as tx:
            same = sessions.c.token_hash == row.token_hash
            return tx.execute(update(sessions).where(*mine, same).values(**values)).rowcount == 1

    def _csrf(self, session_id: str) -> str:
        return hmac.new(self._key, session_id.encode(), hashlib.sha256).hexdigest()


def end_all(tx: Transaction, user_id: str, now: datetime) -> User:
    """Log a user out everywhere: sessions and tokens are no longer taken. Raises ResourceNotFound."""
    user = tx.get(User, user_id, lock=True)
    mine = (sessions.c.org_id == tx.org_id, sessions.c.user_id == user.id, sessions.c.ended_at.is_(None))
    tx.execute(update(sessions).where(*mine).values(ended_at=now))
    more = msgspec.structs.replace(user, credentials_version=user.credentials_version + 1)
    return tx.update(user, more)


def forget_sessions(tx: Transaction) -> int:
    """Delete what has ended long ago. Gives how many rows."""
    before = tx.clock.now() - KEPT_FOR
    old_sessions = delete(sessions).where(sessions.c.seen_at < before)
    old_links = delete(password_resets).where(password_resets.c.made_at < before)
    return sum(tx.execute(each).rowcount for each in (old_sessions, old_links))


def _end(row: Row[Any]) -> datetime:
    idle: datetime = row.seen_at + IDLE
    longest: datetime = row.began_at + LONGEST
    return min(idle, longest)
