"""What bills draw on commitments: entries that are added, never changed and never removed."""

from sqlalchemy import Column, DateTime, ForeignKeyConstraint, Index, Numeric, PrimaryKeyConstraint, Table

from tallystick.balances.commitment import Commitment
from tallystick.platform.resources import resource_of
from tallystick.platform.resources.tables import UUID, metadata

commitment_entries = Table(
    "commitment_entries",
    metadata,
    Column("org_id", UUID, nullable=False),
    Column("id", UUID, nullable=False),
    Column("commitment_id", UUID, nullable=False),
    Column("bill_id", UUID, nullable=False),
    Column("amount", Numeric, nullable=False),
    Column("reverses_id", UUID),
    Column("dt_created", DateTime(timezone=True), nullable=False),
    PrimaryKeyConstraint("org_id", "id", name="pk_commitment_entries"),
    ForeignKeyConstraint(
        ["org_id", "commitment_id"],
        [resource_of(Commitment).table.c.org_id, resource_of(Commitment).table.c.id],
        name="fk_commitment_entries_commitment_id",
    ),
    ForeignKeyConstraint(
        ["org_id", "reverses_id"],
        ["commitment_entries.org_id", "commitment_entries.id"],
        name="fk_commitment_entries_reverses_id",
    ),
    Index("ix_commitment_entries_commitment_id", "org_id", "commitment_id"),
    Index("ix_commitment_entries_bill_id", "org_id", "bill_id"),
    Index("ix_commitment_entries_reverses_id", "org_id", "reverses_id"),
)
"amount: positive is drawn, negative takes back the entry that it names, in the commitment's currency."
