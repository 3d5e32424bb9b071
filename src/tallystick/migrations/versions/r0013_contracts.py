"""Contracts and the keys that group their bills."""

import sqlalchemy as sa
from alembic import op
from sqlalchemy.dialects import postgresql

revision = "0013"
down_revision = "0012"


def upgrade() -> None:
    """Keep contracts, and refuse account plans of unknown ones."""
    op.create_table(
        "billgroupingkeys",
        sa.Column("org_id", sa.Uuid(as_uuid=False), nullable=False),
        sa.Column("id", sa.Uuid(as_uuid=False), nullable=False),
        sa.Column("version", sa.BigInteger(), nullable=False),
        sa.Column("dt_created", sa.DateTime(timezone=True), nullable=True),
        sa.Column("dt_last_modified", sa.DateTime(timezone=True), nullable=True),
        sa.Column("created_by", sa.Text(), nullable=True),
        sa.Column("last_modified_by", sa.Text(), nullable=True),
        sa.Column("code", sa.Text(), nullable=True),
        sa.Column("name", sa.Text(), nullable=False),
        sa.Column("archived", sa.Boolean(), nullable=False),
        sa.Column("exclusive", sa.Boolean(), nullable=False),
        sa.PrimaryKeyConstraint("org_id", "id", name="pk_billgroupingkeys"),
        sa.UniqueConstraint("org_id", "code", name="uq_billgroupingkeys_code"),
    )
    op.create_table(
        "contracts",
        sa.Column("org_id", sa.Uuid(as_uuid=False), nullable=False),
        sa.Column("id", sa.Uuid(as_uuid=False), nullable=False),
        sa.Column("version", sa.BigInteger(), nullable=False),
        sa.Column("dt_created", sa.DateTime(timezone=True), nullable=True),
        sa.Column("dt_last_modified", sa.DateTime(timezone=True), nullable=True),
        sa.Column("created_by", sa.Text(), nullable=True),
        sa.Column("last_modified_by", sa.Text(), nullable=True),
        sa.Column("account_id", sa.Uuid(as_uuid=False), nullable=False),
        sa.Column("name", sa.Text(), nullable=False),
        sa.Column("code", sa.Text(), nullable=True),
        sa.Column("description", sa.Text(), nullable=True),
        sa.Column("purchase_order_number", sa.Text(), nullable=True),
        sa.Column("apply_contract_period_limits", sa.Boolean(), nullable=False),
        sa.Column(
            "usage_filters", postgresql.JSONB(none_as_null=True, astext_type=sa.Text()), nullable=False
        ),
        sa.Column("bill_grouping_key_id", sa.Uuid(as_uuid=False), nullable=True),
        sa.Column("start_date", sa.Date(), nullable=False),
        sa.Column("end_date", sa.Date(), nullable=False),
        sa.Column(
            "custom_fields", postgresql.JSONB(none_as_null=True, astext_type=sa.Text()), nullable=False
        ),
        sa.ForeignKeyConstraint(
            ["org_id", "account_id"], ["accounts.org_id", "accounts.id"], name="fk_contracts_account_id"
        ),
        sa.ForeignKeyConstraint(
            ["org_id", "bill_grouping_key_id"],
            ["billgroupingkeys.org_id", "billgroupingkeys.id"],
            name="fk_contracts_bill_grouping_key_id",
        ),
        sa.PrimaryKeyConstraint("org_id", "id", name="pk_contracts"),
        sa.UniqueConstraint("org_id", "code", name="uq_contracts_code"),
    )
    op.create_index("ix_contracts_account_id", "contracts", ["org_id", "account_id"], unique=False)
    op.create_index(
        "ix_contracts_bill_grouping_key_id", "contracts", ["org_id", "bill_grouping_key_id"], unique=False
    )
    op.create_index("ix_accountplans_contract_id", "accountplans", ["org_id", "contract_id"], unique=False)
    op.create_foreign_key(
        "fk_accountplans_contract_id",
        "accountplans",
        "contracts",
        ["org_id", "contract_id"],
        ["org_id", "id"],
    )


def downgrade() -> None:
    """Forget them."""
    op.drop_constraint("fk_accountplans_contract_id", "accountplans", type_="foreignkey")
    op.drop_index("ix_accountplans_contract_id", table_name="accountplans")
    op.drop_index("ix_contracts_bill_grouping_key_id", table_name="contracts")
    op.drop_index("ix_contracts_account_id", table_name="contracts")
    op.drop_table("contracts")
    op.drop_table("billgroupingkeys")
