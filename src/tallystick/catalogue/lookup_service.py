"""Verbs of lookup tables: revisions and their life, rows, copies and jobs (semantics §12)."""

from collections.abc import Mapping
from datetime import datetime
from typing import Annotated, Any

import msgspec
from msgspec import Meta
from sqlalchemy import and_, or_, update

from tallystick.catalogue.errors import (
    LookupRowNotFound,
    LookupRowsAwaited,
    RevisionNotArchived,
    RevisionNotDraft,
)
from tallystick.catalogue.lookup_job import ContentType, LookupJobStatus, LookupJobType, LookupTableJob
from tallystick.catalogue.lookup_rows import Item, read_items, schema_of
from tallystick.catalogue.lookup_store import (
    count_rows,
    delete_row,
    delete_rows,
    find_row,
    first_rows,
    upsert_rows,
)
from tallystick.catalogue.lookup_table import LookupTable, LookupTableRevision, RevisionStatus
from tallystick.kernel.problems import Problem
from tallystick.platform.jobs import defer
from tallystick.platform.resources import Transaction, resource_of
from tallystick.platform.resources.declaration import VersionedRequest
from tallystick.platform.resources.transaction import ResourceNotFound, from_request, stale
from tallystick.platform.resources.wire import InvalidBody

TASK = "catalogue.run_lookup_job"
MOST_ITEMS = 2000
LARGEST_FILE_BYTES = 104_857_600
_FOLLOWS = {RevisionStatus.PUBLISHED: RevisionStatus.DRAFT, RevisionStatus.ARCHIVED: RevisionStatus.PUBLISHED}


class LookupTableRevisionStatusRequest(VersionedRequest, kw_only=True):
    """The next status of a revision."""

    status: RevisionStatus | None = None


class LookupTableRevisionDataRequest(VersionedRequest, kw_only=True):
    """Rows to store; those whose keys are there already are replaced. `version` is that of the rows."""

    items: Annotated[list[dict[str, Any | None]], Meta(max_length=MOST_ITEMS)]


class LookupTableRevisionDataItemUpsertRequest(VersionedRequest, kw_only=True):
    """One row to store; its key fields may be left out, for the path has them."""

    item: dict[str, Any | None]


class LookupTableRevisionDataItemDeleteRequest(VersionedRequest, kw_only=True):
    """The version of the rows that the caller has seen, if any."""


class LookupTableRevisionData(msgspec.Struct, kw_only=True, rename="camel"):
    """Rows of a revision, with the version and the audit of all its rows."""

    items: list[dict[str, Any]]
    dt_created: datetime | None = None
    dt_last_modified: datetime | None = None
    created_by: str | None = None
    last_modified_by: str | None = None
    version: int = 0


class LookupTableRevisionCopyRequest(msgspec.Struct, kw_only=True, rename="camel"):
    """Where the rows go; without it they go to a copy of the revision."""

    revision_id: str | None = None


class LookupTableRevisionCopyResponse(msgspec.Struct, kw_only=True, rename="camel"):
    """The job that copies, and the revision that it copies to."""

    job_id: str
    revision_id: str


# --- revisions ----------------------------------------------------------------------------------


def get_revision(
    tx: Transaction, table_id: str, revision_id: str, *, lock: bool = False
) -> LookupTableRevision:
    """Load a revision of a table. Raises ResourceNotFound."""
    revision = tx.get(LookupTableRevision, revision_id, lock=lock)
    if revision.lookup_table_id != table_id.lower():
        raise ResourceNotFound(f"This lookup table has no revision with id {revision_id[:60]!r}.")
    return revision


def create_revision(tx: Transaction, table_id: str, request: VersionedRequest) -> LookupTableRevision:
    """Add a draft to a table. Raises ResourceNotFound, InvalidBody."""
    table = tx.get(LookupTable, table_id)
    new = from_request(LookupTableRevision, request)
    return tx.create(msgspec.structs.replace(new, lookup_table_id=table.id))


def update_revision(
    tx: Transaction, table_id: str, revision_id: str, request: VersionedRequest
) -> LookupTableRevision:
    """Replace a revision; its status and rows stay. Raises ResourceNotFound, InvalidBody, StaleVersion."""
    old = get_revision(tx, table_id, revision_id, lock=True)
    _require_version(old, request.version)
    new = from_request(LookupTableRevision, request)
    changed = {
        f.name: getattr(new, f.name)
        for f in resource_of(LookupTableRevision).fields
        if not f.computed and not f.hidden
    }
    return tx.update(old, msgspec.structs.replace(old, **changed))


