"""Balances, commitments, charges and their schedules: what they keep, refuse and do by themselves.

Semantics §18, §19, §20.
"""

from decimal import Decimal
from typing import Any

import pytest
from sqlalchemy import delete, update
from sqlalchemy.exc import DBAPIError

from tallystick.balances.balance_transaction import BalanceTransaction
from tallystick.balances.schedules import BalanceSchedules
from tallystick.platform.resources import resource_of
from tests.support.live import Live
from tests.support.world import World, midnight

D = Decimal
OTHER = "00000000-0000-4000-8000-000000000001"
NOTHING: dict[str, Any] = {}


def codes(answer: Any) -> dict[str, str]:
    """Give the problems of a refusal by field."""
    return {p["field"]: p["code"] for p in answer["errors"]}


def balance_body(account: str, **more: Any) -> dict[str, Any]:
    span = {"startDate": midnight("2024-01-01"), "endDate": midnight("2025-01-01")}
    return {"name": "Credits", "code": "credits", "accountId": account, "currency": "USD", **span, **more}


def commitment_body(account: str, **more: Any) -> dict[str, Any]:
    span = {"startDate": "2024-01-01", "endDate": "2025-01-01"}
    return {"accountId": account, "currency": "USD", "amount": 15000, **span, **more}


def charge_body(account: str, **more: Any) -> dict[str, Any]:
    return {
        "name": "Onboarding",
        "code": "onboarding",
        "accountId": account,
        "currency": "USD",
        "amount": 500,
        "entityType": "AD_HOC",
        "lineItemType": "AD_HOC",
        "servicePeriodStartDate": midnight("2024-01-01"),
        "servicePeriodEndDate": midnight("2024-02-01"),
        **more,
    }


@pytest.fixture
def account(world: World) -> str:
    return str(world.account()["id"])


@pytest.fixture
def kind(world: World) -> str:
    return str(world.post("picklists/transactiontypes", {"name": "Purchase"})["id"])


# --- balances and transactions ------------------------------------------------------------------


def test_a_balance_is_worth_what_its_transactions_come_to(world: World, account: str, kind: str) -> None:
    balance = world.post("balances", balance_body(account))
    assert (balance["amount"], balance["allowOverdraft"], balance["lineItemTypes"]) == (0, False, [])
    path = f"balances/{balance['id']}"
    body = {
        "amount": 200,
        "transactionTypeId": kind,
        "paid": 195,
        "currencyPaid": "GBP",
        "description": "50 X",
    }
    put_in = world.post(f"{path}/transactions", body)
    assert (put_in["entityType"], put_in["paid"], put_in["transactionTypeId"]) == ("SERVICE_USER", 195, kind)
    assert put_in["appliedDate"] == put_in["transactionDate"]
    took = world.post(f"{path}/transactions", {"amount": D("-49.99"), "appliedDate": midnight("2024-02-01")})
    assert world.get(path)["amount"] == D("150.01")
    assert [t["id"] for t in world.get(f"{path}/transactions")["data"]] == [took["id"], put_in["id"]]
    listed = world.get(f"{path}/transactions", transactionTypeId=kind, entityType="SERVICE_USER")
    assert [t["id"] for t in listed["data"]] == [put_in["id"]]
    assert world.get(f"{path}/transactions", entityId=OTHER)["data"] == []
    # What was taken is more than there is: nothing happens.
    refused = world.post(f"{path}/transactions", {"amount": D("-150.02")}, expect=400)
    assert codes(refused) == {"amount": "overdrawn"}
    summary = world.get(f"{path}/transactions/summary")
    assert summary == {
        "totalCreditAmount": 200,
        "totalDebitAmount": D("49.99"),
        "initialCreditAmount": 200,
        "expiredBalanceAmount": summary["expiredBalanceAmount"],
        "rolloverConsumed": 0,
        "balanceConsumed": 0,
    }
    names = [e["eventName"] for e in world.get("events", pageSize=5)["data"]]
    assert "billing.balanceamount.updated" in names
    fields = world.get("events/fields", eventName="billing.balanceamount.updated")["events"]
    assert {"new.amount", "old.amount"} <= set(fields["billing.balanceamount.updated"])
    calculation = "new.amount < 160 AND old.amount >= 160"
    asked = {"eventName": "billing.balanceamount.updated", "calculation": calculation}
    assert world.post("notifications/evaluate", asked)["success"] is True
    changed = world.put(path, balance_body(account, name="Renamed", version=1))
    assert (changed["amount"], changed["version"]) == (D("150.01"), 2)
    assert codes(world.put(path, balance_body(account, currency="EUR", version=2), expect=400))["currency"]
    assert world.delete(path, expect=400)["code"] == "in_use"


