"""Statements of bills: definitions, jobs, files (semantics §26)."""

import csv
import json
import time
from collections.abc import Callable
from decimal import Decimal
from io import BytesIO, StringIO
from pathlib import Path
from typing import Any

import httpx
import pytest
from pypdf import PdfReader

from tallystick.cli.main import main
from tests.support.world import World


def test_a_definition_is_checked_against_the_stored_meters(world: World) -> None:
    meter = world.meter()
    other = world.meter(code="calls")
    body = {
        "name": "By destination",
        "aggregationFrequency": "DAY",
        "includePricePerUnit": True,
        "dimensions": [{"meterId": meter["id"], "name": "destination", "filter": ["*"]}],
        "measures": [{"meterId": meter["id"], "name": "", "aggregations": ["SUM", "MAX"]}, {"name": "delay"}],
    }
    made = world.post("statementdefinitions", body)
    assert (made["aggregationFrequency"], made["generateSlimStatements"]) == ("DAY", False)

    def refused(**changes: object) -> list[tuple[str, str]]:
        answer = world.post("statementdefinitions", {**body, **changes}, expect=400)
        return [(e["field"], e["code"]) for e in answer["errors"]]

    nowhere = "01939c1e-0000-7000-8000-000000000000"
    assert refused(
        dimensions=[
            {"meterId": other["id"], "name": "planet", "filter": ["*"]},
            {"name": "distance", "attributes": ["nothing"], "filter": ["*"]},
            {"meterId": nowhere, "name": "destination", "filter": ["*"]},
        ],
        measures=[{"name": "destination"}, {"name": "distance", "aggregations": ["CUSTOM_SQL"]}],
    ) == [
        ("measures[1].aggregations", "not_applicable"),
        ("dimensions[0].name", "unknown_field"),
        ("dimensions[1].name", "not_a_dimension"),
        ("dimensions[1].attributes[0]", "unknown_field"),
        ("dimensions[2].meterId", "unknown_reference"),
        ("measures[0].aggregations", "wrong_category"),
    ]
    assert refused(dimensions=[{"name": "destination", "filter": []}]) == [
        ("dimensions[0].filter", "wrong_length")
    ]


@pytest.mark.parametrize("holder", ["accounts", "organizationconfig"])
def test_a_definition_in_use_stays(world: World, holder: str) -> None:
    made = world.post("statementdefinitions", {"aggregationFrequency": "MONTH"})
    if holder == "accounts":
        world.account(statementDefinitionId=made["id"])
    else:
        config = world.get("organizationconfig")
        world.put("organizationconfig", {**config, "defaultStatementDefinitionId": made["id"]})
    assert world.delete(f"statementdefinitions/{made['id']}", expect=400)["code"] == "in_use"
    unknown = "01939c1e-0000-7000-8000-000000000000"
    assert (
        world.call(
            "POST",
            "accounts",
            expect=400,
            body={
                "name": "x",
                "code": "x",
                "emailAddress": "x@example.com",
                "statementDefinitionId": unknown,
            },
        )["errors"][0]["code"]
        == "unknown_reference"
    )


# --- jobs and files -------------------------------------------------------------------------------


def bill_of_may(world: World, **account: Any) -> Any:
    """Bill acme $0.15 a mile in May 2025 in New York: 100 mi to ORD, 300 to DFW, 50 of it on the last day."""
    product = world.product()
    meter = world.meter(product)
    sums = world.aggregation(meter["id"])
    plan_id = world.plan(product, standingCharge=10)["id"]
    world.pricing(plan_id, sums["id"], (0, 0, Decimal("0.15")))
    config = world.get("organizationconfig")
    world.put("organizationconfig", {**config, "timezone": "America/New_York", **account.pop("config", {})})
    acme = world.account(**account)
    world.attach(acme["id"], plan_id, "2025-01-01T05:00:00Z")
    world.at("2025-06-02")
    world.send(
        world.measure("acme", "2025-05-01T04:00:00Z", uid="1", distance=100, destination="ORD"),
        world.measure("acme", "2025-05-10T12:00:00Z", uid="2", distance=250, destination="DFW"),
        # Already June in UTC, still May 31 in New York.
        world.measure("acme", "2025-06-01T02:00:00Z", uid="3", distance=50, destination="DFW"),
    )
    run_bills(world)
    (bill,) = world.get("bills")["data"]
    return bill


