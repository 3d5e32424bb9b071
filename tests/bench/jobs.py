"""Bill jobs as the benchmarks run and read them."""

import time
from typing import Any

from tests.bench.client import Client
from tests.bench.figures import check

_POLL_S = 0.1
_LONGEST_S = 1800


def run_month(client: Client, last_day: str) -> tuple[str, float]:
    """Bill a month; give the job's id and the seconds from asking until it is complete."""
    begun = time.perf_counter()
    job = client.post("billjobs", {"lastDateInBillingPeriod": last_day, "billingFrequency": "MONTHLY"})
    while job["status"] not in {"COMPLETE", "CANCELLED"}:
        check(time.perf_counter() - begun < _LONGEST_S, f"the bill job does not end: {job}")
        time.sleep(_POLL_S)
        job = client.get(f"billjobs/{job['id']}")
    took = time.perf_counter() - begun
    check(job["status"] == "COMPLETE" and not job.get("pending"), f"the bill job ended badly: {job}")
    return job["id"], took


def bills_of(client: Client, job_id: str) -> list[dict[str, Any]]:
    """Read the bills of a job with their lines."""
    return client.every(f"bills?billJobId={job_id}&includeBillTotal=true&excludeLineItems=false")
