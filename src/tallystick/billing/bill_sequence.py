"""The last invoice number given under each prefix."""

from sqlalchemy import BigInteger, Column, PrimaryKeyConstraint, Table, Text

from tallystick.platform.resources.tables import UUID, metadata

bill_sequences = Table(
    "bill_sequences",
    metadata,
    Column("org_id", UUID, nullable=False),
    Column("prefix", Text, nullable=False),
    Column("last_number", BigInteger, nullable=False),
    PrimaryKeyConstraint("org_id", "prefix", name="pk_bill_sequences"),
)
