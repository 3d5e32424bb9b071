"""Verbs of integrations: configure, switch on, and look at how runs went."""

from collections.abc import Iterable, Iterator, Sequence
from datetime import datetime

import msgspec
from sqlalchemy import ColumnElement, select

from tallystick.integrations.adapter import System
from tallystick.integrations.config import (
    IntegrationConfig,
    IntegrationConfigRequest,
    TriggerType,
    trigger_of,
)
from tallystick.integrations.credentials import IntegrationCredentials, IntegrationCredentialsRequest, Vault
from tallystick.integrations.registry import Registry
from tallystick.integrations.run import IntegrationRun, RunStatus
from tallystick.integrations.start import NOTIFICATION, queue_run, set_next_run
from tallystick.kernel.problems import Problem
from tallystick.platform.external_systems import ExternalSystem
from tallystick.platform.resources import Page, PageRequest, Transaction, resource_of
from tallystick.platform.resources.pages import to_token
from tallystick.platform.resources.rows import is_id, plain_id
from tallystick.platform.resources.tables import metadata
from tallystick.platform.resources.transaction import ResourceNotFound, stale
from tallystick.platform.resources.wire import InvalidBody

EVERY = "*"
"The entityId of a configuration that is for all, where an answer must have one."


class Integrations:
    """Configures integrations. Thread-safe."""

    def __init__(self, registry: Registry, vault: Vault) -> None:
        self.registry = registry
        self._vault = vault

    def create(self, tx: Transaction, request: IntegrationConfigRequest) -> IntegrationConfig:
        """Store a configuration, switched on unless it says otherwise. Raises InvalidBody."""
        config = self._config(tx, request, None)
        made = tx.create(config)
        set_next_run(tx, made, tx.clock.now())
        return made

    def update(self, tx: Transaction, config_id: str, request: IntegrationConfigRequest) -> IntegrationConfig:
        """Replace a configuration. Raises ResourceNotFound, InvalidBody, StaleVersion."""
        old = tx.get(IntegrationConfig, config_id, lock=True)
        if request.version is None:
            problem = Problem("version", "required", f"is required: the current one is {old.version}")
            raise InvalidBody([problem])
        if request.version != old.version:
            raise stale(resource_of(IntegrationConfig), request.version, old.version)
        made = tx.update(old, self._config(tx, request, old))
        set_next_run(tx, made, tx.clock.now())
        if old.integration_credentials_id != made.integration_credentials_id:
            _forget(tx, old.integration_credentials_id)
        return made

    def delete(self, tx: Transaction, config_id: str) -> IntegrationConfig:
        """Delete a configuration, with its credentials if no other has them. Raises ResourceNotFound."""
        gone = tx.delete(IntegrationConfig, config_id)
        _forget(tx, gone.integration_credentials_id)
        return gone

    def enable(self, tx: Transaction, config_id: str) -> IntegrationConfig:
        """Switch a configuration on, and queue the runs that were left because it was off.

        Harmless to repeat. Raises ResourceNotFound.
        """
        old = tx.get(IntegrationConfig, config_id, lock=True)
        on = msgspec.structs.replace(old, enabled=True, disabled_reason=None, failures=0)
        made = old if old == on else tx.update(old, on)
        for run in tx.find(IntegrationRun, lock=True, config_id=old.id, status=RunStatus.DISABLED.value):
            waiting = msgspec.structs.replace(run, status=RunStatus.WAITING, dt_completed=None, error=None)
            queue_run(tx, tx.update(run, waiting))
        return made

    def _config(
        self, tx: Transaction, request: IntegrationConfigRequest, old: IntegrationConfig | None
    ) -> IntegrationConfig:
        system = self.registry.system(request.destination)
        problems = [*self._problems(request, system), *_unknown(tx, request)]
        if problems or system is None:
            raise InvalidBody(problems)
        credentials_id = request.integration_credentials_id
        if request.credentials is not None:
            credentials_id = self._store(tx, request.credentials, system, old)
        enabled = request.enabled if request.enabled is not None else old is None or old.enabled
        return IntegrationConfig(
            entity_type=_canonical(request.entity_type, system),
            entity_id=request.entity_id and plain_id(request.entity_id),
            destination=system.name,
            destination_id=request.destination_id and plain_id(request.destination_id),
            config_data=request.config_data,
            authorized=credentials_id is not None or not system.auth,
            enabled=enabled,
            trigger_type=trigger_of(request.config_data),
            integration_credentials_id=credentials_id,
            name=request.name,
            disabled_reason=None if enabled else (old.disabled_reason if old else None),
            failures=0,
        )

    def _problems(self, request: IntegrationConfigRequest, system: System | None) -> Iterator[Problem]:
        if system is None:
            known = ", ".join(each.name for each in self.registry.systems)
            yield Problem("destination", "unknown_value", f"must be one of {known}")
            return
        entity_type = _canonical(request.entity_type, system)
        if entity_type not in system.entities:
            message = f"{system.name} takes {' and '.join(system.entities)}"
            yield Problem("entityType", "unknown_value", message)
        if entity_type == NOTIFICATION and trigger_of(request.config_data) is TriggerType.SCHEDULE:
            yield Problem(
                "configData.triggerType", "not_applicable", "a notification is told when it happens"
            )
        for option in system.options:
            value = request.config_data.get(option.name)
            where = f"configData.{option.name}"
            if value is None and option.required:
                yield Problem(where, "required", f"is required by {system.label}: {option.label}")
            if value is not None and option.values and value not in option.values:
                yield Problem(where, "unknown_value", f"must be one of {', '.join(option.values)}")
        if request.credentials is not None and system.auth and request.credentials.type not in system.auth:
            yield Problem(
                "credentials.type", "unknown_value", f"{system.name} takes {', '.join(system.auth)}"
            )
        if self.registry.is_installed(system.name):
            for each in self.registry.adapter(system.name).check(request.config_data):
                yield Problem(f"configData.{each.field}", each.code, each.message)

    def _store(
        self,
        tx: Transaction,
        given: IntegrationCredentialsRequest,
        system: System,
        old: IntegrationConfig | None,
    ) -> str:
        """Seal credentials; those that the configuration had make room. Gives their id."""
        fresh = IntegrationCredentials(
            type=given.type,
            name=given.name,
            destination=system.name,
            sealed=self._vault.seal(given.secrets()),
        )
        old_id = old.integration_credentials_id if old else None
        if old_id is None or len(tx.find(IntegrationConfig, integration_credentials_id=old_id)) > 1:
            return tx.create(fresh).id
        return tx.update(tx.get(IntegrationCredentials, old_id, lock=True), fresh).id

    def secrets(self, tx: Transaction, credentials_id: str) -> dict[str, str]:
        """Open stored credentials, to ask the other system. Raises ResourceNotFound, SealBroken."""
        return self._vault.open(tx.get(IntegrationCredentials, credentials_id))


