"""Approved bills reach other systems: once, to the cent, and it can be seen how it went (§29).

Semantics §29.
"""

import csv
import io
import json
import time
from collections.abc import Iterator
from decimal import Decimal
from typing import Any

import pytest

from tallystick.integrations.adapters.stripe import StripeAdapter
from tests.scenarios.test_test_clock import moved
from tests.support.stripe_stub import KEY, StripeStub, stripe_stub
from tests.support.world import World

D = Decimal
ENDED = {
    "COMPLETE",
    "ERROR",
    "AUTH_FAILED",
    "AWAITING_RETRY",
    "RATE_LIMIT_RETRY",
    "DISABLED",
    "INVOICE_ALREADY_PAID",
}


@pytest.fixture
def stripe(world: World) -> Iterator[StripeStub]:
    registry = world.live.services.integrations.registry
    before = registry.adapter("STRIPE")
    with stripe_stub() as stub:
        registry.install(StripeAdapter("STRIPE", stub.url))
        yield stub
        registry.install(before)


@pytest.fixture
def billed(world: World) -> World:
    """Start a rehearsal in which acme owes $100 a month and 2.505 cents a mile."""
    world.put("testclock", {"now": "2025-01-01T00:00:00Z"})
    product = world.product()
    meter = world.meter(product)
    plan = world.plan(product, standingCharge=100)
    world.pricing(plan["id"], world.aggregation(meter["id"])["id"], (0, 0, D("0.02505")))
    acme = world.account("acme", address={"country": "US"})
    world.attach(acme["id"], plan["id"], "2025-01-01")
    world.send(world.measure("acme", "2024-12-31T12:00:00Z", uid="no", distance=5))
    moved(world, "2025-01-20T00:00:00Z")
    world.send(world.measure("acme", "2025-01-10T12:00:00Z", uid="a", distance=10))
    moved(world, "2025-02-01T00:00:00Z")
    return world


def bill_of(world: World) -> Any:
    job = world.post("billjobs", {"billingFrequency": "MONTHLY"})
    while world.get(f"billjobs/{job['id']}")["status"] != "COMPLETE":
        time.sleep(0.02)
    return world.get("bills")["data"][0]


def approve(world: World, bill: Any) -> None:
    world.put(f"bills/{bill['id']}/status", {"status": "APPROVED"})


def run_of(world: World, bill: Any, *, attempts: int = 1) -> Any:
    """Wait for the run about a bill to end, or to wait for another attempt."""
    deadline = time.monotonic() + 20
    while time.monotonic() < deadline:
        runs = world.get(f"integrationruns/Bill/{bill['id']}")["data"]
        if runs and runs[0]["status"] in ENDED:
            log = json.loads(world.get(f"integrationruns/logs/{runs[0]['id']}")["Payload"])
            if len(log) >= attempts:
                return runs[0]
        time.sleep(0.02)
    raise AssertionError(runs)


def configure(world: World, destination: str, **more: Any) -> Any:
    return world.post("integrationconfigs", {"entityType": "Bill", "destination": destination, **more})


def stripe_config(world: World, account: str = "acme", **more: Any) -> Any:
    [found] = world.get("accounts", codes=account)["data"]
    mapping = {"m3terEntity": "Account", "m3terId": found["id"], "externalSystem": "STRIPE"}
    world.post("externalmappings", {**mapping, "externalTable": "Customer", "externalId": "cus_1"})
    credentials = {"type": "STATIC_API_KEY", "apiKey": KEY}
    return configure(world, "STRIPE", credentials=credentials, **more)


