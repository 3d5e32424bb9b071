"""Statement jobs."""

import sqlalchemy as sa
from alembic import op
from sqlalchemy.dialects import postgresql

revision = "0018"
down_revision = "0017"


def upgrade() -> None:
    """Statement jobs."""
    op.create_table(
        "statementjobs",
        sa.Column("org_id", sa.Uuid(as_uuid=False), nullable=False),
        sa.Column("id", sa.Uuid(as_uuid=False), nullable=False),
        sa.Column("version", sa.BigInteger(), nullable=False),
        sa.Column("dt_created", sa.DateTime(timezone=True), nullable=True),
        sa.Column("dt_last_modified", sa.DateTime(timezone=True), nullable=True),
        sa.Column("created_by", sa.Text(), nullable=True),
        sa.Column("last_modified_by", sa.Text(), nullable=True),
        sa.Column("bill_id", sa.Text(), nullable=False),
        sa.Column("include_csv_format", sa.Boolean(), nullable=False),
        sa.Column("filters", postgresql.JSONB(none_as_null=True, astext_type=sa.Text()), nullable=True),
        sa.Column("statement_job_status", sa.Text(), nullable=False),
        sa.Column("failure_reason", sa.Text(), nullable=True),
        sa.Column("bill_mark", sa.Text(), nullable=True),
        sa.PrimaryKeyConstraint("org_id", "id", name="pk_statementjobs"),
    )
    op.create_index("ix_statementjobs_bill_id", "statementjobs", ["org_id", "bill_id"], unique=False)


def downgrade() -> None:
    """Undo it."""
    op.drop_index("ix_statementjobs_bill_id", table_name="statementjobs")
    op.drop_table("statementjobs")
