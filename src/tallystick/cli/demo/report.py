"""What the demo shows."""

from collections.abc import Iterable
from decimal import Decimal
from pathlib import Path
from typing import Any

from rich.console import Console
from rich.text import Text

from tallystick.cli.billing import Bill, Line
from tallystick.cli.demo.check import Sums
from tallystick.cli.explanation import explanation_view
from tallystick.cli.output import money, number, table
from tallystick.cli.profile import Connection
from tallystick.cli.program import program

LARGEST = 10


def title(console: Console) -> None:
    """Say what is coming."""
    console.print("\n[bold]Tallystick[/]: real usage in, bills that explain themselves out\n")


def largest_bills(console: Console, bills: list[Bill], month: str) -> None:
    """Show the largest bills, each with its lines."""
    rows = []
    for bill in bills[:LARGEST]:
        lines: dict[str, Line] = {line["description"]: line for line in bill["lineItems"]}
        flights, miles = lines.get("Flights", {}), lines.get("Miles", {})
        rows.append(
            (
                Text(bill["accountCode"], style="bold"),
                number(flights.get("quantity", 0)),
                number(miles.get("quantity", 0)),
                money(lines["Airport access"]["convertedSubtotal"]),
                money(flights.get("convertedSubtotal", 0)),
                money(miles.get("convertedSubtotal", 0)),
                Text(money(bill["billTotal"]), style="bold"),
            )
        )
    columns = ("Airport", "Flights", "Miles", "Access", "For flights", "For miles", "Total USD")
    heading = f"The {len(rows)} largest of {len(bills)} bills for {month}"
    console.print()
    console.print(table(heading, columns, rows, right=",".join(columns[1:])))


def derivation(console: Console, bill: Bill, line: Line, explanation: Any) -> None:
    """Show how one line came to be."""
    console.print(f"\n[bold]Where {bill['accountCode']}'s line for flights comes from[/]")
    console.print(explanation_view(line, explanation, bill["currency"]))


def comparison(console: Console, months: Iterable[tuple[str, Sums, Sums]]) -> None:
    """Show both sides of the comparison."""
    rows = []
    for month, expected, billed in months:
        for who, sums in (("in the file", expected), ("billed", billed)):
            amount = money(Decimal(sums.amount))
            rows.append((month, who, number(sums.bills), number(sums.flights), number(sums.miles), amount))
    columns = ("Month", "", "Bills", "Flights", "Miles", "Amount USD")
    console.print()
    console.print(table("Checked against the source file", columns, rows, right=",".join(columns[2:])))
    console.print("Every line of every bill is equal, to the mile and to the cent.", style="green")


def where_to_go(console: Console) -> None:
    """Say what to do next."""
    _commands(
        console,
        "Where to go next",
        (
            (f"{program()} demo --keep", "this, kept running"),
            (f"{program()} admin bootstrap ORG E-MAIL --save", "your own organization"),
            (f"{program()} serve", "your own server"),
            ("README.md", "a first bill by curl"),
        ),
    )


def how_to_reach(console: Console, connection: Connection, made: dict[str, Any], saved: Path) -> None:
    """Say how to talk to the server that keeps running."""
    console.print("\n[bold]The server keeps running[/]")
    facts = (
        ("Address", connection.url),
        ("Organization", connection.org),
        ("Access key", connection.key),
        ("API secret", connection.secret),
        ("Log-in", f"{made['adminEmail']}  {made['adminPassword']}"),
        ("Saved in", str(saved)),
        ("Whole API", f"{connection.url}/openapi.json"),
    )
    for name, value in facts:
        console.print(Text.assemble((f"  {name:13}", "dim"), str(value)), soft_wrap=True)
    _commands(
        console,
        "Try, in another terminal",
        (
            (f"{program()} bill show ORD", "a bill"),
            (f"{program()} bill explain ORD", "where its amounts come from"),
            (f"{program()} verify ORD", "computed again and compared"),
        ),
    )
    console.print("\n[bold]By curl[/]")
    for line in (
        f"TOKEN=$(curl -s -d grant_type=client_credentials -u {connection.key}:{connection.secret} \\",
        f'  {connection.url}/oauth/token | sed \'s/.*"access_token":"\\([^"]*\\).*/\\1/\')',
        'curl -s -H "Authorization: Bearer $TOKEN" \\',
        f'  "{connection.url}/organizations/{connection.org}/bills?pageSize=1"',
    ):
        console.print(Text(f"  {line}"), soft_wrap=True)


def waiting(console: Console) -> None:
    """Say how to end it."""
    console.print("\nCtrl-C stops the server; its home stays.")


def failed(console: Console, folder: Path) -> None:
    """Say where the traces are."""
    console.print(
        f"\nThe demo failed. What it left, the server's log among it, stays in {folder}", style="yellow"
    )


def stopped(console: Console, folder: Path) -> None:
    """Say how to start the kept home again, and how to be rid of it."""
    console.print("\nStopped. The home stays:")
    console.print(Text(f"  start it again   {program()} serve --home {folder / 'home'}"), soft_wrap=True)
    console.print(Text(f"  throw it away    rm -r {folder}"), soft_wrap=True)


def _commands(console: Console, heading: str, commands: Iterable[tuple[str, str]]) -> None:
    console.print(f"\n[bold]{heading}[/]")
    commands = list(commands)
    width = max(len(command) for command, _ in commands)
    for command, meaning in commands:
        console.print(Text.assemble((f"  {command:<{width}}", "cyan"), (f"  {meaning}", "")), soft_wrap=True)
