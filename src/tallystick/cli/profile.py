"""Which server the client commands talk to, and as whom: by option, by environment, by the saved profile."""

import json
import os
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated

from cyclopts import Group, Parameter

from tallystick.cli.errors import CommandError

DEFAULT_URL = "http://127.0.0.1:8787"
_GROUP = Group("Which server, and as whom", sort_key=50)


@Parameter(name="*", group=_GROUP)
@dataclass(frozen=True)
class Connection:
    """Where the server is and the access key to use.

    Parameters
    ----------
    url
        The server's address.
    key
        The access key's id.
    secret
        The access key's secret; better in the environment than on a command line.
    org
        The organization's id.
    """

    url: Annotated[str | None, Parameter(env_var="TALLYSTICK_URL")] = None
    key: Annotated[str | None, Parameter(env_var="TALLYSTICK_ACCESS_KEY")] = None
    secret: Annotated[str | None, Parameter(env_var="TALLYSTICK_API_SECRET", show_env_var=True)] = None
    org: Annotated[str | None, Parameter(env_var="TALLYSTICK_ORG")] = None


NOWHERE = Connection()


def profile_file() -> Path:
    """Give the place of the saved profile: TALLYSTICK_PROFILE, else in the user's configuration folder."""
    if chosen := os.environ.get("TALLYSTICK_PROFILE"):
        return Path(chosen).expanduser()
    folder = os.environ.get("XDG_CONFIG_HOME") or "~/.config"
    return Path(folder).expanduser() / "tallystick" / "profile.json"


def save_profile(connection: Connection, file: Path | None = None) -> Path:
    """Write the profile so that only its owner reads it, whole or not at all. Gives its place."""
    file = file or profile_file()
    try:
        file.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
        draft = file.with_name(f"{file.name}.new")
        draft.unlink(missing_ok=True)
        with os.fdopen(os.open(draft, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600), "w") as writer:
            json.dump(vars(connection), writer, indent=2)
            writer.write("\n")
        draft.replace(file)
    except OSError as error:
        raise CommandError(f"The profile {file} cannot be written: {error.strerror or error}.") from error
    return file


def load_profile(file: Path | None = None) -> Connection:
    """Read the saved profile; an empty one where there is none. Raises CommandError for an unreadable one."""
    file = file or profile_file()
    try:
        saved = json.loads(file.read_text())
        return Connection(**{name: str(saved[name]) for name in vars(NOWHERE) if saved.get(name)})
    except FileNotFoundError:
        return NOWHERE
    except (OSError, ValueError, AttributeError) as error:
        raise CommandError(
            f"The saved profile {file} cannot be read: {error}", hint="Remove it, or mend it."
        ) from error


def resolve(given: Connection) -> Connection:
    """Complete what was given from the profile. Raises CommandError when something is missing.

    A saved key belongs to the saved server: it is never sent to another address that was given.
    """
    saved = load_profile()
    if given.url and saved.url and given.url.rstrip("/") != saved.url.rstrip("/"):
        saved = NOWHERE
    whole = Connection(
        url=(given.url or saved.url or DEFAULT_URL).rstrip("/"),
        key=given.key or saved.key,
        secret=given.secret or (saved.secret if given.key in (None, saved.key) else None),
        org=given.org or saved.org,
    )
    names = {"key": "TALLYSTICK_ACCESS_KEY", "secret": "TALLYSTICK_API_SECRET", "org": "TALLYSTICK_ORG"}
    missing = [f"--{name} or {variable}" for name, variable in names.items() if not getattr(whole, name)]
    if missing:
        raise CommandError(
            f"Who are you? Give {', '.join(missing)}.",
            hint="`tallystick admin bootstrap ORGANIZATION E-MAIL --save` makes all of them and saves them.",
        )
    return whole
