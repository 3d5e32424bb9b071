"""Counters and compound aggregations."""

import sqlalchemy as sa
from alembic import op
from sqlalchemy.dialects import postgresql

revision = "0005"
down_revision = "0004"


def upgrade() -> None:
    """Keep counters with their adjustments, and compound aggregations; pricings refer to those."""
    op.create_table(
        "compoundaggregations",
        sa.Column("org_id", sa.Uuid(as_uuid=False), nullable=False),
        sa.Column("id", sa.Uuid(as_uuid=False), nullable=False),
        sa.Column("version", sa.BigInteger(), nullable=False),
        sa.Column("dt_created", sa.DateTime(timezone=True), nullable=True),
        sa.Column("dt_last_modified", sa.DateTime(timezone=True), nullable=True),
        sa.Column("created_by", sa.Text(), nullable=True),
        sa.Column("last_modified_by", sa.Text(), nullable=True),
        sa.Column("name", sa.Text(), nullable=False),
        sa.Column("code", sa.Text(), nullable=True),
        sa.Column("product_id", sa.Uuid(as_uuid=False), nullable=True),
        sa.Column("accounting_product_id", sa.Uuid(as_uuid=False), nullable=True),
        sa.Column("calculation", sa.Text(), nullable=False),
        sa.Column("rounding", sa.Text(), nullable=False),
        sa.Column("quantity_per_unit", sa.Numeric(), nullable=False),
        sa.Column("unit", sa.Text(), nullable=False),
        sa.Column("evaluate_null_aggregations", sa.Boolean(), nullable=False),
        sa.Column(
            "custom_fields", postgresql.JSONB(none_as_null=True, astext_type=sa.Text()), nullable=False
        ),
        sa.Column("segments", postgresql.JSONB(none_as_null=True, astext_type=sa.Text()), nullable=False),
        sa.Column(
            "aggregation_codes", postgresql.JSONB(none_as_null=True, astext_type=sa.Text()), nullable=False
        ),
        sa.ForeignKeyConstraint(
            ["org_id", "accounting_product_id"],
            ["products.org_id", "products.id"],
            name="fk_compoundaggregations_accounting_product_id",
        ),
        sa.ForeignKeyConstraint(
            ["org_id", "product_id"],
            ["products.org_id", "products.id"],
            name="fk_compoundaggregations_product_id",
        ),
        sa.PrimaryKeyConstraint("org_id", "id", name="pk_compoundaggregations"),
        sa.UniqueConstraint("org_id", "code", name="uq_compoundaggregations_code"),
    )
    op.create_index(
        "ix_compoundaggregations_accounting_product_id",
        "compoundaggregations",
        ["org_id", "accounting_product_id"],
        unique=False,
    )
    op.create_index(
        "ix_compoundaggregations_product_id", "compoundaggregations", ["org_id", "product_id"], unique=False
    )
    op.create_table(
        "counters",
        sa.Column("org_id", sa.Uuid(as_uuid=False), nullable=False),
        sa.Column("id", sa.Uuid(as_uuid=False), nullable=False),
        sa.Column("version", sa.BigInteger(), nullable=False),
        sa.Column("dt_created", sa.DateTime(timezone=True), nullable=True),
        sa.Column("dt_last_modified", sa.DateTime(timezone=True), nullable=True),
        sa.Column("created_by", sa.Text(), nullable=True),
        sa.Column("last_modified_by", sa.Text(), nullable=True),
        sa.Column("name", sa.Text(), nullable=False),
        sa.Column("code", sa.Text(), nullable=True),
        sa.Column("unit", sa.Text(), nullable=False),
        sa.Column("product_id", sa.Uuid(as_uuid=False), nullable=True),
        sa.ForeignKeyConstraint(
            ["org_id", "product_id"], ["products.org_id", "products.id"], name="fk_counters_product_id"
        ),
        sa.PrimaryKeyConstraint("org_id", "id", name="pk_counters"),
        sa.UniqueConstraint("org_id", "code", name="uq_counters_code"),
    )
    op.create_index("ix_counters_product_id", "counters", ["org_id", "product_id"], unique=False)
    op.create_table(
        "counteradjustments",
        sa.Column("org_id", sa.Uuid(as_uuid=False), nullable=False),
        sa.Column("id", sa.Uuid(as_uuid=False), nullable=False),
        sa.Column("version", sa.BigInteger(), nullable=False),
        sa.Column("dt_created", sa.DateTime(timezone=True), nullable=True),
        sa.Column("dt_last_modified", sa.DateTime(timezone=True), nullable=True),
        sa.Column("created_by", sa.Text(), nullable=True),
        sa.Column("last_modified_by", sa.Text(), nullable=True),
        sa.Column("counter_id", sa.Uuid(as_uuid=False), nullable=False),
        sa.Column("account_id", sa.Uuid(as_uuid=False), nullable=False),
        sa.Column("date", sa.Date(), nullable=False),
        sa.Column("value", sa.BigInteger(), nullable=False),
        sa.Column("purchase_order_number", sa.Text(), nullable=True),
        sa.ForeignKeyConstraint(
            ["org_id", "account_id"],
            ["accounts.org_id", "accounts.id"],
            name="fk_counteradjustments_account_id",
        ),
        sa.ForeignKeyConstraint(
            ["org_id", "counter_id"],
            ["counters.org_id", "counters.id"],
            name="fk_counteradjustments_counter_id",
        ),
        sa.PrimaryKeyConstraint("org_id", "id", name="pk_counteradjustments"),
        sa.UniqueConstraint(
            "org_id",
            "counter_id",
            "account_id",
            "date",
            name="uq_counteradjustments_counter_id_account_id_date",
        ),
    )
    op.create_index(
        "ix_counteradjustments_account_id", "counteradjustments", ["org_id", "account_id"], unique=False
    )
    op.create_index(
        "ix_counteradjustments_counter_id", "counteradjustments", ["org_id", "counter_id"], unique=False
    )
    op.create_index(
        "ix_pricings_compound_aggregation_id", "pricings", ["org_id", "compound_aggregation_id"], unique=False
    )
    op.create_foreign_key(
        "fk_pricings_compound_aggregation_id",
        "pricings",
        "compoundaggregations",
        ["org_id", "compound_aggregation_id"],
        ["org_id", "id"],
    )


def downgrade() -> None:
    """Forget them."""
    op.drop_constraint("fk_pricings_compound_aggregation_id", "pricings", type_="foreignkey")
    op.drop_index("ix_pricings_compound_aggregation_id", table_name="pricings")
    op.drop_index("ix_counteradjustments_counter_id", table_name="counteradjustments")
    op.drop_index("ix_counteradjustments_account_id", table_name="counteradjustments")
    op.drop_table("counteradjustments")
    op.drop_index("ix_counters_product_id", table_name="counters")
    op.drop_table("counters")
    op.drop_index("ix_compoundaggregations_product_id", table_name="compoundaggregations")
    op.drop_index("ix_compoundaggregations_accounting_product_id", table_name="compoundaggregations")
    op.drop_table("compoundaggregations")
