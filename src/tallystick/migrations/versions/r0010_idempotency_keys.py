"""Keep answers under the caller's key."""

import sqlalchemy as sa
from alembic import op

revision = "0010"
down_revision = "0009"


def upgrade() -> None:
    """Keep answers under the caller's key."""
    op.create_table(
        "idempotency_keys",
        sa.Column("org_id", sa.Uuid(as_uuid=False), nullable=False),
        sa.Column("operation", sa.Text(), nullable=False),
        sa.Column("key", sa.Text(), nullable=False),
        sa.Column("fingerprint", sa.LargeBinary(), nullable=False),
        sa.Column("answer", sa.LargeBinary(), nullable=False),
        sa.Column("created_at", sa.DateTime(timezone=True), nullable=False),
        sa.PrimaryKeyConstraint("org_id", "operation", "key", name="pk_idempotency_keys"),
    )


def downgrade() -> None:
    """Forget kept answers."""
    op.drop_table("idempotency_keys")
