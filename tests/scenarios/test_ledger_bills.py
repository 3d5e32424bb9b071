"""Bills that draw on commitments and balances, and hold fees and charges: through the API, month by month.

Semantics §18, §19, §20.
"""

from datetime import date
from decimal import Decimal
from typing import Any

import pytest

from tallystick.billing.bill_job import BillJob
from tallystick.billing.diff import Stamp
from tallystick.billing.jobs import NEVER, calculate_all
from tallystick.billing.load import load_bills
from tallystick.billing.save import save_bills
from tallystick.billing.selection import selection_of
from tallystick.organizations.organization_config import OrganizationConfig
from tests.scenarios.test_ledger import balance_body, charge_body, commitment_body
from tests.support.live import Live
from tests.support.world import World, midnight

D = Decimal


class Customer:
    """An account with $1 a mile and a standing charge, on a monthly plan from January 2024."""

    def __init__(self, world: World, standing: int = 0, price: str = "1") -> None:
        self.world = world
        product = world.product()
        miles = world.aggregation(world.meter(product)["id"], name="Miles")["id"]
        self.plan = world.plan(product, standingCharge=standing)["id"]
        world.pricing(self.plan, miles, (0, 0, D(price)))
        self.id = world.account()["id"]
        world.attach(self.id, self.plan, "2024-01-01")

    def uses(self, day: str, miles: int) -> None:
        self.world.at(f"{day}T12:00:00")
        self.world.send(self.world.measure("acme", f"{day}T10:00:00Z", distance=miles))

    def billed(self, date: str, **job: Any) -> dict[str, Decimal]:
        """Run bills on a date; give the last one's lines by type, each type summed."""
        self.world.at(f"{date}T01:00:00")
        bills = self.world.run_bills(**job)
        return by_type(max(bills, key=lambda b: (b["endDate"], b["id"])))


def by_type(bill: Any) -> dict[str, Decimal]:
    found: dict[str, Decimal] = {}
    for line in bill["lineItems"]:
        kind = line["lineItemType"]
        found[kind] = found.get(kind, D(0)) + line["convertedSubtotal"]
    return found


def entries(world: World, balance: str) -> list[tuple[Decimal, bool]]:
    """Give a balance's entries, oldest first: amount, and whether it takes another back."""
    listed = world.get(f"balances/{balance}/transactions")["data"][::-1]
    assert world.get(f"balances/{balance}")["amount"] == sum(t["amount"] for t in listed)
    return [(t["amount"], "reversesId" in t) for t in listed]


def test_a_commitment_is_spent_month_by_month(world: World) -> None:
    acme = Customer(world, price="0.46")
    body = commitment_body(acme.id, billingPlanId=acme.plan, overageSurchargePercent=1)
    promised = world.post("commitments", body)["id"]
    acme.uses("2024-01-20", 20_000)
    acme.uses("2024-02-20", 20_000)
    assert acme.billed("2024-02-01") == {"USAGE": 9200, "COMMITMENT_FEE": 1250, "COMMITMENT_CONSUMED": -9200}
    assert world.get(f"commitments/{promised}")["amountSpent"] == 9200
    # 5,800 are left; 3,400 are beyond, and 1 % of them on top.
    assert acme.billed("2024-03-01") == {
        "USAGE": 9200,
        "COMMITMENT_FEE": 1250,
        "COMMITMENT_CONSUMED": -5800,
        "OVERAGE_SURCHARGE": 34,
    }
    assert world.get(f"commitments/{promised}")["amountSpent"] == 15000
    for bill in world.get("bills")["data"]:
        assert world.post(f"bills/{bill['id']}/verify")["matches"] is True
        version = world.get(f"bills/{bill['id']}")["version"]
        world.run_bills(lastDateInBillingPeriod=last_day(bill))
        assert world.get(f"bills/{bill['id']}")["version"] == version
    line = next(
        x for x in bill["lineItems"] if x["lineItemType"] in {"COMMITMENT_CONSUMED", "OVERAGE_SURCHARGE"}
    )
    told = world.get(f"bills/{bill['id']}/lineitems/{line['id']}/explanation")["text"]
    assert any("drawn: " in text or "surcharge: " in text for text in told)
    assert world.delete(f"commitments/{promised}", expect=400)["code"] == "not_deletable"
    names = {e["eventName"] for e in world.get("events", pageSize=50)["data"]}
    assert "configuration.commitment.updated" in names


def last_day(bill: Any) -> str:
    return {"2024-02-01": "2024-01-31", "2024-03-01": "2024-02-29"}[bill["endDate"]]


