"""One random organization over some months: usage on time, late and twice, plan changes, bills in all states.

An independent model remembers what was sent. After each bill run the bills are compared with it.
"""

import time
from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import UTC, date, datetime, timedelta
from decimal import Decimal
from random import Random
from typing import Any

from tests.support.world import World

D = Decimal
JOB_WITHIN_S = 60
FIRST_MONTH = date(2025, 1, 1)


@dataclass(frozen=True)
class Sent:
    """A measurement that counts: who, when, how much."""

    account: str
    ts: datetime
    miles: int


@dataclass
class Simulation:
    """A world, what was sent to it, and what its locked bills looked like when they were locked."""

    world: World
    random: Random
    months: int = 4
    accounts: dict[str, str] = field(default_factory=dict)
    plans: list[str] = field(default_factory=list)
    attached: dict[str, Any] = field(default_factory=dict)
    sent: dict[str, Sent] = field(default_factory=dict)
    locked: dict[str, Any] = field(default_factory=dict)

    def run(self) -> None:
        """Live through the months: each day something happens, each month is billed, some of it again."""
        self.world.at(f"{FIRST_MONTH}T00:00:00")
        self._set_up()
        day = FIRST_MONTH
        end = month_after(FIRST_MONTH, self.months)
        while day < end:
            self.world.at(f"{day}T23:00:00")
            for action in self.random.choices(self._actions, k=3):
                action()
            day += timedelta(days=self.random.randint(1, 4))
            if (day - timedelta(days=1)).month != (day - timedelta(days=5)).month or day >= end:
                self.world.at(f"{day}T01:00:00")
                self._bill_everything(day)

    @property
    def _actions(self) -> list[Callable[[], None]]:
        return [
            self._send,
            self._send,
            self._send_late,
            self._send_again,
            self._change_plan,
            self._settle_bill,
        ]

    # --- what happens ---------------------------------------------------------------------------

    def _set_up(self) -> None:
        product = self.world.product()
        miles = self.world.aggregation(self.world.meter(product)["id"], "SUM", "distance", name="Miles")["id"]
        for number in range(3):
            plan = self.world.plan(product, f"plan{number}", standingCharge=self.random.randint(0, 50))["id"]
            limits = [0, *sorted(self.random.sample(range(1, 500), 2))]
            bands = [(limit, self.random.randint(0, 5), self._price()) for limit in limits]
            self.world.pricing(plan, miles, *bands, cumulative=self.random.random() < 0.5)
            self.plans.append(plan)
        for number in range(self.random.randint(2, 5)):
            code = f"a{number}"
            self.accounts[code] = self.world.account(code)["id"]
            plan = self.random.choice(self.plans)
            self.attached[code] = self.world.attach(self.accounts[code], plan, str(FIRST_MONTH))

    def _price(self) -> Decimal:
        return D(self.random.randint(1, 99_999)).scaleb(-self.random.randint(2, 5))

    def _send(self, days_ago: int = 0) -> None:
        now = self.world.live.clock.now()
        batch = []
        for _ in range(self.random.randint(1, 5)):
            code = self.random.choice(list(self.accounts))
            ts = now - timedelta(days=days_ago, seconds=self.random.randint(0, 80_000))
            ts = max(ts, datetime(2025, 1, 1, tzinfo=UTC))
            uid, miles = f"u{len(self.sent)}", self.random.randint(-20, 200)
            self.sent[uid] = Sent(code, ts, miles)
            batch.append(self._measurement(uid))
        self.world.send(*batch)

    def _send_late(self) -> None:
        self._send(days_ago=self.random.randint(1, 40))

    def _send_again(self) -> None:
        if self.sent:
            recent = self.world.live.clock.now() - timedelta(days=30)
            uids = self.random.sample(sorted(self.sent), min(3, len(self.sent)))
            again = [self._measurement(u) for u in uids if self.sent[u].ts > recent]
            if again:
                self.world.send(*again)

    def _measurement(self, uid: str) -> Any:
        sent = self.sent[uid]
        ts = sent.ts.isoformat().replace("+00:00", "Z")
        return self.world.measure(sent.account, ts, uid=uid, distance=sent.miles)

    def _change_plan(self) -> None:
        code = self.random.choice(list(self.accounts))
        old, today = self.attached[code], self.world.live.clock.now().date()
        if str(today) > old["startDate"][:10]:
            body = {
                "accountId": self.accounts[code],
                "planId": self.random.choice(self.plans),
                "startDate": f"{today}T00:00:00Z",
            }
            replaced = self.world.post(f"accountplans/{old['id']}/replace", body)
            self.attached[code] = replaced["newAccountPlan"]

    def _settle_bill(self) -> None:
        bills = [b for b in self._bills() if not b["locked"]]
        if not bills:
            return
        bill = self.random.choice(bills)
        if bill["status"] == "PENDING":
            self.world.put(f"bills/{bill['id']}/status", {"status": "APPROVED"})
        else:
            self.world.put(f"bills/{bill['id']}/lock")
            self.locked[bill["id"]] = self._lines(bill["id"])

    # --- bills, and what must hold --------------------------------------------------------------

    def _bill_everything(self, today: date) -> None:
        """Run every month that is over, twice, and compare with the model."""
        month = FIRST_MONTH
        while month_after(month) <= today:
            self._run_job(month)
            before = {b["id"]: b["version"] for b in self._bills()}
            self._run_job(month)
            assert {b["id"]: b["version"] for b in self._bills()} == before, "a second run changed bills"
            self._check(month)
            month = month_after(month)

    def _run_job(self, month: date) -> None:
        last = month_after(month) - timedelta(days=1)
        job = self.world.post(
            "billjobs", {"lastDateInBillingPeriod": str(last), "billingFrequency": "MONTHLY"}
        )
        deadline = time.monotonic() + JOB_WITHIN_S
        while job["status"] != "COMPLETE":
            assert time.monotonic() < deadline, job
            time.sleep(0.02)
            job = self.world.get(f"billjobs/{job['id']}")

    def _check(self, month: date) -> None:
        bills = [b for b in self._bills() if b["startDate"] == str(month)]
        keys = [b["accountId"] for b in bills]
        assert len(keys) == len(set(keys)), "an account was billed twice"
        assert set(keys) == set(self.accounts.values())
        codes = {account_id: code for code, account_id in self.accounts.items()}
        for bill in bills:
            lines = self._lines(bill["id"])
            assert bill["billTotal"] == sum((line["convertedSubtotal"] for line in lines), D(0))
            if bill["id"] in self.locked:
                assert lines == self.locked[bill["id"]], "a locked bill changed"
                continue
            billed = sum((line["quantity"] for line in lines if line["lineItemType"] == "USAGE"), D(0))
            assert billed == self._miles(codes[bill["accountId"]], month), "usage was lost or counted twice"
            assert self.world.post(f"bills/{bill['id']}/verify")["matches"] is True

    def _miles(self, account: str, month: date) -> int:
        span = (month, month_after(month))
        return sum(
            s.miles for s in self.sent.values() if s.account == account and span[0] <= s.ts.date() < span[1]
        )

    def _bills(self) -> list[Any]:
        bills: list[Any] = self.world.get(
            "bills", pageSize=100, excludeLineItems="true", includeBillTotal="true"
        )["data"]
        assert len(bills) < 100, "the simulation looks at one page of bills"
        return bills

    def _lines(self, bill_id: str) -> list[Any]:
        lines: list[Any] = self.world.get(f"bills/{bill_id}/lineitems", pageSize=100)["data"]
        return lines


def month_after(month: date, count: int = 1) -> date:
    """Give the first day of the month that comes `count` months later."""
    years, index = divmod(month.month - 1 + count, 12)
    return date(month.year + years, index + 1, 1)
