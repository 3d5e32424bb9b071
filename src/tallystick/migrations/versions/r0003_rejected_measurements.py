"""rejected measurements."""

import sqlalchemy as sa
from alembic import op

revision = "0003"
down_revision = "0002"


def upgrade() -> None:
    """Keep rejected measurements, and find account codes by their lower case."""
    op.create_table(
        "ingest_failures",
        sa.Column("org_id", sa.Uuid(as_uuid=False), nullable=False),
        sa.Column("id", sa.Uuid(as_uuid=False), nullable=False),
        sa.Column("created_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("stored", sa.BigInteger(), nullable=False),
        sa.Column("failed", sa.BigInteger(), nullable=False),
        sa.Column("failures", sa.Text(), nullable=False),
        sa.PrimaryKeyConstraint("org_id", "id", name="pk_ingest_failures"),
    )
    op.create_index("ix_accounts_code_lower", "accounts", ["org_id", sa.literal_column("lower(code)")])


def downgrade() -> None:
    """Forget rejected measurements."""
    op.drop_index("ix_accounts_code_lower", "accounts")
    op.drop_table("ingest_failures")