def test_an_overdraft_is_allowed_by_the_balance_or_by_the_organization(world: World, account: str) -> None:
    own = world.post("balances", balance_body(account, allowOverdraft=True))["id"]
    world.post(f"balances/{own}/transactions", {"amount": -5})
    other = world.post("balances", balance_body(account, code="other"))["id"]
    world.post(f"balances/{other}/transactions", {"amount": -5}, expect=400)
    config = world.get("organizationconfig")
    world.put("organizationconfig", {**config, "allowNegativeBalances": True})
    world.post(f"balances/{other}/transactions", {"amount": -5})
    assert world.get(f"balances/{other}")["amount"] == -5


def test_entries_are_never_changed(world: World, account: str, live: Live) -> None:
    balance = world.post("balances", balance_body(account))["id"]
    world.post(f"balances/{balance}/transactions", {"amount": 5})
    table = resource_of(BalanceTransaction).table
    for statement in (update(table).values(amount=6), delete(table)):
        with (
            pytest.raises(DBAPIError, match="append-only"),
            live.platform.database.transaction(world.org_id) as tx,
        ):
            tx.execute(statement.where(table.c.balance_id == balance))


@pytest.mark.parametrize(
    ("changed", "expected"),
    [
        pytest.param({"endDate": midnight("2024-01-01")}, {"endDate": "ends_before_start"}, id="no day"),
        pytest.param({"rolloverAmount": 5}, {"rolloverEndDate": "required"}, id="rolls over until never"),
        pytest.param(
            {"rolloverEndDate": midnight("2025-01-01")},
            {"rolloverEndDate": "ends_before_start"},
            id="rolls over for no day",
        ),
        pytest.param({"rolloverAmount": -1}, {"rolloverAmount": "out_of_range"}, id="negative roll-over"),
        pytest.param({"currency": "usd"}, {"currency": "unknown_currency"}, id="case matters"),
        pytest.param({"productIds": [OTHER]}, {"productIds[0]": "unknown_reference"}, id="no such product"),
        pytest.param({"productIds": ["x"]}, {"productIds[0]": "wrong_length"}, id="no id"),
        pytest.param({"lineItemTypes": ["CREDIT"]}, {"lineItemTypes[0]": "unknown_value"}, id="no such type"),
        pytest.param(
            {"lineItemTypes": ["USAGE", "USAGE"]}, {"lineItemTypes[1]": "duplicate"}, id="a type twice"
        ),
        pytest.param({"contractId": OTHER}, {"contractId": "unknown_reference"}, id="no such contract"),
        pytest.param({"accountId": OTHER}, {"accountId": "unknown_reference"}, id="no such account"),
        pytest.param(
            {"overageSurchargePercent": -101}, {"overageSurchargePercent": "out_of_range"}, id="pays back"
        ),
        pytest.param({"code": "taken"}, {"code": "duplicate"}, id="code of another"),
    ],
)
def test_a_balance_is_refused(
    world: World, account: str, changed: dict[str, Any], expected: dict[str, str]
) -> None:
    world.post("balances", balance_body(account, code="taken"))
    assert codes(world.post("balances", balance_body(account, **changed), expect=400)) == expected


