"""The official Python SDK walks through all of metering: what is counted, looked up, sent and asked."""

import json
import time
from typing import Any

import httpx
import m3ter
import pytest

from tests.support.world import World

UNITS: dict[str, Any] = {"rounding": "NONE", "quantity_per_unit": 1, "unit": "GB"}
FIELDS: list[Any] = [
    {"category": "MEASURE", "code": "gb", "name": "Gigabytes", "unit": "GB"},
    {"category": "WHERE", "code": "region", "name": "Region"},
]


@pytest.fixture
def meter(sdk: m3ter.M3ter) -> Any:
    return sdk.meters.create(name="Stored", code="stored", data_fields=FIELDS, derived_fields=[])


def walk(resource: Any, made: Any, listed: dict[str, Any] | None = None, /, **changed: Any) -> None:
    """Get, list, update and delete what was made."""
    assert resource.retrieve(made.id).id == made.id
    assert made.id in [each.id for each in resource.list(page_size=1, **(listed or {}))]
    updated = resource.update(made.id, version=made.version, **changed)
    assert (updated.id, updated.version) == (made.id, made.version + 1)
    assert resource.delete(made.id).id == made.id
    with pytest.raises(m3ter.NotFoundError):
        resource.retrieve(made.id)


def test_what_is_measured_and_counted(sdk: m3ter.M3ter, meter: Any) -> None:
    sums: dict[str, Any] = {
        "name": "Sum",
        "code": "stored_gb",
        "meter_id": meter.id,
        "target_field": "gb",
        **UNITS,
    }
    aggregation = sdk.aggregations.create(aggregation="SUM", **sums)
    twice: dict[str, Any] = {"name": "Twice", "calculation": "2 * aggregation.stored_gb", **UNITS}
    walk(sdk.compound_aggregations, sdk.compound_aggregations.create(**twice), **twice)
    assert [each.id for each in sdk.aggregations.list(codes=["stored_gb"])] == [aggregation.id]
    walk(sdk.aggregations, aggregation, aggregation="MEAN", **sums)
    other: dict[str, Any] = {"name": "Other", "code": "other", "data_fields": FIELDS, "derived_fields": []}
    walk(sdk.meters, sdk.meters.create(**other), **other)
    account = sdk.accounts.create(name="Acme", code="acme", email_address="billing@acme.example")
    counter = sdk.counters.create(name="Seats", unit="seat", code="seats")
    seats: dict[str, Any] = {"account_id": account.id, "counter_id": counter.id, "date": "2025-05-01"}
    own = {"account_id": account.id, "counter_id": counter.id}
    made = sdk.counter_adjustments.create(value=5, **seats)
    assert [
        each.value for each in sdk.counter_adjustments.list(account_id=account.id, counter_id=counter.id)
    ] == [5]
    walk(sdk.counter_adjustments, made, own, value=7, **seats)
    walk(sdk.counters, counter, name="Chairs", unit="chair", code="chairs")


def test_lookup_tables(sdk: m3ter.M3ter) -> None:
    tables, revisions = sdk.lookup_tables, sdk.lookup_tables.lookup_table_revisions
    rows = sdk.lookup_tables.lookup_table_revision_data
    table = tables.create(name="Rates", code="rates")
    fields: list[Any] = [{"name": "region", "type": "STRING"}, {"name": "rate", "type": "NUMBER"}]
    made = revisions.create(table.id or "", fields=fields, keys=["region"], name="First")
    place: dict[str, Any] = {"lookup_table_id": table.id}
    assert revisions.retrieve(made.id or "", **place).id == made.id
    assert [each.id for each in revisions.list(table.id or "")] == [made.id]
    own: dict[str, Any] = {"lookup_table_revision_id": made.id, **place}
    rows.update(items=[{"region": "eu", "rate": 2}, {"region": "us", "rate": 3}], **own)
    rows.update_key("eu", item={"rate": 4}, **own)
    rows.delete_key("us", **own)
    assert rows.retrieve(**own).items == [{"region": "eu", "rate": 4}]
    assert rows.retrieve_key("eu", **own).items == [{"region": "eu", "rate": 4}]
    copied = rows.copy(**own)
    jobs = rows.lookup_table_revision_data_jobs
    assert copied.job_id in [each.id for each in jobs.list(**own)]
    assert jobs.retrieve(copied.job_id or "", **own).id == copied.job_id
    version = revisions.retrieve(made.id or "", **place).version
    published = revisions.update_status(made.id or "", status="PUBLISHED", version=version, **place)
    assert published.status == "PUBLISHED"
    other = revisions.create(table.id or "", fields=fields, keys=["region"], name="Second")
    assert revisions.delete(other.id or "", **place).id == other.id
    assert table.id in [each.id for each in tables.list()]
    assert (
        tables.update(table.id or "", name="Tariffs", code="rates", version=table.version or 0).version == 2
    )


def test_usage_is_sent_uploaded_and_asked(sdk: m3ter.M3ter, meter: Any, world: World) -> None:
    sent = [
        {
            "uid": f"u{day}",
            "meter": "stored",
            "account": "acme",
            "ts": f"2025-05-{day:02}T12:00:00Z",
            "measure": {"gb": day},
            "where": {"region": "eu"},
        }
        for day in range(1, 4)
    ]
    assert sdk.usage.submit(measurements=sent).result == "accepted"  # type: ignore[arg-type]
    sdk.usage.submit(measurements=sent[:1])  # type: ignore[arg-type]
    [event] = world.get("events", eventName="ingest.validation.failure")["data"]
    file = event["m3terEvent"]["eventData"]["getDownloadUrl"].rpartition("file=")[2]
    failed = httpx.get(str(sdk.usage.get_failed_ingest_download_url(file=file).url)).json()
    assert [each["type"] for each in failed] == ["DuplicateUid"]

    row = {**sent[0], "uid": "file", "measure": {"gb": 10}, "where": {"region": "us"}}
    body = json.dumps([row]).encode()
    link = sdk.usage.file_uploads.generate_upload_url(
        content_length=len(body), content_type="application/json", file_name="may.json"
    )
    assert httpx.put(str(link.url), content=body, headers=link.headers).status_code == 200
    jobs, deadline = sdk.usage.file_uploads.jobs, time.monotonic() + 30
    while (job := jobs.retrieve(link.job_id or "")).status == "running" and time.monotonic() < deadline:
        time.sleep(0.05)
    assert (job.status, job.total_rows, job.failed_rows) == ("succeeded", 1, 0)
    assert [each.id for each in jobs.list(file_key="may.json")] == [job.id]
    assert httpx.get(str(jobs.get_original_download_url(job.id or "").url)).content == body

    found = sdk.usage.query(
        start_date="2025-05-01T00:00:00Z",
        end_date="2025-06-01T00:00:00Z",
        aggregations=[{"meter_id": meter.id, "field_code": "gb", "field_type": "MEASURE", "function": "SUM"}],
        groups=[{"group_type": "ACCOUNT"}],
    )
    sums = {row["account"]: row["stored.gb.SUM"] for row in found.data or []}
    assert (sums, found.has_more_data) == ({"acme": 16}, False)
