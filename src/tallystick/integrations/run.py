"""Runs: one thing that another system is told of, and how that went."""

from datetime import datetime
from enum import StrEnum
from typing import Annotated, Any, Final

from sqlalchemy import Index

from tallystick.platform.resources import Entity, Hidden, resource, resource_of
from tallystick.platform.resources.fields import AnyJson


class RunStatus(StrEnum):
    """Where a run is (semantics §29)."""

    WAITING = "WAITING"
    STARTED = "STARTED"
    COMPLETE = "COMPLETE"
    ERROR = "ERROR"
    AWAITING_RETRY = "AWAITING_RETRY"
    AUTH_FAILED = "AUTH_FAILED"
    ACCOUNTING_PERIOD_CLOSED = "ACCOUNTING_PERIOD_CLOSED"
    INVOICE_ALREADY_PAID = "INVOICE_ALREADY_PAID"
    DISABLED = "DISABLED"
    TIMEOUT_LIMIT_EXCEEDED = "TIMEOUT_LIMIT_EXCEEDED"
    RATE_LIMIT_RETRY = "RATE_LIMIT_RETRY"


TO_RUN: Final = frozenset(
    (RunStatus.WAITING, RunStatus.STARTED, RunStatus.AWAITING_RETRY, RunStatus.RATE_LIMIT_RETRY)
)
"What a worker may take up; STARTED was left by one that died."


@resource("integrationruns", event="integration.run", max_page_size=200, verbs=())
class IntegrationRun(Entity, kw_only=True):
    """One run of a configuration about one entity. externalId: what the other system calls it.

    again_at: when a retry is due; None while it is queued, or has ended. facts: what a notification tells.
    """

    entity_type: str
    entity_id: str
    dt_started: datetime | None = None
    dt_completed: datetime | None = None
    status: RunStatus = RunStatus.WAITING
    destination: str
    destination_id: str | None = None
    error: str | None = None
    url: str | None = None
    external_id: str | None = None
    parent_integration_run_id: str | None = None
    config_id: Annotated[str, Hidden()]
    attempts: Annotated[int, Hidden()] = 0
    again_at: Annotated[datetime | None, Hidden()] = None
    facts: Annotated[dict[str, Annotated[Any, AnyJson()]] | None, Hidden()] = None
    log: Annotated[list[Annotated[Any, AnyJson()]], Hidden()] = []


_table = resource_of(IntegrationRun).table
Index("ix_integrationruns_again_at", _table.c.org_id, _table.c.again_at)
Index("ix_integrationruns_entity", _table.c.org_id, _table.c.entity_id)
Index("ix_integrationruns_config", _table.c.org_id, _table.c.config_id)