def test_balances_are_found_by_account_contract_and_end(world: World, account: str) -> None:
    contract = world.post(
        "contracts",
        {"accountId": account, "name": "C", "startDate": "2024-01-01", "endDate": "2025-01-01"},
    )["id"]
    first = world.post("balances", balance_body(account, contractId=contract))["id"]
    rolls = balance_body(account, code="rolls", rolloverEndDate=midnight("2025-03-01"))
    second = world.post("balances", rolls)["id"]

    def found(**filters: Any) -> list[str]:
        return [b["id"] for b in world.get("balances", **filters)["data"]]

    assert found(accountId=account) == [second, first]
    assert found(contractId=contract) == found(contract=contract) == [first]
    # What rolls over ends when that does; a start is inclusive, an end is not.
    assert found(endDateStart="2025-01-02") == found(endDateStart="2025-03-01") == [second]
    assert found(endDateEnd="2025-03-01") == [first]
    other = world.account("other")["id"]
    wrong = world.post("balances", balance_body(other, code="wrong", contractId=contract), expect=400)
    assert codes(wrong) == {"contractId": "wrong_account"}


def test_an_archived_transaction_type_is_not_used_any_more(world: World, account: str, kind: str) -> None:
    balance = world.post("balances", balance_body(account))["id"]
    path = f"balances/{balance}/transactions"
    world.post(path, {"amount": 1, "transactionTypeId": kind})
    world.put(f"picklists/transactiontypes/{kind}", {"name": "Purchase", "archived": True, "version": 1})
    assert codes(world.post(path, {"amount": 1, "transactionTypeId": kind}, expect=400)) == {
        "transactionTypeId": "archived"
    }
    assert world.get("picklists/transactiontypes", archived="false")["data"] == []
    assert world.delete(f"picklists/transactiontypes/{kind}", expect=400)["code"] == "in_use"


# --- commitments --------------------------------------------------------------------------------


def test_a_commitment_keeps_what_it_was_given(world: World, account: str) -> None:
    product = world.product()
    plan = world.plan(product)["id"]
    body = commitment_body(account, billingPlanId=plan, amountPrePaid=1000, productIds=[product])
    made = world.post("commitments", body)
    assert (made["amountSpent"], made["childBillingMode"], made["startDate"]) == (
        0,
        "PARENT_BREAKDOWN",
        "2024-01-01",
    )
    changed = world.put(f"commitments/{made['id']}", {**body, "amount": 2000, "version": 1})
    assert (changed["amount"], changed["version"]) == (2000, 2)
    assert world.delete(f"plans/{plan}", expect=400)["code"] == "in_use"
    assert world.delete(f"commitments/{made['id']}")["amount"] == 2000


FEE = {
    "date": "2024-02-01",
    "amount": 5,
    "servicePeriodStartDate": midnight("2024-02-01"),
    "servicePeriodEndDate": midnight("2024-02-01"),
}