def run_bills(world: World) -> None:
    job = world.post("billjobs", {"lastDateInBillingPeriod": "2025-05-31", "billingFrequency": "MONTHLY"})
    until(lambda: world.get(f"billjobs/{job['id']}"), lambda found: found["status"] == "COMPLETE")


def until(look: Callable[[], Any], good: Callable[[Any], bool]) -> Any:
    """Look until what is seen is good, for at most 30 seconds."""
    deadline = time.monotonic() + 30
    while not good(found := look()):
        assert time.monotonic() < deadline, f"still {found}"
        time.sleep(0.05)
    return found


def ended(world: World, job: Any) -> Any:
    done = {"COMPLETE", "FAILED", "CANCELLED"}
    return until(
        lambda: world.get(f"statementjobs/{job['id']}"), lambda found: found["statementJobStatus"] in done
    )


def read(url: str) -> Any:
    answer = httpx.get(url)
    assert answer.status_code == 200, answer.text
    return json.loads(answer.text, parse_float=Decimal)


BY_DESTINATION = {
    "name": "By week and destination",
    "aggregationFrequency": "WEEK",
    "includePricePerUnit": True,
    "dimensions": [{"name": "destination", "filter": ["DFW"]}],
    "measures": [{"name": "distance", "aggregations": ["MAX", "COUNT"]}],
    "generateSlimStatements": True,
}


def test_a_statement_tells_a_bill_apart_by_local_weeks_and_dimensions(world: World) -> None:
    bill = bill_of_may(world)
    definition = world.post("statementdefinitions", BY_DESTINATION)
    usual = world.post("statementdefinitions", {"aggregationFrequency": "YEAR"})  # the account's own wins
    config = world.get("organizationconfig")
    world.put("organizationconfig", {**config, "defaultStatementDefinitionId": usual["id"]})
    acme = world.get(f"accounts/{bill['accountId']}")
    world.put(f"accounts/{acme['id']}", {**acme, "statementDefinitionId": definition["id"]})
    asked = world.post("statementjobs", {"billId": bill["id"].upper(), "includeCsvFormat": True})
    assert (asked["statementJobStatus"], asked["billId"]) == ("PENDING", bill["id"])
    job = ended(world, asked)
    assert (job["jsonStatementStatus"], job["csvStatementStatus"]) == ("LATEST", "LATEST")

    statement = read(job["presignedJsonStatementUrl"])
    assert (statement["total"], statement["billTotal"]) == (70, 70)  # 400 x 0.15 + 10
    usage, standing = statement["lines"]
    assert (usage["charge"], usage["pricePerUnit"]) == (60, Decimal("0.15"))
    rows = [
        (b["startDate"], r["dimensions"]["destination"], r["charge"], r["measures"]["distance"])
        for b in usage["buckets"]
        for r in b["rows"]
    ]
    assert rows == [
        ("2025-05-01", "*", Decimal("15.00"), {"MAX": 100, "COUNT": 1}),  # ORD is not named
        ("2025-05-05", "DFW", Decimal("37.50"), {"MAX": 250, "COUNT": 1}),
        ("2025-05-26", "DFW", Decimal("7.50"), {"MAX": 50, "COUNT": 1}),
    ]
    assert usage["buckets"][-1]["end"] == "2025-06-01T04:00:00Z"
    assert [b["charge"] for b in standing["buckets"]] == [10]

    link = world.get(f"bills/{bill['id']}/statement/csv")["downloadUrl"]
    table = list(csv.DictReader(StringIO(httpx.get(link).text)))
    assert [(t["start"], t["dimension.destination"], t["charge"]) for t in table] == [
        ("2025-05-01T00:00:00-04:00", "*", "15.00"),
        ("2025-05-05T00:00:00-04:00", "DFW", "37.50"),
        ("2025-05-26T00:00:00-04:00", "DFW", "7.50"),
        ("2025-05-01T00:00:00-04:00", "", "10.00"),
    ]
    assert table[0]["measure.distance.MAX"] == "100"