def set_status(
    tx: Transaction, table_id: str, revision_id: str, request: LookupTableRevisionStatusRequest
) -> LookupTableRevision:
    """Publish a draft, which archives the one that was published, or archive the published one.

    Raises ResourceNotFound, InvalidBody, StaleVersion, LookupRowsAwaited.
    """
    tx.get(LookupTable, table_id, lock=True)  # one change of what is published at a time
    old = get_revision(tx, table_id, revision_id, lock=True)
    if request.status is None:
        raise InvalidBody([Problem("status", "required", "is required")])
    _require_version(old, request.version)
    if _FOLLOWS.get(request.status) is not old.status:
        message = f"a revision goes from DRAFT to PUBLISHED to ARCHIVED; this one is {old.status}"
        raise InvalidBody([Problem("status", "wrong_transition", message)])
    if request.status is RevisionStatus.ARCHIVED:
        return _archive(tx, old)
    _require_rows(tx, old)
    published = RevisionStatus.PUBLISHED.value
    for previous in tx.find(
        LookupTableRevision, lock=True, lookup_table_id=old.lookup_table_id, status=published
    ):
        _archive(tx, previous)
    return tx.update(old, msgspec.structs.replace(old, status=RevisionStatus.PUBLISHED))


def _require_rows(tx: Transaction, revision: LookupTableRevision) -> None:
    """Let no revision be looked up whose rows are still on their way. Raises LookupRowsAwaited."""
    columns = resource_of(LookupTableJob).table.c
    brings = or_(
        columns.destination_lookup_table_revision_id == revision.id,
        and_(columns.lookup_table_revision_id == revision.id, columns.received),
    )
    is_pending = columns.status == LookupJobStatus.PENDING.value
    for job in tx.load(LookupTableJob, tx.select(LookupTableJob, brings, is_pending)):
        message = (
            f"The {job.type} job {job.id} still brings rows to this revision. Wait for its end, or delete it."
        )
        raise LookupRowsAwaited(message)


def _archive(tx: Transaction, revision: LookupTableRevision) -> LookupTableRevision:
    """Archive a revision, and let a job write its files."""
    archived = tx.update(revision, msgspec.structs.replace(revision, status=RevisionStatus.ARCHIVED))
    start_job(tx, archived, LookupJobType.ARCHIVE)
    return archived


def delete_table(tx: Transaction, table_id: str) -> tuple[LookupTable, list[LookupTableJob]]:
    """Delete a table with its revisions. Gives their jobs too. Raises ResourceNotFound, NotDeletable."""
    table = tx.get(LookupTable, table_id, lock=True)
    jobs: list[LookupTableJob] = []
    if not [*table.check_delete(tx)]:
        for revision in tx.find(LookupTableRevision, lookup_table_id=table.id):
            jobs += delete_revision(tx, table.id, revision.id)[1]
    return tx.delete(LookupTable, table_id), jobs


def delete_revision(
    tx: Transaction, table_id: str, revision_id: str
) -> tuple[LookupTableRevision, list[LookupTableJob]]:
    """Delete a revision with its rows and jobs. Gives the jobs too. Raises ResourceNotFound, NotDeletable."""
    revision = get_revision(tx, table_id, revision_id, lock=True)
    columns = resource_of(LookupTableJob).table.c
    concerned = or_(
        columns.lookup_table_revision_id == revision.id,
        columns.destination_lookup_table_revision_id == revision.id,
    )
    jobs = tx.load(LookupTableJob, tx.select(LookupTableJob, concerned))
    for job in jobs:
        tx.delete(LookupTableJob, job.id)
    return tx.delete(LookupTableRevision, revision.id), jobs


# --- rows ---------------------------------------------------------------------------------------


def draft(
    tx: Transaction, table_id: str, revision_id: str, version: int | None = None
) -> LookupTableRevision:
    """Lock a draft to change its rows. version: of the rows, checked when it is given.

    Raises ResourceNotFound, RevisionNotDraft, StaleVersion.
    """
    revision = get_revision(tx, table_id, revision_id, lock=True)
    require_draft(revision)
    if version is not None and version != revision.data_version:
        raise stale(resource_of(LookupTableRevision), version, revision.data_version)
    return revision