@pytest.mark.parametrize(
    ("changed", "expected"),
    [
        pytest.param({"amount": 0}, {"amount": "out_of_range"}, id="nothing"),
        pytest.param({"endDate": "2024-01-01"}, {"endDate": "ends_before_start"}, id="no day"),
        pytest.param({"amountPrePaid": 15001}, {"amountPrePaid": "out_of_range"}, id="more paid than owed"),
        pytest.param(
            {"amountPrePaid": 14000, "amountFirstBill": 1001},
            {"amountFirstBill": "out_of_range"},
            id="first bill above the rest",
        ),
        pytest.param({"billingInterval": 0}, {"billingInterval": "out_of_range"}, id="interval"),
        pytest.param({"billingOffset": 365}, {"billingOffset": "out_of_range"}, id="offset"),
        pytest.param(
            {"separateOverageUsage": True, "overageSurchargePercent": 5},
            {"separateOverageUsage": "not_applicable"},
            id="surcharge and separate overage",
        ),
        pytest.param(
            {"separateOverageUsage": True, "overageSurchargePercent": 0}, NOTHING, id="a surcharge of nothing"
        ),
        pytest.param({"feeDates": [FEE]}, NOTHING, id="a fee whose period has no days"),
        pytest.param(
            {"feeDates": [{**FEE, "servicePeriodStartDate": midnight("2024-02-02")}]},
            {"feeDates[0].servicePeriodEndDate": "ends_before_start"},
            id="a fee whose period is backwards",
        ),
        pytest.param(
            {"feeDates": [{**FEE, "amount": 0}]},
            {"feeDates[0].amount": "out_of_range"},
            id="a fee of 0",
        ),
        pytest.param(
            {"feeDates": [FEE], "amountFirstBill": 5},
            {"amountFirstBill": "not_applicable"},
            id="first bill of dated fees",
        ),
        pytest.param({"lineItemTypes": ["AD_HOC"]}, {"lineItemTypes[0]": "unknown_value"}, id="no ad hoc"),
        pytest.param(
            {"commitmentFeeDescription": "x" * 201, "productIds": [OTHER] * 101},
            {"commitmentFeeDescription": "wrong_length", "productIds": "wrong_length"},
            id="a long text, and more than 100 products",
        ),
        pytest.param({"currency": "XXX"}, {"currency": "unknown_currency"}, id="no such currency"),
    ],
)
def test_a_commitment_is_checked(
    world: World, account: str, changed: dict[str, Any], expected: dict[str, str]
) -> None:
    body = commitment_body(account, **changed)
    if expected:
        assert codes(world.post("commitments", body, expect=400)) == expected
    else:
        world.post("commitments", body)


def test_fees_come_by_plan_or_by_dates(world: World, account: str) -> None:
    plan = world.plan(world.product())["id"]
    both = commitment_body(account, billingPlanId=plan, feeDates=[FEE])
    assert codes(world.post("commitments", both, expect=400)) == {"feeDates": "exactly_one"}
    ad_hoc = world.plan(world.product("sea"), "any", billFrequency="AD_HOC")["id"]
    never = commitment_body(account, billingPlanId=ad_hoc)
    assert codes(world.post("commitments", never, expect=400)) == {"billingPlanId": "not_applicable"}


def test_commitments_are_listed_and_searched(world: World, account: str) -> None:
    product, other = world.product(), world.product("sea")
    all_products = world.post("commitments", commitment_body(account))["id"]
    body = commitment_body(account, productIds=[product.upper()], endDate="2024-07-01")
    one = world.post("commitments", body)["id"]  # an id is the same in capitals (semantics §1)

    def found(**filters: Any) -> list[str]:
        return [c["id"] for c in world.get("commitments", **filters)["data"]]

    assert found(accountId=account) == found(productId=product) == [one, all_products]
    assert found(productId=other) == found(date="2024-07-01") == [all_products]
    assert found(endDateEnd="2025-01-01") == [one]
    assert found(endDateStart="2024-07-01T12:00:00Z") == [all_products]

    def searched(query: str, **more: Any) -> list[str]:
        return [c["id"] for c in world.get("commitments/search", searchQuery=query, **more)["data"]]

    assert searched(f"productIds:{product}") == [one]
    assert searched(f"accountId:{account}$endDate>2024-07-01") == [all_products]
    assert searched("", sortBy="endDate", sortOrder="ASC") == [one, all_products]
    assert searched(f"productId>{product}") == []
    assert codes(world.get("commitments/search", searchQuery="amount:1", expect=400)) == {
        "searchQuery": "unknown_value"
    }


