"""Keep the ledger."""

import sqlalchemy as sa
from alembic import op
from sqlalchemy.dialects import postgresql

revision = "0017"
down_revision = "0016"


_APPEND_ONLY = ("balance_transactions", "commitment_entries")
_REFUSE = """
CREATE FUNCTION tallystick_append_only() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    RAISE EXCEPTION '% is append-only: add an entry that names the one to take back', TG_TABLE_NAME;
END;
$$
"""


def upgrade() -> None:
    """Keep balances, commitments, charges and schedules, and entries that nobody changes."""
    op.create_table(
        "transactiontypes",
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
        sa.PrimaryKeyConstraint("org_id", "id", name="pk_transactiontypes"),
        sa.UniqueConstraint("org_id", "code", name="uq_transactiontypes_code"),
    )
    op.create_table(
        "balances",
        sa.Column("org_id", sa.Uuid(as_uuid=False), nullable=False),
        sa.Column("id", sa.Uuid(as_uuid=False), nullable=False),
        sa.Column("version", sa.BigInteger(), nullable=False),
        sa.Column("dt_created", sa.DateTime(timezone=True), nullable=True),
        sa.Column("dt_last_modified", sa.DateTime(timezone=True), nullable=True),
        sa.Column("created_by", sa.Text(), nullable=True),
        sa.Column("last_modified_by", sa.Text(), nullable=True),
        sa.Column("code", sa.Text(), nullable=False),
        sa.Column("name", sa.Text(), nullable=False),
        sa.Column("description", sa.Text(), nullable=True),
        sa.Column("account_id", sa.Uuid(as_uuid=False), nullable=False),
        sa.Column("amount", sa.Numeric(), nullable=False),
        sa.Column("start_date", sa.DateTime(timezone=True), nullable=False),
        sa.Column("end_date", sa.DateTime(timezone=True), nullable=False),
        sa.Column("currency", sa.Text(), nullable=False),
        sa.Column("rollover_amount", sa.Numeric(), nullable=True),
        sa.Column("rollover_end_date", sa.DateTime(timezone=True), nullable=True),
        sa.Column("balance_draw_down_description", sa.Text(), nullable=True),
        sa.Column("overage_surcharge_percent", sa.Numeric(), nullable=True),
        sa.Column("overage_description", sa.Text(), nullable=True),
        sa.Column("product_ids", postgresql.JSONB(none_as_null=True, astext_type=sa.Text()), nullable=False),
        sa.Column(
            "line_item_types", postgresql.JSONB(none_as_null=True, astext_type=sa.Text()), nullable=False
        ),
        sa.Column("contract_id", sa.Uuid(as_uuid=False), nullable=True),
        sa.Column("consumptions_accounting_product_id", sa.Uuid(as_uuid=False), nullable=True),
        sa.Column("fees_accounting_product_id", sa.Uuid(as_uuid=False), nullable=True),
        sa.Column("allow_overdraft", sa.Boolean(), nullable=False),
        sa.Column(
            "custom_fields", postgresql.JSONB(none_as_null=True, astext_type=sa.Text()), nullable=False
        ),
        sa.ForeignKeyConstraint(
            ["org_id", "account_id"], ["accounts.org_id", "accounts.id"], name="fk_balances_account_id"
        ),
        sa.ForeignKeyConstraint(
            ["org_id", "consumptions_accounting_product_id"],
            ["products.org_id", "products.id"],
            name="fk_balances_consumptions_accounting_product_id",
        ),
        sa.ForeignKeyConstraint(
            ["org_id", "contract_id"], ["contracts.org_id", "contracts.id"], name="fk_balances_contract_id"
        ),
        sa.ForeignKeyConstraint(
            ["org_id", "fees_accounting_product_id"],
            ["products.org_id", "products.id"],
            name="fk_balances_fees_accounting_product_id",
        ),
        sa.PrimaryKeyConstraint("org_id", "id", name="pk_balances"),
        sa.UniqueConstraint("org_id", "code", name="uq_balances_code"),
    )
    op.create_index("ix_balances_account_id", "balances", ["org_id", "account_id"], unique=False)
    op.create_index(
        "ix_balances_consumptions_accounting_product_id",
        "balances",
        ["org_id", "consumptions_accounting_product_id"],
        unique=False,
    )
    op.create_index("ix_balances_contract_id", "balances", ["org_id", "contract_id"], unique=False)
    op.create_index(
        "ix_balances_fees_accounting_product_id",
        "balances",
        ["org_id", "fees_accounting_product_id"],
        unique=False,
    )
    op.create_table(
        "commitments",
        sa.Column("org_id", sa.Uuid(as_uuid=False), nullable=False),
        sa.Column("id", sa.Uuid(as_uuid=False), nullable=False),
        sa.Column("version", sa.BigInteger(), nullable=False),
        sa.Column("dt_created", sa.DateTime(timezone=True), nullable=True),
        sa.Column("dt_last_modified", sa.DateTime(timezone=True), nullable=True),
        sa.Column("created_by", sa.Text(), nullable=True),
        sa.Column("last_modified_by", sa.Text(), nullable=True),
        sa.Column("account_id", sa.Uuid(as_uuid=False), nullable=False),
        sa.Column("billing_plan_id", sa.Uuid(as_uuid=False), nullable=True),
        sa.Column("product_ids", postgresql.JSONB(none_as_null=True, astext_type=sa.Text()), nullable=False),
        sa.Column("start_date", sa.Date(), nullable=False),
        sa.Column("end_date", sa.Date(), nullable=False),
        sa.Column("currency", sa.Text(), nullable=False),
        sa.Column("amount", sa.Numeric(), nullable=False),
        sa.Column("amount_pre_paid", sa.Numeric(), nullable=True),
        sa.Column("amount_first_bill", sa.Numeric(), nullable=True),
        sa.Column("amount_spent", sa.Numeric(), nullable=False),
        sa.Column("overage_surcharge_percent", sa.Numeric(), nullable=True),
        sa.Column("separate_overage_usage", sa.Boolean(), nullable=False),
        sa.Column("billing_interval", sa.BigInteger(), nullable=True),
        sa.Column("billing_offset", sa.BigInteger(), nullable=True),
        sa.Column("commitment_fee_description", sa.Text(), nullable=True),
        sa.Column("commitment_usage_description", sa.Text(), nullable=True),
        sa.Column("overage_description", sa.Text(), nullable=True),
        sa.Column("commitment_fee_bill_in_advance", sa.Boolean(), nullable=True),
        sa.Column("bill_epoch", sa.Date(), nullable=True),
        sa.Column("contract_id", sa.Uuid(as_uuid=False), nullable=True),
        sa.Column("accounting_product_id", sa.Uuid(as_uuid=False), nullable=True),
        sa.Column("fees_accounting_product_id", sa.Uuid(as_uuid=False), nullable=True),
        sa.Column("drawdowns_accounting_product_id", sa.Uuid(as_uuid=False), nullable=True),
        sa.Column("fee_dates", postgresql.JSONB(none_as_null=True, astext_type=sa.Text()), nullable=False),
        sa.Column("child_billing_mode", sa.Text(), nullable=False),
        sa.Column(
            "line_item_types", postgresql.JSONB(none_as_null=True, astext_type=sa.Text()), nullable=False
        ),
        sa.ForeignKeyConstraint(
            ["org_id", "account_id"], ["accounts.org_id", "accounts.id"], name="fk_commitments_account_id"
        ),
        sa.ForeignKeyConstraint(
            ["org_id", "accounting_product_id"],
            ["products.org_id", "products.id"],
            name="fk_commitments_accounting_product_id",
        ),
        sa.ForeignKeyConstraint(
            ["org_id", "billing_plan_id"], ["plans.org_id", "plans.id"], name="fk_commitments_billing_plan_id"
        ),
        sa.ForeignKeyConstraint(
            ["org_id", "contract_id"], ["contracts.org_id", "contracts.id"], name="fk_commitments_contract_id"
        ),
        sa.ForeignKeyConstraint(
            ["org_id", "drawdowns_accounting_product_id"],
            ["products.org_id", "products.id"],
            name="fk_commitments_drawdowns_accounting_product_id",
        ),
        sa.ForeignKeyConstraint(
            ["org_id", "fees_accounting_product_id"],
            ["products.org_id", "products.id"],
            name="fk_commitments_fees_accounting_product_id",
        ),
        sa.PrimaryKeyConstraint("org_id", "id", name="pk_commitments"),
    )
    op.create_index("ix_commitments_account_id", "commitments", ["org_id", "account_id"], unique=False)
    op.create_index(
        "ix_commitments_accounting_product_id",
        "commitments",
        ["org_id", "accounting_product_id"],
        unique=False,
    )
    op.create_index(
        "ix_commitments_billing_plan_id", "commitments", ["org_id", "billing_plan_id"], unique=False
    )
    op.create_index("ix_commitments_contract_id", "commitments", ["org_id", "contract_id"], unique=False)
    op.create_index(
        "ix_commitments_drawdowns_accounting_product_id",
        "commitments",
        ["org_id", "drawdowns_accounting_product_id"],
        unique=False,
    )
    op.create_index(
        "ix_commitments_fees_accounting_product_id",
        "commitments",
        ["org_id", "fees_accounting_product_id"],
        unique=False,
    )
    op.create_table(
        "balance_transactions",
        sa.Column("org_id", sa.Uuid(as_uuid=False), nullable=False),
        sa.Column("id", sa.Uuid(as_uuid=False), nullable=False),
        sa.Column("version", sa.BigInteger(), nullable=False),
        sa.Column("dt_created", sa.DateTime(timezone=True), nullable=True),
        sa.Column("dt_last_modified", sa.DateTime(timezone=True), nullable=True),
        sa.Column("created_by", sa.Text(), nullable=True),
        sa.Column("last_modified_by", sa.Text(), nullable=True),
        sa.Column("balance_id", sa.Uuid(as_uuid=False), nullable=False),
        sa.Column("description", sa.Text(), nullable=True),
        sa.Column("amount", sa.Numeric(), nullable=False),
        sa.Column("paid", sa.Numeric(), nullable=True),
        sa.Column("currency_paid", sa.Text(), nullable=True),
        sa.Column("transaction_type_id", sa.Uuid(as_uuid=False), nullable=True),
        sa.Column("applied_date", sa.DateTime(timezone=True), nullable=True),
        sa.Column("transaction_date", sa.DateTime(timezone=True), nullable=True),
        sa.Column("entity_type", sa.Text(), nullable=True),
        sa.Column("entity_id", sa.Text(), nullable=True),
        sa.Column("reverses_id", sa.Uuid(as_uuid=False), nullable=True),
        sa.Column("is_rollover", sa.Boolean(), nullable=False),
        sa.ForeignKeyConstraint(
            ["org_id", "balance_id"],
            ["balances.org_id", "balances.id"],
            name="fk_balance_transactions_balance_id",
        ),
        sa.ForeignKeyConstraint(
            ["org_id", "reverses_id"],
            ["balance_transactions.org_id", "balance_transactions.id"],
            name="fk_balance_transactions_reverses_id",
        ),
        sa.ForeignKeyConstraint(
            ["org_id", "transaction_type_id"],
            ["transactiontypes.org_id", "transactiontypes.id"],
            name="fk_balance_transactions_transaction_type_id",
        ),
        sa.PrimaryKeyConstraint("org_id", "id", name="pk_balance_transactions"),
    )
    op.create_index(
        "ix_balance_transactions_balance_id", "balance_transactions", ["org_id", "balance_id"], unique=False
    )
    op.create_index(
        "ix_balance_transactions_entity_id", "balance_transactions", ["org_id", "entity_id"], unique=False
    )
    op.create_index(
        "ix_balance_transactions_reverses_id", "balance_transactions", ["org_id", "reverses_id"], unique=False
    )
    op.create_index(
        "ix_balance_transactions_transaction_type_id",
        "balance_transactions",
        ["org_id", "transaction_type_id"],
        unique=False,
    )
    op.create_table(
        "balancechargeschedules",
        sa.Column("org_id", sa.Uuid(as_uuid=False), nullable=False),
        sa.Column("id", sa.Uuid(as_uuid=False), nullable=False),
        sa.Column("version", sa.BigInteger(), nullable=False),
        sa.Column("dt_created", sa.DateTime(timezone=True), nullable=True),
        sa.Column("dt_last_modified", sa.DateTime(timezone=True), nullable=True),
        sa.Column("created_by", sa.Text(), nullable=True),
        sa.Column("last_modified_by", sa.Text(), nullable=True),
        sa.Column("balance_id", sa.Uuid(as_uuid=False), nullable=False),
        sa.Column("name", sa.Text(), nullable=False),
        sa.Column("code", sa.Text(), nullable=False),
        sa.Column("amount", sa.Numeric(), nullable=True),
        sa.Column("units", sa.Numeric(), nullable=True),
        sa.Column("unit_price", sa.Numeric(), nullable=True),
        sa.Column("currency", sa.Text(), nullable=False),
        sa.Column("service_period_start_date", sa.DateTime(timezone=True), nullable=False),
        sa.Column("service_period_end_date", sa.DateTime(timezone=True), nullable=False),
        sa.Column("bill_epoch", sa.Date(), nullable=True),
        sa.Column("bill_frequency", sa.Text(), nullable=False),
        sa.Column("bill_frequency_interval", sa.BigInteger(), nullable=False),
        sa.Column("bill_in_advance", sa.Boolean(), nullable=False),
        sa.Column("charge_description", sa.Text(), nullable=False),
        sa.Column(
            "custom_fields", postgresql.JSONB(none_as_null=True, astext_type=sa.Text()), nullable=False
        ),
        sa.Column("next_run", sa.DateTime(timezone=True), nullable=True),
        sa.Column("previous_run", sa.DateTime(timezone=True), nullable=True),
        sa.ForeignKeyConstraint(
            ["org_id", "balance_id"],
            ["balances.org_id", "balances.id"],
            name="fk_balancechargeschedules_balance_id",
        ),
        sa.PrimaryKeyConstraint("org_id", "id", name="pk_balancechargeschedules"),
        sa.UniqueConstraint("org_id", "code", name="uq_balancechargeschedules_code"),
    )
    op.create_index(
        "ix_balancechargeschedules_balance_id",
        "balancechargeschedules",
        ["org_id", "balance_id"],
        unique=False,
    )
    op.create_index(
        "ix_balancechargeschedules_next_run", "balancechargeschedules", ["org_id", "next_run"], unique=False
    )
    op.create_table(
        "balancetransactionschedules",
        sa.Column("org_id", sa.Uuid(as_uuid=False), nullable=False),
        sa.Column("id", sa.Uuid(as_uuid=False), nullable=False),
        sa.Column("version", sa.BigInteger(), nullable=False),
        sa.Column("dt_created", sa.DateTime(timezone=True), nullable=True),
        sa.Column("dt_last_modified", sa.DateTime(timezone=True), nullable=True),
        sa.Column("created_by", sa.Text(), nullable=True),
        sa.Column("last_modified_by", sa.Text(), nullable=True),
        sa.Column("balance_id", sa.Uuid(as_uuid=False), nullable=False),
        sa.Column("name", sa.Text(), nullable=False),
        sa.Column("code", sa.Text(), nullable=False),
        sa.Column("amount", sa.Numeric(), nullable=False),
        sa.Column("transaction_description", sa.Text(), nullable=False),
        sa.Column("paid", sa.Numeric(), nullable=True),
        sa.Column("currency_paid", sa.Text(), nullable=True),
        sa.Column("transaction_type_id", sa.Uuid(as_uuid=False), nullable=False),
        sa.Column("start_date", sa.DateTime(timezone=True), nullable=False),
        sa.Column("end_date", sa.DateTime(timezone=True), nullable=False),
        sa.Column("frequency", sa.Text(), nullable=False),
        sa.Column("frequency_interval", sa.BigInteger(), nullable=False),
        sa.Column(
            "custom_fields", postgresql.JSONB(none_as_null=True, astext_type=sa.Text()), nullable=False
        ),
        sa.Column("next_run", sa.DateTime(timezone=True), nullable=True),
        sa.Column("previous_run", sa.DateTime(timezone=True), nullable=True),
        sa.ForeignKeyConstraint(
            ["org_id", "balance_id"],
            ["balances.org_id", "balances.id"],
            name="fk_balancetransactionschedules_balance_id",
        ),
        sa.ForeignKeyConstraint(
            ["org_id", "transaction_type_id"],
            ["transactiontypes.org_id", "transactiontypes.id"],
            name="fk_balancetransactionschedules_transaction_type_id",
        ),
        sa.PrimaryKeyConstraint("org_id", "id", name="pk_balancetransactionschedules"),
        sa.UniqueConstraint("org_id", "code", name="uq_balancetransactionschedules_code"),
    )
    op.create_index(
        "ix_balancetransactionschedules_balance_id",
        "balancetransactionschedules",
        ["org_id", "balance_id"],
        unique=False,
    )
    op.create_index(
        "ix_balancetransactionschedules_next_run",
        "balancetransactionschedules",
        ["org_id", "next_run"],
        unique=False,
    )
    op.create_index(
        "ix_balancetransactionschedules_transaction_type_id",
        "balancetransactionschedules",
        ["org_id", "transaction_type_id"],
        unique=False,
    )
    op.create_table(
        "charges",
        sa.Column("org_id", sa.Uuid(as_uuid=False), nullable=False),
        sa.Column("id", sa.Uuid(as_uuid=False), nullable=False),
        sa.Column("version", sa.BigInteger(), nullable=False),
        sa.Column("dt_created", sa.DateTime(timezone=True), nullable=True),
        sa.Column("dt_last_modified", sa.DateTime(timezone=True), nullable=True),
        sa.Column("created_by", sa.Text(), nullable=True),
        sa.Column("last_modified_by", sa.Text(), nullable=True),
        sa.Column("name", sa.Text(), nullable=False),
        sa.Column("code", sa.Text(), nullable=False),
        sa.Column("account_id", sa.Uuid(as_uuid=False), nullable=False),
        sa.Column("bill_date", sa.Date(), nullable=True),
        sa.Column("amount", sa.Numeric(), nullable=True),
        sa.Column("units", sa.Numeric(), nullable=True),
        sa.Column("unit_price", sa.Numeric(), nullable=True),
        sa.Column("currency", sa.Text(), nullable=False),
        sa.Column("description", sa.Text(), nullable=True),
        sa.Column("entity_type", sa.Text(), nullable=False),
        sa.Column("line_item_type", sa.Text(), nullable=False),
        sa.Column("entity_id", sa.Uuid(as_uuid=False), nullable=True),
        sa.Column("bill_id", sa.Text(), nullable=True),
        sa.Column("accounting_product_id", sa.Uuid(as_uuid=False), nullable=True),
        sa.Column("service_period_start_date", sa.DateTime(timezone=True), nullable=False),
        sa.Column("service_period_end_date", sa.DateTime(timezone=True), nullable=False),
        sa.Column("notes", sa.Text(), nullable=True),
        sa.Column("contract_id", sa.Uuid(as_uuid=False), nullable=True),
        sa.Column("schedule_id", sa.Text(), nullable=True),
        sa.ForeignKeyConstraint(
            ["org_id", "account_id"], ["accounts.org_id", "accounts.id"], name="fk_charges_account_id"
        ),
        sa.ForeignKeyConstraint(
            ["org_id", "accounting_product_id"],
            ["products.org_id", "products.id"],
            name="fk_charges_accounting_product_id",
        ),
        sa.ForeignKeyConstraint(
            ["org_id", "contract_id"], ["contracts.org_id", "contracts.id"], name="fk_charges_contract_id"
        ),
        sa.ForeignKeyConstraint(
            ["org_id", "entity_id"], ["balances.org_id", "balances.id"], name="fk_charges_entity_id"
        ),
        sa.PrimaryKeyConstraint("org_id", "id", name="pk_charges"),
        sa.UniqueConstraint("org_id", "code", name="uq_charges_code"),
    )
    op.create_index("ix_charges_account_id", "charges", ["org_id", "account_id"], unique=False)
    op.create_index(
        "ix_charges_accounting_product_id", "charges", ["org_id", "accounting_product_id"], unique=False
    )
    op.create_index("ix_charges_bill_date", "charges", ["org_id", "bill_date"], unique=False)
    op.create_index("ix_charges_bill_id", "charges", ["org_id", "bill_id"], unique=False)
    op.create_index("ix_charges_contract_id", "charges", ["org_id", "contract_id"], unique=False)
    op.create_index("ix_charges_entity_id", "charges", ["org_id", "entity_id"], unique=False)
    op.create_index("ix_charges_schedule_id", "charges", ["org_id", "schedule_id"], unique=False)
    op.create_table(
        "commitment_entries",
        sa.Column("org_id", sa.Uuid(as_uuid=False), nullable=False),
        sa.Column("id", sa.Uuid(as_uuid=False), nullable=False),
        sa.Column("commitment_id", sa.Uuid(as_uuid=False), nullable=False),
        sa.Column("bill_id", sa.Uuid(as_uuid=False), nullable=False),
        sa.Column("amount", sa.Numeric(), nullable=False),
        sa.Column("reverses_id", sa.Uuid(as_uuid=False), nullable=True),
        sa.Column("dt_created", sa.DateTime(timezone=True), nullable=False),
        sa.ForeignKeyConstraint(
            ["org_id", "commitment_id"],
            ["commitments.org_id", "commitments.id"],
            name="fk_commitment_entries_commitment_id",
        ),
        sa.ForeignKeyConstraint(
            ["org_id", "reverses_id"],
            ["commitment_entries.org_id", "commitment_entries.id"],
            name="fk_commitment_entries_reverses_id",
        ),
        sa.PrimaryKeyConstraint("org_id", "id", name="pk_commitment_entries"),
    )
    op.create_index(
        "ix_commitment_entries_bill_id", "commitment_entries", ["org_id", "bill_id"], unique=False
    )
    op.create_index(
        "ix_commitment_entries_commitment_id", "commitment_entries", ["org_id", "commitment_id"], unique=False
    )
    op.create_index(
        "ix_commitment_entries_reverses_id", "commitment_entries", ["org_id", "reverses_id"], unique=False
    )
    op.execute(_REFUSE)
    for table in _APPEND_ONLY:
        op.execute(
            f"CREATE TRIGGER append_only BEFORE UPDATE OR DELETE ON {table}"
            " FOR EACH ROW EXECUTE FUNCTION tallystick_append_only()"
        )


