"""Configurations: what is sent to which system, for which accounts, and when."""

from collections.abc import Iterator, Mapping
from datetime import datetime
from enum import StrEnum
from typing import Annotated, Any, Final

import msgspec
from msgspec import Meta

from tallystick.integrations.account_filter import BadAccountFilter, read_account_filter
from tallystick.integrations.credentials import IntegrationCredentials, IntegrationCredentialsRequest
from tallystick.kernel.problems import Problem
from tallystick.platform.cron import cron_fault
from tallystick.platform.resources import By, Computed, Entity, Hidden, Id, Ref, resource
from tallystick.platform.resources.fields import AnyJson

MOST_FAILURES: Final = 10
"So many in a row disable a configuration (semantics §29)."
NAME_PATTERN: Final = r"^[a-zA-Z0-9_-]*$(?!\n)"
EntityName = Annotated[str, Meta(min_length=1, pattern=NAME_PATTERN)]
ConfigData = dict[str, Annotated[Any, AnyJson()]]


class TriggerType(StrEnum):
    """What makes it send: something that happens, or the time."""

    EVENT = "EVENT"
    SCHEDULE = "SCHEDULE"


class IntegrationConfigRequest(msgspec.Struct, kw_only=True, rename="camel"):
    """What to send to which system. credentials: write only; integrationCredentialsId names stored ones.

    enabled: beyond the original API; without it a configuration stays as it is.
    """

    version: int | None = None
    entity_type: EntityName
    entity_id: str | None = None
    destination: EntityName
    destination_id: str | None = None
    config_data: ConfigData = {}
    credentials: IntegrationCredentialsRequest | None = None
    integration_credentials_id: Id | None = None
    name: str | None = None
    enabled: bool | None = None


@resource(
    "integrationconfigs",
    event="configuration.integrationconfig",
    filters=(By("destinationId", "destination_id", item=str),),
    max_page_size=200,
    verbs=("list",),
)
class IntegrationConfig(Entity, kw_only=True):
    """One connection: Bill, when it is approved; or Notification, when its rule is met (semantics §29).

    entityId: only this one; without it, all. destinationId: a webhook destination. configData: what the
    adapter asks for, and of every system `triggerType`, `cronExpression` and `accountFilter`.
    """

    entity_type: str
    entity_id: str | None = None
    destination: str
    destination_id: str | None = None
    config_data: ConfigData = {}
    authorized: Annotated[bool, Computed()] = False
    enabled: Annotated[bool, Computed()] = True
    trigger_type: Annotated[TriggerType, Computed()] = TriggerType.EVENT
    integration_credentials_id: Annotated[Id | None, Ref(IntegrationCredentials)] = None
    name: str | None = None
    disabled_reason: Annotated[str | None, Computed()] = None
    failures: Annotated[int, Hidden()] = 0
    next_run_at: Annotated[datetime | None, Hidden()] = None

    @property
    def account_filter(self) -> str | None:
        """Which accounts it is for."""
        return _text(self.config_data, "accountFilter")

    @property
    def cron(self) -> str | None:
        """When it runs, if by time."""
        return _text(self.config_data, "cronExpression")

    def check(self) -> Iterator[Problem]:
        """What every configuration may say."""
        yield from trigger_problems(self.config_data)
        if self.account_filter is not None:
            try:
                read_account_filter(self.account_filter)
            except BadAccountFilter as error:
                yield Problem("configData.accountFilter", "wrong_format", error.message)


def trigger_of(config_data: Mapping[str, Any]) -> TriggerType:
    """Tell what makes it send; an event, unless it says otherwise."""
    return (
        TriggerType.SCHEDULE if config_data.get("triggerType") == TriggerType.SCHEDULE else TriggerType.EVENT
    )


def trigger_problems(config_data: Mapping[str, Any]) -> Iterator[Problem]:
    """Find what is wrong with when it sends."""
    trigger, cron = config_data.get("triggerType"), config_data.get("cronExpression")
    if trigger is not None and trigger not in list(TriggerType):
        yield Problem("configData.triggerType", "unknown_value", "must be one of EVENT, SCHEDULE")
    for name in ("accountFilter", "cronExpression"):
        if config_data.get(name) is not None and not isinstance(config_data[name], str):
            yield Problem(f"configData.{name}", "wrong_type", "must be a text")
    if trigger_of(config_data) is TriggerType.EVENT:
        if cron is not None:
            message = "is only used with a triggerType of SCHEDULE"
            yield Problem("configData.cronExpression", "not_applicable", message)
    elif cron is None:
        yield Problem("configData.cronExpression", "required", "is required with a triggerType of SCHEDULE")
    elif isinstance(cron, str) and (fault := cron_fault(cron)) is not None:
        yield Problem("configData.cronExpression", *fault)


def _text(config_data: Mapping[str, Any], name: str) -> str | None:
    value = config_data.get(name)
    return value if isinstance(value, str) and value.strip() else None