def test_recalculating_takes_back_what_was_drawn_by_naming_it(world: World) -> None:
    acme = Customer(world)
    credits_ = world.post("balances", balance_body(acme.id))["id"]
    world.post(f"balances/{credits_}/transactions", {"amount": 100})
    acme.uses("2024-01-20", 30)
    assert acme.billed("2024-02-01") == {"USAGE": 30, "BALANCE_CONSUMED": -30}
    assert entries(world, credits_) == [(100, False), (-30, False)]
    assert acme.billed("2024-02-01") == {"USAGE": 30, "BALANCE_CONSUMED": -30}
    assert len(entries(world, credits_)) == 2  # nothing changed, nothing is written
    acme.uses("2024-01-21", 90)
    assert acme.billed("2024-02-01") == {"USAGE": 120, "BALANCE_CONSUMED": -100}
    assert entries(world, credits_) == [(100, False), (-30, False), (30, True), (-100, False)]
    summary = world.get(f"balances/{credits_}/transactions/summary")
    assert (summary["totalDebitAmount"], summary["balanceConsumed"]) == (100, 100)
    (bill,) = world.get("bills")["data"]
    listed = world.get(f"balances/{credits_}/transactions", entityType="BILL", entityId=bill["id"])
    assert len(listed["data"]) == 3
    world.delete(f"bills/{bill['id']}")
    assert entries(world, credits_)[-1] == (100, True)
    assert world.get(f"balances/{credits_}")["amount"] == 100


def test_an_old_bill_draws_what_later_ones_left_and_together_in_the_order_of_periods(world: World) -> None:
    acme = Customer(world)
    credits_ = world.post("balances", balance_body(acme.id))["id"]
    world.post(f"balances/{credits_}/transactions", {"amount": 100})
    acme.uses("2024-01-20", 20)
    acme.uses("2024-02-20", 70)
    acme.billed("2024-02-01")
    assert acme.billed("2024-03-01") == {"USAGE": 70, "BALANCE_CONSUMED": -70}
    acme.uses("2024-01-21", 40)  # late
    january = {"lastDateInBillingPeriod": "2024-01-31"}
    world.at("2024-03-02")
    (bill,) = [b for b in world.run_bills(**january) if b["endDate"] == "2024-02-01"]
    assert by_type(bill) == {"USAGE": 60, "BALANCE_CONSUMED": -30}  # 100 - 70: February's bill stays as it is
    ids = [b["id"] for b in world.get("bills")["data"]]
    world.recalculate(ids)
    found = {b["startDate"]: by_type(b) for b in world.get("bills")["data"]}
    assert found == {
        "2024-01-01": {"USAGE": 60, "BALANCE_CONSUMED": -60},
        "2024-02-01": {"USAGE": 70, "BALANCE_CONSUMED": -40},
    }
    assert world.get(f"balances/{credits_}")["amount"] == 0


def test_prepayment_and_balance_are_drawn_as_the_account_says(world: World) -> None:
    acme = Customer(world, standing=10)
    credits_ = world.post("balances", balance_body(acme.id, lineItemTypes=["USAGE"]))["id"]
    world.post(f"balances/{credits_}/transactions", {"amount": 15})
    world.post("commitments", commitment_body(acme.id, amount=100))
    acme.uses("2024-01-20", 50)
    both = {"USAGE": 50, "STANDING_CHARGE": 10}
    assert acme.billed("2024-02-01") == {**both, "COMMITMENT_CONSUMED": -60}
    account = world.get(f"accounts/{acme.id}")
    account = world.put(
        f"accounts/{acme.id}", {**account, "creditApplicationOrder": ["BALANCE", "PREPAYMENT"]}
    )
    assert acme.billed("2024-02-01") == {**both, "BALANCE_CONSUMED": -15, "COMMITMENT_CONSUMED": -45}
    world.put(f"accounts/{acme.id}", {**account, "creditApplicationOrder": ["BALANCE"]})
    assert acme.billed("2024-02-01") == {**both, "BALANCE_CONSUMED": -15}


