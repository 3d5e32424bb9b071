"""Carry runs out: load, tell the other system, note how it went. Nothing is sent inside a transaction."""

from collections.abc import Callable
from dataclasses import dataclass
from datetime import timedelta
from typing import Any, Final

import msgspec
from sqlalchemy import update

from tallystick.accounts.account import Account
from tallystick.billing.bill import Bill, BillAnswer, BillStatus
from tallystick.billing.service import get_bill
from tallystick.integrations import events
from tallystick.integrations.adapter import Adapter, Outgoing, Sent
from tallystick.integrations.config import MOST_FAILURES, IntegrationConfig
from tallystick.integrations.credentials import IntegrationCredentials, Vault
from tallystick.integrations.errors import (
    AdapterBroken,
    AuthenticationFailed,
    EntityRefused,
    InvoiceAlreadyPaid,
    MappingMissing,
    PeriodClosed,
    RateLimited,
    SystemUnavailable,
)
from tallystick.integrations.mapping import ExternalMapping, external_id, note_mapping
from tallystick.integrations.registry import Registry
from tallystick.integrations.run import TO_RUN, IntegrationRun, RunStatus
from tallystick.integrations.start import BILL, TASK, again_after, ended
from tallystick.kernel.errors import TallystickError, Unavailable
from tallystick.platform.database import Database
from tallystick.platform.jobs import Jobs
from tallystick.platform.resources import Transaction, resource_of
from tallystick.platform.resources.transaction import ResourceNotFound

MOST_LOGGED: Final = 20
DEFAULT_WAIT_S: Final = 60
_ENDS: Final = {
    InvoiceAlreadyPaid: (RunStatus.INVOICE_ALREADY_PAID, events.VALIDATION),
    PeriodClosed: (RunStatus.ACCOUNTING_PERIOD_CLOSED, events.VALIDATION),
    EntityRefused: (RunStatus.ERROR, events.VALIDATION),
    MappingMissing: (RunStatus.ERROR, events.MISSING_MAPPING),
    AuthenticationFailed: (RunStatus.AUTH_FAILED, events.AUTHENTICATION),
}
"What ends a run at once: another attempt would end alike. Anything else that is refused is ERROR."
OF_THE_ENTITY: Final = (InvoiceAlreadyPaid, PeriodClosed, EntityRefused, MappingMissing)
"Faults of one bill, not of the connection: they do not count towards disabling it."


@dataclass(frozen=True)
class Loaded:
    """What an attempt works with."""

    run: IntegrationRun
    config: IntegrationConfig
    credentials: IntegrationCredentials | None
    bill: BillAnswer | None
    account: Account | None


