"""Bills as the client commands and the demo see them: running jobs, finding bills, tables and words."""

import calendar
import re
import time
from collections.abc import Callable, Iterable, Sequence
from datetime import date, timedelta
from decimal import Decimal
from typing import Any

from rich.console import Group, RenderableType
from rich.table import Table
from rich.text import Text

from tallystick.cli.client import Client, Refused
from tallystick.cli.errors import CommandError
from tallystick.cli.output import money, number, table

ENDED = frozenset({"COMPLETE", "CANCELLED"})
FIRST_POLL_S, LONGEST_POLL_S = 0.1, 1.0
NOT_FOUND = 404
UUID = re.compile(r"[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}", re.IGNORECASE)
Bill = dict[str, Any]
Line = dict[str, Any]


def run_job(client: Client, request: dict[str, Any], on_progress: Callable[[int, int], None]) -> Any:
    """Create a bill job and follow it to its end. on_progress: done and total, as the job tells them."""
    job = client.post("billjobs", request)
    wait_s = FIRST_POLL_S
    while job["status"] not in ENDED:
        time.sleep(wait_s)
        wait_s = min(wait_s * 1.3, LONGEST_POLL_S)
        job = client.get(f"billjobs/{job['id']}")
        total = job.get("total", 0)
        on_progress(total - job.get("pending", 0), total)
    return job


def bills_of_job(client: Client, job_id: str, *, lines: bool = False) -> list[Bill]:
    """Read the bills that a job made, the largest first."""
    bills = client.every(
        "bills", billJobId=job_id, includeBillTotal="true", excludeLineItems=str(not lines).lower()
    )
    return largest_first(bills)


def bills_of_request(client: Client, request: dict[str, Any], job_id: str) -> list[Bill]:
    """Read the bills that a job was for, the largest first, also those that were up to date already.

    Where the request names no period, only those that the job made or changed.
    """
    last, frequency = request.get("lastDateInBillingPeriod"), request.get("billingFrequency")
    if not last or not frequency:
        return bills_of_job(client, job_id)
    wanted = request.get("accountIds")
    bills = client.every(f"bills/billingperiod/{last}/{frequency}")
    return largest_first(bill for bill in bills if not wanted or bill["accountId"] in wanted)


def largest_first(bills: Iterable[Bill]) -> list[Bill]:
    """Sort bills by their totals."""
    return sorted(bills, key=lambda bill: (-total_of(bill), bill.get("accountCode", "")))


def id_of(client: Client, path: str, named: str) -> str:
    """Give the id of something that is named by its id or its code. path: such as accounts.

    Raises CommandError.
    """
    if UUID.fullmatch(named):
        return named
    found = client.get(path, codes=named)["data"]
    if not found:
        raise CommandError(f"There is no {path.removesuffix('s')} with the code {named}.")
    return str(found[0]["id"])


def find_bill(client: Client, name: str) -> Bill:
    """Read a bill with its lines: by its id, or the latest one of the account with this code."""
    if UUID.fullmatch(name):
        try:
            return with_lines(client, client.get(f"bills/{name}"))
        except Refused as error:
            if error.status == NOT_FOUND:
                raise CommandError(f"There is no bill {name}.") from error
            raise
    found = client.get("accounts", codes=name)["data"]
    if not found:
        raise CommandError(f"{name} is neither the id of a bill nor the code of an account.")
    try:
        return with_lines(client, client.get(f"bills/latest/{found[0]['id']}"))
    except Refused as error:
        if error.status == NOT_FOUND:
            hint = "`tallystick bill run` makes the bills of a period."
            raise CommandError(f"The account {name} has no bill yet.", hint=hint) from error
        raise


def with_lines(client: Client, bill: Bill) -> Bill:
    """Give the bill with its lines, read where they did not come with it."""
    if "lineItems" not in bill:
        bill["lineItems"] = list(client.every(f"bills/{bill['id']}/lineitems"))
    bill["lineItems"].sort(key=lambda line: line.get("sequenceNumber", 0))
    return bill


def find_line(bill: Bill, name: str) -> Line:
    """Find a line of a bill by its number on the bill or its id. Raises CommandError."""
    lines: list[Line] = bill["lineItems"]
    for line in lines:
        if name in {line["id"], str(line.get("sequenceNumber"))}:
            return line
    numbers = ", ".join(f"{line.get('sequenceNumber')} ({line['description']})" for line in lines)
    raise CommandError(f"This bill has no line {name}. It has: {numbers or 'no lines at all'}.")


def total_of(bill: Bill) -> Decimal:
    """Give a bill's total, in its currency."""
    return Decimal(bill.get("billTotal", 0))


def bills_table(bills: Sequence[Bill], title: str = "") -> Table:
    """Make the table of a run: one bill a row."""
    rows = [
        (b.get("accountCode", ""), period(b), b["status"], money(total_of(b), b["currency"]), b["id"])
        for b in bills
    ]
    return table(title, ("Account", "Period", "Status", "Total", "Bill"), rows, right="Total")


def period(bill: Bill) -> str:
    """Write a bill's period: 2026-01 for that month, otherwise its first day and the first one after it."""
    start, end = (date.fromisoformat(bill[name]) for name in ("startDate", "endDate"))
    if start.day == 1 and end == start + timedelta(calendar.monthrange(start.year, start.month)[1]):
        return f"{start:%Y-%m}"
    return f"{start} to {end}"


def line_rows(bill: Bill) -> Iterable[tuple[str, ...]]:
    """Give the cells of each line: number, description, units, unit price, amount."""
    for line in bill["lineItems"]:
        # A standing charge has no units worth telling.
        has_units = line["lineItemType"] in {"USAGE", "USAGE_CREDIT"} or line.get("aggregationId")
        yield (
            str(line.get("sequenceNumber", "")),
            line["description"],
            f"{number(line['units'])} {line.get('unit', '')}".rstrip() if has_units else "",
            number(_short(line["averageUnitPrice"])) if has_units else "",
            money(line["convertedSubtotal"]),
        )


def _short(value: Any) -> Decimal:
    """Give a price in at most six places, to look at."""
    return Decimal(value).quantize(Decimal("0.000001"))


def bill_view(bill: Bill) -> RenderableType:
    """Make the whole bill: a header, its lines, the total."""
    header = Table.grid(padding=(0, 2))
    facts = [
        ("Bill", bill["id"]),
        ("Account", bill.get("accountCode") or bill["accountId"]),
        ("Period", f"{period(bill)} ({bill['billingFrequency'].lower()}, {bill.get('timezone', 'UTC')})"),
        ("Due", bill.get("dueDate", "")),
        ("Status", f"{bill['status']}{', locked' if bill.get('locked') else ''}"),
    ]
    for name, value in facts:
        header.add_row(Text(name, style="dim"), Text(str(value)))
    lines = table(
        "",
        ("#", "Line", "Units", "Average price", f"Amount {bill['currency']}"),
        line_rows(bill),
        right=f"#,Units,Average price,Amount {bill['currency']}",
    )
    lines.show_footer = True
    lines.columns[1].footer = Text("Total", style="bold")
    lines.columns[-1].footer = Text(money(total_of(bill)), style="bold")
    return Group(header, Text(), lines)


def explanation_of(client: Client, bill: Bill, line: Line) -> Any:
    """Read how a line came to be."""
    return client.get(f"bills/{bill['id']}/lineitems/{line['id']}/explanation")
