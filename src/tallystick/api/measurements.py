"""Usage in: submit measurements, and download those that were rejected."""

from collections.abc import Iterator
from datetime import timedelta
from typing import Any, Final

import msgspec

from tallystick.api.routes import SIGNED, Call, Permission, QueryParameter, Route, verb_route
from tallystick.kernel.problems import Problem
from tallystick.platform.resources.wire import InvalidBody
from tallystick.usage.cloud_events import (
    BATCH,
    STRUCTURED,
    CloudEvent,
    measurements_of,
    meters_of,
    read_events,
)
from tallystick.usage.csv_rows import read_csv
from tallystick.usage.envelope import SubmitMeasurementsRequest, read_measurements
from tallystick.usage.failures import load_failures

LARGEST_BATCH_BYTES: Final = 511_999
"Rule: semantics §1, less than 512,000 bytes."
LINK_LIFETIME: Final = timedelta(minutes=5)
"Rule: semantics §6."
UPLOAD = Permission("measurements:upload", "ingest:measurement")
RETRIEVE = Permission("measurements:retrieve", "ingest:measurement")
DOWNLOAD = "/downloads/{orgId}/failedingest/{file}"
PATH, TAG = "measurements", "Measurements"


class SubmitMeasurementsResponse(msgspec.Struct):
    """The answer to every batch of the right form: what fails its meter's rules is told by an event."""

    result: str


class GenerateDownloadUrlResponse(msgspec.Struct):
    """A link that needs no token and is valid for five minutes."""

    url: str


_ACCEPTED = msgspec.json.encode(SubmitMeasurementsResponse("accepted"))


def measurement_routes() -> Iterator[Route]:
    """Make the routes."""
    taken: dict[str, Any] = {
        "answer": SubmitMeasurementsResponse,
        "repeatable": True,
        "limit": "ingest",
        "reads_raw": True,
    }
    batch: dict[str, Any] = taken | {"request": SubmitMeasurementsRequest, "body_limit": LARGEST_BATCH_BYTES}
    yield verb_route("POST", PATH, UPLOAD, submit, "submitMeasurements", TAG, **batch)
    rows: dict[str, Any] = taken | {"request": str, "media_types": ("text/csv",)}
    yield verb_route("POST", f"{PATH}/csv", UPLOAD, submit_csv, "submitMeasurementsCsv", TAG, **rows)
    events: dict[str, Any] = taken | {
        "request": CloudEvent | list[CloudEvent],
        "body_limit": LARGEST_BATCH_BYTES,
        "media_types": (STRUCTURED, BATCH, "application/json"),
    }
    yield verb_route("POST", f"{PATH}/cloudevents", UPLOAD, submit_events, "submitCloudEvents", TAG, **events)
    path = f"{PATH}/failedIngest/getDownloadUrl"
    link: dict[str, Any] = {"answer": GenerateDownloadUrlResponse, "query": (QueryParameter("file"),)}
    yield verb_route("GET", path, RETRIEVE, link_failures, "getFailedIngestDownloadUrl", TAG, **link)
    summary = "Download rejected measurements by a signed link"
    yield Route("GET", DOWNLOAD, None, download_failures, "downloadFailedIngest", TAG, summary, query=SIGNED)


def submit(call: Call) -> bytes:
    """Submit measurements. Answered when everything of it is durable."""
    call.services.ingest(call.org_id, call.principal.id, read_measurements(call.raw))
    return _ACCEPTED


def submit_csv(call: Call) -> bytes:
    """Submit a CSV of one meter's measurements, all or none. Raises CsvRefused."""
    with call.reading() as tx:
        measurements = read_csv(tx, call.raw)
    call.services.ingest(call.org_id, call.principal.id, measurements)
    return _ACCEPTED


def submit_events(call: Call) -> bytes:
    """Submit CloudEvents, as measurements of the meters that count them. Raises what `read_events` does."""
    events = read_events(call.raw, call.headers)
    with call.reading() as tx:
        meters = meters_of(tx, events)
    mapped = measurements_of(events, meters, call.now())
    call.services.ingest(call.org_id, call.principal.id, mapped.measurements, mapped.failures)
    return _ACCEPTED


def link_failures(call: Call) -> GenerateDownloadUrlResponse:
    """Get a link to a file of rejected measurements. Raises InvalidBody, ResourceNotFound."""
    file = call.one("file")
    if file is None:
        raise InvalidBody([Problem("file", "required", "is required: the event about the failure names it")])
    with call.reading() as tx:
        load_failures(tx, file)
    path = DOWNLOAD.format(orgId=call.org_id, file=file)
    return GenerateDownloadUrlResponse(call.link(path, LINK_LIFETIME))


def download_failures(call: Call) -> bytes:
    """Give a file of rejected measurements to whoever has a signed link. Raises BadSignature, LinkExpired."""
    org_id, file = call.path["orgId"], call.path["file"]
    call.check_link(DOWNLOAD)
    with call.services.database.reading(org_id) as tx:
        return load_failures(tx, file)
