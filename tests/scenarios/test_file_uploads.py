"""Files of measurements (semantics §6): asked for, put to a signed link, taken in by a job, given back."""

import json
import socket
import time
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import httpx
import m3ter
import pytest
from structlog.testing import capture_logs

from tests.support.world import World, second

LONGEST = 1_073_741_824


def row(number: int, **more: Any) -> dict[str, Any]:
    return {
        "uid": f"u{number}",
        "meter": "flights",
        "account": "acme",
        "ts": "2025-05-01T00:00:00Z",
        "measure": {"distance": number, "delay": 0},
        "where": {"destination": "ORD"},
        **more,
    }


def ask(world: World, length: int, *, expect: int = 200, **more: Any) -> Any:
    body = {"fileName": "may.json", "contentType": "application/json", "contentLength": length, **more}
    return world.post("fileuploads/measurements/generateUploadUrl", body, expect=expect)


def put(link: Any, body: Any, **headers: str) -> httpx.Response:
    return httpx.put(link["url"], content=body, headers={**link["headers"], **headers})


def ended(world: World, job_id: str) -> Any:
    deadline = time.monotonic() + 30
    while True:
        job = world.get(f"fileuploads/measurements/jobs/{job_id}")
        if job["status"] in {"succeeded", "failed"}:
            return job
        assert time.monotonic() < deadline, f"the job is still {job}"
        time.sleep(0.05)


def send(world: World, body: bytes) -> Any:
    link = ask(world, len(body))
    answer = put(link, body)
    assert answer.status_code == 200, answer.text
    return ended(world, link["jobId"])


def kept(world: World) -> list[Path]:
    folder = world.live.platform.home.files / "uploads"
    return list(folder.iterdir()) if folder.exists() else []


def stored(world: World) -> int:
    return int(world.live.services.usage.count(world.org_id))  # type: ignore[attr-defined]


def told(answer: httpx.Response) -> tuple[int, str]:
    return answer.status_code, answer.json()["code"]


def test_the_sdk_uploads_a_file_and_gets_it_back(world: World, sdk: m3ter.M3ter) -> None:
    world.meter()
    body = json.dumps([row(n) for n in range(2500)], indent=1).encode()
    uploads = sdk.usage.file_uploads
    link = uploads.generate_upload_url(
        content_length=len(body), content_type="application/json", file_name="may.json"
    )
    waiting = sdk.usage.file_uploads.jobs.retrieve(link.job_id or "")
    assert (waiting.status, waiting.content_length, waiting.total_rows) == ("notUploaded", len(body), None)
    assert httpx.put(link.url or "", content=body, headers=link.headers or {}).status_code == 200
    job = ended(world, link.job_id or "")
    assert (job["status"], job["totalRows"], job["processedRows"], job["failedRows"]) == (
        "succeeded",
        2500,
        2500,
        0,
    )
    assert job["fileName"] == "may.json"
    assert second(job["uploadDate"]) == "2025-06-01T00:00:00Z"
    assert stored(world) == 2500
    original = sdk.usage.file_uploads.jobs.get_original_download_url(link.job_id or "")
    answer = httpx.get(original.url or "")
    assert answer.content == body
    assert "may.json" in answer.headers["content-disposition"]
    assert [each.id for each in sdk.usage.file_uploads.jobs.list()] == [link.job_id]


def test_rows_that_cannot_be_counted_fail_alone(world: World) -> None:
    world.meter()
    rows = [
        row(1),
        row(1),
        row(2, where={}),
        {"meter": "flights"},
        7,
        row(3, measure={"distance": "far", "delay": 0}),
        row(4),
    ]
    job = send(world, json.dumps(rows).encode())
    assert (job["status"], job["totalRows"], job["processedRows"], job["failedRows"]) == (
        "succeeded",
        7,
        7,
        5,
    )
    assert stored(world) == 2
    [event] = world.get("events", eventName="ingest.validation.failure")["data"]
    data = event["m3terEvent"]["eventData"]
    assert data["countsByType"] == {"InvalidMeasurement": 3, "DuplicateUid": 1, "MissingField": 1}
    assert "row 4: " in data["messages"][0]
    file = data["getDownloadUrl"].rpartition("=")[2]
    failures = httpx.get(world.get("measurements/failedIngest/getDownloadUrl", file=file)["url"]).json()
    assert {"meter": "flights"} in [f["measurement"] for f in failures]
    assert 7 in [f["measurement"] for f in failures]


