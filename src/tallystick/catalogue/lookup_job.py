"""Jobs on the rows of lookup tables: what was asked for, and how it ended."""

from datetime import datetime
from enum import StrEnum
from typing import Annotated

from tallystick.catalogue.lookup_table import LookupTable, LookupTableRevision
from tallystick.platform.resources import Computed, Entity, Hidden, Id, Ref, resource


class LookupJobType(StrEnum):
    """What a job does with the rows of its revision."""

    COPY = "COPY"
    UPLOAD = "UPLOAD"
    DOWNLOAD = "DOWNLOAD"
    ARCHIVE = "ARCHIVE"


class LookupJobStatus(StrEnum):
    """How far a job is; an upload is PENDING from the moment its link is asked for."""

    PENDING = "PENDING"
    SUCCEEDED = "SUCCEEDED"
    FAILED = "FAILED"


class ContentType(StrEnum):
    """The two forms of a file of rows."""

    JSONL = "application/jsonl"
    CSV = "text/csv"

    @property
    def ending(self) -> str:
        """Give the ending of its files."""
        return {ContentType.JSONL: "jsonl", ContentType.CSV: "csv"}[self]


@resource("lookuptablejobs", event="configuration.lookuptablejob", verbs=())
class LookupTableJob(Entity, kw_only=True):
    """Rows of a revision are copied, uploaded, downloaded or archived."""

    type: Annotated[LookupJobType, Computed()]
    status: Annotated[LookupJobStatus, Computed()] = LookupJobStatus.PENDING
    file_name: Annotated[str | None, Computed()] = None
    lookup_table_id: Annotated[Id, Ref(LookupTable), Computed()]
    lookup_table_revision_id: Annotated[Id, Ref(LookupTableRevision), Computed()]
    destination_lookup_table_revision_id: Annotated[Id | None, Ref(LookupTableRevision), Computed()] = None
    job_date: Annotated[datetime, Computed()]
    failure_reason: Annotated[str | None, Computed()] = None
    content_type: Annotated[ContentType | None, Hidden()] = None
    content_length: Annotated[int | None, Hidden()] = None
    received: Annotated[bool, Hidden()] = False
    "The file of an upload has arrived."


class LookupTableJobAnswer(LookupTableJob, kw_only=True):
    """A job, with a link to the file that it made."""

    download_url: str | None = None
    download_url_expiry: datetime | None = None