def require_draft(revision: LookupTableRevision) -> None:
    """Let only the rows of drafts change. Raises RevisionNotDraft."""
    if revision.status is not RevisionStatus.DRAFT:
        message = (
            f"This revision is {revision.status}: rows change in a draft only. Copy it, and change that."
        )
        raise RevisionNotDraft(message)


def note_rows_changed(tx: Transaction, revision: LookupTableRevision) -> LookupTableRevision:
    """Count the rows of a locked revision anew, and give them their next version."""
    now = tx.clock.now()
    changed: dict[str, Any] = {
        "item_count": count_rows(tx, revision.id),
        "data_version": revision.data_version + 1,
        "data_dt_created": revision.data_dt_created or now,
        "data_dt_last_modified": now,
        "data_created_by": revision.data_created_by or tx.actor,
        "data_last_modified_by": tx.actor,
    }
    table = resource_of(LookupTableRevision).table
    tx.execute(update(table).where(table.c.org_id == tx.org_id, table.c.id == revision.id).values(changed))
    return msgspec.structs.replace(revision, **changed)


def get_items(tx: Transaction, table_id: str, revision_id: str, limit: int) -> LookupTableRevisionData:
    """Give the first rows of a revision, ordered by key. Raises ResourceNotFound."""
    revision = get_revision(tx, table_id, revision_id)
    return data_of(revision, first_rows(tx, revision.id, limit))


def put_items(
    tx: Transaction, table_id: str, revision_id: str, request: LookupTableRevisionDataRequest
) -> LookupTableRevisionData:
    """Store rows in a draft, all or none.

    Raises ResourceNotFound, RevisionNotDraft, StaleVersion, InvalidBody.
    """
    revision = draft(tx, table_id, revision_id, request.version)
    problems: list[Problem] = []
    rows = read_items(schema_of(revision), request.items, problems)
    if problems:
        raise InvalidBody(problems)
    return _store(tx, revision, rows)


def get_item(tx: Transaction, table_id: str, revision_id: str, key: str) -> LookupTableRevisionData:
    """Give one row by its key. Raises ResourceNotFound, LookupRowNotFound."""
    revision = get_revision(tx, table_id, revision_id)
    return data_of(revision, [_row(tx, revision, key)[1]])


def put_item(
    tx: Transaction,
    table_id: str,
    revision_id: str,
    key: str,
    request: LookupTableRevisionDataItemUpsertRequest,
) -> LookupTableRevisionData:
    """Store one row in a draft, under the key of the path.

    Raises ResourceNotFound, RevisionNotDraft, StaleVersion, InvalidBody.
    """
    revision = draft(tx, table_id, revision_id, request.version)
    schema = schema_of(revision)
    values = schema.key_values(key)
    if values is None:
        message = f"must be the values of {', '.join(schema.keys)}, joined by `:`"
        raise InvalidBody([Problem("lookupKey", "wrong_format", message)])
    problems: list[Problem] = []
    own_key, item = schema.read_item(
        {**dict(zip(schema.keys, values, strict=True)), **request.item}, "item", problems
    )
    if not problems and own_key != schema.key_of(values):
        problems.append(Problem("item", "wrong_key", f"its key is {own_key}, and the path says {key}"))
    if problems:
        raise InvalidBody(problems)
    return _store(tx, revision, {own_key: item})


def delete_item(
    tx: Transaction, table_id: str, revision_id: str, key: str, version: int | None
) -> LookupTableRevisionData:
    """Delete one row of a draft.

    Raises ResourceNotFound, LookupRowNotFound, RevisionNotDraft, StaleVersion.
    """
    revision = draft(tx, table_id, revision_id, version)
    own_key, item = _row(tx, revision, key)
    delete_row(tx, revision.id, own_key)
    return data_of(note_rows_changed(tx, revision), [item])


def delete_items(tx: Transaction, table_id: str, revision_id: str) -> int:
    """Delete all rows of a draft, which frees its schema. Gives how many there were.

    Raises ResourceNotFound, RevisionNotDraft.
    """
    revision = draft(tx, table_id, revision_id)
    delete_rows(tx, revision.id)
    note_rows_changed(tx, revision)
    return revision.item_count


def data_of(revision: LookupTableRevision, items: list[Item]) -> LookupTableRevisionData:
    """Give rows as they are answered."""
    schema = schema_of(revision)
    return LookupTableRevisionData(
        items=[schema.in_order(item) for item in items],
        dt_created=revision.data_dt_created,
        dt_last_modified=revision.data_dt_last_modified,
        created_by=revision.data_created_by,
        last_modified_by=revision.data_last_modified_by,
        version=revision.data_version,
    )


