"""The tables of log-ins: sessions of browsers, and links to set a password. Tokens are kept hashed."""

from sqlalchemy import BigInteger, Column, DateTime, Index, PrimaryKeyConstraint, Table, Text

from tallystick.platform.resources.tables import UUID, metadata

sessions = Table(
    "sessions",
    metadata,
    Column("org_id", UUID, nullable=False),
    Column("id", UUID, nullable=False),
    Column("user_id", UUID, nullable=False),
    Column("token_hash", Text, nullable=False),
    Column("former_token_hash", Text),
    Column("credentials_version", BigInteger, nullable=False),
    Column("began_at", DateTime(timezone=True), nullable=False),
    Column("rotated_at", DateTime(timezone=True), nullable=False),
    Column("seen_at", DateTime(timezone=True), nullable=False),
    Column("ended_at", DateTime(timezone=True)),
    Column("address", Text, nullable=False),
    Column("user_agent", Text, nullable=False),
    PrimaryKeyConstraint("org_id", "id", name="pk_sessions"),
)
Index("ix_sessions_token_hash", sessions.c.token_hash, unique=True)
Index("ix_sessions_former_token_hash", sessions.c.former_token_hash)
Index("ix_sessions_user_id", sessions.c.org_id, sessions.c.user_id)

password_resets = Table(
    "password_resets",
    metadata,
    Column("org_id", UUID, nullable=False),
    Column("id", UUID, nullable=False),
    Column("user_id", UUID, nullable=False),
    Column("token_hash", Text, nullable=False),
    Column("made_at", DateTime(timezone=True), nullable=False),
    Column("used_at", DateTime(timezone=True)),
    PrimaryKeyConstraint("org_id", "id", name="pk_password_resets"),
)
Index("ix_password_resets_token_hash", password_resets.c.token_hash, unique=True)
Index("ix_password_resets_user_id", password_resets.c.org_id, password_resets.c.user_id)
