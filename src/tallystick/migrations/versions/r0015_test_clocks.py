"""Keep test clocks of organizations."""

import sqlalchemy as sa
from alembic import op

revision = "0015"
down_revision = "0014"


def upgrade() -> None:
    """Keep test clocks of organizations."""
    op.create_table(
        "test_clocks",
        sa.Column("org_id", sa.Uuid(as_uuid=False), nullable=False),
        sa.Column("now", sa.DateTime(timezone=True), nullable=False),
        sa.Column("target", sa.DateTime(timezone=True), nullable=False),
        sa.Column("status", sa.Text(), nullable=False),
        sa.Column("failure", sa.Text(), nullable=True),
        sa.PrimaryKeyConstraint("org_id", name="pk_test_clocks"),
    )


def downgrade() -> None:
    """Undo it."""
    op.drop_table("test_clocks")