def test_a_charge_is_billed_with_what_is_due_on_its_date_or_by_itself(world: World) -> None:
    acme = Customer(world, standing=100)
    world.at("2024-01-10")
    first = world.post("charges", charge_body(acme.id, billDate="2024-02-01"))
    alone = world.post("charges", charge_body(acme.id, billDate="2024-01-15", code="alone", amount=7))
    world.at("2024-02-01T01:00:00")
    bills = {b["endDate"]: b for b in world.run_bills()}
    assert by_type(bills["2024-02-01"]) == {"STANDING_CHARGE": 100, "AD_HOC": 500}
    own = bills["2024-01-15"]
    assert (own["billingFrequency"], own["billDate"], by_type(own)) == ("AD_HOC", "2024-01-15", {"AD_HOC": 7})
    for charge, bill in ((first, bills["2024-02-01"]), (alone, own)):
        assert world.get(f"charges/{charge['id']}")["billId"] == bill["id"]
        (line,) = [x for x in bill["lineItems"] if x.get("chargeId") == charge["id"]]
        assert line["description"] == "Onboarding"
    world.run_bills()
    assert len(world.get("bills")["data"]) == 2  # a charge is billed once
    assert world.post(f"bills/{own['id']}/verify")["matches"] is True
    world.delete(f"bills/{own['id']}")
    assert "billId" not in world.get(f"charges/{alone['id']}")
    world.delete(f"charges/{alone['id']}")
    monthly = bills["2024-02-01"]
    world.put(f"bills/{monthly['id']}/status", {"status": "APPROVED"})
    world.put(f"bills/{monthly['id']}/lock")
    assert world.delete(f"charges/{first['id']}", expect=400)["code"] == "not_deletable"


def test_a_charge_that_comes_too_late_raises_an_alert_until_it_has_another_date(world: World) -> None:
    acme = Customer(world)
    world.at("2024-01-20")
    world.post("charges", charge_body(acme.id, billDate="2024-01-15"))
    (bill,) = world.run_bills()
    world.put(f"bills/{bill['id']}/status", {"status": "APPROVED"})
    world.put(f"bills/{bill['id']}/lock")
    late = world.post("charges", charge_body(acme.id, billDate="2024-01-15", code="late", amount=7))
    world.run_bills()
    job = world.get("billjobs")["data"][0]
    (failure,) = world.get(f"billjobs/{job['id']}/failures")["data"]
    assert failure["code"] == "left_over"
    assert bill["id"] in failure["message"]
    world.settle()
    (alert,) = world.get("alerts", type="BILL_FAILURE")["data"]
    assert (alert["severity"], alert["status"]) == ("ERROR", "NEW")
    world.put(f"charges/{late['id']}", {**late, "billDate": "2024-01-20"})
    world.run_bills()
    assert [by_type(b) for b in world.get("bills")["data"]] == [{"AD_HOC": 7}, {"AD_HOC": 500}]


def test_fees_on_dates_need_no_plan(world: World) -> None:
    account = world.account()["id"]
    fees = [
        {
            "date": date,
            "amount": amount,
            "servicePeriodStartDate": midnight("2024-01-01"),
            "servicePeriodEndDate": midnight("2025-01-01"),
        }
        for date, amount in (("2024-01-10", 4000), ("2024-07-10", 11000))
    ]
    world.post("commitments", commitment_body(account, feeDates=fees, commitmentFeeDescription="Half"))
    world.at("2024-02-01")
    (bill,) = world.run_bills()
    assert (bill["billDate"], by_type(bill)) == ("2024-01-10", {"COMMITMENT_FEE": 4000})
    assert bill["lineItems"][0]["description"] == "Half"
    world.at("2024-08-01")
    assert [b["billDate"] for b in world.run_bills()] == ["2024-07-10", "2024-01-10"]


@pytest.mark.parametrize(("in_advance", "dates"), [(False, ["02-01", "03-01"]), (True, ["01-01", "02-01"])])
def test_fees_with_an_epoch_of_their_own(world: World, in_advance: bool, dates: list[str]) -> None:  # noqa: FBT001 - a table
    acme = Customer(world)
    own = {"billEpoch": "2024-01-01", "commitmentFeeBillInAdvance": in_advance, "endDate": "2024-03-01"}
    world.post("commitments", commitment_body(acme.id, billingPlanId=acme.plan, amount=100, **own))
    world.at("2024-03-02")
    bills = [b for b in world.run_bills(billingFrequency="AD_HOC") if b["billingFrequency"] == "AD_HOC"]
    assert [b["billDate"][5:] for b in bills[::-1]] == dates
    assert [by_type(b) for b in bills] == [{"COMMITMENT_FEE": 50}] * 2