@dataclass(frozen=True)
class IntegrationRunner:
    """What a run works with."""

    database: Database
    registry: Registry
    vault: Vault

    def register(self, jobs: Jobs) -> None:
        """Let a worker carry runs out."""
        jobs.task(TASK, self.run)

    def run(self, org_id: str, run_id: str) -> None:
        """Make one attempt; harmless to repeat: what has ended stays, and adapters know a repeat by its key.

        A bug ends the run as ERROR.
        """
        loaded = self._begin(org_id, run_id)
        if loaded is None:
            return
        try:
            adapter = self.registry.adapter(loaded.config.destination)
            sent = adapter.send(self._outgoing(org_id, loaded))
        except RateLimited as error:
            self._wait(org_id, run_id, error)
        except Unavailable as error:
            self._retry(org_id, run_id, error)
        except TallystickError as error:
            self._fail(org_id, run_id, error)
        except Exception:
            self._fail(org_id, run_id, AdapterBroken("Something went wrong on our side; see the log."))
            raise
        else:
            self._complete(org_id, run_id, adapter, sent)

    # --- before ---------------------------------------------------------------------------------

    def _begin(self, org_id: str, run_id: str) -> Loaded | None:
        """Note the attempt, and load what it is about; None when there is nothing to do any more."""
        with self.database.transaction(org_id) as tx:
            run = tx.get(IntegrationRun, run_id, lock=True)
            if run.status not in TO_RUN:
                return None
            now = tx.clock.now()
            try:
                config = tx.get(IntegrationConfig, run.config_id)
            except ResourceNotFound:
                tx.update(run, ended(run, RunStatus.DISABLED, now, error="The configuration was deleted."))
                return None
            if not config.enabled:
                tx.update(run, ended(run, RunStatus.DISABLED, now, error="The configuration is disabled."))
                return None
            if run.entity_type == BILL and not _is_due(tx, run.entity_id):
                message = "The bill is not approved any more."
                tx.update(run, ended(run, RunStatus.ERROR, now, error=message))
                return None
            started = msgspec.structs.replace(
                run,
                status=RunStatus.STARTED,
                dt_started=run.dt_started or now,
                attempts=run.attempts + 1,
                again_at=None,
            )
            return _load(tx, tx.update(run, started), config)

    def _outgoing(self, org_id: str, loaded: Loaded) -> Outgoing:
        run, config = loaded.run, loaded.config
        return Outgoing(
            key=run.id,
            org_id=org_id,
            attempt=run.attempts,
            config=config.config_data,
            destination_id=config.destination_id,
            credentials=self.vault.open(loaded.credentials),
            entity_type=run.entity_type,
            entity_id=run.entity_id,
            bill=loaded.bill,
            account=loaded.account,
            facts=run.facts,
            first_attempt_at=run.dt_started or run.dt_created,  # type: ignore[arg-type] # a stored run has both
            mapping=self._mapping(org_id, config),
            sent_before=run.external_id or self._sent_before(org_id, config, run),
            note=lambda found: self._note(org_id, run.id, found),
        )

    def _mapping(self, org_id: str, config: IntegrationConfig) -> Callable[[str, str, str], str | None]:
        def look_up(entity: str, entity_id: str, table: str) -> str | None:
            with self.database.reading(org_id) as tx:
                return external_id(
                    tx, entity, entity_id, system=config.destination, table=table, config_id=config.id
                )

        return look_up

    def _sent_before(self, org_id: str, config: IntegrationConfig, run: IntegrationRun) -> str | None:
        """Give what an earlier run of this configuration made of the same bill."""
        with self.database.reading(org_id) as tx:
            found = tx.find_one(
                ExternalMapping,
                m3ter_id=run.entity_id,
                external_system=config.destination,
                integration_config_id=config.id,
            )
        return found.external_id if found else None

    # --- after ----------------------------------------------------------------------------------

    def _note(self, org_id: str, run_id: str, found: str) -> None:
        table = resource_of(IntegrationRun).table
        with self.database.transaction(org_id) as tx:
            mine = (table.c.org_id == org_id, table.c.id == run_id)
            tx.execute(update(table).where(*mine).values(external_id=found))

    def _complete(self, org_id: str, run_id: str, adapter: Adapter, sent: Sent) -> None:
        with self.database.transaction(org_id) as tx:
            run = tx.get(IntegrationRun, run_id, lock=True)
            known = {"external_id": sent.external_id or run.external_id, "url": sent.url, "error": None}
            log = _logged(tx, run, "COMPLETE", dict(sent.log))
            tx.update(run, ended(run, RunStatus.COMPLETE, tx.clock.now(), log=log, **known))
            if sent.external_id and sent.table and run.entity_type == BILL:
                mapping = ExternalMapping(
                    m3ter_entity=BILL,
                    m3ter_id=run.entity_id,
                    external_system=adapter.system.name,
                    external_table=sent.table,
                    external_id=sent.external_id,
                    integration_config_id=run.config_id,
                )
                note_mapping(tx, mapping)
            _count(tx, run.config_id, failed=False)

    def _wait(self, org_id: str, run_id: str, error: RateLimited) -> None:
        """Ask again when the other system wants to be asked; that is no failure."""
        with self.database.transaction(org_id) as tx:
            run = tx.get(IntegrationRun, run_id, lock=True)
            seconds = error.facts.get("retry_after_s")
            wait = timedelta(seconds=seconds if isinstance(seconds, int) else DEFAULT_WAIT_S)
            waiting = msgspec.structs.replace(
                run,
                status=RunStatus.RATE_LIMIT_RETRY,
                error=error.message,
                attempts=run.attempts - 1,
                again_at=tx.clock.now() + wait,
                log=_logged(tx, run, error.code, error.message),
            )
            tx.update(run, waiting)

    def _retry(self, org_id: str, run_id: str, error: Unavailable) -> None:
        with self.database.transaction(org_id) as tx:
            run = tx.get(IntegrationRun, run_id, lock=True)
            now, wait = tx.clock.now(), again_after(run.attempts)
            log = _logged(tx, run, error.code, error.message)
            if wait is None:
                timed_out = isinstance(error, SystemUnavailable) and bool(error.facts.get("timed_out"))
                status = RunStatus.TIMEOUT_LIMIT_EXCEEDED if timed_out else RunStatus.ERROR
                run = tx.update(run, ended(run, status, now, error=error.message, log=log))
                _tell(tx, events.PERFORM, run, error.message)
            else:
                waiting = msgspec.structs.replace(
                    run,
                    status=RunStatus.AWAITING_RETRY,
                    error=error.message,
                    again_at=now + wait,
                    log=log,
                )
                run = tx.update(run, waiting)
            _count(tx, run.config_id, failed=True)

    def _fail(self, org_id: str, run_id: str, error: TallystickError) -> None:
        """End a run that another attempt would not mend."""
        status, event = _ENDS.get(type(error), (RunStatus.ERROR, events.PERFORM))
        with self.database.transaction(org_id) as tx:
            run = tx.get(IntegrationRun, run_id, lock=True)
            log = _logged(tx, run, error.code, error.message)
            run = tx.update(run, ended(run, status, tx.clock.now(), error=error.message, log=log))
            _tell(tx, event, run, error.message)
            if not isinstance(error, OF_THE_ENTITY):
                unauthorized = isinstance(error, AuthenticationFailed)
                _count(tx, run.config_id, failed=True, unauthorized=unauthorized)


