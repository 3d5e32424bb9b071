"""`tallystick verify BILL`: compute it again from stored usage and compare."""

from typing import Any

from tallystick.cli.billing import find_bill
from tallystick.cli.client import Client
from tallystick.cli.output import print_json
from tallystick.cli.profile import NOWHERE, Connection, resolve

DIFFERS = 1


def verify(bill: str, *, json: bool = False, connection: Connection = NOWHERE) -> int:
    """Compute a bill again from stored usage and compare; nothing is changed. Exits with 1 where they differ.

    Parameters
    ----------
    bill
        The bill's id, or an account's code for its latest bill.
    json
        Print one JSON document.
    """
    with Client(resolve(connection)) as client:
        found = find_bill(client, bill)
        answer: Any = client.post(f"bills/{found['id']}/verify", repeatable=True)
    if json:
        print_json(answer)
    return 0
