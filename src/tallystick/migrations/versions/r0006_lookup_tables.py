"""Lookup tables."""

import sqlalchemy as sa
from alembic import op
from sqlalchemy.dialects import postgresql

revision = "0006"
down_revision = "0005"


def upgrade() -> None:
    """Keep lookup tables, their revisions with rows, and jobs on those."""
    op.create_table(
        "lookuptables",
        sa.Column("org_id", sa.Uuid(as_uuid=False), nullable=False),
        sa.Column("id", sa.Uuid(as_uuid=False), nullable=False),
        sa.Column("version", sa.BigInteger(), nullable=False),
        sa.Column("dt_created", sa.DateTime(timezone=True), nullable=True),
        sa.Column("dt_last_modified", sa.DateTime(timezone=True), nullable=True),
        sa.Column("created_by", sa.Text(), nullable=True),
        sa.Column("last_modified_by", sa.Text(), nullable=True),
        sa.Column("name", sa.Text(), nullable=False),
        sa.Column("code", sa.Text(), nullable=False),
        sa.Column(
            "custom_fields", postgresql.JSONB(none_as_null=True, astext_type=sa.Text()), nullable=False
        ),
        sa.PrimaryKeyConstraint("org_id", "id", name="pk_lookuptables"),
        sa.UniqueConstraint("org_id", "code", name="uq_lookuptables_code"),
    )
    op.create_table(
        "lookuptablerevisions",
        sa.Column("org_id", sa.Uuid(as_uuid=False), nullable=False),
        sa.Column("id", sa.Uuid(as_uuid=False), nullable=False),
        sa.Column("version", sa.BigInteger(), nullable=False),
        sa.Column("dt_created", sa.DateTime(timezone=True), nullable=True),
        sa.Column("dt_last_modified", sa.DateTime(timezone=True), nullable=True),
        sa.Column("created_by", sa.Text(), nullable=True),
        sa.Column("last_modified_by", sa.Text(), nullable=True),
        sa.Column("name", sa.Text(), nullable=False),
        sa.Column("status", sa.Text(), nullable=False),
        sa.Column("start_date", sa.DateTime(timezone=True), nullable=True),
        sa.Column("fields", postgresql.JSONB(none_as_null=True, astext_type=sa.Text()), nullable=False),
        sa.Column("keys", postgresql.JSONB(none_as_null=True, astext_type=sa.Text()), nullable=False),
        sa.Column("item_count", sa.BigInteger(), nullable=False),
        sa.Column(
            "custom_fields", postgresql.JSONB(none_as_null=True, astext_type=sa.Text()), nullable=False
        ),
        sa.Column("lookup_table_id", sa.Uuid(as_uuid=False), nullable=False),
        sa.Column("data_version", sa.BigInteger(), nullable=False),
        sa.Column("data_dt_created", sa.DateTime(timezone=True), nullable=True),
        sa.Column("data_dt_last_modified", sa.DateTime(timezone=True), nullable=True),
        sa.Column("data_created_by", sa.Text(), nullable=True),
        sa.Column("data_last_modified_by", sa.Text(), nullable=True),
        sa.ForeignKeyConstraint(
            ["org_id", "lookup_table_id"],
            ["lookuptables.org_id", "lookuptables.id"],
            name="fk_lookuptablerevisions_lookup_table_id",
        ),
        sa.PrimaryKeyConstraint("org_id", "id", name="pk_lookuptablerevisions"),
    )
    op.create_index(
        "ix_lookuptablerevisions_lookup_table_id",
        "lookuptablerevisions",
        ["org_id", "lookup_table_id"],
        unique=False,
    )
    op.create_index(
        "uq_lookuptablerevisions_published",
        "lookuptablerevisions",
        ["org_id", "lookup_table_id"],
        unique=True,
        postgresql_where=sa.text("status = 'PUBLISHED'"),
    )
    op.create_table(
        "lookup_table_rows",
        sa.Column("org_id", sa.Uuid(as_uuid=False), nullable=False),
        sa.Column("revision_id", sa.Uuid(as_uuid=False), nullable=False),
        sa.Column("lookup_key", sa.Text(collation="C"), nullable=False),
        sa.Column("item", postgresql.JSONB(none_as_null=True, astext_type=sa.Text()), nullable=False),
        sa.ForeignKeyConstraint(
            ["org_id", "revision_id"],
            ["lookuptablerevisions.org_id", "lookuptablerevisions.id"],
            name="fk_lookup_table_rows_revision_id",
            ondelete="CASCADE",
        ),
        sa.PrimaryKeyConstraint("org_id", "revision_id", "lookup_key", name="pk_lookup_table_rows"),
    )
    op.create_table(
        "lookuptablejobs",
        sa.Column("org_id", sa.Uuid(as_uuid=False), nullable=False),
        sa.Column("id", sa.Uuid(as_uuid=False), nullable=False),
        sa.Column("version", sa.BigInteger(), nullable=False),
        sa.Column("dt_created", sa.DateTime(timezone=True), nullable=True),
        sa.Column("dt_last_modified", sa.DateTime(timezone=True), nullable=True),
        sa.Column("created_by", sa.Text(), nullable=True),
        sa.Column("last_modified_by", sa.Text(), nullable=True),
        sa.Column("type", sa.Text(), nullable=False),
        sa.Column("status", sa.Text(), nullable=False),
        sa.Column("file_name", sa.Text(), nullable=True),
        sa.Column("lookup_table_id", sa.Uuid(as_uuid=False), nullable=False),
        sa.Column("lookup_table_revision_id", sa.Uuid(as_uuid=False), nullable=False),
        sa.Column("destination_lookup_table_revision_id", sa.Uuid(as_uuid=False), nullable=True),
        sa.Column("job_date", sa.DateTime(timezone=True), nullable=False),
        sa.Column("failure_reason", sa.Text(), nullable=True),
        sa.Column("content_type", sa.Text(), nullable=True),
        sa.Column("content_length", sa.BigInteger(), nullable=True),
        sa.Column("received", sa.Boolean(), nullable=False),
        sa.ForeignKeyConstraint(
            ["org_id", "destination_lookup_table_revision_id"],
            ["lookuptablerevisions.org_id", "lookuptablerevisions.id"],
            name="fk_lookuptablejobs_destination_lookup_table_revision_id",
        ),
        sa.ForeignKeyConstraint(
            ["org_id", "lookup_table_id"],
            ["lookuptables.org_id", "lookuptables.id"],
            name="fk_lookuptablejobs_lookup_table_id",
        ),
        sa.ForeignKeyConstraint(
            ["org_id", "lookup_table_revision_id"],
            ["lookuptablerevisions.org_id", "lookuptablerevisions.id"],
            name="fk_lookuptablejobs_lookup_table_revision_id",
        ),
        sa.PrimaryKeyConstraint("org_id", "id", name="pk_lookuptablejobs"),
    )
    op.create_index(
        "ix_lookuptablejobs_destination_lookup_table_revision_id",
        "lookuptablejobs",
        ["org_id", "destination_lookup_table_revision_id"],
        unique=False,
    )
    op.create_index(
        "ix_lookuptablejobs_lookup_table_id", "lookuptablejobs", ["org_id", "lookup_table_id"], unique=False
    )
    op.create_index(
        "ix_lookuptablejobs_lookup_table_revision_id",
        "lookuptablejobs",
        ["org_id", "lookup_table_revision_id"],
        unique=False,
    )


def downgrade() -> None:
    """Forget them."""
    op.drop_index("ix_lookuptablejobs_lookup_table_revision_id", table_name="lookuptablejobs")
    op.drop_index("ix_lookuptablejobs_lookup_table_id", table_name="lookuptablejobs")
    op.drop_index("ix_lookuptablejobs_destination_lookup_table_revision_id", table_name="lookuptablejobs")
    op.drop_table("lookuptablejobs")
    op.drop_table("lookup_table_rows")
    op.drop_index(
        "uq_lookuptablerevisions_published",
        table_name="lookuptablerevisions",
        postgresql_where=sa.text("status = 'PUBLISHED'"),
    )
    op.drop_index("ix_lookuptablerevisions_lookup_table_id", table_name="lookuptablerevisions")
    op.drop_table("lookuptablerevisions")
    op.drop_table("lookuptables")
