"""Why an account's bill could not be made: recorded, so that nobody waits for a bill that never comes."""

from datetime import datetime

import msgspec
from sqlalchemy import Column, DateTime, Index, PrimaryKeyConstraint, Table, Text, select

from tallystick.platform.resources import Page, PageRequest, Transaction
from tallystick.platform.resources.pages import to_token
from tallystick.platform.resources.tables import UUID, metadata

bill_failures = Table(
    "bill_failures",
    metadata,
    Column("org_id", UUID, nullable=False),
    Column("id", UUID, nullable=False),
    Column("bill_job_id", UUID),
    Column("account_id", UUID, nullable=False),
    Column("account_code", Text, nullable=False),
    Column("code", Text, nullable=False),
    Column("message", Text, nullable=False),
    Column("dt_created", DateTime(timezone=True), nullable=False),
    PrimaryKeyConstraint("org_id", "id", name="pk_bill_failures"),
    Index("ix_bill_failures_bill_job_id", "org_id", "bill_job_id"),
)


class BillFailure(msgspec.Struct, frozen=True, kw_only=True, rename="camel"):
    """An account whose bill a job could not make; code and message are those of the refusal."""

    id: str
    bill_job_id: str | None
    account_id: str
    account_code: str
    code: str
    message: str
    dt_created: datetime


def page_of_failures(tx: Transaction, job_id: str, page: PageRequest) -> Page[BillFailure]:
    """List the failures of a job, newest first."""
    columns = [bill_failures.c[name] for name in BillFailure.__struct_fields__]
    statement = select(*columns).where(
        bill_failures.c.org_id == tx.org_id, bill_failures.c.bill_job_id == job_id
    )
    if page.after is not None:
        statement = statement.where(bill_failures.c.id < page.after)
    newest = statement.order_by(bill_failures.c.id.desc()).limit(page.size + 1)
    found = [BillFailure(**row) for row in tx.execute(newest).mappings()]
    more = len(found) > page.size
    return Page(found[: page.size], to_token(found[page.size - 1].id) if more else None)