def _unknown(tx: Transaction, request: IntegrationConfigRequest) -> Iterator[Problem]:
    """Find out whether a webhook to send to, and a notification to send, are there if they are named.

    Both are tables of `notifications`, which stands beside this domain; runs tell when one is gone later.
    """
    named = []
    if request.destination.upper() == ExternalSystem.WEBHOOK:
        named.append(("webhooks", "destinationId", request.destination_id, "webhook"))
    if request.entity_type.lower() == NOTIFICATION.lower():
        named.append(("notifications", "entityId", request.entity_id, "notification"))
    for table, field, wanted, noun in named:
        columns = metadata.tables[table].c
        mine = (columns.org_id == tx.org_id, columns.id == wanted)
        there = wanted is None or (is_id(wanted) and tx.execute(select(columns.id).where(*mine)).first())
        if not there:
            yield Problem(field, "unknown_reference", f"{wanted} is not the id of any {noun}")


def _forget(tx: Transaction, credentials_id: str | None) -> None:
    """Delete credentials that no configuration has any more."""
    if credentials_id is None:
        return
    if not tx.find(IntegrationConfig, limit=1, integration_credentials_id=credentials_id):
        tx.delete(IntegrationCredentials, credentials_id)


def _canonical(entity_type: str, system: System) -> str:
    return next((each for each in system.entities if each.lower() == entity_type.lower()), entity_type)