def _store(
    tx: Transaction, revision: LookupTableRevision, rows: Mapping[str, Item]
) -> LookupTableRevisionData:
    upsert_rows(tx, revision.id, rows)
    return data_of(note_rows_changed(tx, revision), [*rows.values()])


def _row(tx: Transaction, revision: LookupTableRevision, key: str) -> tuple[str, Item]:
    schema = schema_of(revision)
    values = schema.key_values(key)
    own_key = schema.key_of(values) if values is not None else ""
    item = find_row(tx, revision.id, own_key) if values is not None else None
    if item is None:
        raise LookupRowNotFound(f"This revision has no row with the key {key[:200]!r}.")
    return own_key, item


# --- jobs ---------------------------------------------------------------------------------------


def start_job(
    tx: Transaction, revision: LookupTableRevision, kind: LookupJobType, *, queued: bool = True, **more: Any
) -> LookupTableJob:
    """Record a job on a revision's rows. queued: it can run now; else it waits for its file."""
    job = tx.create(
        LookupTableJob(
            type=kind,
            lookup_table_id=revision.lookup_table_id,
            lookup_table_revision_id=revision.id,
            job_date=tx.clock.now(),
            **more,
        )
    )
    if queued:
        queue(tx, job)
    return job


def queue(tx: Transaction, job: LookupTableJob) -> None:
    """Let a worker run a job; those of one revision run one after the other."""
    target = job.destination_lookup_table_revision_id or job.lookup_table_revision_id
    defer(tx, TASK, {"org_id": tx.org_id, "job_id": job.id}, lock=target)


def get_job(tx: Transaction, table_id: str, revision_id: str, job_id: str) -> LookupTableJob:
    """Load a job of a revision. Raises ResourceNotFound."""
    revision = get_revision(tx, table_id, revision_id)
    job = tx.get(LookupTableJob, job_id)
    if job.lookup_table_revision_id != revision.id:
        raise ResourceNotFound(f"This revision has no job with id {job_id[:60]!r}.")
    return job


def copy_revision(
    tx: Transaction, table_id: str, revision_id: str, request: LookupTableRevisionCopyRequest
) -> LookupTableRevisionCopyResponse:
    """Copy a revision's rows into a draft of the same schema, or into a new draft that is its copy.

    Raises ResourceNotFound, RevisionNotDraft, InvalidBody.
    """
    source = get_revision(tx, table_id, revision_id)
    if request.revision_id is None:
        target = tx.create(
            LookupTableRevision(
                name=f"{source.name[:195]} Copy",
                start_date=source.start_date,
                fields=source.fields,
                keys=source.keys,
                custom_fields=source.custom_fields,
                lookup_table_id=source.lookup_table_id,
            )
        )
    else:
        target = draft(tx, table_id, request.revision_id)
        if target.id == source.id:
            raise InvalidBody([Problem("revisionId", "not_applicable", "must be another revision")])
        if target.schema != source.schema:
            message = "must have the same fields and keys, in the same order"
            raise InvalidBody([Problem("revisionId", "other_schema", message)])
    job = start_job(tx, source, LookupJobType.COPY, destination_lookup_table_revision_id=target.id)
    return LookupTableRevisionCopyResponse(job_id=job.id, revision_id=target.id)


def archived(tx: Transaction, table_id: str, revision_id: str) -> LookupTableRevision:
    """Load an archived revision. Raises ResourceNotFound, RevisionNotArchived."""
    revision = get_revision(tx, table_id, revision_id)
    if revision.status is not RevisionStatus.ARCHIVED:
        message = f"This revision is {revision.status}, not ARCHIVED; read its rows, or start a download job."
        raise RevisionNotArchived(message)
    return revision


def job_file(job: LookupTableJob) -> str | None:
    """Name the file that belongs to a job, in the folder of its organization."""
    return f"{job.id}.{job.content_type.ending}" if job.content_type else None


def archive_file(revision: LookupTableRevision, content_type: ContentType) -> str:
    """Name the file of an archived revision."""
    return f"{revision.id}.{content_type.ending}"


def _require_version(old: LookupTableRevision, version: int | None) -> None:
    if version is None:
        raise InvalidBody([Problem("version", "required", f"is required: the current one is {old.version}")])
    if version != old.version:
        raise stale(resource_of(LookupTableRevision), version, old.version)