def test_an_approved_bill_becomes_one_stripe_invoice(billed: World, stripe: StripeStub) -> None:
    config = stripe_config(billed, configData={"finalize": "true"})
    assert "apiKey" not in json.dumps(config)
    assert config["authorized"] is True
    bill = bill_of(billed)
    approve(billed, bill)
    run = run_of(billed, bill)
    assert run["status"] == "COMPLETE", run
    [invoice] = stripe.invoices.values()
    assert run["externalId"] == invoice["id"]
    assert run["url"] == f"https://invoice.stripe.test/{invoice['id']}"
    assert sorted(item["amount"] for item in stripe.items.values()) == [25, 10000]  # 10 * 0.02505 = 0.2505
    assert D(invoice["total"]) == billed.get(f"bills/{bill['id']}")["billTotal"] * 100
    assert (invoice["customer"], invoice["currency"], invoice["status"]) == ("cus_1", "usd", "open")
    mapped = billed.get(f"externalmappings/externalid/STRIPE/Invoice/{invoice['id']}")["data"]
    assert [each["m3terId"] for each in mapped] == [bill["id"]]
    shown = billed.get(f"integrationconfigs/{config['id']}")
    assert (shown["status"], shown["entityId"], shown["enabled"]) == ("COMPLETE", bill["id"], True)


@pytest.mark.parametrize("lost", [0, 1, 2, 3], ids=["invoice", "list of items", "first item", "second item"])
def test_an_answer_that_is_lost_makes_no_second_invoice(billed: World, stripe: StripeStub, lost: int) -> None:
    stripe_config(billed)
    stripe.faults = [*["no"] * lost, "lose"]
    bill = bill_of(billed)
    approve(billed, bill)
    assert run_of(billed, bill)["status"] == "AWAITING_RETRY"
    stripe.answers.clear()  # as Stripe does after a day
    moved(billed, "2025-02-01T00:00:30Z")
    assert run_of(billed, bill, attempts=2)["status"] == "COMPLETE"
    assert len(stripe.invoices) == 1
    assert sorted(item["amount"] for item in stripe.items.values()) == [25, 10000]


def test_a_bill_that_changed_replaces_its_draft_and_never_a_paid_invoice(
    billed: World, stripe: StripeStub
) -> None:
    stripe_config(billed)
    bill = bill_of(billed)
    approve(billed, bill)
    run_of(billed, bill)
    for paid in (False, True):
        [invoice] = stripe.invoices.values()
        invoice["status"] = "paid" if paid else "draft"
        billed.put(f"bills/{bill['id']}/status", {"status": "PENDING"})
        billed.send(billed.measure("acme", "2025-01-11T12:00:00Z", distance=10))
        bill = bill_of(billed)
        before = len(billed.get(f"integrationruns/Bill/{bill['id']}")["data"])
        approve(billed, bill)
        while len(billed.get(f"integrationruns/Bill/{bill['id']}")["data"]) == before:
            time.sleep(0.02)
        run = run_of(billed, bill)
        [invoice] = stripe.invoices.values()
        assert run["status"] == ("INVOICE_ALREADY_PAID" if paid else "COMPLETE"), run
        assert invoice["total"] == 10050, "20 miles: 10000 + round(50.1); the paid one stays as it is"


def test_faults_of_the_connection_and_of_a_bill(billed: World, stripe: StripeStub) -> None:
    config = stripe_config(billed)
    stripe.faults = [429, 402]
    bill = bill_of(billed)
    approve(billed, bill)
    assert run_of(billed, bill)["status"] == "RATE_LIMIT_RETRY"
    moved(billed, "2025-02-01T00:00:06Z")
    assert run_of(billed, bill)["status"] == "RATE_LIMIT_RETRY"
    moved(billed, "2025-02-01T00:00:07Z")  # Retry-After: 7
    assert run_of(billed, bill, attempts=2)["status"] == "ERROR"
    [event] = billed.get("events", eventName="integration.validation.error")["data"]
    assert event["m3terEvent"]["eventData"]["integrationConfigId"] == config["id"]

    bad = {**config, "credentials": {"type": "STATIC_API_KEY", "apiKey": "sk_wrong"}}
    shown = billed.put(f"integrationconfigs/{config['id']}", {k: v for k, v in bad.items() if k != "enabled"})
    assert shown["integrationCredentialsId"] == config["integrationCredentialsId"]
    bare = {"entityType": "Bill", "destination": "ACCOUNTING_FILE", "version": 1}
    other = configure(billed, "STRIPE", credentials={"type": "STATIC_API_KEY", "apiKey": "sk_2"})
    gone = {"integrationCredentialsId": other["integrationCredentialsId"]}
    billed.put(f"integrationconfigs/{other['id']}", {**bare, "enabled": False})
    again = {**bare, **gone, "version": 2, "enabled": False}
    billed.put(f"integrationconfigs/{other['id']}", again, expect=400)  # nobody had them any more
    billed.put(f"bills/{bill['id']}/status", {"status": "PENDING"})
    approve(billed, bill)
    while len(billed.get(f"integrationruns/Bill/{bill['id']}")["data"]) == 1:
        time.sleep(0.02)
    assert run_of(billed, bill)["status"] == "AUTH_FAILED"
    assert billed.get(f"integrationconfigs/{config['id']}")["authorized"] is False