def test_a_file_without_uids_counts_each_row_once(world: World) -> None:
    world.meter()
    rows = [{k: v for k, v in row(1).items() if k != "uid"}] * 3
    assert send(world, json.dumps(rows).encode())["failedRows"] == 0
    assert stored(world) == 3


@pytest.mark.parametrize(
    ("body", "message"),
    [
        pytest.param(b'{"measurements": []}', "start with [", id="an object"),
        pytest.param(b'[{"uid": "a"}, {]', "ends too early", id="cut"),
        pytest.param(b"[1, {x}]", "Row 2 of the file is not valid JSON", id="broken"),
    ],
)
def test_a_file_that_is_no_array_fails_as_a_whole(world: World, body: bytes, message: str) -> None:
    job = send(world, body)
    assert (job["status"], job.get("processedRows")) == ("failed", None)
    assert message in job["message"]


def test_an_empty_array_succeeds(world: World) -> None:
    job = send(world, b"[]")
    assert (job["status"], job["totalRows"], job["processedRows"]) == ("succeeded", 0, 0)


@pytest.mark.parametrize(
    ("changed", "field"),
    [
        ({"fileName": ""}, "fileName"),
        ({"fileName": "x" * 101}, "fileName"),
        ({"fileName": None}, "fileName"),
        ({"contentType": "text/csv"}, "contentType"),
        ({"contentLength": 0}, "contentLength"),
        ({"contentLength": LONGEST + 1}, "contentLength"),
        ({"contentLength": "many"}, "contentLength"),
    ],
)
def test_an_upload_that_cannot_be_is_refused(world: World, changed: dict[str, Any], field: str) -> None:
    refused = ask(world, 2, expect=400, **changed)
    assert [e["field"] for e in refused["errors"]] == [field]


def test_the_largest_file_may_be_announced(world: World) -> None:
    assert ask(world, LONGEST, fileName="x" * 100, contentType="text/json")["headers"] == {
        "Content-Type": "text/json"
    }


def chunked(*pieces: bytes) -> Iterator[bytes]:
    yield from pieces


def test_a_body_of_another_length_is_refused_and_leaves_nothing(world: World) -> None:
    before = kept(world)
    link = ask(world, 4)
    assert told(put(link, b"[ ]")) == (400, "upload_too_short")
    assert told(put(link, b"[   ]")) == (403, "upload_too_long")
    assert told(put(link, chunked(b"[", b"]"))) == (400, "upload_too_short")
    assert told(put(link, chunked(b"[   ", b"]"))) == (403, "upload_too_long")
    assert told(put(link, b"")) == (400, "upload_too_short")
    assert told(put(link, b"[  ]", **{"content-encoding": "gzip"})) == (415, "encoding_not_supported")
    assert world.get(f"fileuploads/measurements/jobs/{link['jobId']}")["status"] == "notUploaded"
    assert kept(world) == before
    assert put(link, chunked(b"[ ", b" ]")).status_code == 200
    assert ended(world, link["jobId"])["status"] == "succeeded"


def test_a_link_takes_one_file(world: World) -> None:
    link = ask(world, 2)
    assert put(link, b"[]").status_code == 200
    assert told(put(link, b"[]")) == (409, "file_already_uploaded")


def test_a_link_lasts_a_minute(world: World) -> None:
    link = ask(world, 2)
    world.at("2025-06-01T00:01:00")
    assert told(put(link, b"[]")) == (403, "link_expired")


