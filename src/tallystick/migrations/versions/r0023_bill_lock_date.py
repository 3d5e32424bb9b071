"""Bill lock date."""

import sqlalchemy as sa
from alembic import op

revision = "0023"
down_revision = "0022"


def upgrade() -> None:
    """Keep the date up to which books are closed."""
    op.create_table(
        "billconfig",
        sa.Column("org_id", sa.Uuid(as_uuid=False), nullable=False),
        sa.Column("id", sa.Uuid(as_uuid=False), nullable=False),
        sa.Column("version", sa.BigInteger(), nullable=False),
        sa.Column("dt_created", sa.DateTime(timezone=True), nullable=True),
        sa.Column("dt_last_modified", sa.DateTime(timezone=True), nullable=True),
        sa.Column("created_by", sa.Text(), nullable=True),
        sa.Column("last_modified_by", sa.Text(), nullable=True),
        sa.Column("bill_lock_date", sa.Date(), nullable=True),
        sa.PrimaryKeyConstraint("org_id", "id", name="pk_billconfig"),
        sa.UniqueConstraint("org_id", name="uq_billconfig"),
    )
    op.add_column(
        "bills", sa.Column("locked_by_date", sa.Boolean(), nullable=False, server_default=sa.false())
    )
    op.alter_column("bills", "locked_by_date", server_default=None)


def downgrade() -> None:
    """Forget it."""
    op.drop_column("bills", "locked_by_date")
    op.drop_table("billconfig")
