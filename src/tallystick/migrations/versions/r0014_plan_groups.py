"""Plan groups and what is in them."""

import sqlalchemy as sa
from alembic import op
from sqlalchemy.dialects import postgresql

revision = "0014"
down_revision = "0013"


def upgrade() -> None:
    """Keep plan groups, and refuse account plans of unknown ones."""
    op.create_table(
        "plangroups",
        sa.Column("org_id", sa.Uuid(as_uuid=False), nullable=False),
        sa.Column("id", sa.Uuid(as_uuid=False), nullable=False),
        sa.Column("version", sa.BigInteger(), nullable=False),
        sa.Column("dt_created", sa.DateTime(timezone=True), nullable=True),
        sa.Column("dt_last_modified", sa.DateTime(timezone=True), nullable=True),
        sa.Column("created_by", sa.Text(), nullable=True),
        sa.Column("last_modified_by", sa.Text(), nullable=True),
        sa.Column("name", sa.Text(), nullable=False),
        sa.Column("code", sa.Text(), nullable=True),
        sa.Column("minimum_spend", sa.Numeric(), nullable=True),
        sa.Column("minimum_spend_description", sa.Text(), nullable=True),
        sa.Column("standing_charge", sa.Numeric(), nullable=True),
        sa.Column("standing_charge_description", sa.Text(), nullable=True),
        sa.Column("currency", sa.Text(), nullable=False),
        sa.Column("standing_charge_bill_in_advance", sa.Boolean(), nullable=True),
        sa.Column("minimum_spend_bill_in_advance", sa.Boolean(), nullable=True),
        sa.Column("account_id", sa.Uuid(as_uuid=False), nullable=True),
        sa.Column("minimum_spend_accounting_product_id", sa.Uuid(as_uuid=False), nullable=True),
        sa.Column("standing_charge_accounting_product_id", sa.Uuid(as_uuid=False), nullable=True),
        sa.Column(
            "custom_fields", postgresql.JSONB(none_as_null=True, astext_type=sa.Text()), nullable=False
        ),
        sa.ForeignKeyConstraint(
            ["org_id", "account_id"], ["accounts.org_id", "accounts.id"], name="fk_plangroups_account_id"
        ),
        sa.ForeignKeyConstraint(
            ["org_id", "minimum_spend_accounting_product_id"],
            ["products.org_id", "products.id"],
            name="fk_plangroups_minimum_spend_accounting_product_id",
        ),
        sa.ForeignKeyConstraint(
            ["org_id", "standing_charge_accounting_product_id"],
            ["products.org_id", "products.id"],
            name="fk_plangroups_standing_charge_accounting_product_id",
        ),
        sa.PrimaryKeyConstraint("org_id", "id", name="pk_plangroups"),
        sa.UniqueConstraint("org_id", "code", name="uq_plangroups_code"),
    )
    op.create_index("ix_plangroups_account_id", "plangroups", ["org_id", "account_id"], unique=False)
    op.create_index(
        "ix_plangroups_minimum_spend_accounting_product_id",
        "plangroups",
        ["org_id", "minimum_spend_accounting_product_id"],
        unique=False,
    )
    op.create_index(
        "ix_plangroups_standing_charge_accounting_product_id",
        "plangroups",
        ["org_id", "standing_charge_accounting_product_id"],
        unique=False,
    )
    op.create_table(
        "plangrouplinks",
        sa.Column("org_id", sa.Uuid(as_uuid=False), nullable=False),
        sa.Column("id", sa.Uuid(as_uuid=False), nullable=False),
        sa.Column("version", sa.BigInteger(), nullable=False),
        sa.Column("dt_created", sa.DateTime(timezone=True), nullable=True),
        sa.Column("dt_last_modified", sa.DateTime(timezone=True), nullable=True),
        sa.Column("created_by", sa.Text(), nullable=True),
        sa.Column("last_modified_by", sa.Text(), nullable=True),
        sa.Column("plan_group_id", sa.Uuid(as_uuid=False), nullable=False),
        sa.Column("plan_id", sa.Uuid(as_uuid=False), nullable=False),
        sa.ForeignKeyConstraint(
            ["org_id", "plan_group_id"],
            ["plangroups.org_id", "plangroups.id"],
            name="fk_plangrouplinks_plan_group_id",
        ),
        sa.ForeignKeyConstraint(
            ["org_id", "plan_id"], ["plans.org_id", "plans.id"], name="fk_plangrouplinks_plan_id"
        ),
        sa.PrimaryKeyConstraint("org_id", "id", name="pk_plangrouplinks"),
        sa.UniqueConstraint(
            "org_id", "plan_group_id", "plan_id", name="uq_plangrouplinks_plan_group_id_plan_id"
        ),
    )
    op.create_index(
        "ix_plangrouplinks_plan_group_id", "plangrouplinks", ["org_id", "plan_group_id"], unique=False
    )
    op.create_index("ix_plangrouplinks_plan_id", "plangrouplinks", ["org_id", "plan_id"], unique=False)
    op.create_index(
        "ix_accountplans_plan_group_id", "accountplans", ["org_id", "plan_group_id"], unique=False
    )
    op.create_foreign_key(
        "fk_accountplans_plan_group_id",
        "accountplans",
        "plangroups",
        ["org_id", "plan_group_id"],
        ["org_id", "id"],
    )


def downgrade() -> None:
    """Forget them."""
    op.drop_constraint("fk_accountplans_plan_group_id", "accountplans", type_="foreignkey")
    op.drop_index("ix_accountplans_plan_group_id", table_name="accountplans")
    op.drop_index("ix_plangrouplinks_plan_id", table_name="plangrouplinks")
    op.drop_index("ix_plangrouplinks_plan_group_id", table_name="plangrouplinks")
    op.drop_table("plangrouplinks")
    op.drop_index("ix_plangroups_standing_charge_accounting_product_id", table_name="plangroups")
    op.drop_index("ix_plangroups_minimum_spend_accounting_product_id", table_name="plangroups")
    op.drop_index("ix_plangroups_account_id", table_name="plangroups")
    op.drop_table("plangroups")