def test_children_draw_on_a_parents_commitment_that_bills_them(world: World) -> None:
    parent = Customer(world, standing=10)
    child = world.account("child", parentAccountId=parent.id)["id"]
    world.attach(child, parent.plan, "2024-01-01")
    summary = {"childBillingMode": "PARENT_SUMMARY"}
    world.post("commitments", commitment_body(parent.id, amount=12, childBillingMode="CHILD"))
    world.at("2024-02-01T01:00:00")
    found = {b["accountId"]: by_type(b) for b in world.run_bills()}
    drawn = sorted(lines.get("COMMITMENT_CONSUMED", D(0)) for lines in found.values())
    assert drawn == [-10, -2]  # 12 in all
    world.post("commitments", commitment_body(child, amount=5, **summary))
    found = {b["accountId"]: b for b in world.run_bills()}
    assert sum(by_type(b).get("COMMITMENT_CONSUMED", D(0)) for b in found.values()) <= -12


def test_bills_calculated_at_the_same_time_never_draw_more_than_there_is(world: World, live: Live) -> None:
    acme = Customer(world)
    credits_ = world.post("balances", balance_body(acme.id))["id"]
    world.post(f"balances/{credits_}/transactions", {"amount": 100})
    promised = world.post("commitments", commitment_body(acme.id, amount=30))["id"]
    charge = world.post("charges", charge_body(acme.id, amount=1, billDate="2024-02-01"))["id"]
    acme.uses("2024-01-20", 80)
    acme.uses("2024-02-20", 70)
    world.at("2024-03-01")
    database, stamp = live.platform.database, Stamp(at=live.clock.now(), by=NEVER)
    drafts = []
    for last_date in ("2024-01-31", "2024-02-29", "2024-01-31"):  # January twice: two runs at once
        job = BillJob(last_date_in_billing_period=date.fromisoformat(last_date))
        with database.snapshot(world.org_id) as tx:
            selection = selection_of(job, tx.find(OrganizationConfig)[0], date(2024, 3, 1))
            loaded = load_bills(tx, live.services.usage, selection, [acme.id])
            drafts.append(calculate_all(loaded)[0])
    for each in drafts:
        with database.transaction(world.org_id) as tx:
            save_bills(tx, each, [], stamp)
    found = {b["startDate"]: by_type(b) for b in world.get("bills")["data"]}
    assert found == {
        "2024-01-01": {"USAGE": 80, "AD_HOC": 1, "COMMITMENT_CONSUMED": -30, "BALANCE_CONSUMED": -51},
        "2024-02-01": {"USAGE": 70, "BALANCE_CONSUMED": -49},
    }
    assert world.get(f"balances/{credits_}")["amount"] == 0
    assert world.get(f"commitments/{promised}")["amountSpent"] == 30
    assert world.get(f"charges/{charge}")["billId"]
    assert len(entries(world, credits_)) == 3


def test_a_charge_joins_others_of_its_date_and_bills_that_were_consolidated_stay(world: World) -> None:
    acme = Customer(world, standing=100)
    world.at("2024-02-10")
    world.post("charges", charge_body(acme.id, billDate="2024-01-15", amount=5))
    (alone,) = [b for b in world.run_bills() if b["billingFrequency"] == "AD_HOC"]
    second = world.post("charges", charge_body(acme.id, billDate="2024-01-15", amount=7, code="second"))
    (both,) = [b for b in world.run_bills() if b["billingFrequency"] == "AD_HOC"]
    assert (both["id"], by_type(both)) == (alone["id"], {"AD_HOC": 12})
    versions = {b["id"]: b["version"] for b in world.run_bills()}
    assert versions[both["id"]] == both["version"]
    config = world.get("organizationconfig")
    config = world.put("organizationconfig", {**config, "consolidateBills": True})
    other = world.account("other")["id"]
    world.attach(other, acme.plan, "2024-01-01")
    world.post("charges", charge_body(other, billDate="2024-02-01", amount=9, code="third"))
    found = {b["id"]: by_type(b) for b in world.run_bills(accountIds=[other])}
    (of_other,) = [b["id"] for b in world.get("bills", accountId=other)["data"]]
    assert found[of_other] == {"STANDING_CHARGE": 100, "AD_HOC": 9}
    world.put("organizationconfig", {**config, "consolidateBills": False, "version": config["version"]})
    world.post("charges", charge_body(other, billDate="2024-02-01", amount=1, code="fourth"))
    found = {b["id"]: by_type(b) for b in world.run_bills(accountIds=[other], billingFrequency="AD_HOC")}
    assert found[of_other] == {"STANDING_CHARGE": 100, "AD_HOC": 9}  # as it was
    assert {"AD_HOC": 1} in found.values()
    assert world.get(f"charges/{second['id']}")["billId"] == both["id"]
