"""What the catalogue refuses beyond the checks of its resources."""

from tallystick.kernel.errors import Conflict, Invalid, NotFound


class RevisionNotDraft(Invalid):
    """Rows change in a draft only (semantics §12)."""

    code = "lookup_revision_not_draft"


class RevisionNotArchived(Invalid):
    """An archive was asked for of a revision that is not archived."""

    code = "lookup_revision_not_archived"


class LookupRowsAwaited(Conflict):
    """A revision was to be published that a job still brings rows to."""

    code = "lookup_rows_awaited"


class LookupRowNotFound(NotFound):
    """No row of the revision has this key."""

    code = "lookup_row_not_found"


class UploadNotAwaited(Conflict):
    """A file came for a job that has its file, or has ended."""

    code = "lookup_upload_not_awaited"


class LookupFileNotFound(NotFound):
    """The file of a link is gone."""

    code = "lookup_file_not_found"
