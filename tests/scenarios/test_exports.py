"""Data leaves as files: to download, and into buckets (semantics §30)."""

import csv
import gzip
import io
import json
import time
import zipfile
from collections.abc import Iterator
from decimal import Decimal
from typing import Any

import httpx
import pytest

from tests.scenarios.test_test_clock import moved
from tests.support.objects import make_bucket, objects, s3_server
from tests.support.world import World, second

D = Decimal
MAY = {"startDate": "2025-05-01T00:00:00Z", "endDate": "2025-06-01T00:00:00Z"}
ROLE = "arn:aws:iam::123456789012:role/exports"


@pytest.fixture
def s3() -> Iterator[str]:
    with pytest.MonkeyPatch.context() as patch, s3_server(patch) as url:
        make_bucket(url, "warehouse")
        yield url


def ended(world: World, job_id: str) -> Any:
    """Wait for a job to end."""
    deadline = time.monotonic() + 30
    while time.monotonic() < deadline:
        job = world.get(f"dataexports/jobs/{job_id}")
        if job["status"] in {"SUCCEEDED", "FAILED"}:
            return job
        time.sleep(0.02)
    raise AssertionError(job)


def export(world: World, **body: Any) -> bytes:
    """Export once, and download the file."""
    job = ended(world, world.post("dataexports/adhoc", body)["jobId"])
    assert job["status"] == "SUCCEEDED", job
    link = world.get(f"dataexports/jobs/{job['id']}/getdownloadurl")
    assert second(link["expirationTime"]) == "2025-06-01T00:15:00Z"
    answer = httpx.get(link["url"])
    assert answer.status_code == 200
    return answer.content


def rows_of(body: bytes) -> list[dict[str, str]]:
    return list(csv.DictReader(io.StringIO(gzip.decompress(body).decode(), newline="")))


@pytest.fixture
def meter(world: World) -> Any:
    made = world.meter()
    for code in ("acme", "globex"):
        world.account(code)
    world.send(
        world.measure("acme", "2025-04-30T23:59:59.999Z", uid="before", distance=1),
        world.measure("acme", "2025-05-01T00:00:00Z", uid="first", distance=D("100.5"), destination="DFW"),
        world.measure("globex", "2025-05-20T12:00:00Z", uid="middle", distance=7, delay=-3),
        world.measure("acme", "2025-05-31T23:59:59.999Z", uid="last", distance=D("0.000000000001")),
        world.measure("acme", "2025-06-01T00:00:00Z", uid="after", distance=1),
    )
    return made


def test_usage_of_a_window_is_exported_to_the_row(world: World, meter: Any) -> None:
    rows = rows_of(export(world, sourceType="USAGE", meterIds=[meter["id"]], **MAY))
    assert sorted(row["uid"] for row in rows) == ["first", "last", "middle"]
    by_uid = {row["uid"]: row for row in rows}
    assert by_uid["last"]["measure.distance"] == "0.000000000001"
    assert by_uid["middle"]["account"] == "globex"
    assert by_uid["middle"]["ts"] == "2025-05-20T12:00:00Z"
    assert by_uid["first"] | {"receivedAt": ""} == {
        "uid": "first",
        "meter": "flights",
        "meterId": meter["id"],
        "account": "acme",
        "accountId": by_uid["last"]["accountId"],
        "ts": "2025-05-01T00:00:00Z",
        "ets": "",
        "receivedAt": "",
        "measure.distance": "100.5",
        "measure.delay": "0",
        "where.destination": "DFW",
    }
    only = {"meterId": meter["id"], "fieldCode": "destination", "values": ["DFW"]}
    body = export(world, sourceType="USAGE", exportFileFormat="JSONL", dimensionFilters=[only], **MAY)
    [line] = gzip.decompress(body).decode().splitlines()
    assert json.loads(line)["where"] == {"destination": "DFW"}


def test_figures_are_exported_for_each_group(world: World, meter: Any) -> None:
    figure = {"meterId": meter["id"], "fieldCode": "distance", "fieldType": "MEASURE", "function": "SUM"}
    groups = [{"groupType": "TIME", "frequency": "DAY"}, {"groupType": "ACCOUNT"}]
    rows = rows_of(export(world, sourceType="USAGE", aggregations=[figure], groups=groups, **MAY))
    found = {(row["ts"][:10], row["account"]): row["flights.distance.SUM"] for row in rows}
    assert found == {
        ("2025-05-01", "acme"): "100.5",
        ("2025-05-20", "globex"): "7",
        ("2025-05-31", "acme"): "0.000000000001",
    }


@pytest.mark.usefixtures("meter")
def test_operational_data_is_one_file_a_type(world: World) -> None:
    types = ["ACCOUNTS", "METERS", "BILLS", "PRICING_BANDS"]
    body = export(world, sourceType="OPERATIONAL", operationalDataTypes=types)
    with zipfile.ZipFile(io.BytesIO(body)) as archive:
        files = {name.split("_", 1)[1]: rows_of(archive.read(name)) for name in archive.namelist()}
    assert list(files) == ["accounts.csv.gz", "meters.csv.gz", "bills.csv.gz", "pricing_bands.csv.gz"]
    assert [row["code"] for row in files["accounts.csv.gz"]] == ["acme", "globex"]
    assert json.loads(files["meters.csv.gz"][0]["dataFields"])[0]["code"] == "distance"
    assert files["bills.csv.gz"] == []
    changed = export(
        world, sourceType="OPERATIONAL", operationalDataTypes=["ACCOUNTS"], startDate="2025-06-01T00:00:01Z"
    )
    assert rows_of(changed) == []


