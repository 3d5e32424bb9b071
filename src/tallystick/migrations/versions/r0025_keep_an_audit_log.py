"""Keep an audit log."""

import sqlalchemy as sa
from alembic import op
from sqlalchemy.dialects import postgresql

revision = "0025"
down_revision = "0024"


_APPEND_ONLY = (
    """
    CREATE FUNCTION audit_only_grows() RETURNS trigger LANGUAGE plpgsql AS $$
    BEGIN
        IF TG_OP = 'UPDATE' AND OLD.sequence IS NULL AND NEW.sequence IS NOT NULL AND NEW.hash IS NOT NULL
            AND (OLD.org_id, OLD.id, OLD.at, OLD.actor, OLD.operation, OLD.entity, OLD.entity_id,
                 OLD.entity_ids, OLD.changes)
            IS NOT DISTINCT FROM
                (NEW.org_id, NEW.id, NEW.at, NEW.actor, NEW.operation, NEW.entity, NEW.entity_id,
                 NEW.entity_ids, NEW.changes)
        THEN
            RETURN NEW;
        END IF;
        RAISE EXCEPTION 'the audit log only grows';
    END $$
    """,
    """
    CREATE TRIGGER audit_only_grows BEFORE UPDATE OR DELETE ON audit
        FOR EACH ROW EXECUTE FUNCTION audit_only_grows()
    """,
    """
    CREATE TRIGGER audit_is_never_emptied BEFORE TRUNCATE ON audit
        FOR EACH STATEMENT EXECUTE FUNCTION audit_only_grows()
    """,
)


def upgrade() -> None:
    """Keep an audit log."""
    op.create_table(
        "audit",
        sa.Column("org_id", sa.Uuid(as_uuid=False), nullable=False),
        sa.Column("id", sa.Uuid(as_uuid=False), nullable=False),
        sa.Column("at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("actor", sa.Uuid(as_uuid=False), nullable=False),
        sa.Column("operation", sa.Text(), nullable=False),
        sa.Column("entity", sa.Text(), nullable=False),
        sa.Column("entity_id", sa.Uuid(as_uuid=False), nullable=True),
        sa.Column("entity_ids", postgresql.ARRAY(sa.Uuid(as_uuid=False)), nullable=True),
        sa.Column("changes", postgresql.JSONB(none_as_null=True, astext_type=sa.Text()), nullable=False),
        sa.Column("sequence", sa.BigInteger(), nullable=True),
        sa.Column("hash", sa.Text(), nullable=True),
        sa.PrimaryKeyConstraint("org_id", "id", name="pk_audit"),
    )
    op.create_index("ix_audit_actor", "audit", ["org_id", "actor", "id"], unique=False)
    op.create_index("ix_audit_entity_id", "audit", ["org_id", "entity_id", "id"], unique=False)
    op.create_index("ix_audit_entity_ids", "audit", ["entity_ids"], unique=False, postgresql_using="gin")
    op.create_index(
        "ix_audit_unsealed", "audit", ["org_id"], unique=False, postgresql_where=sa.text("sequence IS NULL")
    )
    op.create_index(
        "uq_audit_sequence",
        "audit",
        ["org_id", "sequence"],
        unique=True,
        postgresql_where=sa.text("sequence IS NOT NULL"),
    )
    for statement in _APPEND_ONLY:
        op.execute(statement)


def downgrade() -> None:
    """Forget the audit log."""
    op.drop_index("uq_audit_sequence", table_name="audit", postgresql_where=sa.text("sequence IS NOT NULL"))
    op.drop_index("ix_audit_unsealed", table_name="audit", postgresql_where=sa.text("sequence IS NULL"))
    op.drop_index("ix_audit_entity_ids", table_name="audit", postgresql_using="gin")
    op.drop_index("ix_audit_entity_id", table_name="audit")
    op.drop_index("ix_audit_actor", table_name="audit")
    op.drop_table("audit")
    op.execute("DROP FUNCTION audit_only_grows")
