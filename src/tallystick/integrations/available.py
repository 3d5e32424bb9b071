"""What can be configured: told from the systems and adapters of this server."""

from collections.abc import Mapping, Sequence
from typing import Annotated, Any

import msgspec
from msgspec import Meta

from tallystick.integrations.adapter import Option, System
from tallystick.integrations.config import IntegrationConfig, TriggerType
from tallystick.integrations.credentials import KNOWN_DESTINATIONS
from tallystick.integrations.mapping import ExternalMapping, mappable
from tallystick.integrations.registry import Registry
from tallystick.platform.resources import Transaction

COMMON = (
    Option("triggerType", "Send when it happens, or by a schedule", values=list(TriggerType)),
    Option("cronExpression", "When a schedule sends: a cron expression, UTC"),
    Option("accountFilter", "Which accounts: `address.country == US AND currency != EUR`"),
)
"What every configuration may have in configData."
AUTH = {
    "STATIC_API_KEY": ("apiKey",),
    "M3TER_SIGNED_REQUEST": ("apiKey", "secret"),
    "HTTP_BASIC": ("username", "password"),
    "OAUTH_CLIENT_CREDENTIALS": ("clientId", "clientSecret"),
}
"The fields of credentials, by their type; of other types, whichever the system gives."
_ANY_AUTH = ("apiKey", "secret", "clientId", "clientSecret", "accessToken")


AUTH_TYPES = Meta(
    extra_json_schema={
        "enum": [
            "OAUTH_CODE",
            "OAUTH_CLIENT_CREDENTIALS",
            "HTTP_BASIC",
            "M3TER_SIGNED_REQUEST",
            "AWS_INTEGRATION",
            "PADDLE",
            "NETSUITE",
            "CHARGEBEE",
            "M3TER_APP_SIGNATURE",
            "M3TER_SERVICE_USER",
            "STRIPE_SIGNED_REQUEST",
            "OPSGENIE_KEY",
            "SAP_BYD",
            "HUBSPOT_ACCESS_TOKEN",
            "HUBSPOT_CLIENT_SECRET",
            "SLACK_WEBHOOK",
            "SAGE_INTACCT_CLIENT_CREDENTIALS",
            "SAGE_INTACCT_CLIENT_SECRET",
            "STATIC_API_KEY",
        ]
    }
)
"Types of credentials as systems list them: three go without the ending _AUTH that credentials have."


class ConfigSetting(msgspec.Struct, kw_only=True, rename="camel"):
    """One field of a form."""

    name: str
    label: str
    required: bool = False
    values: list[str] = []


ConfigOptions = list[ConfigSetting]


class DestinationConfiguration(msgspec.Struct, kw_only=True, rename="camel"):
    """How a system is configured. released: its adapter is installed here."""

    api_name: Annotated[str, KNOWN_DESTINATIONS]
    destination: str
    display_name: str
    destination_config_options: ConfigOptions
    auth_config_options: ConfigOptions
    released: bool
    auth_type: str
    categories: list[str]


class EntityConfiguration(msgspec.Struct, kw_only=True, rename="camel"):
    """Where a type can be sent."""

    readable_name: str
    destinations: list[DestinationConfiguration]
    entity_configuration_options: ConfigOptions
    released: bool


class AvailableConfiguration(msgspec.Struct, kw_only=True, rename="camel"):
    """All that can be configured, and what is. selectedConfigurations: by `<entity>.<destination>`."""

    supported_entities: dict[str, EntityConfiguration]
    selected_configurations: dict[str, ConfigOptions]
    global_configuration_options: ConfigOptions


class EntityName(msgspec.Struct, kw_only=True, rename="camel"):
    """A type that a system takes."""

    name: str
    readable_name: str


class SystemAnswer(msgspec.Struct, kw_only=True, rename="camel"):
    """One system. validationSupported: its configuration is checked when it is stored."""

    identifier: str
    display_name: str
    validation_supported: bool
    supported_auth_types: list[Annotated[str, AUTH_TYPES]]


class ExternalSystem(msgspec.Struct, kw_only=True, rename="camel"):
    """What external mappings name of a system."""

    name: str
    tables: list[str]
    allow_custom_external_tables: bool


class MappingConfiguration(msgspec.Struct, kw_only=True, rename="camel"):
    """What can be mapped to what."""

    m3ter_entities: list[str]
    external_systems: list[ExternalSystem]