def test_what_cannot_be_exported_is_refused(world: World, meter: Any) -> None:
    def faults(**body: Any) -> dict[str, str]:
        refused = world.post("dataexports/adhoc", body, expect=400)
        return {each["field"]: each["code"] for each in refused["errors"]}

    assert faults(sourceType="USAGE") == {"startDate": "required", "endDate": "required"}
    late = {**MAY, "endDate": "2025-06-02T00:00:01Z"}
    assert faults(sourceType="USAGE", **late) == {"endDate": "out_of_range"}
    assert faults(sourceType="OPERATIONAL") == {"operationalDataTypes": "required"}
    nowhere = "0192c3a0-0000-7000-8000-000000000001"
    bad = faults(sourceType="USAGE", meterIds=[nowhere], destinationIds=[nowhere], **MAY)
    assert bad == {"destinationIds[0]": "unknown_reference", "meterIds[0]": "unknown_reference"}
    mixed = faults(sourceType="OPERATIONAL", operationalDataTypes=["BILLS"], meterIds=[meter["id"]])
    assert mixed == {"meterIds": "not_applicable"}


def destination(world: World, **more: Any) -> Any:
    body = {"name": "Warehouse", "code": "wh", "destinationType": "S3", "bucketName": "warehouse"}
    return world.post("dataexports/destinations", {**body, "iamRoleArn": ROLE, **more})


def test_no_part_of_a_destination_changes_what_clouds_are_asked(world: World) -> None:
    body = {"name": "W", "code": "w", "destinationType": "GCS", "bucketName": "a/b?c"}
    body |= {
        "projectNumber": "1/x",
        "poolId": "../p",
        "providerId": "P p",
        "serviceAccountEmail": "a@b:sign?",
    }
    refused = world.post("dataexports/destinations", body, expect=400)
    found = {(each["field"], each["code"]) for each in refused["errors"]}
    parts = ("bucketName", "projectNumber", "poolId", "providerId", "serviceAccountEmail")
    assert found == {(part, "wrong_format") for part in parts}
    fine = {"bucketName": "a-bucket.of_ours", "projectNumber": "123456789", "poolId": "pool-1"}
    fine |= {"providerId": "provider-1", "serviceAccountEmail": "writer@my-project.iam.gserviceaccount.com"}
    world.post("dataexports/destinations", {**body, **fine})


def test_a_schedule_fills_a_bucket_and_holds_its_destination(world: World, s3: str) -> None:
    world.put("testclock", {"now": "2025-01-01T10:00:00Z"})
    world.meter()
    world.account()
    for day, uid in (("2025-01-01T05:00:00Z", "one"), ("2025-01-01T09:00:00Z", "two")):
        world.send(world.measure("acme", day, uid=uid, distance=1))
    bucket = destination(world, prefix="daily")
    schedule = {
        "name": "Daily",
        "code": "daily",
        "sourceType": "USAGE",
        "timePeriod": "YESTERDAY",
        "scheduleType": "DAY",
        "period": 1,
        "offset": 2,
        "destinationIds": [bucket["id"]],
    }
    made = world.post("dataexports/schedules", schedule)
    assert (
        world.call("DELETE", f"dataexports/destinations/{bucket['id']}", expect=400)["code"]
        == "not_deletable"
    )

    moved(world, "2025-01-03T12:00:00Z")
    jobs = world.get("dataexports/jobs", scheduleId=made["id"])["data"]
    assert [(job["status"], job["dateCreated"]) for job in jobs] == [
        ("SUCCEEDED", "2025-01-03T02:00:00Z"),
        ("SUCCEEDED", "2025-01-02T02:00:00Z"),
    ]
    files = {key: rows_of(body) for key, body in objects(s3, "warehouse").items() if world.org_id in key}
    where = f"daily/orgId={world.org_id}/date=2025-01-0"
    [first] = [key for key in files if key.startswith(f"{where}2/hour=02/type=measurements/")]
    assert [row["uid"] for row in files[first]] == ["one", "two"]
    [second] = [key for key in files if key != first]
    assert second.startswith(f"{where}3/")
    assert files[second] == []

    expired = world.get(f"dataexports/jobs/{jobs[1]['id']}/getdownloadurl", expect=400)
    assert expired["code"] == "export_expired"
    world.delete(f"dataexports/schedules/{made['id']}")
    world.delete(f"dataexports/destinations/{bucket['id']}")


@pytest.mark.usefixtures("s3")
def test_a_job_that_a_bucket_refuses_fails_and_says_so(world: World) -> None:
    lost = destination(world, bucketName="no-such-bucket", code="lost")
    body = {"sourceType": "OPERATIONAL", "operationalDataTypes": ["ACCOUNTS"], "destinationIds": [lost["id"]]}
    job = ended(world, world.post("dataexports/adhoc", body)["jobId"])
    assert job["status"] == "FAILED"
    assert "lost" in job["failureReason"]
    [event] = world.get("events", eventName="dataexport.job.failure")["data"]
    assert event["m3terEvent"]["eventData"]["id"] == job["id"]
    assert world.get(f"dataexports/jobs/{job['id']}/getdownloadurl", expect=400)["code"] == "export_not_ready"
