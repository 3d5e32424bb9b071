"""Bills by what shares them: frequency, or all of a day, and contract."""

import sqlalchemy as sa
from alembic import op

revision = "0016"
down_revision = "0015"


def upgrade() -> None:
    """Name what shares each bill; so far that was its frequency and interval."""
    op.add_column("bills", sa.Column("grouping", sa.Text(), nullable=True))
    # Row-level security hides the bills from an owner that is no superuser and bound to no organization.
    op.execute("SELECT set_config('tallystick.org_id', '*', true)")
    op.execute("UPDATE bills SET grouping = billing_frequency || ':' || bill_frequency_interval")
    op.alter_column("bills", "grouping", nullable=False)
    op.drop_constraint("uq_bills_period", "bills", type_="unique")
    op.create_unique_constraint(
        "uq_bills_grouping", "bills", ["org_id", "account_id", "grouping", "end_date"]
    )


def downgrade() -> None:
    """Keep one bill for each frequency; grouped ones have to be deleted before."""
    op.drop_constraint("uq_bills_grouping", "bills", type_="unique")
    op.create_unique_constraint(
        "uq_bills_period",
        "bills",
        ["org_id", "account_id", "billing_frequency", "bill_frequency_interval", "end_date"],
    )
    op.drop_column("bills", "grouping")