class ExternalEntity(msgspec.Struct, kw_only=True, rename="camel"):
    """Something that another system has."""

    external_id: str
    external_name: str | None = None


class OptionValues(msgspec.Struct, kw_only=True):
    """A value that an option can have, the first one; data: all of them."""

    id: str | None = None
    label: str | None = None
    data: list[dict[str, str]] = []


def available(
    registry: Registry, configs: Sequence[IntegrationConfig], system: str | None, entity_type: str | None
) -> AvailableConfiguration:
    """Tell what can be configured, of one system or entity type if named."""
    systems = systems_of(registry, entity_type, system)
    entities = sorted({e for each in systems for e in each.entities if _fits(e, entity_type)})
    selected = {
        f"{config.entity_type}.{config.destination}": [
            ConfigSetting(name=name, label=str(value)) for name, value in config.config_data.items()
        ]
        for config in configs
        if _fits(config.destination, system) and _fits(config.entity_type, entity_type)
    }
    return AvailableConfiguration(
        supported_entities={entity: _entity(registry, entity, systems) for entity in entities},
        selected_configurations=selected,
        global_configuration_options=_settings(COMMON),
    )


def systems_of(registry: Registry, entity_type: str | None = None, name: str | None = None) -> list[System]:
    """List the systems, those that take an entity type or have a name if given."""
    return [
        each
        for each in registry.systems
        if _fits(each.name, name) and any(_fits(entity, entity_type) for entity in each.entities)
    ]


def system_answer(registry: Registry, system: System) -> SystemAnswer:
    """Give a system as it is answered."""
    return SystemAnswer(
        identifier=system.name,
        display_name=system.label,
        validation_supported=registry.is_installed(system.name),
        supported_auth_types=[each.removesuffix("_AUTH") for each in system.auth],
    )


def auth_settings(system: System) -> ConfigOptions:
    """List the fields of a system's credentials."""
    return [
        ConfigSetting(name=name, label=f"{name} ({kind})", required=kind in AUTH)
        for kind in system.auth
        for name in AUTH.get(kind, _ANY_AUTH)
    ]


def option_values(system: System | None, option: str) -> OptionValues:
    """List the values that an option can have; none when it is free."""
    options = [*(system.options if system else ()), *COMMON]
    values = next((each.values for each in options if each.name == option), ())
    listed = [{"id": str(value), "label": str(value)} for value in values]
    return OptionValues(**(listed[0] if listed else {}), data=listed)


def mapping_configuration(registry: Registry) -> MappingConfiguration:
    """Tell what can be mapped to what."""
    return MappingConfiguration(
        m3ter_entities=list(mappable()),
        external_systems=[
            ExternalSystem(name=each.name, tables=list(each.tables), allow_custom_external_tables=True)
            for each in registry.systems
        ],
    )


def mapped_values(
    tx: Transaction, destination: str, entity_type: str, table: str | None
) -> dict[str, ExternalEntity]:
    """List what is mapped already of a system and type, by external id."""
    clauses: Mapping[str, Any] = {"external_table": table} if table else {}
    found = tx.find(ExternalMapping, external_system=destination, **clauses)
    mine = [each for each in found if each.m3ter_entity.lower() == entity_type.lower()]
    return {each.external_id: ExternalEntity(external_id=each.external_id) for each in mine}


def _entity(registry: Registry, entity: str, systems: Sequence[System]) -> EntityConfiguration:
    taking = [each for each in systems if entity in each.entities]
    return EntityConfiguration(
        readable_name=entity,
        destinations=[_destination(registry, each) for each in taking],
        entity_configuration_options=_settings(COMMON),
        released=any(registry.is_installed(each.name) for each in taking),
    )


def _destination(registry: Registry, system: System) -> DestinationConfiguration:
    return DestinationConfiguration(
        api_name=system.name,
        destination=system.name,
        display_name=system.label,
        destination_config_options=_settings(system.options),
        auth_config_options=auth_settings(system),
        released=registry.is_installed(system.name),
        auth_type=system.auth[0] if system.auth else "NONE",
        categories=list(system.categories),
    )


def _settings(options: Sequence[Option]) -> ConfigOptions:
    return [
        ConfigSetting(
            name=each.name, label=each.label, required=each.required, values=[str(v) for v in each.values]
        )
        for each in options
    ]


def _fits(found: str, wanted: str | None) -> bool:
    return wanted is None or found.lower() == wanted.lower()
