"""Events that an organization schedules, and what is to come of them."""

import sqlalchemy as sa
from alembic import op

revision = "0030"
down_revision = "0029"


def upgrade() -> None:
    """Keep configurations and what is to come."""
    op.create_table(
        "scheduled_event_configurations",
        sa.Column("org_id", sa.Uuid(as_uuid=False), nullable=False),
        sa.Column("id", sa.Uuid(as_uuid=False), nullable=False),
        sa.Column("version", sa.BigInteger(), nullable=False),
        sa.Column("dt_created", sa.DateTime(timezone=True), nullable=True),
        sa.Column("dt_last_modified", sa.DateTime(timezone=True), nullable=True),
        sa.Column("created_by", sa.Text(), nullable=True),
        sa.Column("last_modified_by", sa.Text(), nullable=True),
        sa.Column("name", sa.Text(), nullable=False),
        sa.Column("entity", sa.Text(), nullable=False),
        sa.Column("field", sa.Text(), nullable=False),
        sa.Column("offset", sa.BigInteger(), nullable=False),
        sa.PrimaryKeyConstraint("org_id", "id", name="pk_scheduled_event_configurations"),
        sa.UniqueConstraint("org_id", "name", name="uq_scheduled_event_configurations_name"),
    )
    op.create_table(
        "scheduled_events",
        sa.Column("org_id", sa.Uuid(as_uuid=False), nullable=False),
        sa.Column("configuration_id", sa.Uuid(as_uuid=False), nullable=False),
        sa.Column("entity_id", sa.Uuid(as_uuid=False), nullable=False),
        sa.Column("value", sa.Text(), nullable=False),
        sa.Column("due_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("happened_at", sa.DateTime(timezone=True), nullable=True),
        sa.PrimaryKeyConstraint(
            "org_id", "configuration_id", "entity_id", "value", name="pk_scheduled_events"
        ),
    )
    op.create_index(
        "ix_scheduled_events_due_at",
        "scheduled_events",
        ["org_id", "due_at"],
        unique=False,
        postgresql_where=sa.text("happened_at IS NULL"),
    )


def downgrade() -> None:
    """Forget them."""
    op.drop_index(
        "ix_scheduled_events_due_at",
        table_name="scheduled_events",
        postgresql_where=sa.text("happened_at IS NULL"),
    )
    op.drop_table("scheduled_events")
    op.drop_table("scheduled_event_configurations")