def test_a_missing_mapping_is_told_and_mended(billed: World) -> None:
    credentials = {"type": "STATIC_API_KEY", "apiKey": KEY}
    configure(billed, "STRIPE", credentials=credentials)
    bill = bill_of(billed)
    approve(billed, bill)
    run = run_of(billed, bill)
    assert run["status"] == "ERROR"
    assert "mapped to no Customer" in run["error"]
    assert billed.get("events", eventName="integration.missingaccountmapping.error")["data"]


def test_ten_failures_in_a_row_switch_off_and_enabling_sends_what_was_left(
    billed: World, stripe: StripeStub
) -> None:
    config = stripe_config(billed)
    stripe.faults = [500] * 10
    bill = bill_of(billed)
    approve(billed, bill)
    moved(billed, "2025-02-03T00:00:00Z")
    assert run_of(billed, bill)["status"] == "ERROR"  # 8 attempts: 1, and 7 retries
    for more in (1, 2):
        billed.put(f"bills/{bill['id']}/status", {"status": "PENDING"})
        approve(billed, bill)
        while len(billed.get(f"integrationruns/Bill/{bill['id']}")["data"]) == more:
            time.sleep(0.02)
        run_of(billed, bill)
    shown = billed.get(f"integrationconfigs/{config['id']}")
    assert (shown["enabled"], shown["status"]) == (False, "DISABLED")
    [event] = billed.get("events", eventName="integration.disabled.error")["data"]
    assert event["m3terEvent"]["eventData"]["error"] == "It failed 10 times in a row."
    moved(billed, "2025-02-04T00:00:00Z")
    assert {run["status"] for run in billed.get(f"integrationruns/Bill/{bill['id']}")["data"]} == {
        "ERROR",
        "DISABLED",
    }
    assert billed.post(f"integrationconfigs/{config['id']}/enable")["enabled"] is True
    while run_of(billed, bill)["status"] != "COMPLETE":
        time.sleep(0.02)
    assert len(stripe.invoices) == 1


def test_accounting_files_add_up_and_only_of_the_accounts_meant(billed: World) -> None:
    configure(
        billed, "ACCOUNTING_FILE", configData={"accountFilter": "address.country == US", "format": "XERO"}
    )
    plain = configure(billed, "ACCOUNTING_FILE")
    configure(billed, "ACCOUNTING_FILE", configData={"accountFilter": "address.country == DE"})
    bill = bill_of(billed)
    approve(billed, bill)
    deadline = time.monotonic() + 10
    while time.monotonic() < deadline:
        runs = billed.get(f"integrationruns/Bill/{bill['id']}", order="ASC")["data"]
        if len(runs) == 2 and all(run["status"] == "COMPLETE" for run in runs):
            break
        time.sleep(0.02)
    files = {}
    for run in runs:
        answer = billed.http.get(run["url"])
        assert answer.status_code == 200
        files[len(answer.text.splitlines()[0])] = list(csv.DictReader(io.StringIO(answer.text)))
    simple, xero = files[min(files)], files[max(files)]
    total = billed.get(f"bills/{bill['id']}")["billTotal"]
    assert sum(D(row["*Quantity"]) * D(row["*UnitAmount"]) for row in xero) == total
    assert sum(D(row["Amount"]) for row in simple) == total == D(simple[0]["Total"])
    assert {row["*ContactName"] for row in xero} == {"acme"}
    assert xero[0]["POCountry"] == "US"
    assert billed.get(f"integrationconfigs/{plain['id']}")["externalId"] == bill["id"]


