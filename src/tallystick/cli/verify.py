"""`tallystick verify BILL`: compute it again from stored usage and compare."""

from typing import Any

from rich.text import Text

from tallystick.cli.billing import find_bill, period
from tallystick.cli.client import Client
from tallystick.cli.output import counted, money, on_output, print_json, table
from tallystick.cli.profile import NOWHERE, Connection, resolve

SAME, DIFFERENT = 0, 1


def verify(bill: str, *, json: bool = False, connection: Connection = NOWHERE) -> int:
    """Compute a bill again from stored usage and compare it line by line. Nothing is changed.

    Exits with 0 where they are equal and with 1 where they differ: usage or prices changed since.

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
    else:
        _show(found, answer)
    return SAME if answer["matches"] else DIFFERENT


def _show(bill: Any, answer: Any) -> None:
    console = on_output()
    what = (
        f"{bill.get('accountCode', bill['id'])}, {period(bill)}, {money(bill['billTotal'], bill['currency'])}"
    )
    if answer["matches"]:
        console.print(
            Text.assemble(("matches ", "bold green"), f"{counted(answer['linesChecked'], 'line')} of {what}")
        )
        return
    console.print(Text.assemble(("differs ", "bold red"), what))
    rows = [
        (each["description"], each["field"], each.get("stored", "missing"), each.get("recomputed", "missing"))
        for each in answer["differences"]
    ]
    columns = ("Line", "Field", "On the bill", "Computed now")
    console.print(table("", columns, rows, right="On the bill,Computed now"))
    console.print(
        "To bring a bill that is not locked up to date, run its period again: `tallystick bill run`."
    )