def downgrade() -> None:
    """Forget them."""
    op.drop_index("ix_commitment_entries_reverses_id", table_name="commitment_entries")
    op.drop_index("ix_commitment_entries_commitment_id", table_name="commitment_entries")
    op.drop_index("ix_commitment_entries_bill_id", table_name="commitment_entries")
    op.drop_table("commitment_entries")
    op.drop_index("ix_charges_schedule_id", table_name="charges")
    op.drop_index("ix_charges_entity_id", table_name="charges")
    op.drop_index("ix_charges_contract_id", table_name="charges")
    op.drop_index("ix_charges_bill_id", table_name="charges")
    op.drop_index("ix_charges_bill_date", table_name="charges")
    op.drop_index("ix_charges_accounting_product_id", table_name="charges")
    op.drop_index("ix_charges_account_id", table_name="charges")
    op.drop_table("charges")
    op.drop_index(
        "ix_balancetransactionschedules_transaction_type_id", table_name="balancetransactionschedules"
    )
    op.drop_index("ix_balancetransactionschedules_next_run", table_name="balancetransactionschedules")
    op.drop_index("ix_balancetransactionschedules_balance_id", table_name="balancetransactionschedules")
    op.drop_table("balancetransactionschedules")
    op.drop_index("ix_balancechargeschedules_next_run", table_name="balancechargeschedules")
    op.drop_index("ix_balancechargeschedules_balance_id", table_name="balancechargeschedules")
    op.drop_table("balancechargeschedules")
    op.drop_index("ix_balance_transactions_transaction_type_id", table_name="balance_transactions")
    op.drop_index("ix_balance_transactions_reverses_id", table_name="balance_transactions")
    op.drop_index("ix_balance_transactions_entity_id", table_name="balance_transactions")
    op.drop_index("ix_balance_transactions_balance_id", table_name="balance_transactions")
    op.drop_table("balance_transactions")
    op.drop_index("ix_commitments_fees_accounting_product_id", table_name="commitments")
    op.drop_index("ix_commitments_drawdowns_accounting_product_id", table_name="commitments")
    op.drop_index("ix_commitments_contract_id", table_name="commitments")
    op.drop_index("ix_commitments_billing_plan_id", table_name="commitments")
    op.drop_index("ix_commitments_accounting_product_id", table_name="commitments")
    op.drop_index("ix_commitments_account_id", table_name="commitments")
    op.drop_table("commitments")
    op.drop_index("ix_balances_fees_accounting_product_id", table_name="balances")
    op.drop_index("ix_balances_contract_id", table_name="balances")
    op.drop_index("ix_balances_consumptions_accounting_product_id", table_name="balances")
    op.drop_index("ix_balances_account_id", table_name="balances")
    op.drop_table("balances")
    op.drop_table("transactiontypes")
    op.execute("DROP FUNCTION tallystick_append_only()")
