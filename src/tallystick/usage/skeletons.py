"""Skeleton accounts: usage of an account nobody made yet is kept, under an account made for it."""

import secrets
from collections.abc import Collection

import msgspec
from sqlalchemy import func, select

from tallystick.accounts.account import Account, folded
from tallystick.platform.database import Database
from tallystick.platform.resources import Transaction, resource_of
from tallystick.platform.resources.wire import InvalidBody
from tallystick.usage.resolution import account_ids

_ATTEMPTS = 5


class Skeletons(msgspec.Struct, frozen=True):
    """ids: the account of each code, just made or found. alike: the existing code too like the one sent."""

    ids: dict[str, str]
    alike: dict[str, str]


def make_accounts(database: Database, org_id: str, actor: str, codes: Collection[str]) -> Skeletons:
    """Make the accounts of codes that no account has, once, however many ask at the same time.

    A code that differs from an existing one only by letter case or Unicode form makes none (semantics §6).
    """
    for _ in range(_ATTEMPTS):
        try:
            with database.transaction(org_id, actor) as tx:
                return _make(tx, codes)
        except InvalidBody as error:
            clash = error  # someone created an account of the code meanwhile: now it is found
    raise clash


def _make(tx: Transaction, codes: Collection[str]) -> Skeletons:
    # One at a time in an organization, so that `Acme` and `ACME` are not both made.
    tx.execute(select(func.pg_advisory_xact_lock(func.hashtextextended(f"skeletons {tx.org_id}", 0))))
    ids = account_ids(tx, codes)
    unknown = [code for code in codes if code not in ids]
    taken = codes_alike(tx, unknown)
    alike: dict[str, str] = {}
    wanted: list[str] = []
    for code in unknown:
        other = taken.setdefault(folded(code), code)
        if other != code:
            alike[code] = other
        else:
            wanted.append(code)
    ids |= {account.code: account.id for account in tx.create_all([skeleton(code) for code in wanted])}
    return Skeletons(ids, alike)


def skeleton(code: str) -> Account:
    """Give the account that is made for a code: it can be told by its name and its e-mail address."""
    return Account(
        name=f"{code}-autocreated",
        code=code,
        email_address=f"{secrets.token_hex(16)}-autocreated@example.com",
    )


def codes_alike(tx: Transaction, codes: Collection[str]) -> dict[str, str]:
    """Find the existing codes that people would take for one of these, by what they have in common."""
    if not codes:
        return {}
    table = resource_of(Account).table
    same = table.c.folded_code.in_([folded(code) for code in codes])
    statement = select(table.c.folded_code, table.c.code).where(table.c.org_id == tx.org_id, same)
    return {row.folded_code: row.code for row in tx.execute(statement)}
