"""What is told of integrations that do not work (semantics §28)."""

from typing import Final

import msgspec

from tallystick.events.declared import domain_event
from tallystick.events.record import append_event
from tallystick.platform.resources import Transaction


class IntegrationFailed(msgspec.Struct, kw_only=True, rename="camel"):
    """A run did not work, or a configuration was disabled."""

    integration_config_id: str
    integration_run_id: str | None = None
    destination: str
    entity_type: str
    entity_id: str | None = None
    error: str


AUTHENTICATION: Final = domain_event("integration.authentication.error", IntegrationFailed)
DISABLED: Final = domain_event("integration.disabled.error", IntegrationFailed)
MISSING_MAPPING: Final = domain_event("integration.missingaccountmapping.error", IntegrationFailed)
PERFORM: Final = domain_event("integration.perform.error", IntegrationFailed)
VALIDATION: Final = domain_event("integration.validation.error", IntegrationFailed)


def tell(tx: Transaction, name: str, failed: IntegrationFailed) -> None:
    """Append one of these events."""
    append_event(
        tx, name, msgspec.to_builtins(failed), failed.integration_run_id or failed.integration_config_id
    )
