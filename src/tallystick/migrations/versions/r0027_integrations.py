"""Integrations."""

import sqlalchemy as sa
from alembic import op
from sqlalchemy.dialects import postgresql

revision = "0027"
down_revision = "0026"


def upgrade() -> None:
    """Integrations."""
    op.create_table(
        "externalmappings",
        sa.Column("org_id", sa.Uuid(as_uuid=False), nullable=False),
        sa.Column("id", sa.Uuid(as_uuid=False), nullable=False),
        sa.Column("version", sa.BigInteger(), nullable=False),
        sa.Column("dt_created", sa.DateTime(timezone=True), nullable=True),
        sa.Column("dt_last_modified", sa.DateTime(timezone=True), nullable=True),
        sa.Column("created_by", sa.Text(), nullable=True),
        sa.Column("last_modified_by", sa.Text(), nullable=True),
        sa.Column("m3ter_entity", sa.Text(), nullable=False),
        sa.Column("m3ter_id", sa.Text(), nullable=False),
        sa.Column("external_system", sa.Text(), nullable=False),
        sa.Column("external_table", sa.Text(), nullable=False),
        sa.Column("external_id", sa.Text(), nullable=False),
        sa.Column("integration_config_id", sa.Text(), nullable=True),
        sa.PrimaryKeyConstraint("org_id", "id", name="pk_externalmappings"),
    )
    op.create_index("ix_externalmappings_ours", "externalmappings", ["org_id", "m3ter_id"], unique=False)
    op.create_index(
        "ix_externalmappings_theirs",
        "externalmappings",
        ["org_id", "external_system", "external_id"],
        unique=False,
    )
    op.create_table(
        "integrationcredentials",
        sa.Column("org_id", sa.Uuid(as_uuid=False), nullable=False),
        sa.Column("id", sa.Uuid(as_uuid=False), nullable=False),
        sa.Column("version", sa.BigInteger(), nullable=False),
        sa.Column("dt_created", sa.DateTime(timezone=True), nullable=True),
        sa.Column("dt_last_modified", sa.DateTime(timezone=True), nullable=True),
        sa.Column("created_by", sa.Text(), nullable=True),
        sa.Column("last_modified_by", sa.Text(), nullable=True),
        sa.Column("type", sa.Text(), nullable=False),
        sa.Column("name", sa.Text(), nullable=True),
        sa.Column("destination", sa.Text(), nullable=False),
        sa.Column("sealed", sa.Text(), nullable=False),
        sa.PrimaryKeyConstraint("org_id", "id", name="pk_integrationcredentials"),
    )
    op.create_table(
        "integrationruns",
        sa.Column("org_id", sa.Uuid(as_uuid=False), nullable=False),
        sa.Column("id", sa.Uuid(as_uuid=False), nullable=False),
        sa.Column("version", sa.BigInteger(), nullable=False),
        sa.Column("dt_created", sa.DateTime(timezone=True), nullable=True),
        sa.Column("dt_last_modified", sa.DateTime(timezone=True), nullable=True),
        sa.Column("created_by", sa.Text(), nullable=True),
        sa.Column("last_modified_by", sa.Text(), nullable=True),
        sa.Column("entity_type", sa.Text(), nullable=False),
        sa.Column("entity_id", sa.Text(), nullable=False),
        sa.Column("dt_started", sa.DateTime(timezone=True), nullable=True),
        sa.Column("dt_completed", sa.DateTime(timezone=True), nullable=True),
        sa.Column("status", sa.Text(), nullable=False),
        sa.Column("destination", sa.Text(), nullable=False),
        sa.Column("destination_id", sa.Text(), nullable=True),
        sa.Column("error", sa.Text(), nullable=True),
        sa.Column("url", sa.Text(), nullable=True),
        sa.Column("external_id", sa.Text(), nullable=True),
        sa.Column("parent_integration_run_id", sa.Text(), nullable=True),
        sa.Column("config_id", sa.Text(), nullable=False),
        sa.Column("attempts", sa.BigInteger(), nullable=False),
        sa.Column("again_at", sa.DateTime(timezone=True), nullable=True),
        sa.Column("facts", postgresql.JSONB(none_as_null=True, astext_type=sa.Text()), nullable=True),
        sa.Column("log", postgresql.JSONB(none_as_null=True, astext_type=sa.Text()), nullable=False),
        sa.PrimaryKeyConstraint("org_id", "id", name="pk_integrationruns"),
    )
    op.create_index("ix_integrationruns_again_at", "integrationruns", ["org_id", "again_at"], unique=False)
    op.create_index("ix_integrationruns_config", "integrationruns", ["org_id", "config_id"], unique=False)
    op.create_index("ix_integrationruns_entity", "integrationruns", ["org_id", "entity_id"], unique=False)
    op.create_table(
        "integrationconfigs",
        sa.Column("org_id", sa.Uuid(as_uuid=False), nullable=False),
        sa.Column("id", sa.Uuid(as_uuid=False), nullable=False),
        sa.Column("version", sa.BigInteger(), nullable=False),
        sa.Column("dt_created", sa.DateTime(timezone=True), nullable=True),
        sa.Column("dt_last_modified", sa.DateTime(timezone=True), nullable=True),
        sa.Column("created_by", sa.Text(), nullable=True),
        sa.Column("last_modified_by", sa.Text(), nullable=True),
        sa.Column("entity_type", sa.Text(), nullable=False),
        sa.Column("entity_id", sa.Text(), nullable=True),
        sa.Column("destination", sa.Text(), nullable=False),
        sa.Column("destination_id", sa.Text(), nullable=True),
        sa.Column("config_data", postgresql.JSONB(none_as_null=True, astext_type=sa.Text()), nullable=False),
        sa.Column("authorized", sa.Boolean(), nullable=False),
        sa.Column("enabled", sa.Boolean(), nullable=False),
        sa.Column("trigger_type", sa.Text(), nullable=False),
        sa.Column("integration_credentials_id", sa.Uuid(as_uuid=False), nullable=True),
        sa.Column("name", sa.Text(), nullable=True),
        sa.Column("disabled_reason", sa.Text(), nullable=True),
        sa.Column("failures", sa.BigInteger(), nullable=False),
        sa.Column("next_run_at", sa.DateTime(timezone=True), nullable=True),
        sa.ForeignKeyConstraint(
            ["org_id", "integration_credentials_id"],
            ["integrationcredentials.org_id", "integrationcredentials.id"],
            name="fk_integrationconfigs_integration_credentials_id",
        ),
        sa.PrimaryKeyConstraint("org_id", "id", name="pk_integrationconfigs"),
    )
    op.create_index(
        "ix_integrationconfigs_integration_credentials_id",
        "integrationconfigs",
        ["org_id", "integration_credentials_id"],
        unique=False,
    )


def downgrade() -> None:
    """Undo it."""
    op.drop_index("ix_integrationconfigs_integration_credentials_id", table_name="integrationconfigs")
    op.drop_table("integrationconfigs")
    op.drop_index("ix_integrationruns_entity", table_name="integrationruns")
    op.drop_index("ix_integrationruns_config", table_name="integrationruns")
    op.drop_index("ix_integrationruns_again_at", table_name="integrationruns")
    op.drop_table("integrationruns")
    op.drop_table("integrationcredentials")
    op.drop_index("ix_externalmappings_theirs", table_name="externalmappings")
    op.drop_index("ix_externalmappings_ours", table_name="externalmappings")
    op.drop_table("externalmappings")