def _is_due(tx: Transaction, bill_id: str) -> bool:
    found = tx.find_one(Bill, id=bill_id)
    return found is not None and found.status is BillStatus.APPROVED


def _load(tx: Transaction, run: IntegrationRun, config: IntegrationConfig) -> Loaded:
    credentials_id = config.integration_credentials_id
    credentials = tx.get(IntegrationCredentials, credentials_id) if credentials_id else None
    bill = get_bill(tx, run.entity_id) if run.entity_type == BILL else None
    account = tx.get(Account, bill.account_id) if bill else None
    return Loaded(run, config, credentials, bill, account)


def _logged(tx: Transaction, run: IntegrationRun, outcome: str, said: Any) -> list[Any]:
    """Add an attempt to the log; only the last ones are kept."""
    entry = {"at": tx.clock.now(), "attempt": run.attempts, "outcome": outcome, "detail": said}
    return [*run.log, msgspec.to_builtins(entry)][-MOST_LOGGED:]


def _tell(tx: Transaction, name: str, run: IntegrationRun, message: str) -> None:
    failed = events.IntegrationFailed(
        integration_config_id=run.config_id,
        integration_run_id=run.id,
        destination=run.destination,
        entity_type=run.entity_type,
        entity_id=run.entity_id,
        error=message,
    )
    events.tell(tx, name, failed)


def _count(tx: Transaction, config_id: str, *, failed: bool, unauthorized: bool = False) -> None:
    """Count failures in a row; too many disable the configuration, which is told (semantics §29)."""
    found = tx.find_one(IntegrationConfig, id=config_id, lock=True)
    if found is None:
        return
    failures = found.failures + 1 if failed else 0
    authorized = found.authorized and not unauthorized
    table = resource_of(IntegrationConfig).table
    mine = (table.c.org_id == tx.org_id, table.c.id == config_id)
    tx.execute(update(table).where(*mine).values(failures=failures, authorized=authorized))
    if failures < MOST_FAILURES or not found.enabled:
        return
    reason = f"It failed {failures} times in a row."
    counted = msgspec.structs.replace(found, failures=failures, authorized=authorized)
    tx.update(counted, msgspec.structs.replace(counted, enabled=False, disabled_reason=reason))
    told = events.IntegrationFailed(
        integration_config_id=found.id,
        destination=found.destination,
        entity_type=found.entity_type,
        entity_id=found.entity_id,
        error=reason,
    )
    events.tell(tx, events.DISABLED, told)
