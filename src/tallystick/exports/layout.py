"""What files are called, here and at a destination: the same in every run of a job. Pure."""

from datetime import UTC, datetime
from enum import StrEnum
from uuid import UUID, uuid5

MEASUREMENTS = "measurements"


class PartitionOrder(StrEnum):
    """Which folders come first: those of the time, or that of the type."""

    TYPE_FIRST = "TYPE_FIRST"
    TIME_FIRST = "TIME_FIRST"


class FileFormat(StrEnum):
    """How a file is written. PARQUET is beyond the original API."""

    CSV = "CSV"
    JSONL = "JSONL"
    PARQUET = "PARQUET"


ENDINGS = {FileFormat.CSV: "csv.gz", FileFormat.JSONL: "jsonl.gz", FileFormat.PARQUET: "parquet"}


def file_name(job_id: str, part: str, file_format: FileFormat) -> str:
    """Name one file of a job. part: `measurements`, or a type of operational data in small letters."""
    return f"{uuid5(UUID(job_id), part)}_{part}.{ENDINGS[file_format]}"


def file_key(job_id: str, name: str) -> str:
    """Give the key under which a file of a job is kept here."""
    return f"exports/{job_id}/{name}"


def object_key(
    *, prefix: str | None, order: PartitionOrder, org_id: str, at: datetime, part: str, name: str
) -> str:
    """Give the key of a file in a destination's bucket. at: when the job was ordered.

    Rule: semantics §30 — `{prefix}/orgId=…/date=…/hour=…/type=…/`, or the type before the date.
    """
    time = [f"date={at.astimezone(UTC):%Y-%m-%d}", f"hour={at.astimezone(UTC):%H}"]
    kind = [f"type={part}"]
    middle = [*time, *kind] if order is PartitionOrder.TIME_FIRST else [*kind, *time]
    folders = [prefix.strip("/")] if prefix and prefix.strip("/") else []
    return "/".join([*folders, f"orgId={org_id}", *middle, name])
