"""The last invoice number given, one row an organization."""

from sqlalchemy import BigInteger, Column, PrimaryKeyConstraint, Table

from tallystick.platform.resources.tables import UUID, metadata

bill_sequences = Table(
    "bill_sequences",
    metadata,
    Column("org_id", UUID, nullable=False),
    Column("start_number", BigInteger, nullable=False),
    Column("last_number", BigInteger, nullable=False),
    PrimaryKeyConstraint("org_id", name="pk_bill_sequences"),
)
