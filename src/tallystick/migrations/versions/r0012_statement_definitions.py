"""Statement definitions."""

import sqlalchemy as sa
from alembic import op
from sqlalchemy.dialects import postgresql

revision = "0012"
down_revision = "0011"


def upgrade() -> None:
    """Statement definitions."""
    op.create_table(
        "statementdefinitions",
        sa.Column("org_id", sa.Uuid(as_uuid=False), nullable=False),
        sa.Column("id", sa.Uuid(as_uuid=False), nullable=False),
        sa.Column("version", sa.BigInteger(), nullable=False),
        sa.Column("dt_created", sa.DateTime(timezone=True), nullable=True),
        sa.Column("dt_last_modified", sa.DateTime(timezone=True), nullable=True),
        sa.Column("created_by", sa.Text(), nullable=True),
        sa.Column("last_modified_by", sa.Text(), nullable=True),
        sa.Column("name", sa.Text(), nullable=True),
        sa.Column("aggregation_frequency", sa.Text(), nullable=False),
        sa.Column("include_price_per_unit", sa.Boolean(), nullable=False),
        sa.Column("dimensions", postgresql.JSONB(none_as_null=True, astext_type=sa.Text()), nullable=False),
        sa.Column("measures", postgresql.JSONB(none_as_null=True, astext_type=sa.Text()), nullable=False),
        sa.Column("generate_slim_statements", sa.Boolean(), nullable=False),
        sa.PrimaryKeyConstraint("org_id", "id", name="pk_statementdefinitions"),
    )
    op.create_index(
        "ix_accounts_statement_definition_id", "accounts", ["org_id", "statement_definition_id"], unique=False
    )
    op.create_foreign_key(
        "fk_accounts_statement_definition_id",
        "accounts",
        "statementdefinitions",
        ["org_id", "statement_definition_id"],
        ["org_id", "id"],
    )
    op.create_index(
        "ix_organizationconfig_default_statement_definition_id",
        "organizationconfig",
        ["org_id", "default_statement_definition_id"],
        unique=False,
    )
    op.create_foreign_key(
        "fk_organizationconfig_default_statement_definition_id",
        "organizationconfig",
        "statementdefinitions",
        ["org_id", "default_statement_definition_id"],
        ["org_id", "id"],
    )


def downgrade() -> None:
    """Undo it."""
    op.drop_constraint(
        "fk_organizationconfig_default_statement_definition_id", "organizationconfig", type_="foreignkey"
    )
    op.drop_index("ix_organizationconfig_default_statement_definition_id", table_name="organizationconfig")
    op.drop_constraint("fk_accounts_statement_definition_id", "accounts", type_="foreignkey")
    op.drop_index("ix_accounts_statement_definition_id", table_name="accounts")
    op.drop_table("statementdefinitions")