# --- charges ------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("changed", "expected"),
    [
        pytest.param({}, NOTHING, id="an amount"),
        pytest.param({"amount": -5}, NOTHING, id="a credit"),
        pytest.param({"amount": None, "units": 3, "unitPrice": 5}, NOTHING, id="units at a price"),
        pytest.param({"units": 3, "unitPrice": 5}, {"amount": "exactly_one"}, id="both"),
        pytest.param({"amount": None}, {"amount": "exactly_one"}, id="neither"),
        pytest.param({"amount": None, "units": 3}, {"unitPrice": "required"}, id="units without a price"),
        pytest.param({"amount": None, "unitPrice": 3}, {"units": "required"}, id="a price without units"),
        pytest.param({"entityType": "BALANCE"}, {"entityId": "required"}, id="a balance, but which"),
        pytest.param({"lineItemType": "BALANCE_FEE"}, {"lineItemType": "not_applicable"}, id="fee of none"),
        pytest.param(
            {"servicePeriodEndDate": midnight("2023-12-31")},
            {"servicePeriodEndDate": "ends_before_start"},
            id="backwards",
        ),
        pytest.param({"billDate": "soon"}, {"billDate": "wrong_format"}, id="no date"),
        pytest.param({"currency": "XXX"}, {"currency": "unknown_currency"}, id="no such currency"),
    ],
)
def test_a_charge_is_checked(
    world: World, account: str, changed: dict[str, Any], expected: dict[str, str]
) -> None:
    world.at("2024-01-15")
    body = charge_body(account, **changed)
    if expected:
        assert codes(world.post("charges", body, expect=400)) == expected
    else:
        assert world.post("charges", body)["billDate"] == "2024-01-15"


def test_charges_are_found(world: World, account: str) -> None:
    balance = world.post("balances", balance_body(account))["id"]
    plain = world.post("charges", charge_body(account, billDate="2024-02-01"))["id"]
    assert codes(world.post("charges", charge_body(account), expect=400)) == {"code": "duplicate"}
    of_balance = {"entityType": "BALANCE", "lineItemType": "BALANCE_FEE", "entityId": balance, "code": "fee"}
    fee = world.post("charges", charge_body(account, billDate="2024-03-01", **of_balance))["id"]
    stranger = world.account("stranger")["id"]
    moved = world.put(f"charges/{plain}", charge_body(stranger, version=1), expect=400)
    assert codes(moved) == {"accountId": "immutable"}  # its line may stand on a bill of the first account
    wrong = world.post("charges", charge_body(stranger, **{**of_balance, "code": "x"}), expect=400)
    assert codes(wrong) == {"entityId": "wrong_account"}

    def found(**filters: Any) -> list[str]:
        return [c["id"] for c in world.get("charges", **filters)["data"]]

    assert found(accountId=account) == [fee, plain]
    assert found(entityType="BALANCE") == found(entityId=balance) == found(billDate="2024-03-01") == [fee]
    assert world.delete(f"balances/{balance}", expect=400)["code"] == "in_use"
    world.delete(f"charges/{fee}")
    world.delete(f"balances/{balance}")


# --- schedules ----------------------------------------------------------------------------------


@pytest.fixture
def schedules(live: Live) -> BalanceSchedules:
    return BalanceSchedules(live.platform.database)


def run_due(world: World, schedules: BalanceSchedules) -> None:
    schedules.run_due(world.org_id, world.live.clock.now())


