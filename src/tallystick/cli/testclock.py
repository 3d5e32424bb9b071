"""`tallystick testclock …`: see an organization's test clock, and move it on to rehearse what time brings."""

import time
from datetime import UTC, datetime
from typing import Any

from rich.text import Text

from tallystick.cli.client import Client
from tallystick.cli.errors import CommandError
from tallystick.cli.output import on_output, print_json, spinner
from tallystick.cli.profile import NOWHERE, Connection, resolve

PATH = "testclock"
MOVING, READY = "ADVANCING", "READY"
POLL_S = 0.3


def show(*, json: bool = False, connection: Connection = NOWHERE) -> None:
    """Show where the test clock stands.

    Parameters
    ----------
    json
        Print one JSON document.
    """
    with Client(resolve(connection)) as client:
        clock = client.get(PATH)
    _tell(clock, json=json)


def move(to: str, *, no_wait: bool = False, json: bool = False, connection: Connection = NOWHERE) -> int:
    """Start the test clock, or move it on: what falls due on the way is done, in order.

    Only an organization without bills can start one, and it never goes back.

    **Example:** `tallystick testclock move 2026-02-01`

    Parameters
    ----------
    to
        A date (its midnight) or an instant, in UTC unless it says another offset: 2026-02-01T09:00.
    no_wait
        Return at once; `tallystick testclock show` tells how far it is.
    json
        Print one JSON document.
    """
    with Client(resolve(connection)) as client, spinner("Moving the clock"):
        clock = client.put(PATH, {"now": instant(to)})
        while clock["status"] == MOVING and not no_wait:
            time.sleep(POLL_S)
            clock = client.get(PATH)
    _tell(clock, json=json)
    return 0 if clock["status"] in {READY, MOVING} else 1


def instant(given: str) -> str:
    """Read a date or an instant; without an offset it is UTC. Raises CommandError."""
    try:
        at = datetime.fromisoformat(given)
    except ValueError as error:
        raise CommandError(f"{given}: write it as 2026-02-01 or 2026-02-01T09:00.") from error
    return (at if at.tzinfo else at.replace(tzinfo=UTC)).astimezone(UTC).isoformat().replace("+00:00", "Z")


def _tell(clock: Any, *, json: bool) -> None:
    if json:
        print_json(clock)
        return
    said = f"The test clock stands at {clock['now']}."
    if clock["status"] == MOVING:
        said = f"The test clock stands at {clock['now']}, on its way to {clock['target']}."
    elif clock["status"] != READY:
        said = f"{said} It failed on its way to {clock['target']}: {clock.get('failure', '')}"
    on_output().print(Text(said))