def test_statements_go_stale_with_their_bill_and_end_with_it(world: World) -> None:
    bill = bill_of_may(world)
    path = f"bills/{bill['id']}/statement"
    assert world.get(f"{path}/json", expect=404)["code"] == "statement_not_found"
    (job,) = world.post("statementjobs/batch", {"billIds": [bill["id"], bill["id"]]})
    assert ended(world, job)["jsonStatementStatus"] == "LATEST"
    shown = world.get(f"bills/{bill['id']}")
    assert (shown["jsonStatementGenerated"], shown["csvStatementGenerated"]) == (True, False)
    assert not shown["statementStale"]
    assert world.get(f"{path}/csv", expect=404)["code"] == "statement_not_found"

    run_bills(world)
    assert ended(world, job)["jsonStatementStatus"] == "LATEST"  # nothing has changed
    world.send(world.measure("acme", "2025-05-20T12:00:00Z", uid="4", distance=100))
    run_bills(world)
    assert ended(world, job)["jsonStatementStatus"] == "STALE"
    assert world.get(f"bills/{bill['id']}")["statementStale"]

    link = world.call("POST", f"{path}/csv")["downloadUrl"]
    assert "75.00" in httpx.get(link).text
    shown = world.get(f"bills/{bill['id']}")
    assert (shown["csvStatementGenerated"], shown["statementStale"]) == (True, False)

    world.delete(f"bills/{bill['id']}")
    gone = ended(world, job)
    assert gone["jsonStatementStatus"] == "INVALIDATED"
    assert "presignedJsonStatementUrl" not in gone
    assert httpx.get(link).status_code == 404


def test_only_lines_of_the_meters_asked_for(world: World) -> None:
    bill = bill_of_may(world)
    meter = world.get("meters")["data"][0]
    asked = {"billId": bill["id"], "filters": {"meterIds": [meter["id"]]}}
    statement = read(ended(world, world.post("statementjobs", asked))["presignedJsonStatementUrl"])
    assert [line["lineItemType"] for line in statement["lines"]] == ["USAGE"]
    assert (statement["total"], statement["billTotal"]) == (60, 70)
    # It is not the bill's statement, but a part of it.
    assert world.get(f"bills/{bill['id']}/statement/json", expect=404)["code"] == "statement_not_found"
    nowhere = "01939c1e-0000-7000-8000-000000000000"
    refused = world.post("statementjobs", {"billId": nowhere, "filters": {"meterIds": [nowhere]}}, expect=400)
    assert [e["field"] for e in refused["errors"]] == ["billId", "filters.meterIds[0]"]
    # Ten bills and ten meters at most, and one bill at least (semantics §26).
    many = {"billIds": [nowhere] * 11, "filters": {"meterIds": [nowhere] * 11}}
    refused = world.post("statementjobs/batch", many, expect=400)
    lengths = [(e["field"], e["code"]) for e in refused["errors"]]
    assert lengths == [("billIds", "wrong_length"), ("filters.meterIds", "wrong_length")]
    world.post("statementjobs/batch", {"billIds": []}, expect=400)


def test_jobs_are_listed_by_one_filter_and_cancelled_once(world: World) -> None:
    bill = bill_of_may(world)
    job = ended(world, world.post("statementjobs", {"billId": bill["id"]}))
    for good in ({"billId": bill["id"]}, {"status": "COMPLETE"}, {"active": "false"}, {}):
        assert [each["id"] for each in world.get("statementjobs", **good)["data"]] == [job["id"]]
    assert world.get("statementjobs", active="true")["data"] == []
    both = world.get("statementjobs", active="true", billId=bill["id"], expect=400)
    assert both["errors"][0]["code"] == "exactly_one"
    assert world.get("statementjobs", active="perhaps", expect=400)["errors"][0]["field"] == "active"
    refused = world.post(f"statementjobs/{job['id']}/cancel", expect=409)
    assert refused["code"] == "statement_job_ended"