def test_a_transaction_schedule_puts_in_every_month(
    world: World, account: str, kind: str, schedules: BalanceSchedules
) -> None:
    world.at("2024-01-01")
    balance = world.post("balances", balance_body(account))["id"]
    body = {
        "name": "Monthly",
        "code": "monthly",
        "amount": 100,
        "transactionDescription": "Monthly credits",
        "transactionTypeId": kind,
        "startDate": midnight("2024-01-31"),
        "endDate": midnight("2024-04-30"),
        "frequency": "MONTHLY",
        "frequencyInterval": 1,
    }
    path = f"balances/{balance}/balancetransactionschedules"
    preview = world.post(f"{path}/preview?pageSize=2", body)
    assert [t["appliedDate"] for t in preview["data"]] == [midnight("2024-01-31"), midnight("2024-02-29")]
    rest = world.post(f"{path}/preview?pageSize=2&nextToken={preview['nextToken']}", body)
    assert [t["appliedDate"] for t in rest["data"]] == [midnight("2024-03-31")]
    assert world.get(path)["data"] == []
    made = world.post(path, body)
    assert (made["nextRun"], "previousRun" in made) == (midnight("2024-01-31"), False)
    world.at("2024-02-29")
    run_due(world, schedules)
    run_due(world, schedules)  # harmless to repeat
    assert world.get(f"balances/{balance}")["amount"] == 200
    after = world.get(f"{path}/{made['id']}")
    assert (after["previousRun"], after["nextRun"], after["version"]) == (
        midnight("2024-02-29"),
        midnight("2024-03-31"),
        1,
    )
    entries = world.get(f"balances/{balance}/transactions")["data"]
    assert {(e["entityType"], e["entityId"], e["description"]) for e in entries} == {
        ("SCHEDULER", made["id"], "Monthly credits")
    }
    world.put(f"{path}/{made['id']}", {**body, "amount": 7, "frequencyInterval": 2, "version": 1})
    world.at("2024-12-31")
    run_due(world, schedules)
    assert world.get(f"balances/{balance}")["amount"] == 207  # March 31, every second month from January
    assert "nextRun" not in world.get(f"{path}/{made['id']}")
    other = world.post("balances", balance_body(account, code="other"))["id"]
    world.get(f"balances/{other}/balancetransactionschedules/{made['id']}", expect=404)
    assert world.delete(f"{path}/{made['id']}")["amount"] == 7


def test_a_charge_schedule_makes_charges(world: World, account: str, schedules: BalanceSchedules) -> None:
    world.at("2024-01-01")
    balance = world.post("balances", balance_body(account))["id"]
    body = {
        "name": "Fee",
        "code": "fee",
        "units": 3,
        "unitPrice": D("2.5"),
        "currency": "USD",
        "servicePeriodStartDate": midnight("2024-01-10"),
        "servicePeriodEndDate": midnight("2024-03-10"),
        "billFrequency": "MONTHLY",
        "billFrequencyInterval": 1,
        "billEpoch": "2024-02-01",
        "billInAdvance": False,
        "chargeDescription": "Fee for credits",
    }
    path = f"balances/{balance}/balancechargeschedules"
    wrong = {**body, "amount": 5, "servicePeriodEndDate": midnight("2024-01-10")}
    assert codes(world.post(path, wrong, expect=400)) == {
        "amount": "exactly_one",
        "servicePeriodEndDate": "ends_before_start",
    }
    spans = [("01-10", "02-01"), ("02-01", "03-01"), ("03-01", "03-10")]
    for in_advance, days in ((True, [s for s, _ in spans]), (False, [e for _, e in spans])):
        preview = world.post(f"{path}/preview", {**body, "billInAdvance": in_advance})
        assert [c["billDate"] for c in preview["data"]] == [f"2024-{day}" for day in days]
    made = world.post(path, body)
    world.at("2024-03-05")
    run_due(world, schedules)
    run_due(world, schedules)
    charges = world.get("charges", scheduleId=made["id"])["data"]
    assert [(c["billDate"], c["units"], c["unitPrice"], c["description"]) for c in charges] == [
        ("2024-03-01", 3, D("2.5"), "Fee for credits"),
        ("2024-02-01", 3, D("2.5"), "Fee for credits"),
    ]
    assert {(c["entityType"], c["lineItemType"], c["entityId"]) for c in charges} == {
        ("BALANCE", "BALANCE_FEE", balance)
    }
    assert world.get(f"balances/{balance}")["amount"] == 0  # a charge credits nothing
    world.delete(f"{path}/{made['id']}")
    again = world.post(path, body)  # the same code, so the same names for other charges
    run_due(world, schedules)
    assert len(world.get("charges", scheduleId=again["id"])["data"]) == 2
