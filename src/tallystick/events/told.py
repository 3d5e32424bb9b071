"""Which notification rules told of which events: what lists of events can be narrowed by."""

from sqlalchemy import Column, DateTime, PrimaryKeyConstraint, Table, Text

from tallystick.platform.resources.tables import UUID, metadata

told = Table(
    "events_told",
    metadata,
    Column("org_id", UUID, nullable=False),
    Column("notification_id", UUID, nullable=False),
    Column("event_id", UUID, nullable=False),
    Column("notification_code", Text, nullable=False),
    Column("dt_created", DateTime(timezone=True), nullable=False),
    PrimaryKeyConstraint("org_id", "notification_id", "event_id", name="pk_events_told"),
)
"Kept as long as the events; the key lets a rule tell of an event once."
