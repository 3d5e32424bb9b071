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

from tests.sim.crashing import CrashingWorld
from tests.support.world import ApiError, World

D = Decimal
JOB_WITHIN_S = 60
FIRST_MONTH = date(2025, 1, 1)
MORE_BALANCES = 0.5
SOME_OVERDRAW = 0.2


@dataclass(frozen=True)
class Sent:
    """A measurement that counts: who, when, how much."""

    account: str
    ts: datetime
    miles: int


@dataclass
class Simulation:
    """A world, what was sent to it, and what its locked bills looked like when they were locked."""

    world: World | CrashingWorld
    random: Random
    months: int = 4
    accounts: dict[str, str] = field(default_factory=dict)
    plans: list[str] = field(default_factory=list)
    attached: dict[str, Any] = field(default_factory=dict)
    sent: dict[str, Sent] = field(default_factory=dict)
    locked: dict[str, Any] = field(default_factory=dict)
    memos: dict[str, tuple[str, Decimal]] = field(default_factory=dict)
    product: str = ""
    reasons: tuple[str, str] = ("", "")
    balances: list[str] = field(default_factory=list)
    charges: int = 0

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
            self._put_memo,
            self._change_memo,
            self._take_back_approval,
            self._pay_ahead,
            self._promise,
            self._charge,
            self._make_anew,
        ]

    # --- what happens ---------------------------------------------------------------------------

    def _set_up(self) -> None:
        product = self.product = self.world.product()
        kinds = ("creditreasons", "debitreasons")
        credit, debit = (self.world.post(f"picklists/{kind}", {"name": "Why"})["id"] for kind in kinds)
        self.reasons = (credit, debit)
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
        now = self.world.now()
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
            recent = self.world.now() - timedelta(days=30)
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
        old, today = self.attached[code], self.world.now().date()
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

    # --- the ledger -----------------------------------------------------------------------------

    def _pay_ahead(self) -> None:
        """Open a balance for some account, or put something into one, or take something out."""
        now = self.world.now()
        if len(self.balances) < len(self.accounts) and self.random.random() < MORE_BALANCES:
            start = now - timedelta(days=self.random.randint(0, 40))
            end = now + timedelta(days=self.random.randint(1, 60))
            body = {
                "code": f"b{len(self.balances)}",
                "name": "Credits",
                "accountId": self.accounts[self.random.choice(list(self.accounts))],
                "currency": "USD",
                "startDate": written(start),
                "endDate": written(end),
                "allowOverdraft": self.random.random() < SOME_OVERDRAW,
                **self._roll_over(end),
            }
            self.balances.append(self.world.post("balances", body)["id"])
        if self.balances:
            path = f"balances/{self.random.choice(self.balances)}/transactions"
            amount = D(self.random.randint(-500, 5000)).scaleb(-2)
            try:
                self.world.post(path, {"amount": amount})
            except ApiError as error:
                assert "overdrawn" in str(error)  # noqa: PT017 - either outcome is fine

    def _roll_over(self, end: datetime) -> dict[str, Any]:
        if self.random.random() < MORE_BALANCES:
            return {}
        until = end + timedelta(days=self.random.randint(1, 30))
        return {"rolloverEndDate": written(until), "rolloverAmount": self.random.randint(0, 20)}

    def _promise(self) -> None:
        """Make a commitment for some account, with one of the ways of charging what is beyond it."""
        start = self.world.now().date() - timedelta(days=self.random.randint(0, 30))
        beyond = [
            {},
            {"overageSurchargePercent": self.random.randint(-20, 20)},
            {"separateOverageUsage": True},
        ]
        body = {
            "accountId": self.accounts[self.random.choice(list(self.accounts))],
            "currency": "USD",
            "amount": self.random.randint(1, 60),
            "startDate": str(start),
            "endDate": str(start + timedelta(days=self.random.randint(1, 90))),
            "billingPlanId": self.random.choice(self.plans),
            **self.random.choice(beyond),
        }
        self.world.post("commitments", body)

    def _charge(self) -> None:
        """Charge some account something, or give it something back, on a day about now."""
        now = self.world.now()
        self.charges += 1
        body = {
            "name": "Extra",
            "code": f"c{self.charges}",
            "accountId": self.accounts[self.random.choice(list(self.accounts))],
            "currency": "USD",
            "amount": self.random.randint(-5, 20),
            "billDate": str(now.date() + timedelta(days=self.random.randint(-20, 20))),
            "entityType": "AD_HOC",
            "lineItemType": "AD_HOC",
            "servicePeriodStartDate": written(now),
            "servicePeriodEndDate": written(now + timedelta(days=self.random.randint(0, 30))),
        }
        self.world.post("charges", body)

    def _make_anew(self) -> None:
        """Recalculate some bills together, or delete one."""
        bills = [b for b in self._bills() if not b["locked"]]
        if not bills:
            return
        if self.random.random() < SOME_OVERDRAW:
            self.world.delete(f"bills/{self.random.choice(bills)['id']}")
        else:
            chosen = self.random.sample(bills, self.random.randint(1, min(4, len(bills))))
            self.world.recalculate([b["id"] for b in chosen])
        self._check_ledger()

    def _check_ledger(self) -> None:
        """What is stored is the sum of entries; nothing is overdrawn; bills and ledger say the same."""
        drawn: dict[tuple[str, str], Decimal] = {}
        for balance_id in self.balances:
            balance = self.world.get(f"balances/{balance_id}")
            entries = self._all(f"balances/{balance_id}/transactions", pageSize=200)
            assert balance["amount"] == sum((e["amount"] for e in entries), D(0))
            assert balance["allowOverdraft"] or balance["amount"] >= 0, "a balance was overdrawn"
            for entry in (e for e in entries if e["entityType"] == "BILL"):
                key = balance_id, entry["entityId"]
                drawn[key] = drawn.get(key, D(0)) + entry["amount"]
        spent: dict[str, Decimal] = {}
        billed: dict[tuple[str, str], Decimal] = {}
        charged: list[str] = []
        for bill in self._bills():
            for line in self._lines(bill["id"]):
                amount = line["convertedSubtotal"]
                if line["lineItemType"] == "BALANCE_CONSUMED":
                    key = line["balanceId"], bill["id"]
                    billed[key] = billed.get(key, D(0)) + amount
                elif line["lineItemType"] == "COMMITMENT_CONSUMED":
                    of = line["commitmentId"]
                    spent[of] = spent.get(of, D(0)) - amount
                charged += [line["chargeId"]] if "chargeId" in line else []
        assert billed == {key: amount for key, amount in drawn.items() if amount}
        assert len(charged) == len(set(charged)), "a charge was billed twice"
        for commitment in self._all("commitments", pageSize=100):
            assert commitment["amountSpent"] == spent.get(commitment["id"], D(0)) <= commitment["amount"]

    def _put_memo(self) -> None:
        """Put a credit or a debit on a bill that is not locked, approved or not."""
        if bill := self._open_bill():
            is_credit = self.random.random() < 0.5
            kind, reason = ("credit", self.reasons[0]) if is_credit else ("debit", self.reasons[1])
            amount = D(self.random.randint(1, 99_999)).scaleb(-2)
            body = {
                "amount": amount,
                "description": "By hand",
                "productId": self.product,
                "accountingProductId": self.product,
                "servicePeriodStartDate": bill["startDateTimeUTC"],
                "servicePeriodEndDate": bill["endDateTimeUTC"],
                f"{kind}ReasonId": reason,
            }
            memo = self.world.post(f"bills/{bill['id']}/{kind}lineitems", body)
            owed = -amount if is_credit else amount
            self.memos[memo["id"]] = (bill["id"], owed)
            after = self.world.get(f"bills/{bill['id']}")
            assert (after["status"], after["billTotal"]) == (
                bill["status"],
                bill["billTotal"] + owed,
            )

    def _change_memo(self) -> None:
        """Take a memo off its bill, unless that is locked by now."""
        if bill := self._open_bill():
            for memo in self.world.get(f"bills/{bill['id']}/creditlineitems")["data"][:1]:
                self.world.delete(f"bills/{bill['id']}/creditlineitems/{memo['id']}")
                del self.memos[memo["id"]]

    def _take_back_approval(self) -> None:
        if (bill := self._open_bill()) and bill["status"] == "APPROVED":
            self.world.put(f"bills/{bill['id']}/status", {"status": "PENDING"})

    def _open_bill(self) -> Any:
        bills = [b for b in self._bills() if not b["locked"]]
        return self.random.choice(bills) if bills else None

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
        self.world.run_bills(billingFrequency="AD_HOC")
        self._check_ledger()

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
        bills = [b for b in bills if b["billingFrequency"] == "MONTHLY"]
        keys = [b["accountId"] for b in bills]
        assert len(keys) == len(set(keys)), "an account was billed twice"
        assert set(keys) == set(self.accounts.values())
        codes = {account_id: code for code, account_id in self.accounts.items()}
        for bill in bills:
            lines = self._lines(bill["id"])
            assert bill["billTotal"] == sum((line["convertedSubtotal"] for line in lines), D(0))
            by_hand = {x["id"]: x["convertedSubtotal"] for x in lines if x["lineItemType"].endswith("_MEMO")}
            given = {i: amount for i, (bill_id, amount) in self.memos.items() if bill_id == bill["id"]}
            assert by_hand == given, "a memo was lost or changed"
            if bill["id"] in self.locked:
                assert lines == self.locked[bill["id"]], "a locked bill changed"
                continue
            usage = {"USAGE", "OVERAGE_USAGE"}
            billed = sum((line["quantity"] for line in lines if line["lineItemType"] in usage), D(0))
            assert billed.quantize(D("0.000001")) == self._miles(codes[bill["accountId"]], month), (
                "usage was lost or counted twice"
            )
            assert self.world.post(f"bills/{bill['id']}/verify")["matches"] is True

    def _miles(self, account: str, month: date) -> int:
        span = (month, month_after(month))
        return sum(
            s.miles for s in self.sent.values() if s.account == account and span[0] <= s.ts.date() < span[1]
        )

    def _bills(self) -> list[Any]:
        return self._all("bills", pageSize=100, excludeLineItems="true", includeBillTotal="true")

    def _all(self, path: str, **asked: Any) -> list[Any]:
        """Give a list, page after page."""
        page = self.world.get(path, **asked)
        found: list[Any] = page["data"]
        while "nextToken" in page:
            page = self.world.get(path, nextToken=page["nextToken"], **asked)
            found += page["data"]
        return found

    def _lines(self, bill_id: str) -> list[Any]:
        lines: list[Any] = self.world.get(f"bills/{bill_id}/lineitems", pageSize=100)["data"]
        return lines


def written(at: datetime) -> str:
    """Write an instant as the API does."""
    return at.isoformat().replace("+00:00", "Z")


def month_after(month: date, count: int = 1) -> date:
    """Give the first day of the month that comes `count` months later."""
    years, index = divmod(month.month - 1 + count, 12)
    return date(month.year + years, index + 1, 1)
