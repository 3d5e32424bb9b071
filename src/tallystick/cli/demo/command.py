"""The demo, stage by stage."""

import itertools
import shutil
import tempfile
import threading
from contextlib import ExitStack
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from rich.console import Console

from tallystick.cli.bill import last_day
from tallystick.cli.billing import Bill, Line, bills_of_job, explanation_of, run_job
from tallystick.cli.client import Client
from tallystick.cli.demo import report, server
from tallystick.cli.demo.check import Sums, billed_sums, differences, expected_sums
from tallystick.cli.demo.flights import Flights, find_flights, read_flights
from tallystick.cli.demo.prices import METER_CODE
from tallystick.cli.demo.setup import set_accounts, set_catalogue
from tallystick.cli.demo.stages import Stages
from tallystick.cli.errors import CommandError
from tallystick.cli.output import on_error, on_output, print_json
from tallystick.cli.profile import Connection, save_profile
from tallystick.cli.sending.files import look_at
from tallystick.cli.sending.mapping import Columns
from tallystick.cli.sending.run import Sending, send_file

FIELDS = (
    ("measure", "distance", "distance"),
    ("measure", "delay", "delay"),
    ("where", "destination", "destination"),
)
COLUMNS = Columns(meter=METER_CODE, account="origin", ts="date", fields=FIELDS)
MOST_DIFFERENCES = 10


@dataclass(frozen=True)
class Billed:
    """The bills of one month, the largest first, and both sides of the comparison."""

    month: str
    bills: list[Bill]
    billed: Sums
    expected: Sums


@dataclass(frozen=True)
class Kept:
    """The home that stays, and who may talk to its server."""

    home: Path
    made: dict[str, Any]
    connection: Connection


def demo(*, keep: bool = False, flights: Path | None = None, json: bool = False) -> None:
    """Bill a month of real usage in a throw-away home, and check every total.

    Starts a real server of its own, loads 20,000 flights of January 2001 through the API, bills 220 airports,
    explains a line, and compares every bill with the file. Touches nothing of yours.

    Parameters
    ----------
    keep
        Leave the server running until Ctrl-C and keep its home; saves a profile for the client commands.
    flights
        Another Parquet file with the columns date, origin, destination, distance and delay.
    json
        Print one JSON document instead of tables.
    """
    console = on_error() if json else on_output()
    report.title(console)
    folder = Path(tempfile.mkdtemp(prefix="tallystick-demo-"))
    stack, stays = ExitStack(), keep
    try:
        _demonstrate(console, folder, find_flights(flights), stack, keep=keep, as_json=json)
    except Exception:
        stays = True
        report.failed(console, folder)
        raise
    finally:
        with console.status("Stopping the server …", spinner_style="cyan"):
            stack.close()
            if not stays:
                shutil.rmtree(folder, ignore_errors=True)
    if keep:
        report.stopped(console, folder)


def _demonstrate(
    console: Console, folder: Path, file: Path, stack: ExitStack, *, keep: bool, as_json: bool
) -> None:
    """Run all stages, print what came of them, and wait where the server is kept."""
    stages = Stages(console)
    home = folder / "home"
    with stages.stage("Reading the flights") as stage:
        flights = read_flights(file)
        stage.result = f"{flights.rows:,} real flights from {len(flights.airports):,} airports read"
    with stages.stage("Starting PostgreSQL, ClickHouse and the server") as stage:
        port = server.preferred_port() if keep else 0
        url = stack.enter_context(server.running(home, port, folder / "server.log"))
        stage.result = "PostgreSQL, ClickHouse and server started"
    with stages.stage("Making the organization") as stage:
        made = server.bootstrap(home)
        stage.result = "Organization, administrator and access key made"
    connection = server.connection(url, made)
    client = stack.enter_context(Client(connection))
    _load(client, flights, stages)
    months = [_bill(client, flights, month, stages) for month in flights.months]
    with stages.stage("Explaining a line") as stage:
        bill = months[0].bills[0]
        line = next(each for each in bill["lineItems"] if each["description"] == "Flights")
        explanation = explanation_of(client, bill, line)
        stage.result = "One line explained"
    kept = Kept(home, made, connection) if keep else None
    _tell(console, months, (line, explanation), stages, kept, as_json=as_json)
    if kept:
        report.waiting(console)
        _until_interrupted()


