"""`tallystick bill …`: run, show and explain bills, and save them as PDF."""

import calendar
import re
import sys
from dataclasses import dataclass
from datetime import date
from pathlib import Path
from typing import Any, Literal, Self

from cyclopts import Parameter
from rich.progress import BarColumn, MofNCompleteColumn, Progress, SpinnerColumn, TextColumn
from rich.text import Text

from tallystick.cli.billing import (
    Bill,
    bill_view,
    bills_of_request,
    bills_table,
    explanation_of,
    find_bill,
    find_line,
    id_of,
    run_job,
    total_of,
)
from tallystick.cli.client import Client
from tallystick.cli.errors import CommandError
from tallystick.cli.explanation import explanation_view
from tallystick.cli.output import counted, money, on_error, on_output, print_json
from tallystick.cli.profile import NOWHERE, Connection, resolve
from tallystick.cli.simulation import read_json, simulated_bills, simulated_totals, simulation_table

MONTH = re.compile(r"(\d{4})-(\d{2})")
Frequency = Literal["daily", "weekly", "monthly", "annually"]


@Parameter(name="*")
@dataclass(frozen=True)
class Scope:
    """Which bills to make; nothing given makes those of the latest closed period, for everybody.

    Parameters
    ----------
    month
        The monthly bills of this month: 2026-01.
    frequency
        Only plans that bill this often.
    last_date
        The period whose last day this is: 2026-01-31.
    account
        Only these accounts, by code or id; may be given several times.
    """

    month: str | None = None
    frequency: Frequency | None = None
    last_date: date | None = None
    account: tuple[str, ...] = ()


EVERYBODY = Scope()


def run(
    *,
    scope: Scope = EVERYBODY,
    top: int = 20,
    json: bool = False,
    connection: Connection = NOWHERE,
) -> int:
    """Run bills: create a job, follow it, and list what it made, the largest first.

    Running a period again brings its bills up to date; no bill is made twice, a locked one stays as it is.

    **Example:** `tallystick bill run --month 2026-01 --account acme`

    Parameters
    ----------
    top
        How many bills to list; 0 lists all.
    json
        Print one JSON document with the job and all its bills.
    """
    with Client(resolve(connection)) as client:
        request = job_request(client, scope)
        with JobBar() as bar:
            job = run_job(client, request, bar.advance)
        bills = bills_of_request(client, request, job["id"])
    if json:
        print_json({"job": job, "bills": bills})
    else:
        _list(job, bills, top)
    return 0 if job["status"] == "COMPLETE" else 1


def show(bill: str, *, json: bool = False, connection: Connection = NOWHERE) -> None:
    """Show a bill and its lines.

    Parameters
    ----------
    bill
        The bill's id, or an account's code for its latest bill.
    json
        Print one JSON document.
    """
    with Client(resolve(connection)) as client:
        found = find_bill(client, bill)
    if json:
        print_json(found)
        return
    on_output().print(bill_view(found))


def explain(
    bill: str, line: str | None = None, *, json: bool = False, connection: Connection = NOWHERE
) -> None:
    """Explain where the amounts of a bill come from: the usage query, the bands, the days, the rounding.

    Parameters
    ----------
    bill
        The bill's id, or an account's code for its latest bill.
    line
        One line, by its number on the bill or its id; all of them otherwise.
    json
        Print one JSON document.
    """
    with Client(resolve(connection)) as client:
        found = find_bill(client, bill)
        lines = [find_line(found, line)] if line else found["lineItems"]
        told = [(each, explanation_of(client, found, each)) for each in lines]
    if json:
        print_json([explanation for _, explanation in told])
        return
    console = on_output()
    for each, explanation in told:
        console.print(explanation_view(each, explanation, found["currency"]))
        console.print()