# --- reading ------------------------------------------------------------------------------------


class IntegrationConfigAnswer(IntegrationConfig, kw_only=True):
    """A configuration with how its last run went: WAITING when it never ran, DISABLED when it is off.

    entityId: of the last run, else the one it is for, `*` when it is for all.
    """

    status: RunStatus
    dt_started: datetime | None = None
    dt_completed: datetime | None = None
    error: str | None = None
    url: str | None = None
    external_id: str | None = None
    parent_integration_run_id: str | None = None
    data: list[IntegrationConfig] | None = None
    next_token: str | None = None


_OF_RUN = ("dt_started", "dt_completed", "error", "url", "external_id", "parent_integration_run_id")


def with_last_run(tx: Transaction, config: IntegrationConfig) -> IntegrationConfigAnswer:
    """Give a configuration in both forms that it is declared in."""
    run = tx.find_one(IntegrationRun, config_id=config.id)
    own = msgspec.structs.asdict(config)
    of_run = {name: getattr(run, name) for name in _OF_RUN} if run else {}
    status = run.status if run else RunStatus.WAITING
    entity_id = run.entity_id if run else config.entity_id or EVERY
    answered = {**own, "entity_id": entity_id, "status": status if config.enabled else RunStatus.DISABLED}
    return IntegrationConfigAnswer(**answered, **of_run)


def configs_of(
    tx: Transaction, entity_type: str, clauses: Iterable[ColumnElement[bool]], page: PageRequest
) -> IntegrationConfigAnswer:
    """Give the newest configuration of a type, with the page of all of them. Raises ResourceNotFound."""
    table = resource_of(IntegrationConfig).table
    found = tx.page(IntegrationConfig, page, [table.c.entity_type == entity_type, *clauses])
    if not found.data:
        raise ResourceNotFound(f"There is no integration of the type {entity_type[:60]!r} that fits.")
    first = with_last_run(tx, found.data[0])
    return msgspec.structs.replace(first, data=list(found.data), next_token=found.next_token)


def page_of_runs(
    tx: Transaction, page: PageRequest, clauses: Iterable[ColumnElement[bool]], *, oldest_first: bool
) -> Page[IntegrationRun]:
    """List runs, newest first or oldest first."""
    if not oldest_first:
        return tx.page(IntegrationRun, page, clauses)
    table = resource_of(IntegrationRun).table
    statement = tx.select(IntegrationRun, *clauses, *tx.visible(IntegrationRun)).order_by(None)
    statement = statement.order_by(table.c.id).limit(page.size + 1)
    if page.after is not None:
        statement = statement.where(table.c.id > page.after)
    found = tx.load(IntegrationRun, statement)
    more = len(found) > page.size
    return Page(found[: page.size], to_token(found[page.size - 1].id) if more else None)


def latest_run(tx: Transaction, entity_type: str, entity_ids: Sequence[str]) -> IntegrationRun:
    """Give the newest run about any of these things. Raises ResourceNotFound."""
    table = resource_of(IntegrationRun).table
    clauses = [table.c.entity_type == entity_type, table.c.entity_id.in_(list(entity_ids))]
    found = tx.load(IntegrationRun, tx.select(IntegrationRun, *clauses, *tx.visible(IntegrationRun)).limit(1))
    if not found:
        raise ResourceNotFound(f"Nothing was sent of this {entity_type[:60]} yet.")
    return found[0]