def test_a_bill_goes_by_mail(billed: World) -> None:
    configure(billed, "MAIL", configData={"subject": "{bill} for {account}"})
    refused = billed.post(
        "integrationconfigs",
        {"entityType": "Bill", "destination": "MAIL", "configData": {"text": "Hi {name.__class__}"}},
        expect=400,
    )
    assert refused["errors"][0]["field"] == "configData.text"
    bill = bill_of(billed)
    approve(billed, bill)
    assert run_of(billed, bill)["status"] == "COMPLETE"
    [mail] = [
        path.read_text()
        for path in billed.live.platform.home.path.rglob("*.eml")
        if f"{bill['id']} for acme" in path.read_text().replace("\n ", " ")
    ]
    assert "To: acme@example.com" in mail
    assert "100.25 USD" in mail
    assert "application/pdf" in mail


def test_what_is_not_installed_says_so_and_schedules_send_what_is_left(billed: World) -> None:
    configure(billed, "netsuite")
    weekly = {"triggerType": "SCHEDULE", "cronExpression": "0 6 * * 1"}
    scheduled = configure(billed, "ACCOUNTING_FILE", configData=weekly)
    assert scheduled["triggerType"] == "SCHEDULE"
    bill = bill_of(billed)
    approve(billed, bill)
    run = run_of(billed, bill)
    assert (run["destination"], run["status"]) == ("NETSUITE", "ERROR")
    assert "not installed" in run["error"]
    moved(billed, "2025-02-17T12:00:00Z")  # three Mondays
    runs = billed.get(f"integrationruns/Bill/{bill['id']}", status="COMPLETE")["data"]
    assert [each["dtCreated"] for each in runs] == ["2025-02-03T06:00:00Z"]


def test_refused_configurations(world: World) -> None:
    def faults(**body: Any) -> dict[str, str]:
        refused = world.post(
            "integrationconfigs", {"entityType": "Bill", "destination": "MAIL", **body}, expect=400
        )
        return {each["field"]: each["code"] for each in refused["errors"]}

    assert faults(destination="FAX") == {"destination": "unknown_value"}
    assert faults(entityType="Meter") == {"entityType": "unknown_value"}
    assert faults(configData={"accountFilter": "country = US"}) == {
        "configData.accountFilter": "wrong_format"
    }
    nowhere = {"destination": "Webhook", "destinationId": world.org_id}
    assert faults(**nowhere) == {"destinationId": "unknown_reference"}
    both = faults(**{**nowhere, "destinationId": "x"}, entityType="Notification", entityId=world.org_id)
    assert both == {"destinationId": "unknown_reference", "entityId": "unknown_reference"}
    assert faults(configData={"triggerType": "SCHEDULE"}) == {"configData.cronExpression": "required"}
    bad = faults(destination="STRIPE", credentials={"type": "HTTP_BASIC", "username": "a"})
    assert bad == {"credentials.type": "unknown_value"}


def test_mappings_in_both_directions(world: World) -> None:
    acme, globex = world.account("acme"), world.account("globex")
    body = {"externalSystem": "STRIPE", "externalTable": "Customer", "externalId": "cus_9"}
    one = world.post("externalmappings", {**body, "m3terEntity": "Account", "m3terId": acme["id"]})
    world.post("externalmappings", {**body, "m3terEntity": "Account", "m3terId": globex["id"]})
    again = {**body, "externalId": "cus_10", "m3terEntity": "account", "m3terId": acme["id"].upper()}
    refused = world.post("externalmappings", again, expect=400)
    assert [(each["field"], each["code"]) for each in refused["errors"]] == [("m3terId", "duplicate")]
    found = world.get(f"externalmappings/external/account/{acme['id'].upper()}")["data"]
    assert [each["id"] for each in found] == [one["id"]]
    theirs = world.get("externalmappings/externalid/STRIPE/Customer/cus_9")["data"]
    assert {each["m3terId"] for each in theirs} == {acme["id"], globex["id"]}
    unknown = world.post("externalmappings", {**again, "m3terEntity": "Ghost"}, expect=400)
    assert unknown["errors"][0]["code"] == "unknown_value"
    assert world.get("externalmappingconfiguration/values/STRIPE/Account") == [{"externalId": "cus_9"}]
    config = world.get("externalmappingconfiguration")
    assert "Account" in config["m3terEntities"]
    assert "STRIPE" in {each["name"] for each in config["externalSystems"]}


