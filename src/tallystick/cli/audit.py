"""`tallystick admin audit …`: check that the record of changes is what was recorded."""

from pathlib import Path

import msgspec

from tallystick.cli.admin import database_of
from tallystick.cli.errors import CommandError
from tallystick.cli.output import counted, on_output, print_json, table
from tallystick.cli.server import settings_with
from tallystick.organizations.audit_chain import Head, Verified, seal
from tallystick.organizations.audit_chain import verify as verify_chain
from tallystick.organizations.service import all_organizations
from tallystick.platform.database import Database

WHOLE, BROKEN = 0, 1


def verify(
    *,
    org: str | None = None,
    expect: str | None = None,
    home: Path | None = None,
    json: bool = False,
) -> int:
    """Compute the chain of hashes of the audit log again and compare; exits with 1 where it is broken.

    Note the last number and hash somewhere else from time to time: given back with --expect they prove that
    nothing up to there was cut off.

    Parameters
    ----------
    org
        The organization; none is all of them.
    expect
        A number and hash noted before, as NUMBER:HASH; needs --org.
    home
        The folder of the server.
    json
        Print one JSON document.
    """
    expected = _head(expect) if expect else None
    if expected is not None and org is None:
        raise CommandError("A number and hash belong to one organization.", hint="Name it with --org.")
    with database_of(settings_with(home)) as database:
        found = [_check(database, each, expected) for each in ([org] if org else all_organizations(database))]
    if json:
        print_json(msgspec.to_builtins(found))
    else:
        rows = [(each.org_id, each.head.sequence, each.head.hash, each.fault or "whole") for each in found]
        on_output().print(table("", ("Organization", "Last", "Hash", "Chain"), rows, right="Last"))
        on_output().print(f"{counted(sum(each.entries for each in found), 'record')} checked.")
    return BROKEN if any(each.fault for each in found) else WHOLE


def _check(database: Database, org_id: str, expected: Head | None) -> Verified:
    """Seal what is committed, so that it is checked too, and check."""
    while seal(database, org_id):
        pass
    with database.snapshot(org_id) as tx:
        return verify_chain(tx, org_id, expected)


def _head(text: str) -> Head:
    number, colon, digest = text.partition(":")
    if not colon or not number.isdigit():
        raise CommandError("Write it as NUMBER:HASH, as this command prints them.")
    return Head(int(number), digest.lower())
