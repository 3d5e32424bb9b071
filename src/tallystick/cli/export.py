"""`tallystick export …`: order an export, wait for it, and save its file."""

import time
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal

from cyclopts import Parameter
from rich.text import Text

from tallystick.cli.billing import FIRST_POLL_S, LONGEST_POLL_S, id_of
from tallystick.cli.client import Client
from tallystick.cli.errors import CommandError
from tallystick.cli.output import on_output, print_json, spinner
from tallystick.cli.profile import NOWHERE, Connection, resolve
from tallystick.cli.testclock import instant

PATH = "dataexports"
ENDED = frozenset({"SUCCEEDED", "FAILED"})


@Parameter(name="*")
@dataclass(frozen=True)
class Whose:
    """Which usage; nothing given is all.

    Parameters
    ----------
    meter
        Only these meters, by code or id; may be given several times.
    account
        Only these accounts, by code or id; may be given several times.
    """

    meter: tuple[str, ...] = ()
    account: tuple[str, ...] = ()


@Parameter(name="*")
@dataclass(frozen=True)
class Into:
    """What the file is.

    Parameters
    ----------
    format
        csv, jsonl or parquet; the first two are packed with gzip.
    out
        The file to write; otherwise it is named as the server does, in this folder.
    """

    format: Literal["csv", "jsonl", "parquet"] = "csv"
    out: Path | None = None


ALL, CSV = Whose(), Into()


def usage(
    start: str,
    end: str,
    *,
    whose: Whose = ALL,
    into: Into = CSV,
    json: bool = False,
    connection: Connection = NOWHERE,
) -> None:
    """Export measurements: one row each, exactly those whose `ts` is from START until before END.

    **Example:** `tallystick export usage 2026-01-01 2026-02-01 --meter storage`

    Parameters
    ----------
    start
        A date (its midnight) or an instant, in UTC unless it says another offset.
    end
        The same; not included.
    json
        Print one JSON document with the job and the file.
    """
    with Client(resolve(connection)) as client:
        order = {
            "sourceType": "USAGE",
            "startDate": instant(start),
            "endDate": instant(end),
            "meterIds": [id_of(client, "meters", each) for each in whose.meter],
            "accountIds": [id_of(client, "accounts", each) for each in whose.account],
        }
        _export(client, order, into, json=json)


def operational(
    *types: str,
    since: str | None = None,
    into: Into = CSV,
    json: bool = False,
    connection: Connection = NOWHERE,
) -> None:
    """Export what is stored, one file a type; several come as one ZIP.

    **Example:** `tallystick export operational bills bill_line_items --since 2026-01-01`

    Parameters
    ----------
    types
        Such as accounts, plans, bills or bill_line_items; docs/exports.md has all.
    since
        Only what was created or changed since this date or instant.
    json
        Print one JSON document with the job and the file.
    """
    order: dict[str, Any] = {
        "sourceType": "OPERATIONAL",
        "operationalDataTypes": [each.upper().replace("-", "_") for each in types],
    }
    if since is not None:
        order["startDate"] = instant(since)
    with Client(resolve(connection)) as client:
        _export(client, order, into, json=json)


def download(
    job: str, *, out: Path | None = None, json: bool = False, connection: Connection = NOWHERE
) -> None:
    """Save the file of an export of the last 24 hours, of a schedule too.

    Parameters
    ----------
    job
        The job's id.
    out
        The file to write; otherwise it is named as the server does, in this folder.
    json
        Print one JSON document with the job and the file.
    """
    with Client(resolve(connection)) as client:
        _save(client, client.get(f"{PATH}/jobs/{job}"), out, json=json)


def _export(client: Client, order: dict[str, Any], into: Into, *, json: bool) -> None:
    body = {**order, "exportFileFormat": into.format.upper()}
    with spinner("Exporting"):
        job = _finished(client, client.post(f"{PATH}/adhoc", body)["jobId"])
    _save(client, job, into.out, json=json)


def _finished(client: Client, job_id: str) -> Any:
    """Follow a job to its end. Raises CommandError."""
    wait_s = FIRST_POLL_S
    while (job := client.get(f"{PATH}/jobs/{job_id}"))["status"] not in ENDED:
        time.sleep(wait_s)
        wait_s = min(wait_s * 1.3, LONGEST_POLL_S)
    if job["status"] != "SUCCEEDED":
        raise CommandError(f"The export {job_id} failed: {job.get('failureReason', 'no reason told')}")
    return job


def _save(client: Client, job: Any, out: Path | None, *, json: bool) -> None:
    link = client.get(f"{PATH}/jobs/{job['id']}/getdownloadurl")["url"]
    with spinner("Downloading"):
        file = client.download(link, out)
    if json:
        print_json({"job": job, "file": str(file)})
    else:
        on_output().print(Text(f"{file} written."))
