"""Credentials of other systems: stored sealed, opened only to send, never answered."""

from enum import StrEnum
from typing import Annotated, Any, Final

import msgspec
from msgspec import Meta

from tallystick.platform.external_systems import ExternalSystem
from tallystick.platform.resources import Entity, Hidden, resource
from tallystick.platform.sealed import Sealer


class CredentialsType(StrEnum):
    """How another system knows who asks."""

    HTTP_BASIC = "HTTP_BASIC"
    OAUTH_CLIENT_CREDENTIALS = "OAUTH_CLIENT_CREDENTIALS"
    M3TER_SIGNED_REQUEST = "M3TER_SIGNED_REQUEST"
    AWS_INTEGRATION = "AWS_INTEGRATION"
    PADDLE_AUTH = "PADDLE_AUTH"
    NETSUITE_AUTH = "NETSUITE_AUTH"
    CHARGEBEE_AUTH = "CHARGEBEE_AUTH"
    M3TER_APP_SIGNATURE = "M3TER_APP_SIGNATURE"
    M3TER_SERVICE_USER = "M3TER_SERVICE_USER"
    STRIPE_SIGNED_REQUEST = "STRIPE_SIGNED_REQUEST"
    HUBSPOT_ACCESS_TOKEN = "HUBSPOT_ACCESS_TOKEN"  # noqa: S105 - a type's name
    HUBSPOT_CLIENT_SECRET = "HUBSPOT_CLIENT_SECRET"  # noqa: S105 - a type's name
    OPSGENIE_KEY = "OPSGENIE_KEY"
    SAP_BYD = "SAP_BYD"
    SLACK_WEBHOOK = "SLACK_WEBHOOK"
    SAGE_INTACCT_CLIENT_CREDENTIALS = "SAGE_INTACCT_CLIENT_CREDENTIALS"
    SAGE_INTACCT_CLIENT_SECRET = "SAGE_INTACCT_CLIENT_SECRET"  # noqa: S105 - a type's name
    STATIC_API_KEY = "STATIC_API_KEY"


KNOWN_DESTINATIONS: Final = Meta(
    description="One of the original API, or of an adapter beyond it.",
    extra_json_schema={
        "enum": [each.value for each in ExternalSystem],
        "x-extensible-enum": ["ACCOUNTING_FILE", "MAIL"],
    },
)
Secret = Annotated[str, Meta(max_length=5000)]


class IntegrationCredentialsRequest(msgspec.Struct, kw_only=True, rename="camel"):
    """Credentials as they are entered; which fields are needed depends on the type. Write only."""

    version: int | None = None
    empty: bool | None = None
    type: CredentialsType
    name: str | None = None
    destination: Annotated[str | None, KNOWN_DESTINATIONS] = None
    api_key: Secret | None = None
    secret: Secret | None = None
    username: Secret | None = None
    password: Secret | None = None
    client_id: Secret | None = None
    client_secret: Secret | None = None
    access_token: Secret | None = None

    def secrets(self) -> dict[str, str]:
        """Give what is sealed, by the names that the API has."""
        found: dict[str, str | None] = {
            f.encode_name: getattr(self, f.name) for f in msgspec.structs.fields(self) if f.name in _SECRETS
        }
        return {name: value for name, value in found.items() if value}


_SECRETS: Final = frozenset(
    ("api_key", "secret", "username", "password", "client_id", "client_secret", "access_token")
)


@resource("integrationcredentials", event="configuration.integrationcredentials", verbs=())
class IntegrationCredentials(Entity, kw_only=True):
    """Credentials of one system. sealed: the secrets; they are in no answer and in no event."""

    type: CredentialsType
    name: str | None = None
    destination: str
    sealed: Annotated[str, Hidden()]


class Vault:
    """Seals the secrets of credentials, and opens them. Raises SealBroken."""

    def __init__(self, sealer: Sealer) -> None:
        self._sealer = sealer

    def seal(self, secrets: dict[str, str]) -> str:
        """Make the text that is stored."""
        return self._sealer.seal(msgspec.json.encode(secrets).decode())

    def open(self, credentials: IntegrationCredentials | None) -> dict[str, str]:
        """Give the secrets; without credentials there are none."""
        if credentials is None:
            return {}
        opened: Any = msgspec.json.decode(self._sealer.open(credentials.sealed))
        return {str(name): str(value) for name, value in opened.items()}
