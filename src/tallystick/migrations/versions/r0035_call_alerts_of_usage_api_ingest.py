"""Call alerts of usage API_INGEST."""

from alembic import op

revision = "0035"
down_revision = "0034"


def upgrade() -> None:
    """Give alerts about rejected usage the type that the public API knows them by."""
    op.execute("UPDATE alerts SET type = 'API_INGEST' WHERE type = 'INGEST_FAILURE'")


def downgrade() -> None:
    """Undo it."""
    op.execute("UPDATE alerts SET type = 'INGEST_FAILURE' WHERE type = 'API_INGEST'")