@pytest.mark.parametrize(
    ("mode", "own", "kinds"),
    [
        pytest.param("NONE", None, [], id="off by default"),
        pytest.param("JSON", None, ["json"], id="the organization's"),
        pytest.param("JSON", "JSON_AND_CSV", ["json", "csv"], id="the account's wins"),
    ],
)
def test_approving_a_bill_makes_its_statement(
    world: World, mode: str, own: str | None, kinds: list[str]
) -> None:
    more = {"autoGenerateStatementMode": own} if own else {}
    bill = bill_of_may(world, config={"autoGenerateStatementMode": mode}, **more)
    assert world.get("statementjobs")["data"] == []  # never while it is pending
    world.post("bills/approve", {"billIds": [bill["id"]]})
    jobs = world.get("statementjobs", billId=bill["id"])["data"]
    assert len(jobs) == bool(kinds)
    for job in jobs:
        done = ended(world, job)
        assert [k for k in ("json", "csv") if f"presigned{k.title()}StatementUrl" in done] == kinds
    world.put(f"bills/{bill['id']}/lock")  # it has its statement already
    assert len(world.get("statementjobs", billId=bill["id"])["data"]) == len(jobs)


def test_taking_an_approval_back_and_giving_it_again_makes_no_second_statement(world: World) -> None:
    bill = bill_of_may(world, config={"autoGenerateStatementMode": "JSON"})
    for status in ("APPROVED", "PENDING", "APPROVED"):
        world.put(f"bills/{bill['id']}/status", {"status": status})
        for job in world.get("statementjobs", billId=bill["id"])["data"]:
            ended(world, job)
    assert len(world.get("statementjobs", billId=bill["id"])["data"]) == 1


def test_each_line_of_a_family_shows_its_own_usage_in_its_own_segment(world: World) -> None:
    product = world.product()
    meter = world.meter(product)
    segments = [{"destination": "ORD"}, {"destination": "*"}]
    miles = world.aggregation(meter["id"], segmentedFields=["destination"], segments=segments)
    held = world.aggregation(meter["id"], "TIME_WEIGHTED", "delay", unit="h")
    longest = world.aggregation(meter["id"], "MAX", "delay", unit="min")
    plan = world.plan(product)["id"]
    for segment in segments:
        world.pricing(plan, miles["id"], (0, 0, Decimal("0.10")), (100, 0, Decimal("0.05")), segment=segment)
    world.pricing(plan, held["id"], (0, 0, Decimal("0.01")))
    world.pricing(plan, longest["id"], (0, 5, 0))
    parent = world.account("parent")
    world.account("child", parentAccountId=parent["id"])
    world.attach(parent["id"], plan, "2025-05-01", childBillingMode="PARENT_BREAKDOWN")
    world.send(
        world.measure("parent", "2025-05-02T00:00:00Z", uid="1", distance=40, delay=2, destination="ORD"),
        world.measure("child", "2025-05-03T00:00:00Z", uid="2", distance=160, delay=9, destination="ORD"),
        world.measure("child", "2025-05-03T12:00:00Z", uid="3", distance=30, delay=4, destination="DFW"),
        world.measure("child", "2025-05-30T00:00:00Z", uid="4", distance=70, delay=0, destination="JFK"),
    )
    definition = {
        "aggregationFrequency": "DAY",
        "dimensions": [{"name": "destination", "filter": ["*"]}],
        "measures": [{"name": "delay", "aggregations": ["MAX"]}],
        "generateSlimStatements": True,
    }
    made = world.post("statementdefinitions", definition)
    config = world.get("organizationconfig")
    world.put("organizationconfig", {**config, "defaultStatementDefinitionId": made["id"]})
    run_bills(world)
    (bill,) = world.get("bills")["data"]
    job = ended(world, world.post("statementjobs", {"billId": bill["id"]}))
    statement = read(job["presignedJsonStatementUrl"])

    assert statement["total"] == sum(line["convertedSubtotal"] for line in bill["lineItems"])
    for line in statement["lines"]:
        rows = [row for bucket in line["buckets"] for row in bucket["rows"]]
        assert sum(row["charge"] for row in rows) == line["charge"]
        assert sum(row["units"] for row in rows) == line["units"]
    sums = {
        (line.get("childAccountCode"), line["segment"]["destination"]): [
            (bucket["startDate"], row["dimensions"]["destination"], row["quantity"])
            for bucket in line["buckets"]
            for row in bucket["rows"]
        ]
        for line in statement["lines"]
        if "segment" in line
    }
    assert sums == {
        (None, "ORD"): [("2025-05-02", "ORD", 40)],
        ("child", "ORD"): [("2025-05-03", "ORD", 160)],
        ("child", "*"): [("2025-05-03", "DFW", 30), ("2025-05-30", "JFK", 70)],
    }
    hours = {
        line.get("childAccountCode"): sum(r["quantity"] for b in line["buckets"] for r in b["rows"])
        for line in statement["lines"]
        if line["unit"] == "h"
    }
    # Each destination holds a level of its own. parent: 2 min from May 2, 30 days; child: ORD 9 from May 3,
    # 29 days, DFW 4 from noon that day, 28.5 days.
    assert hours == {None: 2 * 30 * 24, "child": 9 * 29 * 24 + 4 * 684}


