"""What a bill job asks for, in the terms of periods. Pure."""

from datetime import date, timedelta, tzinfo
from decimal import Decimal

import msgspec

from tallystick.billing.bill import Bill
from tallystick.billing.bill_job import BillJob, JobCause
from tallystick.billing.due import Selection, epochs_of, is_consolidated
from tallystick.kernel.zones import parse_zone
from tallystick.organizations.organization_config import OrganizationConfig


def zone_of(job: BillJob, config: OrganizationConfig) -> tzinfo:
    """Give the zone that the job's dates are in: its own, else the organization's."""
    return parse_zone(job.timezone or config.timezone)


def selection_of(job: BillJob, config: OrganizationConfig, today: date) -> Selection:
    """Turn a job into a selection. today: in the job's zone.

    Rule: semantics §4 and §22 — lastDateInBillingPeriod names a period; without it, it is the latest one
    that has closed by the billing date.
    """
    overrides = {n: getattr(job, n) for n in ("day_epoch", "week_epoch", "month_epoch", "year_epoch")}
    return Selection(
        zone=zone_of(job, config),
        timezone=job.timezone or config.timezone,
        epochs=epochs_of(config, overrides),
        bill_date=job.bill_date or today,
        last_date=job.last_date_in_billing_period,
        is_current=job.cause is JobCause.CURRENT,
        frequency=job.frequency,
        interval=job.bill_frequency_interval,
        given_bill_date=job.bill_date,
        due_date=job.due_date,
        external_invoice_date=job.external_invoice_date,
        currency=job.target_currency,
        rates=_rates(job),
        consolidates=config.consolidate_bills,
    )


def selection_of_bill(bill: Bill, config: OrganizationConfig, job: BillJob | None) -> Selection:
    """Select the period of a stored bill, to make it anew. job: the one that made it, if it is known.

    It stays consolidated, or not, as it was made (semantics §22).
    """
    made = selection_of(job or BillJob(), config, bill.end_date)
    consolidated = is_consolidated(bill.grouping)
    return msgspec.structs.replace(
        made,
        zone=parse_zone(bill.timezone),
        timezone=bill.timezone,
        last_date=bill.end_date - timedelta(days=1),
        is_current=False,
        frequency=None if consolidated else bill.billing_frequency,
        interval=None if consolidated else bill.bill_frequency_interval,
        consolidates=consolidated,
    )


def _rates(job: BillJob) -> dict[tuple[str, str], Decimal]:
    return {(c.from_currency, c.to_currency): c.multiplier for c in job.currency_conversions or []}
