"""Does a thing as a user that permissions bind, also where the tests run as root."""

import os
import pwd
from collections.abc import Callable
from pathlib import Path

NOBODY = pwd.getpwnam("nobody")


def give_to_ordinary_user(folder: Path) -> None:
    """Let the user of `as_ordinary_user` own a folder."""
    if os.geteuid() == 0:
        os.chown(folder, NOBODY.pw_uid, NOBODY.pw_gid)


def as_ordinary_user(act: Callable[[], str]) -> str:
    """Run `act` as nobody in a forked child if we are root, else here. Gives its text, or what it raised."""
    if os.geteuid() != 0:
        return _outcome(act)
    reading, writing = os.pipe()
    child = os.fork()
    if child == 0:
        try:
            os.setgroups([])
            os.setgid(NOBODY.pw_gid)
            os.setuid(NOBODY.pw_uid)
            os.write(writing, _outcome(act).encode())
        finally:
            os._exit(0)
    os.close(writing)
    with os.fdopen(reading) as pipe:
        said = pipe.read()
    os.waitpid(child, 0)
    return said


def _outcome(act: Callable[[], str]) -> str:
    try:
        return act()
    except Exception as error:  # noqa: BLE001 - the test looks at it
        return f"{getattr(error, 'code', type(error).__name__)}: {error}"
