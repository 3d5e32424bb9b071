"""The job queue, and the role that row-level security binds."""

from pathlib import Path

import sqlalchemy as sa
from alembic import op

revision = "0001"
down_revision = None

_PROCRASTINATE = Path(__file__).parents[1] / "procrastinate_3_10_0.sql"

# Roles belong to the whole server: another database's migration may make it at the same moment. A user who
# may make none is no superuser, so the policies bind it as it is and the role is not needed.
_APP_ROLE = """
DO $$
BEGIN
    IF (SELECT rolsuper OR rolcreaterole FROM pg_roles WHERE rolname = current_user)
        AND NOT EXISTS (SELECT FROM pg_roles WHERE rolname = 'tallystick_app')
    THEN
        CREATE ROLE tallystick_app NOLOGIN NOSUPERUSER NOBYPASSRLS NOCREATEDB NOCREATEROLE;
    END IF;
EXCEPTION
    WHEN duplicate_object OR unique_violation OR insufficient_privilege THEN NULL;
END;
$$
"""


def upgrade() -> None:
    """Make procrastinate's tables and functions, and the role `tallystick_app` where we may."""
    op.execute(_escaped(_PROCRASTINATE.read_text(encoding="utf-8")))
    op.execute(_escaped(_APP_ROLE))


def downgrade() -> None:
    """Refuse: there is nothing below this revision to go back to."""
    raise NotImplementedError("The first revision cannot be undone; drop the database instead.")


def _escaped(sql: str) -> sa.TextClause:
    """Keep SQLAlchemy from reading a colon as the start of a parameter."""
    return sa.text(sql.replace(":", "\\:"))
