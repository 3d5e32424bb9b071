"""Count invoice numbers by prefix."""

import sqlalchemy as sa
from alembic import op

revision = "0032"
down_revision = "0031"


def upgrade() -> None:
    """Count invoice numbers by prefix.

    What was counted goes on under the prefixes it was given with: each at its highest number, and the present
    one where the count stood, for bills may have been deleted.
    """
    op.add_column("bill_sequences", sa.Column("prefix", sa.Text(), server_default="", nullable=False))
    op.alter_column("bill_sequences", "prefix", server_default=None)
    op.drop_column("bill_sequences", "start_number")
    op.drop_constraint("pk_bill_sequences", "bill_sequences", type_="primary")
    op.create_primary_key("pk_bill_sequences", "bill_sequences", ["org_id", "prefix"])
    op.execute(
        "UPDATE bill_sequences SET prefix = config.bill_prefix FROM organizationconfig AS config"
        " WHERE config.org_id = bill_sequences.org_id AND config.bill_prefix IS NOT NULL"
    )
    op.execute(
        "INSERT INTO bill_sequences (org_id, prefix, last_number)"
        " SELECT org_id, substring(number from '^(.*?)[0-9]*$'),"
        " max(CAST(substring(number from '[0-9]{1,18}$') AS bigint))"
        " FROM (SELECT org_id, sequential_invoice_number AS number FROM bills"
        "  WHERE sequential_invoice_number ~ '[0-9]$') AS given GROUP BY 1, 2"
        " ON CONFLICT (org_id, prefix)"
        " DO UPDATE SET last_number = greatest(bill_sequences.last_number, excluded.last_number)"
    )


def downgrade() -> None:
    """Undo it."""
    op.execute(
        "DELETE FROM bill_sequences AS less USING bill_sequences AS more WHERE less.org_id = more.org_id"
        " AND (less.last_number, less.prefix) < (more.last_number, more.prefix)"
    )
    op.drop_constraint("pk_bill_sequences", "bill_sequences", type_="primary")
    op.create_primary_key("pk_bill_sequences", "bill_sequences", ["org_id"])
    op.add_column("bill_sequences", sa.Column("start_number", sa.BigInteger(), nullable=True))
    op.execute("UPDATE bill_sequences SET start_number = last_number")
    op.alter_column("bill_sequences", "start_number", nullable=False)
    op.drop_column("bill_sequences", "prefix")