# --- documents ------------------------------------------------------------------------------------


def pdf_text(world: World, path: str) -> str:
    answer = world.http.get(f"/organizations/{world.org_id}/{path}")
    assert (answer.status_code, answer.headers["content-type"]) == (200, "application/pdf"), answer.text
    reader = PdfReader(BytesIO(answer.content))
    return " ".join(" ".join(page.extract_text() for page in reader.pages).split())


def test_a_bill_as_it_is_sent(world: World) -> None:
    bill = bill_of_may(world, name="Müller & Söhne #1")
    path = f"bills/{bill['id']}/pdf"
    text = pdf_text(world, path)
    for shown in ("Müller & Söhne #1", "$60.00", "$70.00", "Draft", "400 mi", "$0.15", "how each amount"):
        assert shown in text
    assert "how each amount" not in pdf_text(world, f"{path}?appendix=false")

    assert world.get("documentsettings")["version"] == 0
    german = {"locale": "de", "vendorName": "Nordwind GmbH", "taxId": "DE1", "footer": "HRB 1"}
    stored = world.put("documentsettings", {**german, "appendix": False})
    assert (stored["version"], world.get("documentsettings")["locale"]) == (1, "de")
    text = pdf_text(world, path)
    for shown in ("Rechnung", "70,00 $", "Nordwind GmbH", "Steuernummer: DE1", "HRB 1", "01.05.2025"):
        assert shown in text
    assert "Anhang" not in text
    assert world.put("documentsettings", german, expect=400)["errors"][0]["field"] == "version"
    refused = world.put("documentsettings", {**german, "version": 1, "locale": "xx-nowhere"}, expect=400)
    assert refused["errors"][0]["code"] == "unknown_locale"
    assert world.get("bills/01939c1e-0000-7000-8000-000000000000/pdf", expect=404)


def test_a_statement_as_it_is_sent(world: World) -> None:
    bill = bill_of_may(world)
    path = f"bills/{bill['id']}/statement/pdf"
    assert world.get(path, expect=404)["code"] == "statement_not_found"
    ended(world, world.post("statementjobs", {"billId": bill["id"]}))
    text = pdf_text(world, path)
    for shown in ("Usage statement", "May 1, 2025 \u2013 May 31, 2025", "400 mi", "$60.00", "$70.00"):
        assert shown in text


def run(*words: str) -> int:
    with pytest.raises(SystemExit) as exited:
        main(words)
    return int(exited.value.code or 0)


def test_saving_a_bill_from_the_command_line(
    world: World, tmp_path: Path, capfd: pytest.CaptureFixture[str]
) -> None:
    bill = bill_of_may(world)
    connection = ["--url", world.url, "--key", world.key, "--secret", world.secret, "--org", world.org_id]
    out = tmp_path / "may.pdf"
    assert run("bill", "pdf", "acme", "--out", str(out), "--no-appendix", *connection) == 0
    assert "70.00" in PdfReader(out).pages[0].extract_text()
    assert f"{out.name}" in capfd.readouterr().out.replace("\n", "")
    assert run("bill", "pdf", bill["id"], "--statement", "--out", str(out), *connection) == 1
    assert "no JSON statement" in " ".join(capfd.readouterr().err.split())
