"""Keep bills, their lines and the jobs that make them."""

import sqlalchemy as sa
from alembic import op
from sqlalchemy.dialects import postgresql

revision = "0004"
down_revision = "0003"


def upgrade() -> None:
    """Make the tables."""
    op.create_table(
        "bill_failures",
        sa.Column("org_id", sa.Uuid(as_uuid=False), nullable=False),
        sa.Column("id", sa.Uuid(as_uuid=False), nullable=False),
        sa.Column("bill_job_id", sa.Uuid(as_uuid=False), nullable=True),
        sa.Column("account_id", sa.Uuid(as_uuid=False), nullable=False),
        sa.Column("account_code", sa.Text(), nullable=False),
        sa.Column("code", sa.Text(), nullable=False),
        sa.Column("message", sa.Text(), nullable=False),
        sa.Column("dt_created", sa.DateTime(timezone=True), nullable=False),
        sa.PrimaryKeyConstraint("org_id", "id", name="pk_bill_failures"),
    )
    op.create_index("ix_bill_failures_bill_job_id", "bill_failures", ["org_id", "bill_job_id"], unique=False)
    op.create_table(
        "bill_sequences",
        sa.Column("org_id", sa.Uuid(as_uuid=False), nullable=False),
        sa.Column("start_number", sa.BigInteger(), nullable=False),
        sa.Column("last_number", sa.BigInteger(), nullable=False),
        sa.PrimaryKeyConstraint("org_id", name="pk_bill_sequences"),
    )
    op.create_table(
        "billjobs",
        sa.Column("org_id", sa.Uuid(as_uuid=False), nullable=False),
        sa.Column("id", sa.Uuid(as_uuid=False), nullable=False),
        sa.Column("version", sa.BigInteger(), nullable=False),
        sa.Column("dt_created", sa.DateTime(timezone=True), nullable=True),
        sa.Column("dt_last_modified", sa.DateTime(timezone=True), nullable=True),
        sa.Column("created_by", sa.Text(), nullable=True),
        sa.Column("last_modified_by", sa.Text(), nullable=True),
        sa.Column("last_date_in_billing_period", sa.Date(), nullable=True),
        sa.Column("billing_frequency", sa.Text(), nullable=True),
        sa.Column("bill_frequency_interval", sa.BigInteger(), nullable=True),
        sa.Column("bill_date", sa.Date(), nullable=True),
        sa.Column("external_invoice_date", sa.Date(), nullable=True),
        sa.Column("due_date", sa.Date(), nullable=True),
        sa.Column("account_ids", postgresql.JSONB(none_as_null=True, astext_type=sa.Text()), nullable=True),
        sa.Column("bill_ids", postgresql.JSONB(none_as_null=True, astext_type=sa.Text()), nullable=True),
        sa.Column("target_currency", sa.Text(), nullable=True),
        sa.Column(
            "currency_conversions", postgresql.JSONB(none_as_null=True, astext_type=sa.Text()), nullable=True
        ),
        sa.Column("timezone", sa.Text(), nullable=True),
        sa.Column("year_epoch", sa.Date(), nullable=True),
        sa.Column("month_epoch", sa.Date(), nullable=True),
        sa.Column("week_epoch", sa.Date(), nullable=True),
        sa.Column("day_epoch", sa.Date(), nullable=True),
        sa.Column("status", sa.Text(), nullable=False),
        sa.Column("total", sa.BigInteger(), nullable=False),
        sa.Column("pending", sa.BigInteger(), nullable=False),
        sa.Column("type", sa.Text(), nullable=False),
        sa.Column("cursor", sa.Text(), nullable=True),
        sa.Column("today", sa.Date(), nullable=True),
        sa.Column("failure", sa.Text(), nullable=True),
        sa.PrimaryKeyConstraint("org_id", "id", name="pk_billjobs"),
    )
    op.create_table(
        "bills",
        sa.Column("org_id", sa.Uuid(as_uuid=False), nullable=False),
        sa.Column("id", sa.Uuid(as_uuid=False), nullable=False),
        sa.Column("version", sa.BigInteger(), nullable=False),
        sa.Column("dt_created", sa.DateTime(timezone=True), nullable=True),
        sa.Column("dt_last_modified", sa.DateTime(timezone=True), nullable=True),
        sa.Column("created_by", sa.Text(), nullable=True),
        sa.Column("last_modified_by", sa.Text(), nullable=True),
        sa.Column("account_id", sa.Uuid(as_uuid=False), nullable=False),
        sa.Column("account_code", sa.Text(), nullable=False),
        sa.Column("start_date", sa.Date(), nullable=False),
        sa.Column("end_date", sa.Date(), nullable=False),
        sa.Column("start_date_time_utc", sa.DateTime(timezone=True), nullable=False),
        sa.Column("end_date_time_utc", sa.DateTime(timezone=True), nullable=False),
        sa.Column("bill_date", sa.Date(), nullable=False),
        sa.Column("due_date", sa.Date(), nullable=False),
        sa.Column("billing_frequency", sa.Text(), nullable=False),
        sa.Column("bill_frequency_interval", sa.BigInteger(), nullable=False),
        sa.Column("timezone", sa.Text(), nullable=False),
        sa.Column("currency", sa.Text(), nullable=False),
        sa.Column("locked", sa.Boolean(), nullable=False),
        sa.Column("created_date", sa.DateTime(timezone=True), nullable=True),
        sa.Column("status", sa.Text(), nullable=False),
        sa.Column("bill_job_id", sa.Text(), nullable=True),
        sa.Column(
            "currency_conversions", postgresql.JSONB(none_as_null=True, astext_type=sa.Text()), nullable=False
        ),
        sa.Column("last_calculated_date", sa.DateTime(timezone=True), nullable=True),
        sa.Column("purchase_order_number", sa.Text(), nullable=True),
        sa.Column("external_invoice_reference", sa.Text(), nullable=True),
        sa.Column("external_invoice_date", sa.Date(), nullable=False),
        sa.Column("json_statement_generated", sa.Boolean(), nullable=False),
        sa.Column("csv_statement_generated", sa.Boolean(), nullable=False),
        sa.Column("statement_stale", sa.Boolean(), nullable=False),
        sa.Column("bill_total", sa.Numeric(), nullable=False),
        sa.Column("sequential_invoice_number", sa.Text(), nullable=True),
        sa.Column("dt_approved", sa.DateTime(timezone=True), nullable=True),
        sa.Column("approved_by", sa.Text(), nullable=True),
        sa.Column("dt_locked", sa.DateTime(timezone=True), nullable=True),
        sa.Column("locked_by", sa.Text(), nullable=True),
        sa.ForeignKeyConstraint(
            ["org_id", "account_id"], ["accounts.org_id", "accounts.id"], name="fk_bills_account_id"
        ),
        sa.PrimaryKeyConstraint("org_id", "id", name="pk_bills"),
        sa.UniqueConstraint(
            "org_id",
            "account_id",
            "billing_frequency",
            "bill_frequency_interval",
            "end_date",
            name="uq_bills_period",
        ),
    )
    op.create_index("ix_bills_account_id", "bills", ["org_id", "account_id"], unique=False)
    op.create_index("ix_bills_bill_job_id", "bills", ["org_id", "bill_job_id"], unique=False)
    op.create_index("ix_bills_end_date", "bills", ["org_id", "end_date"], unique=False)
    op.create_table(
        "bill_line_items",
        sa.Column("org_id", sa.Uuid(as_uuid=False), nullable=False),
        sa.Column("id", sa.Uuid(as_uuid=False), nullable=False),
        sa.Column("version", sa.BigInteger(), nullable=False),
        sa.Column("dt_created", sa.DateTime(timezone=True), nullable=True),
        sa.Column("dt_last_modified", sa.DateTime(timezone=True), nullable=True),
        sa.Column("created_by", sa.Text(), nullable=True),
        sa.Column("last_modified_by", sa.Text(), nullable=True),
        sa.Column("bill_id", sa.Uuid(as_uuid=False), nullable=False),
        sa.Column("line_item_type", sa.Text(), nullable=False),
        sa.Column("product_id", sa.Text(), nullable=True),
        sa.Column("description", sa.Text(), nullable=False),
        sa.Column("service_period_start_date", sa.DateTime(timezone=True), nullable=False),
        sa.Column("service_period_end_date", sa.DateTime(timezone=True), nullable=False),
        sa.Column("referenced_bill_id", sa.Text(), nullable=True),
        sa.Column("referenced_line_item_id", sa.Text(), nullable=True),
        sa.Column("product_name", sa.Text(), nullable=True),
        sa.Column("product_code", sa.Text(), nullable=True),
        sa.Column("accounting_product_id", sa.Text(), nullable=True),
        sa.Column("accounting_product_name", sa.Text(), nullable=True),
        sa.Column("accounting_product_code", sa.Text(), nullable=True),
        sa.Column("aggregation_id", sa.Text(), nullable=True),
        sa.Column("compound_aggregation_id", sa.Text(), nullable=True),
        sa.Column("counter_id", sa.Text(), nullable=True),
        sa.Column("charge_id", sa.Text(), nullable=True),
        sa.Column("segment", postgresql.JSONB(none_as_null=True, astext_type=sa.Text()), nullable=True),
        sa.Column("group", postgresql.JSONB(none_as_null=True, astext_type=sa.Text()), nullable=True),
        sa.Column("meter_id", sa.Text(), nullable=True),
        sa.Column("plan_id", sa.Text(), nullable=True),
        sa.Column("plan_group_id", sa.Text(), nullable=True),
        sa.Column("commitment_id", sa.Text(), nullable=True),
        sa.Column("balance_id", sa.Text(), nullable=True),
        sa.Column("quantity", sa.Numeric(), nullable=False),
        sa.Column("units", sa.Numeric(), nullable=False),
        sa.Column("unit", sa.Text(), nullable=False),
        sa.Column("subtotal", sa.Numeric(), nullable=False),
        sa.Column("currency", sa.Text(), nullable=False),
        sa.Column("conversion_rate", sa.Numeric(), nullable=False),
        sa.Column("converted_subtotal", sa.Numeric(), nullable=False),
        sa.Column("credit_type_id", sa.Text(), nullable=True),
        sa.Column("pricing_id", sa.Text(), nullable=True),
        sa.Column("band_usage", postgresql.JSONB(none_as_null=True, astext_type=sa.Text()), nullable=False),
        sa.Column("reason_id", sa.Text(), nullable=True),
        sa.Column("contract_id", sa.Text(), nullable=True),
        sa.Column("json_usage_generated", sa.Boolean(), nullable=False),
        sa.Column("average_unit_price", sa.Numeric(), nullable=False),
        sa.Column("sequence_number", sa.BigInteger(), nullable=False),
        sa.Column("additional", postgresql.JSONB(none_as_null=True, astext_type=sa.Text()), nullable=True),
        sa.Column("child_account_id", sa.Text(), nullable=True),
        sa.Column("child_account_code", sa.Text(), nullable=True),
        sa.Column("account_plan_id", sa.Text(), nullable=True),
        sa.Column("derivation", postgresql.JSONB(none_as_null=True, astext_type=sa.Text()), nullable=True),
        sa.ForeignKeyConstraint(
            ["org_id", "bill_id"], ["bills.org_id", "bills.id"], name="fk_bill_line_items_bill_id"
        ),
        sa.PrimaryKeyConstraint("org_id", "id", name="pk_bill_line_items"),
    )
    op.create_index("ix_bill_line_items_bill_id", "bill_line_items", ["org_id", "bill_id"], unique=False)


def downgrade() -> None:
    """Undo it."""
    op.drop_index("ix_bill_line_items_bill_id", table_name="bill_line_items")
    op.drop_table("bill_line_items")
    op.drop_index("ix_bills_end_date", table_name="bills")
    op.drop_index("ix_bills_bill_job_id", table_name="bills")
    op.drop_index("ix_bills_account_id", table_name="bills")
    op.drop_table("bills")
    op.drop_table("billjobs")
    op.drop_table("bill_sequences")
    op.drop_index("ix_bill_failures_bill_job_id", table_name="bill_failures")
    op.drop_table("bill_failures")
