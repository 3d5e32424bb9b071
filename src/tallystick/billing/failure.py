"""Why an account's bill could not be made: recorded, so that nobody waits for a bill that never comes."""

from sqlalchemy import Column, DateTime, Index, PrimaryKeyConstraint, Table, Text

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