def test_an_external_id_may_hold_a_slash(world: World) -> None:
    body = {"externalSystem": "XERO", "externalTable": "Contact", "externalId": "eu/9 %2F ü"}
    made = world.post(
        "externalmappings", {**body, "m3terEntity": "Account", "m3terId": world.account()["id"]}
    )
    found = world.get("externalmappings/externalid/XERO/Contact/eu%2F9%20%252F%20%C3%BC")["data"]
    assert [each["id"] for each in found] == [made["id"]]


def test_stripe_is_asked_what_can_be_mapped(world: World, stripe: StripeStub) -> None:
    made = configure(world, "STRIPE", credentials={"type": "STATIC_API_KEY", "apiKey": KEY})
    path = f"externalmappingconfiguration/values/STRIPE/Account/{made['integrationCredentialsId']}"
    assert world.get(path) == [{"externalId": "cus_1", "externalName": "Acme"}]
    assert stripe.requests == ["GET /v1/customers"]


def test_a_notification_starts_what_is_configured_for_it(billed: World) -> None:
    rule = billed.post(
        "notifications/configurations",
        {
            "name": "New account",
            "code": "new_account",
            "description": "Someone came",
            "eventName": "configuration.account.created",
            "active": True,
            "alwaysFireEvent": True,
            "calculation": "true",
        },
    )
    body = {"entityType": "Notification", "entityId": rule["id"], "destination": "WEBHOOK"}
    config = billed.post("integrationconfigs", body)
    billed.account("late")
    moved(billed, "2025-02-01T00:01:00Z")
    [run] = billed.get(f"integrationruns/Notification/{rule['id']}")["data"]
    assert run["status"] == "ERROR", "no webhook is named"
    log = json.loads(billed.get(f"integrationruns/logs/{run['id']}")["Payload"])
    assert len(log) == 1
    assert (
        billed.get(f"integrationconfigs/entity/Notification?entityId={rule['id']}")["data"][0]["id"]
        == config["id"]
    )


def test_what_can_be_configured(world: World) -> None:
    systems = {each["identifier"]: each for each in world.get("integrationconfigs/available/systems")}
    assert systems["STRIPE"]["validationSupported"] is True
    assert systems["XERO"]["validationSupported"] is False
    entities = world.get("integrationconfigs/available")["supportedEntities"]
    assert {each["destination"] for each in entities["Bill"]["destinations"]} == set(systems)
    assert world.get("integrationconfigs/available/STRIPE/auth/Bill")[0]["name"] == "apiKey"
    assert world.get("integrationconfigs/available/WEBHOOK/entities")[0]["name"] == "Notification"
    assert world.get("integrationconfigs/values/ACCOUNTING_FILE/format")["id"] == "CSV"
    world.get("integrationconfigs/available/FAX/entities", expect=404)


def test_marketplaces_are_told_the_usage_of_bills(billed: World) -> None:
    bill = bill_of(billed)
    [aggregation] = billed.get("aggregations")["data"]
    body = {"externalSystem": "AWS", "externalTable": "Customer", "externalId": "c-1"}
    billed.post("externalmappings", {**body, "m3terEntity": "Account", "m3terId": bill["accountId"]})
    dimension = {**body, "externalTable": "Dimension", "externalId": "miles"}
    billed.post("externalmappings", {**dimension, "m3terEntity": "Aggregation", "m3terId": aggregation["id"]})
    expected = {
        "accountId": bill["accountId"],
        "billId": bill["id"],
        "externalSystem": "AWS",
        "reportedUsage": {"miles": {"mi": 10}},
    }
    path = "integrationdestinations/marketplace/usageReport"
    assert billed.get(path, billId=bill["id"])["data"] == [expected]
    assert billed.get(path, billStartDate="2025-01-01", externalSystem="AWS")["data"] == [expected]
    assert billed.get(path, externalSystem="AZURE")["data"] == []
