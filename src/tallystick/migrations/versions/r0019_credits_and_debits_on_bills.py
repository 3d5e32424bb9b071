"""Credits and debits on bills."""

import sqlalchemy as sa
from alembic import op

revision = "0019"
down_revision = "0018"


def upgrade() -> None:
    """Keep what is put on bills by hand."""
    op.create_table(
        "creditlineitems",
        sa.Column("org_id", sa.Uuid(as_uuid=False), nullable=False),
        sa.Column("id", sa.Uuid(as_uuid=False), nullable=False),
        sa.Column("version", sa.BigInteger(), nullable=False),
        sa.Column("dt_created", sa.DateTime(timezone=True), nullable=True),
        sa.Column("dt_last_modified", sa.DateTime(timezone=True), nullable=True),
        sa.Column("created_by", sa.Text(), nullable=True),
        sa.Column("last_modified_by", sa.Text(), nullable=True),
        sa.Column("bill_id", sa.Uuid(as_uuid=False), nullable=False),
        sa.Column("line_item_type", sa.Text(), nullable=True),
        sa.Column("amount", sa.Numeric(), nullable=False),
        sa.Column("amount_to_apply_on_bill", sa.Numeric(), nullable=True),
        sa.Column("currency", sa.Text(), nullable=True),
        sa.Column("description", sa.Text(), nullable=False),
        sa.Column("product_id", sa.Uuid(as_uuid=False), nullable=False),
        sa.Column("accounting_product_id", sa.Uuid(as_uuid=False), nullable=False),
        sa.Column("service_period_start_date", sa.DateTime(timezone=True), nullable=False),
        sa.Column("service_period_end_date", sa.DateTime(timezone=True), nullable=False),
        sa.Column("referenced_bill_id", sa.Text(), nullable=True),
        sa.Column("referenced_line_item_id", sa.Text(), nullable=True),
        sa.Column("reason_id", sa.Text(), nullable=True),
        sa.Column("credit_reason_id", sa.Uuid(as_uuid=False), nullable=True),
        sa.ForeignKeyConstraint(
            ["org_id", "accounting_product_id"],
            ["products.org_id", "products.id"],
            name="fk_creditlineitems_accounting_product_id",
        ),
        sa.ForeignKeyConstraint(
            ["org_id", "bill_id"], ["bills.org_id", "bills.id"], name="fk_creditlineitems_bill_id"
        ),
        sa.ForeignKeyConstraint(
            ["org_id", "credit_reason_id"],
            ["creditreasons.org_id", "creditreasons.id"],
            name="fk_creditlineitems_credit_reason_id",
        ),
        sa.ForeignKeyConstraint(
            ["org_id", "product_id"], ["products.org_id", "products.id"], name="fk_creditlineitems_product_id"
        ),
        sa.PrimaryKeyConstraint("org_id", "id", name="pk_creditlineitems"),
    )
    op.create_index(
        "ix_creditlineitems_accounting_product_id",
        "creditlineitems",
        ["org_id", "accounting_product_id"],
        unique=False,
    )
    op.create_index("ix_creditlineitems_bill_id", "creditlineitems", ["org_id", "bill_id"], unique=False)
    op.create_index(
        "ix_creditlineitems_credit_reason_id", "creditlineitems", ["org_id", "credit_reason_id"], unique=False
    )
    op.create_index(
        "ix_creditlineitems_product_id", "creditlineitems", ["org_id", "product_id"], unique=False
    )
    op.create_table(
        "debitlineitems",
        sa.Column("org_id", sa.Uuid(as_uuid=False), nullable=False),
        sa.Column("id", sa.Uuid(as_uuid=False), nullable=False),
        sa.Column("version", sa.BigInteger(), nullable=False),
        sa.Column("dt_created", sa.DateTime(timezone=True), nullable=True),
        sa.Column("dt_last_modified", sa.DateTime(timezone=True), nullable=True),
        sa.Column("created_by", sa.Text(), nullable=True),
        sa.Column("last_modified_by", sa.Text(), nullable=True),
        sa.Column("bill_id", sa.Uuid(as_uuid=False), nullable=False),
        sa.Column("line_item_type", sa.Text(), nullable=True),
        sa.Column("amount", sa.Numeric(), nullable=False),
        sa.Column("amount_to_apply_on_bill", sa.Numeric(), nullable=True),
        sa.Column("currency", sa.Text(), nullable=True),
        sa.Column("description", sa.Text(), nullable=False),
        sa.Column("product_id", sa.Uuid(as_uuid=False), nullable=False),
        sa.Column("accounting_product_id", sa.Uuid(as_uuid=False), nullable=False),
        sa.Column("service_period_start_date", sa.DateTime(timezone=True), nullable=False),
        sa.Column("service_period_end_date", sa.DateTime(timezone=True), nullable=False),
        sa.Column("referenced_bill_id", sa.Text(), nullable=True),
        sa.Column("referenced_line_item_id", sa.Text(), nullable=True),
        sa.Column("reason_id", sa.Text(), nullable=True),
        sa.Column("debit_reason_id", sa.Uuid(as_uuid=False), nullable=True),
        sa.ForeignKeyConstraint(
            ["org_id", "accounting_product_id"],
            ["products.org_id", "products.id"],
            name="fk_debitlineitems_accounting_product_id",
        ),
        sa.ForeignKeyConstraint(
            ["org_id", "bill_id"], ["bills.org_id", "bills.id"], name="fk_debitlineitems_bill_id"
        ),
        sa.ForeignKeyConstraint(
            ["org_id", "debit_reason_id"],
            ["debitreasons.org_id", "debitreasons.id"],
            name="fk_debitlineitems_debit_reason_id",
        ),
        sa.ForeignKeyConstraint(
            ["org_id", "product_id"], ["products.org_id", "products.id"], name="fk_debitlineitems_product_id"
        ),
        sa.PrimaryKeyConstraint("org_id", "id", name="pk_debitlineitems"),
    )
    op.create_index(
        "ix_debitlineitems_accounting_product_id",
        "debitlineitems",
        ["org_id", "accounting_product_id"],
        unique=False,
    )
    op.create_index("ix_debitlineitems_bill_id", "debitlineitems", ["org_id", "bill_id"], unique=False)
    op.create_index(
        "ix_debitlineitems_debit_reason_id", "debitlineitems", ["org_id", "debit_reason_id"], unique=False
    )
    op.create_index("ix_debitlineitems_product_id", "debitlineitems", ["org_id", "product_id"], unique=False)


def downgrade() -> None:
    """Forget it."""
    op.drop_index("ix_debitlineitems_product_id", table_name="debitlineitems")
    op.drop_index("ix_debitlineitems_debit_reason_id", table_name="debitlineitems")
    op.drop_index("ix_debitlineitems_bill_id", table_name="debitlineitems")
    op.drop_index("ix_debitlineitems_accounting_product_id", table_name="debitlineitems")
    op.drop_table("debitlineitems")
    op.drop_index("ix_creditlineitems_product_id", table_name="creditlineitems")
    op.drop_index("ix_creditlineitems_credit_reason_id", table_name="creditlineitems")
    op.drop_index("ix_creditlineitems_bill_id", table_name="creditlineitems")
    op.drop_index("ix_creditlineitems_accounting_product_id", table_name="creditlineitems")
    op.drop_table("creditlineitems")
