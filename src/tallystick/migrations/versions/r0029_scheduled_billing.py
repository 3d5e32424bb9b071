"""Scheduled billing."""

import sqlalchemy as sa
from alembic import op

revision = "0029"
down_revision = "0028"


def upgrade() -> None:
    """Keep how far scheduled billing has come."""
    op.create_table(
        "billing_schedules",
        sa.Column("org_id", sa.Uuid(as_uuid=False), nullable=False),
        sa.Column("ran_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("looked_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("received_until", sa.DateTime(timezone=True), nullable=False),
        sa.PrimaryKeyConstraint("org_id", name="pk_billing_schedules"),
    )
    op.add_column("billjobs", sa.Column("cause", sa.Text(), nullable=False, server_default="REQUEST"))
    op.alter_column("billjobs", "cause", server_default=None)
    once: sa.Column[bool] = sa.Column(
        "approved_once", sa.Boolean(), nullable=False, server_default=sa.false()
    )
    op.add_column("bills", once)
    op.alter_column("bills", "approved_once", server_default=None)
    op.execute("UPDATE bills SET approved_once = true WHERE status = 'APPROVED'")
    op.create_index(
        "ix_bills_pending",
        "bills",
        ["org_id", "bill_date"],
        unique=False,
        postgresql_where=sa.text("status = 'PENDING' AND NOT locked AND NOT approved_once"),
    )


def downgrade() -> None:
    """Forget it."""
    op.drop_index(
        "ix_bills_pending",
        table_name="bills",
        postgresql_where=sa.text("status = 'PENDING' AND NOT locked AND NOT approved_once"),
    )
    op.drop_column("bills", "approved_once")
    op.drop_column("billjobs", "cause")
    op.drop_table("billing_schedules")
