"""Fold account codes."""

import unicodedata

import sqlalchemy as sa
from alembic import op

revision = "0034"
down_revision = "0033"


def upgrade() -> None:
    """Keep with each account what its code has in common with codes like it."""
    op.add_column("accounts", sa.Column("folded_code", sa.Text(), nullable=True))
    if (
        op.get_context().as_sql
    ):  # printed for another day, so by PostgreSQL: it leaves ß and the like as they are
        op.execute("UPDATE accounts SET folded_code = normalize(lower(normalize(code, NFD)), NFD)")
    else:
        _fill(op.get_bind())
    op.alter_column("accounts", "folded_code", nullable=False)
    op.create_index("ix_accounts_folded_code", "accounts", ["org_id", "folded_code"])
    op.drop_index("ix_accounts_code_lower", "accounts")


def downgrade() -> None:
    """Undo it."""
    op.create_index("ix_accounts_code_lower", "accounts", ["org_id", sa.literal_column("lower(code)")])
    op.drop_index("ix_accounts_folded_code", "accounts")
    op.drop_column("accounts", "folded_code")


def _fill(connection: sa.Connection) -> None:
    codes = connection.execute(sa.text("SELECT DISTINCT code FROM accounts")).scalars().all()
    fill = sa.text(
        "UPDATE accounts SET folded_code = each.folded"
        " FROM unnest(CAST(:codes AS text[]), CAST(:folded AS text[])) AS each (code, folded)"
        " WHERE each.code = accounts.code"
    )
    connection.execute(fill, {"codes": codes, "folded": [_folded(code) for code in codes]})


def _folded(code: str) -> str:
    return unicodedata.normalize("NFD", unicodedata.normalize("NFD", code).casefold())
