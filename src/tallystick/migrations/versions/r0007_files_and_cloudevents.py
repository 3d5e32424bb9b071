"""uploaded files of measurements, and meters that count CloudEvents."""

import sqlalchemy as sa
from alembic import op
from sqlalchemy.dialects import postgresql

revision = "0007"
down_revision = "0006"


def upgrade() -> None:
    """Keep the jobs of uploaded files, and which CloudEvents a meter counts."""
    op.create_table(
        "fileuploadjobs",
        sa.Column("org_id", sa.Uuid(as_uuid=False), nullable=False),
        sa.Column("id", sa.Uuid(as_uuid=False), nullable=False),
        sa.Column("version", sa.BigInteger(), nullable=False),
        sa.Column("dt_created", sa.DateTime(timezone=True), nullable=True),
        sa.Column("dt_last_modified", sa.DateTime(timezone=True), nullable=True),
        sa.Column("created_by", sa.Text(), nullable=True),
        sa.Column("last_modified_by", sa.Text(), nullable=True),
        sa.Column("file_name", sa.Text(), nullable=False),
        sa.Column("content_type", sa.Text(), nullable=False),
        sa.Column("content_length", sa.BigInteger(), nullable=False),
        sa.Column("upload_date", sa.DateTime(timezone=True), nullable=True),
        sa.Column("status", sa.Text(), nullable=False),
        sa.Column("total_rows", sa.BigInteger(), nullable=True),
        sa.Column("processed_rows", sa.BigInteger(), nullable=True),
        sa.Column("failed_rows", sa.BigInteger(), nullable=True),
        sa.Column("message", sa.Text(), nullable=True),
        sa.PrimaryKeyConstraint("org_id", "id", name="pk_fileuploadjobs"),
    )
    cloud_events = sa.Column(
        "cloud_events", postgresql.JSONB(none_as_null=True, astext_type=sa.Text()), nullable=True
    )
    op.add_column("meters", cloud_events)


def downgrade() -> None:
    """Forget them."""
    op.drop_column("meters", "cloud_events")
    op.drop_table("fileuploadjobs")
