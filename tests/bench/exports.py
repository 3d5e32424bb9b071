"""A usage export of 1,000,000 measurements of 1,000 accounts, through the API: how fast, in how much memory.

The same with a tenth of the rows first: if memory grew with the rows, the peaks would differ by it. Memory
is that of server and PostgreSQL together. The file is downloaded and its rows are counted.
"""

import gzip
import time
from collections.abc import Iterator
from datetime import UTC, datetime
from uuid import UUID

import httpx

from tallystick.kernel.periods import Period
from tests.bench.catalogue import FIELDS
from tests.bench.client import Client
from tests.bench.figures import Figure, check
from tests.bench.memory import peak_of, resident_mib
from tests.bench.options import Options
from tests.bench.server import apart, new_home
from tests.bench.stored import Flights

JANUARY = Period(datetime(2025, 1, 1, tzinfo=UTC), datetime(2025, 2, 1, tzinfo=UTC))
ROWS = 1_000_000
ACCOUNTS = 1000
_LONGEST_S = 900


def run(options: Options) -> Iterator[Figure]:
    """Measure."""
    rows = ROWS // 10 if options.quick else ROWS
    with new_home(options.folder) as home:
        with home.served() as server, server.client() as client:
            meters = {size: _meter(client, f"m{size}") for size in (rows // 10, rows)}
        for size, meter_id in meters.items():
            flights = Flights(
                org_id=home.org_id,
                meter_id=meter_id,
                accounts=[str(UUID(int=i)) for i in range(1, ACCOUNTS + 1)],
                month=JANUARY,
                received=int(JANUARY.end.timestamp() * 1_000_000) + size,
                skewed=False,
            )
            apart(flights.fill, home.path / "usage", size)
        with home.served() as server, server.client() as client:
            for size, meter_id in meters.items():
                before = resident_mib(server.pid)
                with peak_of(server.pid) as peak:
                    took = _export(client, meter_id, size)
                note = f"{took:.1f} s; {before:.0f} MiB before, {peak.mib:.0f} MiB at most"
                yield Figure(
                    name=f"exports: {size:,} rows as CSV", value=round(size / took), unit="rows/s", note=note
                )
                yield Figure(
                    name=f"exports: memory that {size:,} rows took",
                    value=round(peak.mib - before),
                    unit="MiB",
                )


def _meter(client: Client, code: str) -> str:
    body = {"name": code, "code": code, "dataFields": FIELDS, "derivedFields": []}
    return str(client.post("meters", body)["id"])


def _export(client: Client, meter_id: str, rows: int) -> float:
    """Export a meter's month, and count the rows of the file; give the seconds until the job has ended."""
    body = {
        "sourceType": "USAGE",
        "meterIds": [meter_id],
        "startDate": "2025-01-01T00:00:00Z",
        "endDate": "2025-02-01T00:00:00Z",
    }
    begun = time.perf_counter()
    job_id = client.post("dataexports/adhoc", body)["jobId"]
    job = client.get(f"dataexports/jobs/{job_id}")
    while job["status"] not in {"SUCCEEDED", "FAILED"}:
        check(time.perf_counter() - begun < _LONGEST_S, f"the export does not end: {job}")
        time.sleep(0.1)
        job = client.get(f"dataexports/jobs/{job_id}")
    took = time.perf_counter() - begun
    check(job["status"] == "SUCCEEDED", f"the export failed: {job}")
    link = httpx.URL(client.get(f"dataexports/jobs/{job_id}/getdownloadurl")["url"])
    url = link.copy_with(host=client.address[0], port=client.address[1])
    lines = gzip.decompress(httpx.get(url, timeout=60).content).count(b"\r\n") - 1
    check(lines == rows, f"the file has {lines} rows, and there are {rows}")
    return took
