"""What can go wrong between this system and another one.

Adapters raise these; the runner turns each into a run's status, an event, and perhaps another attempt.
"""

from tallystick.kernel.errors import Conflict, Forbidden, Invalid, TooMany, Unavailable


class AdapterNotInstalled(Invalid):
    """Nothing here speaks to the system."""

    code = "integration_not_installed"

    def __init__(self, destination: str) -> None:
        super().__init__(
            f"The adapter for {destination} is not installed on this server: its configuration is kept, "
            "and nothing is sent. docs/integrations.md tells how to add one."
        )


class EntityRefused(Invalid):
    """The other system, or what it asks for, does not admit this entity as it is."""

    code = "integration_refused"


class AdapterBroken(Invalid):
    """The adapter stumbled over something that it does not expect."""

    code = "integration_adapter_failed"


class MappingMissing(Invalid):
    """There is no external mapping for something that the other system has to know by its own id."""

    code = "integration_mapping_missing"


class InvoiceAlreadyPaid(Conflict):
    """The invoice exists there and is paid, so it cannot be changed."""

    code = "integration_invoice_already_paid"


class PeriodClosed(Conflict):
    """The other system's books are closed for the time of the entity."""

    code = "integration_period_closed"


class AuthenticationFailed(Forbidden):
    """The other system does not accept the credentials."""

    code = "integration_authentication_failed"


class RateLimited(TooMany):
    """The other system wants to be asked more slowly; the fact `retry_after_s` says when."""

    code = "integration_rate_limited"


class SystemUnavailable(Unavailable):
    """The other system cannot be reached, or failed. The fact `timed_out` tells that it did not answer."""

    code = "integration_unavailable"
