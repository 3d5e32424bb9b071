"""Prices of counters."""

import sqlalchemy as sa
from alembic import op
from sqlalchemy.dialects import postgresql

revision = "0009"
down_revision = "0008"


def upgrade() -> None:
    """Keep what counters cost."""
    op.create_table(
        "counterpricings",
        sa.Column("org_id", sa.Uuid(as_uuid=False), nullable=False),
        sa.Column("id", sa.Uuid(as_uuid=False), nullable=False),
        sa.Column("version", sa.BigInteger(), nullable=False),
        sa.Column("dt_created", sa.DateTime(timezone=True), nullable=True),
        sa.Column("dt_last_modified", sa.DateTime(timezone=True), nullable=True),
        sa.Column("created_by", sa.Text(), nullable=True),
        sa.Column("last_modified_by", sa.Text(), nullable=True),
        sa.Column("plan_id", sa.Uuid(as_uuid=False), nullable=True),
        sa.Column("plan_template_id", sa.Uuid(as_uuid=False), nullable=True),
        sa.Column("counter_id", sa.Uuid(as_uuid=False), nullable=False),
        sa.Column("code", sa.Text(), nullable=True),
        sa.Column("description", sa.Text(), nullable=True),
        sa.Column("accounting_product_id", sa.Uuid(as_uuid=False), nullable=True),
        sa.Column("start_date", sa.DateTime(timezone=True), nullable=False),
        sa.Column("end_date", sa.DateTime(timezone=True), nullable=True),
        sa.Column("cumulative", sa.Boolean(), nullable=False),
        sa.Column(
            "pricing_bands", postgresql.JSONB(none_as_null=True, astext_type=sa.Text()), nullable=False
        ),
        sa.Column("running_total_bill_in_advance", sa.Boolean(), nullable=False),
        sa.Column("pro_rate_running_total", sa.Boolean(), nullable=False),
        sa.Column("pro_rate_adjustment_debit", sa.Boolean(), nullable=False),
        sa.Column("pro_rate_adjustment_credit", sa.Boolean(), nullable=False),
        *(
            sa.ForeignKeyConstraint(
                ["org_id", column], [f"{table}.org_id", f"{table}.id"], name=f"fk_counterpricings_{column}"
            )
            for column, table in (
                ("plan_id", "plans"),
                ("plan_template_id", "plantemplates"),
                ("counter_id", "counters"),
                ("accounting_product_id", "products"),
            )
        ),
        sa.PrimaryKeyConstraint("org_id", "id", name="pk_counterpricings"),
    )
    for column in ("plan_id", "plan_template_id", "counter_id", "accounting_product_id"):
        op.create_index(f"ix_counterpricings_{column}", "counterpricings", ["org_id", column], unique=False)


def downgrade() -> None:
    """Forget them."""
    op.drop_table("counterpricings")
