"""One id in a table of a system."""

import sqlalchemy as sa
from alembic import op

revision = "0031"
down_revision = "0030"


def upgrade() -> None:
    """One id in a table of a system."""
    op.create_index(
        "uq_externalmappings_one_id",
        "externalmappings",
        [
            "org_id",
            sa.literal_column("lower(m3ter_entity)"),
            "m3ter_id",
            "external_system",
            "external_table",
            sa.literal_column("coalesce(integration_config_id, '')"),
        ],
        unique=True,
    )


def downgrade() -> None:
    """Undo it."""
    op.drop_index("uq_externalmappings_one_id", table_name="externalmappings")
