"""All 3,000,000 flights of the npm package vega-datasets 3.2.1: ingested over HTTP, billed, checked exactly.

One measurement a flight, its account the origin, its uid the row's number. Local dates are taken as UTC.
Batches are written by the clients while they send, so this is also what a loading program sees. Then every
month is billed, and the flights and miles on the bills are compared with sums made by other means.
"""

import threading
from collections import Counter
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq

from tests.bench.catalogue import Catalogue, make_account, make_catalogue
from tests.bench.client import Client, Operation, drive
from tests.bench.figures import Figure, check, waits
from tests.bench.jobs import bills_of, run_month
from tests.bench.memory import peak_of
from tests.bench.options import Options
from tests.bench.server import Server, new_home

ROWS = 1000
CLIENTS = 4
LAST_DAYS = ("01-31", "02-28", "03-31", "04-30", "05-31", "06-30", "07-31")
FLIGHTS = (508239, 458170, 511502, 501030, 518831, 502222, 6)
MILES = (369781288, 334293585, 372949654, 365693945, 379770183, 372367904, 4649)
LARGEST = {"ORD": (166341, 128190717), "DFW": (157162, 119478685), "ATL": (124711, 83824970)}
"Flights and miles of the three largest accounts."


def run(options: Options) -> Iterator[Figure]:
    """Measure."""
    if options.flights is None:
        skipped = "skipped: give flights-3m.parquet by --flights FILE or TALLYSTICK_BENCH_FLIGHTS"
        yield Figure(name="flights", value=0, unit="events", note=skipped)
        return
    table = read_flights(options.flights)
    with new_home(options.folder) as home, home.served() as server:
        with server.client() as client:
            made = make_catalogue(client)
            for origin in sorted(pc.unique(table["origin"]).to_pylist()):
                make_account(client, origin, made.plan_id, "2001-01-01")
        with peak_of(server.pid) as peak:
            yield _send(server, table)
            with server.client() as client:  # a new one: the server closes connections that idle
                yield from _bill(client, made)
        yield Figure(name="flights: peak memory of it all", value=round(peak.mib), unit="MiB")


def read_flights(file: Path) -> pa.Table:
    """Read the file, with dates as they are sent."""
    table = pq.read_table(file)
    check(table.num_rows == sum(FLIGHTS), f"{file} has {table.num_rows} rows, not {sum(FLIGHTS)}")
    sent = pc.strftime(table["date"].cast(pa.timestamp("s")), "%Y-%m-%dT%H:%M:%SZ")
    return table.set_column(table.column_names.index("date"), "date", sent)


def _send(server: Server, table: pa.Table) -> Figure:
    batches = _Batches(table)
    opened = [server.client() for _ in range(CLIENTS)]
    driven = drive([_sender(client, batches) for client in opened], seconds=3600)
    for client in opened:
        client.close()
    return Figure(
        name=f"flights: ingest of {table.num_rows:,}, {CLIENTS} clients",
        value=round(table.num_rows / driven.wall_s),
        unit="events/s",
        client_cores=driven.client_cores,
        note=f"{driven.wall_s:.1f} s",
        waits=waits(driven.waits),
    )


class _Batches:
    """Hands out the rows of a table, 1,000 at a time, to several threads."""

    def __init__(self, table: pa.Table) -> None:
        self._table = table
        self._next = 0
        self._lock = threading.Lock()

    def take(self) -> tuple[int, pa.Table]:
        """Give the next rows and the number of the first; no rows at the end."""
        with self._lock:
            first = self._next
            self._next += ROWS
        return first, self._table.slice(first, ROWS)


def _sender(client: Client, batches: _Batches) -> Operation:
    def send() -> bool:
        first, rows = batches.take()
        if not rows.num_rows:
            return False
        status, answer = client.exchange(client.request("POST", "measurements", _body(first, rows)))
        check(status == 200, f"a batch was answered {status}: {answer[:500]!r}")
        return True

    return send


def _body(first: int, rows: pa.Table) -> bytes:
    columns = [rows[name].to_pylist() for name in ("origin", "date", "distance", "delay", "destination")]
    measurements = [
        f'{{"uid":"flight-{number}","meter":"flights","account":"{origin}","ts":"{ts}",'
        f'"measure":{{"distance":{miles},"delay":{delay}}},"where":{{"destination":"{destination}"}}}}'
        for number, (origin, ts, miles, delay, destination) in enumerate(zip(*columns, strict=True), first)
    ]
    return f'{{"measurements":[{",".join(measurements)}]}}'.encode()


def _bill(client: Client, made: Catalogue) -> Iterator[Figure]:
    """Bill every month and compare every sum. Raises Wrong."""
    flights: Counter[str] = Counter()
    miles: Counter[str] = Counter()
    bills, seconds = 0, 0.0
    for day, *right in zip(LAST_DAYS, FLIGHTS, MILES, strict=True):
        job, took = run_month(client, f"2001-{day}")
        found = bills_of(client, job)
        month_flights = _quantities(found, made.flights_id)
        month_miles = _quantities(found, made.miles_id)
        got = [sum(month_flights.values()), sum(month_miles.values())]
        check(got == right, f"the month up to {day} has {got} flights and miles, but should have {right}")
        flights, miles = flights + month_flights, miles + month_miles
        bills, seconds = bills + len(found), seconds + took
    for account, right_sums in LARGEST.items():
        sums = (flights[account], miles[account])
        check(sums == right_sums, f"{account} has {sums} flights and miles, but should have {right_sums}")
    top = tuple(code for code, _ in flights.most_common(len(LARGEST)))
    check(top == tuple(LARGEST), f"the largest accounts are {top}")
    yield Figure(
        name="flights: bills of 7 months",
        value=round(bills / seconds),
        unit="bills/s",
        note=f"{bills:,} bills in {seconds:.1f} s; flights and miles by month and by account are exact",
    )


def _quantities(bills: list[dict[str, Any]], aggregation_id: str) -> Counter[str]:
    """Sum the quantity of an aggregation by account. Whole numbers: exact as JSON gives them."""
    sums: Counter[str] = Counter()
    for bill in bills:
        for line in bill["lineItems"]:
            if line.get("aggregationId") == aggregation_id:
                quantity = line["quantity"]
                check(quantity == int(quantity), f"half a flight on {bill['id']}: {quantity}")
                sums[bill["accountCode"]] += int(quantity)
    return sums
