"""What simulated bills come to: asking for all of them, adding them up, and the table of `bill simulate`."""

from collections.abc import Sequence
from decimal import Decimal
from pathlib import Path
from typing import Any

import msgspec
from rich.table import Table

from tallystick.cli.client import Client
from tallystick.cli.errors import CommandError
from tallystick.cli.output import counted, money, table

SIDES = ("old", "new", "difference")


def simulated_bills(client: Client, body: Any) -> list[Any]:
    """Ask for the simulation of all accounts, page by page. Raises Refused, CommandError."""
    data: list[Any] = []
    query: str | None = "pageSize=100"
    while query is not None:
        page = client.post(f"bills/simulate?{query}", body, repeatable=True)
        data += page["data"]
        token = page.get("nextToken")
        query = f"pageSize=100&nextToken={token}" if token else None
    return data


def read_json(path: Path) -> Any:
    """Read a JSON object from a file. Raises CommandError."""
    try:
        found = msgspec.json.Decoder(float_hook=Decimal).decode(path.read_bytes())
    except (OSError, msgspec.DecodeError) as error:
        raise CommandError(f"{path} cannot be read as JSON: {error}") from error
    if not isinstance(found, dict):
        raise CommandError(f"{path} has to hold one JSON object.")
    return found


def simulated_totals(data: Sequence[Any]) -> list[dict[str, Any]]:
    """Add up the accounts whose both sides could be made, by currency."""
    whole = [each for each in data if "difference" in each]
    return [
        {
            "currency": currency,
            "bills": sum(each["currency"] == currency for each in whole),
            **{
                side: sum((each.get(side, 0) for each in whole if each["currency"] == currency), Decimal(0))
                for side in SIDES
            },
        }
        for currency in sorted({each["currency"] for each in whole})
    ]


def simulation_table(data: Sequence[Any], totals: Sequence[Any], top: int) -> Table:
    """Show the largest differences, then the totals."""
    ranked = sorted(data, key=lambda each: -abs(each.get("difference", 0)))
    rows = [
        (
            each["accountCode"],
            *(money(each.get(side), each["currency"]) for side in SIDES),
        )
        for each in (ranked[:top] if top else ranked)
    ]
    sums = [
        (
            counted(each["bills"], "bill"),
            *(money(each[s], each["currency"]) for s in SIDES),
        )
        for each in totals
    ]
    return table("", ("account", *SIDES), [*rows, *sums], right=", ".join(SIDES))
