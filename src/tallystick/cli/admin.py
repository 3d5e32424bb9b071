"""`tallystick admin …`: set up and maintain a home, from the machine it is on."""

from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path
from typing import Annotated

import msgspec
from cyclopts import Parameter
from rich.text import Text

from tallystick.cli.output import on_error, on_output, print_json
from tallystick.cli.profile import Connection, save_profile
from tallystick.cli.server import Signals, Steps, settings_with
from tallystick.organizations.service import Bootstrapped
from tallystick.organizations.service import bootstrap as make_organization
from tallystick.platform.database import Database
from tallystick.platform.home import HomeLocked
from tallystick.platform.log import configure_logging
from tallystick.platform.settings import Settings
from tallystick.wiring import Platform, open_beside_server, open_platform


def bootstrap(
    organization: str,
    admin_email: str,
    *,
    password: Annotated[str | None, Parameter(env_var="TALLYSTICK_ADMIN_PASSWORD")] = None,
    save: bool = False,
    home: Path | None = None,
    json: bool = False,
) -> None:
    """Make an organization, its administrator and an access key, and print them once.

    Works on the home itself, whether its server runs or not.

    **Example:** `tallystick admin bootstrap "Acme" you@acme.example --save`

    Parameters
    ----------
    organization
        The organization's name.
    admin_email
        The administrator's e-mail address.
    password
        The administrator's password; one is made up and printed where none is given.
    save
        Save address and key for the client commands, in a file only you can read.
    home
        The folder of the server.
    json
        Print one JSON document.
    """
    settings = settings_with(home)
    with database_of(settings) as database:
        made = make_organization(
            database,
            database.clock,
            organization=organization,
            admin_email=admin_email,
            admin_password=password,
        )
    connection = connection_to(settings, made)
    saved = save_profile(connection) if save else None
    if json:
        print_json(msgspec.to_builtins(made))
    else:
        _show(made, connection)
    if saved:
        on_error().print(f"Saved for the client commands: {saved}", soft_wrap=True)


def migrate(*, home: Path | None = None, json: bool = False) -> None:
    """Bring the database to this version. `tallystick serve` does it too, at its start.

    Parameters
    ----------
    home
        The folder of the server.
    json
        Print one JSON document.
    """
    with opened(settings_with(home)) as platform:
        from tallystick.platform.migrate import migrate as bring_up  # noqa: PLC0415 - the name is the command's

        revision = bring_up(platform.postgres.url).after
    if json:
        print_json({"revision": revision})
    else:
        on_output().print(f"The database is at revision {revision}, the newest this version knows.")


@contextmanager
def database_of(settings: Settings) -> Iterator[Database]:
    """Open the database; where a server holds the home, beside that server."""
    with ExitStack() as stack:
        try:
            database = stack.enter_context(opened(settings)).database
        except HomeLocked as error:
            on_error().print(
                f"  A server runs on this home (process {error.facts['pid']}): working beside it."
            )
            database = stack.enter_context(open_beside_server(settings))
        yield database


@contextmanager
def opened(settings: Settings) -> Iterator[Platform]:
    """Open a home that no server holds, telling the steps. Raises HomeLocked."""
    configure_logging("warning", settings.log_format)
    steps = Steps()
    with Signals(steps) as signals, open_platform(settings, step=signals.step) as platform:
        steps.end()
        yield platform


def connection_to(settings: Settings, made: Bootstrapped) -> Connection:
    """Give what the client commands need to talk to the server of these settings as the new key."""
    return Connection(
        url=server_url(settings), key=made.access_key_id, secret=made.api_secret, org=made.org_id
    )


def server_url(settings: Settings) -> str:
    """Give where the server of these settings is reached from its own machine."""
    host = {"0.0.0.0": "127.0.0.1", "::": "::1"}.get(settings.host, settings.host)  # noqa: S104 - compared, not bound
    return f"http://{f'[{host}]' if ':' in host else host}:{settings.port}"


def _show(made: Bootstrapped, connection: Connection) -> None:
    console = on_output()
    rows = [
        ("Organization", made.organization),
        ("Organization id", made.org_id),
        ("Administrator", made.admin_email),
        ("Password", made.admin_password or "as you gave it"),
        ("Access key", made.access_key_id),
        ("API secret", made.api_secret),
    ]
    console.print("\n[bold]Keep these: the password and the secret are shown only now.[/]")
    for name, value in rows:
        console.print(Text.assemble((f"  {name:16}", "dim"), value), soft_wrap=True)
    console.print("\nFor the client commands and for curl:")
    for name, field in (("URL", "url"), ("ACCESS_KEY", "key"), ("API_SECRET", "secret"), ("ORG", "org")):
        console.print(
            f"  export TALLYSTICK_{name}={getattr(connection, field)}", soft_wrap=True, markup=False
        )
    console.print("\nNext: `tallystick serve`", markup=False)