def pdf(
    bill: str,
    *,
    out: Path | None = None,
    statement: bool = False,
    no_appendix: bool = False,
    connection: Connection = NOWHERE,
) -> None:
    """Save a bill as PDF, as it is sent to the customer.

    Parameters
    ----------
    bill
        The bill's id, or an account's code for its latest bill.
    out
        The file to write; `-` is standard output. Otherwise bill-NUMBER.pdf in this folder.
    statement
        The bill's statement instead, once one was made.
    no_appendix
        Leave out how each amount came about; otherwise it is as the organization's settings say.
    """
    with Client(resolve(connection)) as client:
        found = find_bill(client, bill)
        path = f"bills/{found['id']}/{'statement/' if statement else ''}pdf"
        content = client.file(path, appendix="false" if no_appendix else None)
    kind = "statement" if statement else "bill"
    number = found.get("sequentialInvoiceNumber") or found["id"]
    place = out or Path(f"{kind}-{re.sub(r'[^A-Za-z0-9._-]', '_', number)}.pdf")
    if str(place) == "-":
        sys.stdout.buffer.write(content)
        return
    place.write_bytes(content)
    on_output().print(Text(f"{place} written."))


def simulate(
    what: Path,
    *,
    scope: Scope = EVERYBODY,
    json: bool = False,
    top: int = 20,
    connection: Connection = NOWHERE,
) -> None:
    """Rate a period under other prices: what bills come to, would come to, and the difference; store nothing.

    **Example:** `tallystick bill simulate cheaper.json --month 2026-01`

    Parameters
    ----------
    what
        A JSON file with what is put in place of what is stored: see docs/cli.md.
    top
        How many accounts to list, the largest differences first; 0 lists all.
    json
        Print one JSON document with every account and the totals.
    """
    with Client(resolve(connection)) as client:
        body = {**job_request(client, scope), **read_json(what)}
        data = simulated_bills(client, body)
    totals = simulated_totals(data)
    if json:
        print_json({"data": data, "totals": totals})
    else:
        on_output().print(simulation_table(data, totals, top))


def job_request(client: Client, scope: Scope) -> dict[str, Any]:
    """Write the order for a job. Raises CommandError."""
    frequency, last = scope.frequency, scope.last_date
    if scope.month:
        if frequency not in (None, "monthly") or last:
            raise CommandError("--month says both frequency and period; leave the other options out.")
        frequency, last = "monthly", last_day(scope.month)
    request: dict[str, Any] = {}
    if frequency:
        request["billingFrequency"] = frequency.upper()
    if last:
        request["lastDateInBillingPeriod"] = last.isoformat()
    if scope.account:
        request["accountIds"] = [id_of(client, "accounts", name) for name in scope.account]
    return request


def last_day(month: str) -> date:
    """Give the last day of a month written as 2026-01. Raises CommandError."""
    match = MONTH.fullmatch(month)
    try:
        year, number = (int(match[1]), int(match[2])) if match else (0, 0)
        return date(year, number, calendar.monthrange(year, number)[1])
    except ValueError as error:
        raise CommandError(f"--month {month}: write it as 2026-01.") from error


class JobBar:
    """A progress bar of a job on standard error; where that is no terminal, nothing moves."""

    def __init__(self, label: str = "Billing") -> None:
        console = on_error()
        self._bar = Progress(
            SpinnerColumn(),
            TextColumn("{task.description}"),
            BarColumn(),
            MofNCompleteColumn(),
            console=console,
            disable=not console.is_terminal,
            transient=True,
        )
        self._task = self._bar.add_task(label, total=None)

    def __enter__(self) -> Self:
        self._bar.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._bar.stop()

    def advance(self, done: int, total: int) -> None:
        """Show how many are done."""
        self._bar.update(self._task, completed=done, total=total or None)


def _list(job: Any, bills: list[Bill], top: int) -> None:
    console = on_output()
    shown = bills[:top] if top > 0 else bills
    if not bills:
        accounts = counted(job["total"], "account")
        console.print(f"{accounts} looked at, no bill made: all are up to date, or nobody's plan bills then.")
        return
    console.print(bills_table(shown))
    sums: dict[str, Any] = {}
    for bill in bills:
        sums[bill["currency"]] = sums.get(bill["currency"], 0) + total_of(bill)
    more = f", {len(bills) - len(shown):,} more not shown (--top 0)" if len(shown) < len(bills) else ""
    console.print()
    for currency, amount in sorted(sums.items()):
        console.print(Text(f"{money(amount, currency)} in {counted(len(bills), 'bill')}{more}", style="bold"))
    if job["status"] != "COMPLETE":
        console.print(f"The job {job['id']} was {job['status'].lower()}.", style="yellow")
