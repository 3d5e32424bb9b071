"""Minimums by days, or whole."""

import sqlalchemy as sa
from alembic import op

revision = "0033"
down_revision = "0032"


def upgrade() -> None:
    """Minimums by days, or whole: stored organizations keep them by days."""
    column: sa.Column[bool] = sa.Column(
        "pro_rate_minimum_spend", sa.Boolean(), server_default=sa.true(), nullable=False
    )
    op.add_column("organizationconfig", column)
    op.alter_column("organizationconfig", "pro_rate_minimum_spend", server_default=None)


def downgrade() -> None:
    """Undo it."""
    op.drop_column("organizationconfig", "pro_rate_minimum_spend")
