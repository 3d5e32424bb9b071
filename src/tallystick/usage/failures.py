"""Rejected measurements: kept with their reason until someone downloads them, and told of by an event."""

import re
from collections import Counter
from collections.abc import Sequence

import msgspec
from sqlalchemy import BigInteger, Column, DateTime, PrimaryKeyConstraint, Table, Text, delete, insert, select

from tallystick.events.declared import domain_event
from tallystick.events.record import append_event
from tallystick.events.retention import KEPT
from tallystick.platform.ids import new_id
from tallystick.platform.resources import Transaction
from tallystick.platform.resources.fields import UUID_PATTERN
from tallystick.platform.resources.tables import UUID, metadata
from tallystick.platform.resources.transaction import ResourceNotFound
from tallystick.usage.envelope import Measurement, write_measurement
from tallystick.usage.rules import Broken, FailureType

MOST_MESSAGES = 5
_ID = re.compile(UUID_PATTERN)


class Rejected(msgspec.Struct, rename="camel"):
    """What the event about rejected measurements tells; `stored` is how many of the request were kept."""

    stored: int
    failed: int
    counts_by_type: dict[str, int]
    messages: list[str]
    get_download_url: str


EVENT = domain_event("ingest.validation.failure", Rejected)

ingest_failures = Table(
    "ingest_failures",
    metadata,
    Column("org_id", UUID, nullable=False),
    Column("id", UUID, nullable=False),
    Column("created_at", DateTime(timezone=True), nullable=False),
    Column("stored", BigInteger, nullable=False),
    Column("failed", BigInteger, nullable=False),
    Column("failures", Text, nullable=False),
    PrimaryKeyConstraint("org_id", "id", name="pk_ingest_failures"),
)


class Failure(msgspec.Struct, frozen=True):
    """One measurement with the rule it breaks, as it is downloaded: the measurement as it was sent."""

    type: FailureType
    message: str
    measurement: msgspec.Raw


def failure(broken: Broken, measurement: Measurement) -> Failure:
    """Keep a measurement with the rule it breaks."""
    return Failure(broken.type, broken.message, write_measurement(measurement))


def record_failures(tx: Transaction, failures: Sequence[Failure], stored: int) -> str:
    """Keep what one request failed with, and append the event that tells so. Gives the file's id.

    stored: measurements of the same request that were stored.
    """
    file = new_id()
    values = {
        "org_id": tx.org_id,
        "id": file,
        "created_at": tx.clock.now(),
        "stored": stored,
        "failed": len(failures),
        "failures": msgspec.json.encode(failures).decode(),
    }
    tx.execute(insert(ingest_failures), values)
    told = Rejected(
        stored=stored,
        failed=len(failures),
        counts_by_type=Counter(f.type.value for f in failures),
        messages=[f"{f.type.value}: {f.message}" for f in failures[:MOST_MESSAGES]],
        get_download_url=link_path(tx.org_id, file),
    )
    append_event(tx, EVENT, msgspec.to_builtins(told), file)
    return file


def link_path(org_id: str, file: str) -> str:
    """Name the operation that gives a signed link to a file."""
    return f"/organizations/{org_id}/measurements/failedIngest/getDownloadUrl?file={file}"


def forget_failures(tx: Transaction) -> int:
    """Delete the files that are older than events get; their events go too. Gives how many there were."""
    table = ingest_failures
    return tx.execute(delete(table).where(table.c.created_at < tx.clock.now() - KEPT)).rowcount


def load_failures(tx: Transaction, file: str) -> bytes:
    """Give a file: a JSON array of failures. Raises ResourceNotFound."""
    table = ingest_failures
    wanted = select(table.c.failures).where(table.c.org_id == tx.org_id, table.c.id == file)
    found = tx.execute(wanted).scalar() if _ID.fullmatch(file) else None
    if found is None:
        raise ResourceNotFound(f"There are no rejected measurements with the file id {file[:60]!r}.")
    return str(found).encode()