def _load(client: Client, flights: Flights, stages: Stages) -> None:
    """Set everything up and send the usage."""
    first = flights.months[0]
    with stages.stage("Setting up product, meter and plan") as stage:
        plan_id = set_catalogue(client, first)
        stage.result = "Product, meter, 2 aggregations, tiered plan set up"
    airports = flights.airports
    with stages.stage("Making accounts") as stage:
        counter = itertools.count(1)
        set_accounts(
            client,
            airports,
            plan_id,
            first,
            lambda: stages.say(f"Making accounts: {next(counter)} of {len(airports)}"),
        )
        stage.result, stage.count = f"{len(airports)} airports made accounts on the plan", len(airports)
    with stages.stage("Sending flights") as stage:
        sent = send_file(
            client,
            look_at(flights.file),
            Sending(COLUMNS, remember=False),
            lambda row: stages.say(f"Sending flights: {row:,} of {flights.rows:,}"),
        )
        stage.result, stage.count = f"{sent.progress.accepted:,} flights stored durably", flights.rows


def _bill(client: Client, flights: Flights, month: str, stages: Stages) -> Billed:
    """Run the bills of a month, read them and compare them with the file. Raises CommandError."""
    request = {"billingFrequency": "MONTHLY", "lastDateInBillingPeriod": last_day(month).isoformat()}
    with stages.stage(f"Billing {month}") as stage:
        job = run_job(client, request, lambda done, total: stages.say(f"Billing {month}: {done} of {total}"))
        stage.count = int(job["total"])
        stage.result = f"{job['total']} accounts billed for {month}"
    with stages.stage("Comparing every bill with the file") as stage:
        bills = bills_of_job(client, job["id"], lines=True)
        owed = flights.expected[month]
        found = list(itertools.islice(differences(bills, owed), MOST_DIFFERENCES))
        billed, expected = billed_sums(bills), expected_sums(owed, len(flights.airports))
        if found or billed != expected:
            found.append(f"billed {billed}, expected {expected}")
            raise CommandError("The bills do not match the file:\n  " + "\n  ".join(found))
        stage.result = f"{billed.lines:,} lines compared with the file: all equal"
    return Billed(month, bills, billed, expected)


def _tell(
    console: Console,
    months: list[Billed],
    explained: tuple[Line, Any],
    stages: Stages,
    kept: Kept | None,
    *,
    as_json: bool,
) -> None:
    """Print tables, or one document; where the server is kept also how to reach it."""
    if kept:
        saved = save_profile(kept.connection)
    if as_json:
        print_json(
            {
                "months": [{"month": m.month, "billed": m.billed, "expected": m.expected} for m in months],
                "largestBills": months[0].bills[:10],
                "explanation": explained[1],
                "stages": [{"stage": s.result, "seconds": round(s.seconds, 3)} for s in stages.done],
                "kept": {**vars(kept.connection), "home": str(kept.home)} if kept else None,
            }
        )
        return
    report.largest_bills(console, months[0].bills, months[0].month)
    report.derivation(console, months[0].bills[0], *explained)
    report.comparison(console, [(m.month, m.expected, m.billed) for m in months])
    console.print(f"\nAll of it took [bold]{stages.seconds:.1f} s[/].")
    if kept:
        report.how_to_reach(console, kept.connection, kept.made, saved)
    else:
        report.where_to_go(console)


def _until_interrupted() -> None:
    try:
        threading.Event().wait()
    except KeyboardInterrupt:
        return
