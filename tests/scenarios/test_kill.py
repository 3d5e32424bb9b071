"""kill -9: nothing acknowledged is lost, and bill runs go on without billing anything twice."""

import itertools
import threading
import time
from concurrent.futures import ThreadPoolExecutor
from decimal import Decimal
from pathlib import Path
from typing import Any

import httpx
import pytest

from tests.support.process import Process, api, bootstrap
from tests.support.world import Api, ApiError

BATCH = 50
SENDERS = 4
ACCOUNTS = 1500
COMPLETE_WITHIN_S = 90


def billed_quantity(acme: Api, account_id: str, kind: str = "USAGE") -> Decimal:
    """Preview May 2025 for an account and give the quantity of its usage, 0 when there is none."""
    preview = acme.post(
        "bills/preview",
        {
            "accountIds": [account_id],
            "billingFrequency": "MONTHLY",
            "billFrequencyInterval": 1,
            "lastDateInBillingPeriod": "2025-05-31",
        },
    )
    return sum(
        (Decimal(i["quantity"]) for i in preview["lineItems"] if i["lineItemType"] == kind), Decimal(0)
    )


class Senders:
    """Threads that send batches until the server is gone, and remember what was sent and acknowledged."""

    def __init__(self, acme: Api) -> None:
        self.acme = acme
        self.sent: list[list[Any]] = []
        self.acknowledged = 0
        self._numbers = itertools.count()
        self._lock = threading.Lock()
        self._threads = [threading.Thread(target=self._send) for _ in range(SENDERS)]

    def start(self) -> None:
        for thread in self._threads:
            thread.start()

    def join(self) -> None:
        for thread in self._threads:
            thread.join()

    def _send(self) -> None:
        while True:
            numbers = list(itertools.islice(self._numbers, BATCH))
            batch = [
                self.acme.measure("acme", f"2025-05-{1 + n % 31:02}T12:00:00Z", uid=f"u{n}", distance=1)
                for n in numbers
            ]
            with self._lock:
                self.sent.append(batch)
            try:
                self.acme.send(*batch)
            except (httpx.HTTPError, ApiError):
                return
            with self._lock:
                self.acknowledged += BATCH


@pytest.fixture
def acme_home(temporary_folder: Path) -> tuple[Path, dict[str, str]]:
    return temporary_folder / "home", bootstrap(temporary_folder / "home")


def test_acknowledged_usage_survives_and_resending_counts_once(
    acme_home: tuple[Path, dict[str, str]],
) -> None:
    home, made = acme_home
    with Process.start(home) as server:
        acme = api(server, made)
        product = acme.product()
        count = acme.aggregation(acme.meter(product)["id"], "COUNT", "distance")
        plan = acme.plan(product)
        acme.pricing(plan["id"], count["id"], (0, 0, 1))
        account = acme.account()["id"]
        acme.attach(account, plan["id"], "2025-01-01")
        senders = Senders(acme)
        senders.start()
        time.sleep(1.5)
        server.kill()
        senders.join()
    assert senders.acknowledged > 0

    with Process.start(home) as server:
        acme = api(server, made)
        survived = billed_quantity(acme, account)
        sent = sum(len(batch) for batch in senders.sent)
        assert senders.acknowledged <= survived <= sent
        for batch in senders.sent:
            acme.send(*batch)
        assert billed_quantity(acme, account) == sent


def attach_accounts(acme: Api, plan_id: str) -> set[str]:
    """Make many accounts on the plan; give their ids."""

    def attach(number: int) -> str:
        account_id = str(acme.account(f"a{number}")["id"])
        acme.attach(account_id, plan_id, "2025-01-01")
        return account_id

    with ThreadPoolExecutor(8) as pool:
        return set(pool.map(attach, range(ACCOUNTS)))


def all_bills(acme: Api) -> list[Any]:
    """List every bill, page by page."""
    bills: list[Any] = []
    token: dict[str, str] = {}
    while True:
        page = acme.get("bills", pageSize=100, excludeLineItems="true", includeBillTotal="true", **token)
        bills += page["data"]
        if "nextToken" not in page:
            return bills
        token = {"nextToken": page["nextToken"]}


def test_a_killed_bill_run_resumes_and_bills_each_account_once(
    acme_home: tuple[Path, dict[str, str]],
) -> None:
    home, made = acme_home
    with Process.start(home) as server:
        acme = api(server, made)
        plan = acme.plan(acme.product(), standingCharge=100)
        accounts = attach_accounts(acme, plan["id"])
        body = {"lastDateInBillingPeriod": "2025-05-31", "billingFrequency": "MONTHLY"}
        job = acme.post("billjobs", body)
        while job["status"] != "RUNNING" or job["pending"] == job["total"]:
            assert job["status"] != "COMPLETE", (
                "the run was over before it could be killed; make ACCOUNTS larger"
            )
            time.sleep(0.005)
            job = acme.get(f"billjobs/{job['id']}")
        server.kill()
    assert 0 < job["pending"] < job["total"]

    with Process.start(home) as server:
        acme = api(server, made)
        deadline = time.monotonic() + COMPLETE_WITHIN_S
        while acme.get(f"billjobs/{job['id']}")["status"] != "COMPLETE":
            assert time.monotonic() < deadline, acme.get(f"billjobs/{job['id']}")
            time.sleep(0.1)
        bills = all_bills(acme)
        assert len(bills) == ACCOUNTS
        assert {b["accountId"] for b in bills} == accounts
        assert {b["billTotal"] for b in bills} == {100}
        assert server.stop() == 0
