"""Set a password by a mailed link: a one-time token, kept hashed, good for an hour."""

from datetime import datetime, timedelta
from typing import Final

import msgspec
from sqlalchemy import insert, select, update

from tallystick.organizations import store
from tallystick.organizations.errors import ResetNotOpen
from tallystick.organizations.invitation import hash_token, new_token
from tallystick.organizations.passwords import hash_password, password_problems
from tallystick.organizations.session_table import password_resets, sessions
from tallystick.organizations.user import User, is_email, plain_email
from tallystick.platform.database import EVERY_ORGANIZATION, NOBODY, Database
from tallystick.platform.ids import new_id
from tallystick.platform.jobs import defer
from tallystick.platform.resources import Transaction
from tallystick.platform.resources.wire import InvalidBody

LIFETIME: Final = timedelta(hours=1)
MAIL_TASK: Final = "organizations.mail_password_link"
FORGOTTEN_TASK: Final = "organizations.password_forgotten"
_NOT_OPEN = "This link is unknown, was used or is too old. Ask for a new one."


class ResetRequest(msgspec.Struct, kw_only=True, rename="camel"):
    """The token of the link, and the password to set."""

    token: str
    password: str


def queue_password_link(tx: Transaction, user: User) -> None:
    """Let a job mail a user a link to set a password."""
    defer(tx, MAIL_TASK, {"org_id": tx.org_id, "user_id": user.id})


def queue_forgotten(database: Database, email: str) -> None:
    """Let a job find out who has this address, and mail them.

    Nothing is looked up here: known and unknown addresses are answered alike, and as fast.
    """
    name = plain_email(email)
    if is_email(name):
        with database.transaction(NOBODY) as tx:
            defer(tx, FORGOTTEN_TASK, {"email": name})


def users_to_mail(database: Database, email: str, now: datetime) -> list[tuple[str, str]]:
    """Give organization and id of the users of an address who may still come in."""
    with database.reading(EVERY_ORGANIZATION) as tx:
        holders = store.users_of_email(tx, email)
    return [(h.principal.org_id, h.principal.id) for h in holders if h.may_come_in(now)]


def new_link_token(tx: Transaction, user_id: str, now: datetime) -> str:
    """Make a token that sets a user's password once, until LIFETIME has passed. Only its hash is kept."""
    token = new_token()
    values = {"org_id": tx.org_id, "id": new_id(), "user_id": user_id, "made_at": now}
    tx.execute(insert(password_resets), {**values, "token_hash": hash_token(token)})
    return token


def reset_password(database: Database, now: datetime, request: ResetRequest) -> str:
    """Set a password by a link's token; everything the user was logged in with ends. Gives the user's id.

    Raises ResetNotOpen, InvalidBody: a password that is too short leaves the link open.
    """
    links = password_resets.c
    with database.reading(EVERY_ORGANIZATION) as tx:
        mine = links.token_hash == hash_token(request.token)
        found = tx.execute(select(links.org_id, links.id, links.user_id).where(mine)).one_or_none()
    if found is None:
        raise ResetNotOpen(_NOT_OPEN)
    if problems := [*password_problems("password", request.password)]:
        raise InvalidBody(problems)
    password_hash = hash_password(request.password)  # slow: not while the transaction is open
    with database.transaction(found.org_id, found.user_id) as tx:
        user = tx.get(User, found.user_id, lock=True)
        open_link = (links.org_id == tx.org_id, links.id == found.id)
        still = (links.used_at.is_(None), links.made_at > now - LIFETIME)
        ended = user.dt_end_access is not None and user.dt_end_access <= now
        used = tx.execute(update(password_resets).where(*open_link, *still).values(used_at=now))
        if used.rowcount != 1 or ended:
            raise ResetNotOpen(_NOT_OPEN)
        _set_password(tx, user, password_hash, now)
    return str(found.user_id)


def _set_password(tx: Transaction, user: User, password_hash: str, now: datetime) -> None:
    """Change the password; sessions, tokens and other links of the user are no longer taken."""
    new = msgspec.structs.replace(
        user, password_hash=password_hash, credentials_version=user.credentials_version + 1
    )
    tx.update(user, new)
    own = (password_resets.c.org_id == tx.org_id, password_resets.c.user_id == user.id)
    tx.execute(update(password_resets).where(*own, password_resets.c.used_at.is_(None)).values(used_at=now))
    mine = (sessions.c.org_id == tx.org_id, sessions.c.user_id == user.id)
    tx.execute(update(sessions).where(*mine, sessions.c.ended_at.is_(None)).values(ended_at=now))
