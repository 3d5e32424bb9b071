"""Which events make alerts (semantics §32): bills made, and what failed or was rejected."""

from collections.abc import Callable, Mapping, Sequence
from typing import Any, Final

from sqlalchemy import func, select

from tallystick.billing.bill import Bill
from tallystick.billing.bill_job import BillJobStatus
from tallystick.events.feed import Happened
from tallystick.kernel.decimals import plain
from tallystick.notifications.alert import Alarm, AlertType, Severity
from tallystick.platform.resources import Transaction, resource_of
from tallystick.platform.resources.rows import among

BILL_FAILED: Final = "billing.bill.failed"
JOB_UPDATED: Final = "billing.billjob.updated"
USAGE_REJECTED: Final = "ingest.validation.failure"
EXPORT_FAILED: Final = "dataexport.job.failure"
SCHEDULE_FAILED: Final = "billing.schedulerun.failed"
INTEGRATION_FAILED: Final = tuple(
    f"integration.{kind}.error"
    for kind in ("authentication", "disabled", "missingaccountmapping", "perform", "validation")
)


def alarms_of(tx: Transaction, events: Sequence[Happened]) -> list[Alarm]:
    """Give the alarms that events are reason for."""
    found = ((ALARMS[event.name])(tx, event) for event in events if event.name in ALARMS)
    return [alarm for alarm in found if alarm is not None]


def _bill_failed(_tx: Transaction, event: Happened) -> Alarm:
    """One alert for each reason of a job: the reason names what is missing, such as a currency pair."""
    facts = event.states["new"]
    job, reason = facts.get("billJobId"), facts.get("message", "")
    description = f"The bill of account {facts.get('accountCode', '?')} could not be made: {reason}"
    return Alarm(
        severity=Severity.ERROR,
        type=AlertType.BILL_FAILURE,
        description=description,
        about=f"bill:{job}:{facts.get('code')}:{reason}",
        entity_id=job or event.entity_id,
    )


def _job_ended(tx: Transaction, event: Happened) -> Alarm | None:
    """One alert for all bills of a job, made or made anew, with the total of each currency."""
    old, new = event.states["old"], event.states["new"]
    complete = BillJobStatus.COMPLETE.value
    if new.get("status") != complete or old.get("status") == complete:
        return None
    bills = resource_of(Bill).table
    anew = new.get("billIds")  # these stay of the jobs that made them
    own = (
        bills.c.org_id == tx.org_id,
        bills.c.bill_job_id == event.entity_id if anew is None else among(bills.c.id, anew),
    )
    sums = select(bills.c.currency, func.count().label("bills"), func.sum(bills.c.bill_total).label("total"))
    rows = tx.execute(sums.where(*own).group_by(bills.c.currency).order_by(bills.c.currency)).all()
    if not rows:
        return None
    totals = ", ".join(f"{plain(row.total):f} {row.currency}" for row in rows)
    return Alarm(
        severity=Severity.INFO,
        type=AlertType.BILL_SUCCESS,
        description=f"Bills made: {sum(row.bills for row in rows)}, for {totals}",
        about=f"billjob:{event.entity_id}",
        entity_id=event.entity_id,
    )


def _usage_rejected(_tx: Transaction, event: Happened) -> Alarm:
    facts = event.states["new"]
    reasons = "; ".join(facts.get("messages", ()))
    return Alarm(
        severity=Severity.WARN,
        type=AlertType.API_INGEST,
        description=f"Measurements rejected in one request: {facts.get('failed')}. {reasons}",
        about="usage:" + ",".join(sorted(facts.get("countsByType", ()))),
        entity_id=event.entity_id,
    )


def _export_failed(_tx: Transaction, event: Happened) -> Alarm:
    facts = event.states["new"]
    source = facts.get("scheduleId") or facts.get("id")
    return Alarm(
        severity=Severity.ERROR,
        type=AlertType.EXPORT_FAILURE,
        description=f"An export failed: {facts.get('failureReason')}",
        about=f"export:{source}",
        entity_id=event.entity_id,
    )


def _schedule_failed(_tx: Transaction, event: Happened) -> Alarm:
    facts = event.states["new"]
    return Alarm(
        severity=Severity.ERROR,
        type=AlertType.SCHEDULE_FAILURE,
        description=f"A scheduled transaction or charge could not be made: {facts.get('message')}",
        about=f"schedule:{facts.get('scheduleId')}:{facts.get('code')}",
        entity_id=facts.get("scheduleId"),
    )


def _integration_failed(_tx: Transaction, event: Happened) -> Alarm:
    facts = event.states["new"]
    config = facts.get("integrationConfigId")
    return Alarm(
        severity=Severity.ERROR if event.name == "integration.disabled.error" else Severity.WARN,
        type=AlertType.INTEGRATION_FAILURE,
        description=f"The integration with {facts.get('destination')} failed: {facts.get('error')}",
        about=f"{event.name}:{config}",
        entity_id=config,
    )


ALARMS: Final[Mapping[str, Callable[[Transaction, Any], Alarm | None]]] = {
    BILL_FAILED: _bill_failed,
    JOB_UPDATED: _job_ended,
    USAGE_REJECTED: _usage_rejected,
    EXPORT_FAILED: _export_failed,
    SCHEDULE_FAILED: _schedule_failed,
    **dict.fromkeys(INTEGRATION_FAILED, _integration_failed),
}
