"""Notifications, what they told of, alerts, and how far the record of events was read."""

import sqlalchemy as sa
from alembic import op

revision = "0022"
down_revision = "0021"


def upgrade() -> None:
    """Keep rules and alerts, and number events by the transaction that wrote them."""
    op.create_table(
        "alerts",
        sa.Column("org_id", sa.Uuid(as_uuid=False), nullable=False),
        sa.Column("id", sa.Uuid(as_uuid=False), nullable=False),
        sa.Column("version", sa.BigInteger(), nullable=False),
        sa.Column("dt_created", sa.DateTime(timezone=True), nullable=True),
        sa.Column("dt_last_modified", sa.DateTime(timezone=True), nullable=True),
        sa.Column("created_by", sa.Text(), nullable=True),
        sa.Column("last_modified_by", sa.Text(), nullable=True),
        sa.Column("status", sa.Text(), nullable=False),
        sa.Column("severity", sa.Text(), nullable=False),
        sa.Column("type", sa.Text(), nullable=False),
        sa.Column("description", sa.Text(), nullable=False),
        sa.Column("entity_id", sa.Text(), nullable=True),
        sa.Column("occurrences", sa.BigInteger(), nullable=False),
        sa.Column("dt_last_occurred", sa.DateTime(timezone=True), nullable=True),
        sa.Column("about", sa.Text(), nullable=False),
        sa.PrimaryKeyConstraint("org_id", "id", name="pk_alerts"),
    )
    op.create_index("ix_alerts_about", "alerts", ["org_id", "about"], unique=False)
    op.create_table(
        "event_readers",
        sa.Column("org_id", sa.Uuid(as_uuid=False), nullable=False),
        sa.Column("name", sa.Text(), nullable=False),
        sa.Column("written_in", sa.BigInteger(), nullable=False),
        sa.Column("event_id", sa.Uuid(as_uuid=False), nullable=False),
        sa.Column("newest_id", sa.Uuid(as_uuid=False), nullable=False),
        sa.PrimaryKeyConstraint("org_id", "name", name="pk_event_readers"),
    )
    op.create_table(
        "events_told",
        sa.Column("org_id", sa.Uuid(as_uuid=False), nullable=False),
        sa.Column("notification_id", sa.Uuid(as_uuid=False), nullable=False),
        sa.Column("event_id", sa.Uuid(as_uuid=False), nullable=False),
        sa.Column("notification_code", sa.Text(), nullable=False),
        sa.Column("dt_created", sa.DateTime(timezone=True), nullable=False),
        sa.PrimaryKeyConstraint("org_id", "notification_id", "event_id", name="pk_events_told"),
    )
    op.create_table(
        "notifications",
        sa.Column("org_id", sa.Uuid(as_uuid=False), nullable=False),
        sa.Column("id", sa.Uuid(as_uuid=False), nullable=False),
        sa.Column("version", sa.BigInteger(), nullable=False),
        sa.Column("dt_created", sa.DateTime(timezone=True), nullable=True),
        sa.Column("dt_last_modified", sa.DateTime(timezone=True), nullable=True),
        sa.Column("created_by", sa.Text(), nullable=True),
        sa.Column("last_modified_by", sa.Text(), nullable=True),
        sa.Column("name", sa.Text(), nullable=False),
        sa.Column("description", sa.Text(), nullable=False),
        sa.Column("code", sa.Text(), nullable=False),
        sa.Column("event_name", sa.Text(), nullable=False),
        sa.Column("active", sa.Boolean(), nullable=False),
        sa.Column("always_fire_event", sa.Boolean(), nullable=False),
        sa.Column("calculation", sa.Text(), nullable=True),
        sa.PrimaryKeyConstraint("org_id", "id", name="pk_notifications"),
        sa.UniqueConstraint("org_id", "code", name="uq_notifications_code"),
    )
    # Events of before are at 0, where readers start: nobody is told of them now.
    op.add_column(
        "events", sa.Column("written_in", sa.BigInteger(), server_default=sa.text("0"), nullable=False)
    )
    number = sa.text("((pg_current_xact_id())::text)::bigint")
    op.alter_column("events", "written_in", server_default=number)
    op.create_index("ix_events_written_in", "events", ["org_id", "written_in", "id"], unique=False)


def downgrade() -> None:
    """Forget them."""
    op.drop_index("ix_events_written_in", table_name="events")
    op.drop_column("events", "written_in")
    op.drop_table("notifications")
    op.drop_table("events_told")
    op.drop_table("event_readers")
    op.drop_index("ix_alerts_about", table_name="alerts")
    op.drop_table("alerts")
