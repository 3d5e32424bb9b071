"""`tallystick admin support …`: who of the operator's people may support organizations that let them in."""

from pathlib import Path

from tallystick.cli.admin import database_of
from tallystick.cli.errors import CommandError
from tallystick.cli.output import on_output
from tallystick.cli.server import settings_with
from tallystick.organizations.service import set_support_user
from tallystick.organizations.user import User, plain_email


def add(email: str, *, org: str, home: Path | None = None) -> None:
    """Make a user a support user: let in wherever an organization grants support access.

    Parameters
    ----------
    email
        The user's e-mail address.
    org
        The organization they are a user of: the operator's own.
    home
        The folder of the server.
    """
    _set(email, org, home, is_support=True)
    on_output().print(f"{email} is a support user now.")


def remove(email: str, *, org: str, home: Path | None = None) -> None:
    """Let a user be a support user no longer.

    Parameters
    ----------
    email
        The user's e-mail address.
    org
        The organization they are a user of.
    home
        The folder of the server.
    """
    _set(email, org, home, is_support=False)
    on_output().print(f"{email} is no support user any more.")


def _set(email: str, org: str, home: Path | None, *, is_support: bool) -> None:
    with database_of(settings_with(home)) as database, database.transaction(org) as tx:
        user = tx.find_one(User, email=plain_email(email))
        if user is None:
            raise CommandError(f"Nobody of this organization has the address {email}.")
        set_support_user(tx, user.id, is_support=is_support)
