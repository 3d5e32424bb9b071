"""What can go wrong with exports."""

from tallystick.kernel.errors import Invalid, Unavailable


class ExportNotReady(Invalid):
    """An export's file was asked for before there is one."""

    code = "export_not_ready"


class ExportExpired(Invalid):
    """An export's file is not kept any more."""

    code = "export_expired"


class DestinationRefused(Invalid):
    """A destination does not take the file, now or later: no such bucket, no permission, no such role."""

    code = "export_destination_refused"


class DestinationUnavailable(Unavailable):
    """A destination cannot be reached now."""

    code = "export_destination_unavailable"