def test_a_changed_link_is_refused(world: World) -> None:
    link, other = ask(world, 2), ask(world, 2)
    for changed in (
        link["url"].replace(link["jobId"], other["jobId"]),
        link["url"][:-1] + ("0" if link["url"][-1] != "0" else "1"),
        link["url"].partition("?")[0],
    ):
        assert told(put({**link, "url": changed}, b"[]")) == (403, "bad_signature")
    assert httpx.get(link["url"]).status_code == 405


def test_an_upload_that_breaks_off_leaves_nothing(world: World) -> None:
    before = kept(world)
    link = ask(world, 1_000_000)
    address = urlsplit(link["url"])
    where = (address.hostname or "", address.port or 0)
    with capture_logs() as logged, closing(socket.create_connection(where)) as connection:
        head = f"PUT {address.path}?{address.query} HTTP/1.1\r\nHost: x\r\nContent-Length: 1000000\r\n\r\n"
        connection.sendall(head.encode() + b"[" * 300_000)
        deadline = time.monotonic() + 10
        while kept(world) == before and time.monotonic() < deadline:
            time.sleep(0.02)
        assert len(kept(world)) == len(before) + 1
        connection.close()
        while kept(world) != before and time.monotonic() < deadline:
            time.sleep(0.02)
        assert kept(world) == before
        assert world.get(f"fileuploads/measurements/jobs/{link['jobId']}")["status"] == "notUploaded"
    assert logged == []  # who goes away is no bug of ours


def test_an_original_is_there_once_it_was_uploaded_and_its_link_lasts_an_hour(world: World) -> None:
    link = ask(world, 2)
    path = f"fileuploads/measurements/jobs/{link['jobId']}/original"
    assert world.get(path, expect=400)["code"] == "file_not_uploaded"
    put(link, b"[]")
    original = world.get(path)
    assert (original["jobId"], original["headers"]) == (link["jobId"], {})
    world.at("2025-06-01T00:59:59")
    assert httpx.get(original["url"]).content == b"[]"
    world.at("2025-06-01T01:00:00")
    assert told(httpx.get(original["url"])) == (403, "link_expired")


def test_jobs_of_another_organization_are_not_found(world: World) -> None:
    link = ask(world, 2)
    stranger = World(world.live)
    path = f"fileuploads/measurements/jobs/{link['jobId']}"
    assert stranger.get(path, expect=404)["code"] == "resource_not_found"
    assert stranger.get(f"{path}/original", expect=404)["code"] == "resource_not_found"
    assert stranger.get("fileuploads/measurements/jobs")["data"] == []
    stranger.close()


def test_jobs_are_listed_newest_first_and_filtered(world: World) -> None:
    first = ask(world, 2, fileName="a.json")["jobId"]
    world.at("2025-06-02")
    second = ask(world, 2, fileName="b.json")["jobId"]

    def listed(**query: Any) -> list[str]:
        return [job["id"] for job in world.get("fileuploads/measurements/jobs", **query)["data"]]

    assert listed() == [second, first]
    assert listed(dateCreatedStart="2025-06-02") == [second]
    assert listed(dateCreatedStart="2025-06-01", dateCreatedEnd="2025-06-02T00:00:00Z") == [first]
    assert listed(fileKey="a.json") == listed(fileKey=first) == listed(fileKey=f"uploads/{first}") == [first]
    assert listed(fileKey="c.json") == []
    page = world.get("fileuploads/measurements/jobs", pageSize=1)
    assert listed(pageSize=1, nextToken=page["nextToken"]) == [first]
    path = "fileuploads/measurements/jobs"
    assert world.get(path, expect=400, dateCreatedEnd="soon")["errors"][0]["field"] == "dateCreatedEnd"
    assert world.get(path, expect=400, pageSize=101)["errors"][0]["field"] == "pageSize"
